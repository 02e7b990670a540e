//! `darkroom account`: who owns images.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command as Usage};
use darkroom_model::AccountId;

use super::control::{self, ACCOUNT_HASH, Command, Done};
use super::failed_because;
use crate::settings::{Settings, parse_account_hash};

/// Returns how the command is used.
pub fn usage() -> Usage {
    let id = Arg::new("id").long("id").value_name("ID").value_parser(|text: &str| {
        AccountId::parse(text).map(|id| id.to_string()).map_err(|error| error.to_string())
    });
    let hash = Arg::new("hash").long("hash").value_name("HASH").value_parser(|text: &str| {
        let hash = parse_account_hash(text).map(|hash| hash.to_string());
        hash.ok_or_else(|| format!("expected {ACCOUNT_HASH}"))
    });
    Usage::new("account")
        .about("Manages accounts, whether a server runs on the data folder or not.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Usage::new("create")
                .about("Makes an account, and prints its id and its hash.")
                .arg(id.help("Its name in API paths. [default: a new one]"))
                .arg(hash.help("Its name in delivery URLs. [default: a new one]")),
        )
        .subcommand(Usage::new("list").about("Prints a line for each account: its id and its hash."))
}

/// Runs the command: 0 if it was done, 1 if not.
pub fn run(settings: &Settings, matches: &ArgMatches) -> ExitCode {
    let command = match matches.subcommand() {
        Some(("create", flags)) => {
            let given = |name: &str| flags.get_one::<String>(name).cloned();
            Command::CreateAccount { id: given("id"), hash: given("hash") }
        }
        _ => Command::ListAccounts {},
    };
    match control::run(settings, command) {
        Ok(Done::Accounts(accounts)) => {
            let lines: String =
                accounts.iter().map(|account| format!("{}\t{}\n", account.id, account.hash)).collect();
            super::printed(stdout().write_all(lines.as_bytes()))
        }
        Ok(_) => failed_because("the server answered something else"),
        Err(words) => failed_because(&words),
    }
}
