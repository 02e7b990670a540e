//! `darkroom render-worker`: what the server starts to render pictures. Not for people.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};

/// Returns how the command is used, which no help tells.
pub fn usage() -> Command {
    let number = |name: &'static str| Arg::new(name).required(true).value_parser(value_parser!(u64));
    Command::new("render-worker").hide(true).arg(number("memory_bytes_max")).arg(number("seconds_max"))
}

/// Renders until the server closes the socket that is standard input.
pub fn run(matches: &ArgMatches) -> ExitCode {
    let number = |name| matches.get_one(name).copied().unwrap_or_default();
    darkroom_service::render_worker(number("memory_bytes_max"), Duration::from_secs(number("seconds_max")))
}
