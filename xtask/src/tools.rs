//! The programs that the tests need: each is looked for, and what is missing is named with the command that installs it.

use std::process::{Command, Stdio};

use crate::Failure;
use crate::run::program;

/// Oldest Node that the npm client supports.
const NODE_MAJOR_MIN: u32 = 18;
/// Oldest Python (3.x) that the PyPI client supports.
const PYTHON_MINOR_MIN: u32 = 11;

/// Checks that everything is there that the Rust tests need: a C compiler, because the storage engine is C.
pub(crate) fn check_for_rust() -> Result<(), Failure> {
    refuse_missing(&lacking_for_rust())
}

/// Checks that everything is there that the client suites need.
pub(crate) fn check_for_clients() -> Result<(), Failure> {
    refuse_missing(&lacking_for_clients())
}

/// Checks that the proxy is there whose example is tested.
pub(crate) fn check_for_proxy() -> Result<(), Failure> {
    refuse_missing(&lacking_for_proxy())
}

/// Checks all at once, so that everything that is missing is named together.
pub(crate) fn check_for_everything() -> Result<(), Failure> {
    refuse_missing(&[lacking_for_rust(), lacking_for_clients(), lacking_for_proxy()].concat())
}

fn lacking_for_rust() -> Vec<String> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let words: Vec<&str> = compiler.split_whitespace().collect();
    let found = words
        .split_first()
        .is_some_and(|(name, flags)| answers(program(*name).args(flags).arg("--version")).is_some());
    if found { vec![] } else { vec![missing("a C compiler (cc)", "build-essential", "gcc")] }
}

/// Not everyone has the folder of administrators' programs in the path.
fn lacking_for_proxy() -> Vec<String> {
    let found = ["nginx", "/usr/sbin/nginx"].iter().any(|name| answers(program(*name).arg("-v")).is_some());
    if found { vec![] } else { vec![missing("nginx", "nginx-light", "nginx")] }
}

fn lacking_for_clients() -> Vec<String> {
    let mut lacking = Vec::new();
    match answers(program("node").arg("--version")) {
        None => lacking.push(missing("node", "nodejs", "node")),
        Some(version) if node_major(&version) < NODE_MAJOR_MIN => {
            let found = format!("node {NODE_MAJOR_MIN} or newer (found {version})");
            lacking.push(missing(&found, "nodejs", "node"));
        }
        Some(_) => {}
    }
    if answers(program("npm").arg("--version")).is_none() {
        lacking.push(missing("npm", "npm", "node"));
    }
    let minor = "import sys; print(sys.version_info[1] if sys.version_info[0] == 3 else 0)";
    match answers(program("python3").args(["-c", minor])) {
        None => lacking.push(missing("python3", "python3 python3-venv", "python")),
        Some(minor) if minor.parse().unwrap_or(0) < PYTHON_MINOR_MIN => {
            let found = format!("python3 3.{PYTHON_MINOR_MIN} or newer (found 3.{minor})");
            lacking.push(missing(&found, "python3 python3-venv", "python"));
        }
        Some(_) if !has_pip() && !has_venv() => {
            lacking.push(missing("pip or venv for python3", "python3-venv", "python"));
        }
        Some(_) => {}
    }
    lacking
}

/// Says whether `python3 -m pip` works.
pub(crate) fn has_pip() -> bool {
    answers(program("python3").args(["-m", "pip", "--version"])).is_some()
}

/// Returns the version of Python: compiled packages fit only the one that they were fetched for.
pub(crate) fn python_version() -> String {
    answers(program("python3").arg("--version")).unwrap_or_default()
}

fn has_venv() -> bool {
    answers(program("python3").args(["-c", "import ensurepip, venv; print('yes')"])).is_some()
}

fn refuse_missing(lacking: &[String]) -> Result<(), Failure> {
    match lacking {
        [] => Ok(()),
        lacking => Err(format!("the tests need what is not here:\n{}", lacking.concat()).into()),
    }
}

fn missing(what: &str, debian: &str, homebrew: &str) -> String {
    let command = if cfg!(target_os = "macos") {
        format!("brew install {homebrew}")
    } else {
        format!("apt-get install {debian}")
    };
    format!("  {what}: {command}\n")
}

fn node_major(version: &str) -> u32 {
    let digits = version.trim_start_matches('v').split('.').next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Returns what the program prints on standard output, trimmed; `None` if it is not there or fails.
fn answers(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_read() {
        for (version, major) in [("v20.20.2", 20), ("v8.0.0", 8), ("18.1.0", 18), ("nonsense", 0)] {
            assert_eq!(node_major(version), major, "{version}");
        }
    }

    #[test]
    fn what_is_missing_comes_with_a_command() {
        let failure = refuse_missing(&[missing("npm", "npm", "node")]).unwrap_err().to_string();
        assert!(
            failure.contains("npm: apt-get install npm") || failure.contains("npm: brew install node"),
            "{failure}"
        );
    }
}
