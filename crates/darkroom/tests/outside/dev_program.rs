//! The command `darkroom dev` as a test harness sees it: what it prints, what it runs, what it leaves.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use darkroom::dev::{ACCOUNT_HASH, ACCOUNT_ID, API_TOKEN};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::common::client::Request;
use super::common::pictures::PNG;
#[cfg(target_os = "linux")]
use super::first_start::wait_until_taken;

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_darkroom"));
    command.current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.arg("dev").args(words).stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn output(folder: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(folder, words).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Reads the line that says that it is ready.
fn ready(child: &mut Child) -> Value {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

fn terminate(child: &Child) {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[tokio::test]
async fn one_line_says_that_it_is_ready_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = command(folder.path(), &["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let line = ready(&mut child);
    let address = line["url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    assert_eq!(Request::new(address, "GET", "/health/ready").send().await.status, 200);
    assert_eq!(
        (line["account_id"].as_str(), line["account_hash"].as_str()),
        (Some(ACCOUNT_ID), Some(ACCOUNT_HASH))
    );
    assert_eq!(line["api_token"], API_TOKEN);
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn a_token_that_was_given_counts_and_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path(), &["--listen", "127.0.0.1:0"]);
    command.env("DARKROOM_API_TOKEN", "a-token-of-my-own").env("DARKROOM_ACCOUNT_ID", "mine");
    let mut child = command.spawn().unwrap();
    let line = ready(&mut child);
    assert_eq!((&line["api_token"], &line["account_id"]), (&Value::Null, &Value::from("mine")));
    terminate(&child);
    let words = child.wait_with_output().unwrap().stderr;
    assert!(!String::from_utf8(words).unwrap().contains("a-token-of-my-own"));
}

#[test]
fn a_command_is_run_beside_it_and_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo $CLOUDFLARE_API_TOKEN $CLOUDFLARE_ACCOUNT_ID $DARKROOM_DEV_ACCOUNT_HASH; \
                  test \"$CLOUDFLARE_BASE_URL\" = \"$DARKROOM_DEV_URL/client/v4\"; exit 7";
    let (code, printed, words) = output(folder.path(), &["--", "sh", "-ec", script]);
    let expected = format!("{API_TOKEN} {ACCOUNT_ID} {ACCOUNT_HASH}\n");
    assert_eq!((code, printed, words.as_str()), (Some(7), expected, ""));
    assert_eq!(output(folder.path(), &["--", "sh", "-c", "kill -KILL $$"]).0, Some(137));
    let (code, _, words) = output(folder.path(), &["--", "no-such-program"]);
    assert_eq!(code, Some(1));
    assert!(words.starts_with("darkroom: the command 'no-such-program' cannot be run: "), "{words}");
    assert_eq!(entries(folder.path()), 0);
}

#[test]
fn the_command_is_told_to_stop_too() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'exit 5' TERM; echo begun; while :; do sleep 0.05; done";
    let mut child = command(folder.path(), &["--", "sh", "-c", script]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    terminate(&child);
    let began = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[cfg(target_os = "linux")]
#[test]
fn a_start_is_broken_off_when_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    fs::write(images.join("0.png"), PNG).unwrap();
    // So many that the start is not over when the signal comes.
    for number in 1..10_000 {
        fs::hard_link(images.join("0.png"), images.join(format!("{number}.png"))).unwrap();
    }
    let seed = ["--listen", "127.0.0.1:0", "--seed", "images"];
    let with_command = [&seed[..], &["--", "echo", "begun"]].concat();
    for (words, signal, expected) in [
        (&seed[..], Signal::TERM, 0),
        (&seed, Signal::INT, 0),
        // The command did not run, so it did not succeed.
        (&with_command, Signal::TERM, 143),
        (&with_command, Signal::INT, 130),
    ] {
        let child = command(folder.path(), words).spawn().unwrap();
        wait_until_taken(&child, signal);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), &output.stdout[..], &output.stderr[..]),
            (Some(expected), &[][..], &[][..])
        );
    }
}

#[test]
fn what_cannot_be_is_told_and_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("images")).unwrap();
    fs::write(folder.path().join("images/a.png"), PNG).unwrap();
    fs::write(folder.path().join("images/b.png"), "no image").unwrap();
    let (code, printed, words) = output(folder.path(), &["--seed", "images", "--", "touch", "begun"]);
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    let expected = "darkroom: seed 'images/b.png': Uploaded image must have image/jpeg, image/png, image/webp, \
                    image/gif or image/svg+xml content-type\n";
    assert_eq!(words, expected);
    assert!(!folder.path().join("begun").exists());

    let (code, _, words) = output(folder.path(), &["--fixed-clock", "yesterday"]);
    assert_eq!(code, Some(2));
    assert!(words.contains("expected a moment such as 2026-01-01T00:00:00Z"), "{words}");

    let mut ours = command(folder.path(), &["--", "true"]);
    let output = ours.env("DARKROOM_ACCOUNT_HASH", "dev").output().unwrap();
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "darkroom: the setting 'account_hash' is 'dev', below which `darkroom dev` has calls of its own\n"
    );
}
