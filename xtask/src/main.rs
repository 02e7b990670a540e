//! Our own chores, in Rust, so that nobody needs another tool: `cargo xtask help` lists them.

mod bench;
mod bench_deliver;
mod clients;
mod full_disk;
mod lint;
mod mutants;
mod run;
mod soak;
mod test;
mod tools;

use std::process::ExitCode;

const HELP: &str = "\
Chores of the Darkroom workspace:

  cargo xtask test                  all tests: Rust, the guard, the proxy, and the published clients, which it fetches
  cargo xtask test --only PART      one part: rust, clients, kill, guard, proxy, full-disk or libaom
  cargo xtask soak                  a full disk, the random histories by the thousand and fifty rounds of kills
  cargo xtask mutants               changes filters and postings, and tells what no test notices: hours
  cargo xtask mutants --shard K/N   one of N parts of that, from 0
  cargo xtask bench connections     lists beside 10,000 idle connections and 200 slow ones, and without them
  cargo xtask bench hand-over       a picture of 5 MB rendered by a worker, and in the same process
  cargo xtask bench start           from the start of a process to its first answer: dev, and serve
  cargo xtask bench deliver         renderings, against sharp, ipx and thumbor; fetches them, writes docs/performance.md
  cargo xtask bench cached          renditions that are kept, against nginx; writes docs/performance.md
  cargo xtask golden                docs/options.md and its pictures anew: look at every one afterwards
  cargo xtask lint                  formatting, lints and the manual's links, warnings denied
";

/// Why a chore could not be done, told so that the reader can mend it.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => test::all(),
        ["test", "--only", part] => test::only(part),
        ["soak"] => soak::soak(),
        ["mutants"] => mutants::mutants(None),
        ["mutants", "--shard", shard] => mutants::mutants(Some(shard)),
        ["bench", "connections"] => bench::connections(),
        ["bench", "hand-over"] => bench::hand_over(),
        ["bench", "start"] => bench::start(),
        ["golden"] => test::golden(),
        ["bench", "deliver"] => bench_deliver::deliver(),
        ["bench", "cached"] => bench_deliver::cached(),
        ["lint"] => lint::lint(),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("no such chore: '{}'\n\n{HELP}", words.join(" ")).into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
