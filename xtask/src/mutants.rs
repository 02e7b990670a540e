//! `cargo xtask mutants`: does a test notice when the code says something else? Outside CI: it takes hours.

use std::process::Command;

use crate::Failure;
use crate::run::{cargo, program, run, target};

/// Random histories for each mutant: few are enough to notice nearly everything that changes an answer.
const HISTORIES: &str = "12";
/// Longest run of a mutant's tests, in seconds; a loop without end is noticed too.
const TEST_SECONDS_MAX: &str = "60";

/// Code whose mistakes are wrong answers, and the tests that look at it: all whose names hold one of these words.
struct Area {
    name: &'static str,
    package: &'static str,
    files: &'static [&'static str],
    tests: &'static [&'static str],
}

const AREAS: [Area; 2] = [
    Area {
        name: "filter",
        package: "darkroom-model",
        files: &["meta_filter.rs", "scalar.rs", "number.rs", "metadata.rs"],
        tests: &[],
    },
    Area {
        name: "pages",
        package: "darkroom-catalog",
        files: &["posting/*.rs", "lmdb/page.rs", "page.rs"],
        tests: &["posting::", "page", "record", "random_histories", "versions", "overlays"],
    },
];

/// Changes the model's filter and the catalog's postings and pages in every way that cargo-mutants knows, or in one
/// shard of them (`k/n`, from 0), and tells which changes no test notices. The lists are in the target folder.
pub(crate) fn mutants(shard: Option<&str>) -> Result<(), Failure> {
    let found = program("cargo").args(["mutants", "--version"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return Err("mutants need cargo-mutants: cargo install cargo-mutants --locked".into());
    }
    let mut survived = Vec::new();
    for area in &AREAS {
        if run(&mut command(area, shard)).is_err() {
            survived.push(folder(area));
        }
    }
    match survived.as_slice() {
        [] => Ok(()),
        folders => Err(format!(
            "mutants were missed (missed.txt), or something else failed; docs/mutants.md says which are known:\n  {}",
            folders.join("\n  ")
        )
        .into()),
    }
}

fn command(area: &Area, shard: Option<&str>) -> Command {
    let mut command = cargo(&["mutants", "--profile", "mutants", "--timeout", TEST_SECONDS_MAX]);
    command.args(["--package", area.package, "--output", &folder(area)]);
    for file in area.files {
        command.arg("--file").arg(format!("crates/{}/src/{file}", area.package));
    }
    command.args(shard.into_iter().flat_map(|shard| ["--shard", shard]));
    command.args(["--", "--lib", "--"]).args(area.tests);
    command.env("DARKROOM_TEST_HISTORIES", HISTORIES).env("RUST_BACKTRACE", "0");
    command
}

fn folder(area: &Area) -> String {
    target().join("mutants-found").join(area.name).display().to_string()
}
