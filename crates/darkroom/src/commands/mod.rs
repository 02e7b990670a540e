//! What the binary can be told to do, one command a file.

pub mod account;
mod announcement;
pub mod config;
mod control;
mod control_path;
pub mod dev;
mod first_start;
pub mod health;
mod new_names;
mod process;
pub mod render_worker;
pub mod renditions;
pub mod serve;
pub mod token;
mod token_file;

use std::error::Error;
use std::io::{self, Write, stderr};
use std::process::ExitCode;

/// What was asked for cannot be done, because it was asked for wrongly.
pub const ASKED_WRONGLY: u8 = 2;

/// Tells an error with all that led to it, in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

/// Says why what was asked was not done.
fn failed_because(words: &str) -> ExitCode {
    let _ = writeln!(stderr(), "darkroom: {words}");
    ExitCode::FAILURE
}

/// Says what was wrong with what was asked.
fn asked_wrongly(words: &str) -> ExitCode {
    let _ = writeln!(stderr(), "darkroom: {words}");
    ExitCode::from(ASKED_WRONGLY)
}

/// Returns the exit code of a command whose whole point was to print: what nobody could read was not done.
fn printed(written: io::Result<()>) -> ExitCode {
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed_because(&format!("standard output could not be written: {error}")),
    }
}
