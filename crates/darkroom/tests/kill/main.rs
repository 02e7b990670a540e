//! SIGKILL at random moments under concurrent writes; then everything that was acknowledged must stand.
//!
//! The server is this very executable, started anew: thresholds so small that kills hit seals, merges and rewrites are
//! no setting. Its clock is hours ahead, so that its sweeps take every spare original to be old, also while uploads
//! go on. `DARKROOM_TEST_KILL_ROUNDS` asks for more rounds, `DARKROOM_TEST_SEED` for those of a failure: the choices
//! return, the moments of the kills only nearly.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chance;
mod client;
mod commands;
mod look;
mod owner;
mod picture;
mod server;
mod worker;

use std::path::Path;
use std::thread;
use std::time::Duration;

use chance::Chance;
use look::look;
use owner::Owner;
use server::{Server, metric};
use worker::Worker;

const ACCOUNT_ID: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const ACCOUNT_HASH: &str = "Vi7wi5KSItxGFsWRG2Us6Q";
const API_TOKEN: &str = "a-token-that-only-this-test-knows";
const IMAGES: &str = "/client/v4/accounts/023e105f4ecef8ad9ca31a8372d0c353/images";
const MULTIPART: &str = "multipart/form-data; boundary=cut";

/// Clients that write at the same time.
const WORKERS: usize = 16;
/// Rounds of an ordinary test run.
const ROUNDS: usize = 3;
/// Longest life of a server under load.
const LIFE_MS_MAX: usize = 1_500;
/// Longest life of one that dies while it opens its folder.
const YOUNG_LIFE_MS_MAX: usize = 40;

#[test]
fn acknowledged_writes_survive_kills() {
    let seed = chance::seed();
    let rounds = std::env::var("DARKROOM_TEST_KILL_ROUNDS")
        .map_or(ROUNDS, |rounds| rounds.parse().expect("DARKROOM_TEST_KILL_ROUNDS is a number"));
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _told = TellSeedOnPanic(seed);
    let mut chance = Chance::from_seed(seed);
    let mut workers: Vec<Worker> = (0..WORKERS).map(|name| Worker::new(name, seed)).collect();

    let mut owner = None;
    let mut builds = 0.0;
    for round in 1..=rounds {
        if chance.one_in(3) {
            die_young(&data, &mut chance);
        }
        let server = Server::start(&data);
        let standing = look(server.address, &mut workers, &mut chance, false);
        let owner = owner.get_or_insert_with(|| Owner::new(server.address, data.clone(), seed));
        owner.look(server.address);
        let life = Duration::from_millis(50 + chance.below(LIFE_MS_MAX) as u64);
        let before = acknowledged(&workers);
        let built = write_until_killed(server, &mut workers, owner, life);
        builds += built;
        eprintln!(
            "round {round}: {standing} images stood, killed after {life:?}, {} writes acknowledged, {built} segments built",
            acknowledged(&workers) - before
        );
    }

    let mut server = Server::start(&data);
    let standing = look(server.address, &mut workers, &mut chance, true);
    let mut owner = owner.expect("there was a round");
    let of_owner = owner.look(server.address);
    eprintln!("the owner: {} writes acknowledged, {of_owner} originals", owner.acknowledged);
    server.sweep();
    assert_eq!(
        files(&data.join("originals")),
        standing + of_owner,
        "originals without a row, or rows without an original"
    );
    assert_eq!(look(server.address, &mut workers, &mut chance, true), standing, "after the sweep");
    assert_eq!(owner.look(server.address), of_owner, "after the sweep");
    assert!(
        standing > 0 && builds > 0.0 && owner.acknowledged > 0,
        "the rounds were too short to mean anything"
    );
    server.stop();
}

#[test]
#[ignore = "the server that the other test starts and kills"]
fn serve() {
    server::serve();
}

/// Lets the owner and every worker write, and kills the server after `life`. Returns how many segments it had built by then.
fn write_until_killed(mut server: Server, workers: &mut [Worker], owner: &mut Owner, life: Duration) -> f64 {
    let address = server.address;
    thread::scope(|scope| {
        scope.spawn(|| owner.work(address));
        for worker in workers {
            scope.spawn(|| worker.work(address));
        }
        thread::sleep(life);
        let built = ["seals", "merges", "rewrites"].map(|kind| metric(address, &format!("{kind}_total")));
        server.kill();
        built.iter().sum()
    })
}

/// Kills a server while it opens its folder, or just after.
fn die_young(data: &Path, chance: &mut Chance) {
    let mut server = Server::begin(data);
    thread::sleep(Duration::from_millis(chance.below(YOUNG_LIFE_MS_MAX) as u64));
    server.kill();
}

fn acknowledged(workers: &[Worker]) -> usize {
    workers.iter().map(|worker| worker.touched.len()).sum()
}

/// Counts the files below a folder.
fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| if entry.file_type().unwrap().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

struct TellSeedOnPanic(u64);

impl Drop for TellSeedOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the seed was {0}: DARKROOM_TEST_SEED={0}", self.0);
        }
    }
}
