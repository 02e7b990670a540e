//! The test of a full disk, on a small file system that exists only while it runs.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::run::{Tally, cargo, program, run_tests, target};

/// How large the disk is: some hundred images and the catalog.
const SIZE: &str = "size=16m";
/// Mounts the disk where the test looks for it, then becomes the command that follows.
const MOUNT_AND_RUN: &str =
    r#"mount -t tmpfs -o "$1" tmpfs "$DARKROOM_TEST_SMALL_DISK" && shift && exec "$@""#;
/// How a process gets mounts of its own, which end with it: as anybody, or as the administrator of a machine that does
/// not let others.
const OWN_MOUNTS: [&[&str]; 2] = [&["--user", "--map-root-user", "--mount"], &["--mount"]];

/// Runs the test; an error that names what is missing if there can be no small disk.
pub(crate) fn test() -> Result<Tally, Failure> {
    let own_mounts = own_mounts()?.ok_or_else(|| format!("cannot test a full disk: {}", missing()))?;
    let test = cargo(&["test", "--package", "darkroom-service", "--test", "full_disk", "--", "--ignored"]);
    let words = std::iter::once(test.get_program()).chain(test.get_args());
    run_tests(&mut on_small_disk(own_mounts, words)?)
}

/// Says why this machine cannot test a full disk; `None` if it can.
pub(crate) fn obstacle() -> Result<Option<String>, Failure> {
    Ok(own_mounts()?.is_none().then(missing))
}

fn missing() -> String {
    "it needs Linux with `unshare` and `mount` (util-linux), and root or user namespaces \
     (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
        .into()
}

/// Returns the first way that works here.
fn own_mounts() -> Result<Option<&'static [&'static str]>, Failure> {
    for words in OWN_MOUNTS {
        let mut attempt = on_small_disk(words, [OsStr::new("true")])?;
        if attempt.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            return Ok(Some(words));
        }
    }
    Ok(None)
}

fn on_small_disk<'a>(
    own_mounts: &[&str],
    words: impl IntoIterator<Item = &'a OsStr>,
) -> Result<Command, Failure> {
    let folder: PathBuf = target().join("small-disk");
    fs::create_dir_all(&folder)?;
    let mut command = program("unshare");
    command.args(own_mounts).args(["--", "sh", "-c", MOUNT_AND_RUN, "sh", SIZE]).args(words);
    command.env("DARKROOM_TEST_SMALL_DISK", folder);
    Ok(command)
}
