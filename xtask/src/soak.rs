//! `cargo xtask soak`: what runs a little in each test run, run for long.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::process::Command;

use crate::Failure;
use crate::full_disk;
use crate::run::{cargo, run_tests};

/// Random histories of one soak.
const HISTORIES: &str = "5000";
/// Rounds of kills of one soak.
const KILL_ROUNDS: &str = "50";
/// Renderings of one soak.
const RENDERINGS: &str = "20000";

/// Runs the test of a full disk, and the random histories, the kills and the renderings at length, with other seeds than
/// any time before. A test that fails prints its seed, and takes it back from `DARKROOM_TEST_SEED`.
pub(crate) fn soak() -> Result<(), Failure> {
    // First: it is quick, and what it needs may be missing.
    let mut tally = full_disk::test()?;
    let mut histories = cargo(&["test", "--package", "darkroom-catalog", "--no-fail-fast"]);
    // Every history takes the next seed: leave them room.
    let seed = RandomState::new().build_hasher().finish() >> 16;
    with_default(&mut histories, "DARKROOM_TEST_SEED", &seed.to_string());
    tally += run_tests(with_default(&mut histories, "DARKROOM_TEST_HISTORIES", HISTORIES))?;
    let mut kills = cargo(&["test", "--workspace", "--test", "kill"]);
    tally += run_tests(with_default(&mut kills, "DARKROOM_TEST_KILL_ROUNDS", KILL_ROUNDS))?;
    let mut renderings = cargo(&["test", "--workspace", "--test", "flat_memory", "--", "--nocapture"]);
    tally += run_tests(with_default(&mut renderings, "DARKROOM_TEST_RENDERINGS", RENDERINGS))?;
    tally.close()
}

fn with_default<'a>(command: &'a mut Command, name: &str, value: &str) -> &'a mut Command {
    if std::env::var_os(name).is_some() { command } else { command.env(name, value) }
}
