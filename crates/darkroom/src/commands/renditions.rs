//! `darkroom renditions`: what was made of originals and is kept to be sent again.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Command as Usage;

use super::control::{self, Command, Done};
use super::failed_because;
use crate::settings::Settings;

/// Returns how the command is used.
pub fn usage() -> Usage {
    Usage::new("renditions")
        .about("Manages the renditions that are kept, whether a server runs on the data folder or not.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Usage::new("purge").about(
            "Removes all of them, and prints how many there were in the data folder and their bytes. Each is made \
             again when it is asked for.",
        ))
}

/// Runs the command: 0 if it was done, 1 if not.
pub fn run(settings: &Settings) -> ExitCode {
    match control::run(settings, Command::PurgeRenditions {}) {
        Ok(Done::Purged { renditions, bytes }) => super::printed(writeln!(stdout(), "{renditions}\t{bytes}")),
        Ok(_) => failed_because("the server answered something else"),
        Err(words) => failed_because(&words),
    }
}
