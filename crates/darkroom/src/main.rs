//! The binary: reads flags and settings, and runs a command. Everything else is in the library.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use darkroom::{commands, settings};

fn main() -> ExitCode {
    let matches = command().get_matches();
    let (words, flags) = asked(&matches);
    let environment = std::env::vars_os();
    let outcome = match words.as_slice() {
        ["config", "print"] => settings::explain(flags, environment).map(commands::config::print),
        ["render-worker"] => Ok(commands::render_worker::run(below(&matches, "render-worker"))),
        ["health"] => settings::load(flags, environment).map(|settings| commands::health::run(&settings)),
        ["account", ..] => settings::load(flags, environment)
            .map(|settings| commands::account::run(&settings, below(&matches, "account"))),
        ["renditions", ..] => {
            settings::load(flags, environment).map(|settings| commands::renditions::run(&settings))
        }
        ["token", ..] => settings::load(flags, environment)
            .map(|settings| commands::token::run(&settings, below(&matches, "token"))),
        ["dev"] => settings::load_over("dev", &commands::dev::defaults(flags), flags, environment)
            .map(|settings| commands::dev::run(settings, flags)),
        _ => settings::load(flags, environment).map(commands::serve::run),
    };
    let code = outcome.unwrap_or_else(|error| {
        eprintln!("darkroom: {error}");
        ExitCode::from(commands::ASKED_WRONGLY)
    });
    darkroom::logging::finish();
    code
}

/// Returns what was asked of one command.
fn below<'a>(matches: &'a ArgMatches, word: &str) -> &'a ArgMatches {
    matches.subcommand_matches(word).unwrap_or(matches)
}

/// Returns the words of the command, and its flags: one may stand before the command or after it.
fn asked(mut matches: &ArgMatches) -> (Vec<&str>, &ArgMatches) {
    let mut words = Vec::new();
    while let Some((word, below)) = matches.subcommand() {
        words.push(word);
        matches = below;
    }
    (words, matches)
}

fn command() -> Command {
    let print = Command::new("print").about("Prints each setting that holds, and where it comes from.");
    Command::new("darkroom")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A self-hosted image service that speaks the HTTP API of Cloudflare Images.")
        .args(settings::flags())
        .subcommand(Command::new("serve").about("Serves; what happens without a command, too."))
        .subcommand(commands::dev::usage())
        .subcommand(commands::account::usage())
        .subcommand(commands::token::usage())
        .subcommand(commands::render_worker::usage())
        .subcommand(commands::renditions::usage())
        .subcommand(
            Command::new("config").about("Looks at settings.").subcommand(print).subcommand_required(true),
        )
        .subcommand(Command::new("health").about(
            "Asks the server at the configured address whether it answers requests: 0 if it does, 1 if not.",
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn a_flag_may_stand_before_the_command_or_after_it() {
        for arguments in [
            &["darkroom", "--data", "x", "serve"][..],
            &["darkroom", "serve", "--data", "x"],
            &["darkroom", "--data", "x"],
            &["darkroom", "config", "--data", "x", "print"],
            &["darkroom", "config", "print", "--data", "x"],
            &["darkroom", "--data", "x", "token", "list"],
            &["darkroom", "token", "--data", "x", "list"],
            &["darkroom", "token", "list", "--data", "x"],
        ] {
            let matches = command().try_get_matches_from(arguments).unwrap();
            let (_, flags) = asked(&matches);
            assert_eq!(flags.get_one::<String>("data").map(String::as_str), Some("x"), "{arguments:?}");
        }
    }
}
