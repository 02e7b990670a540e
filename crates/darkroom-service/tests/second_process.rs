//! Two processes and one data folder.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use darkroom_service::{DataFolder, DataFolderError};

const FOLDER: &str = "DARKROOM_TEST_FOLDER";

/// What the other process does: it takes the folder, says so, and waits to be killed.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn other_process() {
    let _folder = DataFolder::open(&PathBuf::from(std::env::var_os(FOLDER).unwrap())).unwrap();
    println!("\nlocked");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

fn start_other_process(folder: &std::path::Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "other_process", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "locked"), "the other process has no lock");
    child
}

#[test]
fn a_folder_in_use_is_refused_until_the_other_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = start_other_process(folder.path());
    let error = DataFolder::open(folder.path()).unwrap_err();
    assert!(matches!(error, DataFolderError::InUse(_)), "{error:?}");
    assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
    other.kill().unwrap();
    other.wait().unwrap();
    DataFolder::open(folder.path()).unwrap();
}
