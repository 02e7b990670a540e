//! The commands, as an operator gives them: they go to the server that has the folder, or do it themselves.

use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};

/// Runs a command and returns what it printed; an error if its server went away before it answered.
pub(crate) fn run(data: &Path, words: &[&str]) -> io::Result<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_darkroom"));
    // Without our own environment: a variable that is no setting is refused.
    let output = command.args(words).arg("--data").arg(data).env_clear().output()?;
    let text = |bytes| String::from_utf8(bytes).expect("text");
    if output.status.success() {
        return Ok(text(output.stdout));
    }
    let told = text(output.stderr);
    assert!(told.contains("the server did not answer"), "{words:?}: {told}");
    Err(io::Error::other(told))
}

/// Returns every account's hash, by id.
pub(crate) fn account_list(data: &Path) -> io::Result<Map<String, Value>> {
    let accounts = run(data, &["account", "list"])?;
    let accounts = accounts.lines().map(|line| line.split_once('\t').expect("an id and a hash"));
    Ok(accounts.map(|(id, hash)| (id.to_owned(), json!(hash))).collect())
}

/// Returns the id of every token for the API, by what it may do.
pub(crate) fn token_list(data: &Path) -> io::Result<Map<String, Value>> {
    let tokens = run(data, &["token", "list"])?;
    let tokens = tokens.lines().filter_map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
        [id, "api", grants, ..] => Some((grants.to_owned(), json!(id))),
        _ => None,
    });
    Ok(tokens.collect())
}
