//! Running other programs: from the root of the workspace, their output shown as it comes, their tests counted.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::Failure;

/// Returns the root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Returns the folder that Cargo builds into.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Returns a command that starts in the root of the workspace.
pub(crate) fn program(name: impl Into<OsString>) -> Command {
    let mut command = Command::new(name.into());
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Returns the Cargo that runs us, given some words.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words);
    command
}

/// Runs a command; an error if it cannot start or fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    announce(command);
    let status = command.status().map_err(|error| format!("cannot start {}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} failed ({status})", shown(command)).into()) }
}

/// Runs a command that runs tests, and counts them by what its runner prints. A runner that fails without
/// reporting a failed test counts as one.
pub(crate) fn run_tests(command: &mut Command) -> Result<Tally, Failure> {
    announce(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", shown(command)))?;
    let stdout = child
        .stdout
        .take()
        .map(|pipe| thread::spawn(move || show_and_count(pipe, |line| println!("{line}"))));
    let stderr = child
        .stderr
        .take()
        .map(|pipe| thread::spawn(move || show_and_count(pipe, |line| eprintln!("{line}"))));
    let mut tally = Tally::default();
    for reader in [stdout, stderr].into_iter().flatten() {
        tally += reader.join().map_err(|_| "the reader of a test run's output panicked")?;
    }
    if !child.wait()?.success() && tally.failed == 0 {
        tally.failed = 1;
    }
    if tally.failed > 0 {
        tally.failed_commands.push(shown(command));
    }
    Ok(tally)
}

fn show_and_count(pipe: impl Read, show: impl Fn(&str)) -> Tally {
    let mut tally = Tally::default();
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        show(&line);
        tally.count(&line);
    }
    tally
}

fn announce(command: &Command) {
    eprintln!("\n$ {}", shown(command));
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let name = words[0].rsplit('/').next().unwrap_or_default().to_owned();
    std::iter::once(name.as_str()).chain(words[1..].iter().map(|word| &**word)).collect::<Vec<_>>().join(" ")
}

/// How many tests passed and failed, and which commands say so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    failed_commands: Vec<String>,
}

impl Tally {
    /// Prints the closing line; an error if a test failed, or none ran.
    pub(crate) fn close(self) -> Result<(), Failure> {
        println!("\n{self}");
        match self.failed_commands.as_slice() {
            [] if self.passed > 0 => Ok(()),
            [] => Err("no test ran".into()),
            failed => {
                Err(format!("tests failed, look above or run them alone:\n  {}", failed.join("\n  ")).into())
            }
        }
    }

    /// Adds what a closing line of a test runner says: those of cargo, of Node and of Python's unittest.
    fn count(&mut self, line: &str) {
        let line = line.trim();
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += number_before(counts, " passed");
            self.failed += number_before(counts, " failed");
        } else if let Some(counts) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
            self.passed += number_after(counts, "pass ");
            self.failed += number_after(counts, "fail ") + number_after(counts, "cancelled ");
        } else if line.starts_with("Ran ") && (line.contains(" tests in ") || line.contains(" test in ")) {
            // Failures are taken off again by the line that follows.
            self.passed += number_after(line, "Ran ");
        } else if let Some(counts) = line.strip_prefix("FAILED (") {
            let failed: u64 = ["failures=", "errors=", "unexpected successes="]
                .iter()
                .filter_map(|key| counts.split_once(key))
                .map(|(_, rest)| number_after(rest, ""))
                .sum();
            self.passed = self.passed.saturating_sub(failed);
            self.failed += failed;
        }
    }
}

fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split_once(word).map_or("", |(before, _)| before);
    before
        .rsplit(|byte: char| !byte.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

fn number_after(text: &str, word: &str) -> u64 {
    let after = text.strip_prefix(word).unwrap_or_default();
    after
        .split(|byte: char| !byte.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failed_commands.extend(other.failed_commands);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(output: &str, passed: u64, failed: u64) {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.count(line));
        assert_eq!((tally.passed, tally.failed), (passed, failed));
    }

    #[test]
    fn cargo_reports_are_counted() {
        check(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
             test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            15,
            2,
        );
    }

    #[test]
    fn node_reports_are_counted_in_both_forms() {
        check("# tests 9\n# suites 1\n# pass 7\n# fail 1\n# cancelled 1\n# skipped 0\n", 7, 2);
        check("ℹ tests 9\nℹ pass 9\nℹ fail 0\nℹ cancelled 0\nℹ duration_ms 12.5", 9, 0);
    }

    #[test]
    fn unittest_reports_are_counted() {
        check("Ran 24 tests in 1.250s\n\nOK", 24, 0);
        check("Ran 1 test in 0.250s\n\nOK", 1, 0);
        check("Ran 24 tests in 1.250s\n\nFAILED (failures=2, errors=1)", 21, 3);
    }

    #[test]
    fn other_lines_count_nothing() {
        check("pass 7\n# a comment\nRan out of patience\n10 passed", 0, 0);
    }
}
