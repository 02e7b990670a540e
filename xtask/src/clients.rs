//! The published clients: fetched into the target folder at exactly the versions that `tests-clients` names, then let
//! loose on the real binary.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::run::{Tally, program, root, run, run_tests, target};
use crate::tools::{check_for_clients, has_pip, python_version};

/// Fetches the clients, unless they are there already.
pub(crate) fn fetch() -> Result<(), Failure> {
    check_for_clients()?;
    fetch_once(&root().join("tests-clients/npm/package.json"), &npm_folder(), install_npm)?;
    fetch_once(&root().join("tests-clients/python/requirements.txt"), &python_folder(), install_python)
}

/// The commands of the binary that both suites are run against. What stands in a folder `dev` of a suite is for the
/// second only; what needs a data folder is for the first only, and is started elsewhere (`xtask/src/test.rs`).
const MODES: [&str; 2] = ["serve", "dev"];

/// Runs both suites against the binary that has been built, in each mode.
pub(crate) fn test() -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for mode in MODES {
        let folders = |suite: &str| {
            let own = (mode == "dev").then(|| Path::new(suite).join("dev"));
            std::iter::once(PathBuf::from(suite)).chain(own)
        };
        let mut node = program("node");
        node.arg("--test");
        for folder in folders("tests-clients/npm") {
            node.args(npm_suite(&folder)?);
        }
        tally += run_tests(with_environment(&mut node).env("DARKROOM_MODE", mode))?;
        for folder in folders("tests-clients/python") {
            let mut python = program("python3");
            python.args(["-m", "unittest", "discover", "--start-directory"]).arg(folder);
            tally += run_tests(with_environment(&mut python).env("DARKROOM_MODE", mode))?;
        }
    }
    Ok(tally)
}

/// Tells a suite, or a test that starts a client, where binary and clients are.
pub(crate) fn with_environment(command: &mut Command) -> &mut Command {
    command
        .env("DARKROOM_BINARY", target().join("debug/darkroom"))
        .env("DARKROOM_NPM_CLIENTS", npm_folder())
        .env("PYTHONPATH", python_path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
}

fn npm_folder() -> PathBuf {
    target().join("clients/npm")
}

fn python_folder() -> PathBuf {
    target().join("clients/python")
}

/// Returns where Python looks: for the clients, and for what all tests share.
fn python_path() -> OsString {
    let folders = [python_folder(), root().join("tests-clients/python")];
    std::env::join_paths(&folders).unwrap_or_else(|_| folders[0].clone().into())
}

/// Returns the test files, by name: how Node expands a folder differs between its versions.
fn npm_suite(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join(folder))? {
        let name = entry?.file_name();
        if name.to_string_lossy().ends_with(".test.mjs") {
            files.push(folder.join(name));
        }
    }
    files.sort();
    Ok(files)
}

/// Calls `install` on an empty folder unless an earlier call for the same pins succeeded. The copy of the pins
/// (and of Python's version) that says so is written last.
fn fetch_once(
    pins: &Path,
    folder: &Path,
    install: fn(&Path, &Path) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let wanted = format!("{}\n{}\n", fs::read_to_string(pins)?, python_version());
    let fetched = folder.join(".fetched");
    if fs::read_to_string(&fetched).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    install(pins, folder)?;
    fs::write(fetched, wanted)?;
    Ok(())
}

fn install_npm(pins: &Path, folder: &Path) -> Result<(), Failure> {
    fs::copy(pins, folder.join("package.json"))?;
    let words = ["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"];
    run(program("npm").args(words).current_dir(folder))
        .map_err(|failure| format!("cannot fetch the npm client: {failure}; try: npm ping").into())
}

fn install_python(pins: &Path, folder: &Path) -> Result<(), Failure> {
    let mut python = PathBuf::from("python3");
    if !has_pip() {
        let venv = target().join("clients/venv");
        run(program("python3").args([OsStr::new("-m"), OsStr::new("venv"), venv.as_os_str()]))?;
        python = venv.join("bin/python");
    }
    // The pins name every dependency, so nothing else needs to be resolved.
    let words = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
    ];
    run(program(python)
        .args(words)
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .arg("--target")
        .arg(folder)
        .arg("--requirement")
        .arg(pins))
    .map_err(|failure| {
        format!("cannot fetch the Python client: {failure}; try: python3 -m pip download cloudflare").into()
    })
}
