//! `darkroom token`: who may act on accounts.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command as Usage};
use darkroom_model::{AccountId, Grant};

use super::control::{self, Command, Done, TokenText, check_grants, grant_text, parse_scope};
use super::{asked_wrongly, failed_because, printed};
use crate::settings::Settings;

/// Returns how the command is used.
pub fn usage() -> Usage {
    let account = Arg::new("account")
        .long("account")
        .value_name("ID")
        .action(ArgAction::Append)
        .required(true)
        .value_parser(|text: &str| AccountId::parse(text).map_err(|error| error.to_string()))
        .help("An account that the token may act on; may be repeated, each with its --scope.");
    let scope = Arg::new("scope")
        .long("scope")
        .value_name("SCOPE")
        .action(ArgAction::Append)
        .required(true)
        .value_parser(|text: &str| parse_scope(text).ok_or("expected read or write"))
        .help("What it may do there: read or write; write includes read.");
    let id = Arg::new("id").value_name("ID").required(true).help("The token's id, as `token list` shows it.");
    Usage::new("token")
        .about("Manages API tokens, whether a server runs on the data folder or not.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Usage::new("create")
                .about("Makes a token, and prints its secret: this once, and on standard output alone.")
                .arg(account)
                .arg(scope),
        )
        .subcommand(Usage::new("list").about(
            "Prints a line for each token: its id, api or batch, ACCOUNT=SCOPE separated by commas, its end or -.",
        ))
        .subcommand(
            Usage::new("revoke").about("Makes a token worthless from the next request on.").arg(id),
        )
}

/// Runs the command: 0 if it was done, 1 if not, 2 if it was asked for wrongly.
pub fn run(settings: &Settings, matches: &ArgMatches) -> ExitCode {
    let command = match command(matches) {
        Ok(command) => command,
        Err(words) => return asked_wrongly(&words),
    };
    match control::run(settings, command) {
        Ok(Done::Token { id, secret }) => {
            let printed = printed(writeln!(stdout(), "{secret}"));
            if printed == ExitCode::SUCCESS {
                // Nobody may be there to read it.
                let _ = writeln!(stderr(), "token {id} is made; its secret is shown this once");
            }
            printed
        }
        Ok(Done::Tokens(tokens)) => {
            let lines: String = tokens.iter().map(line).collect();
            printed(stdout().write_all(lines.as_bytes()))
        }
        Ok(Done::Revoked { id }) => {
            let _ = writeln!(stderr(), "token {id} is revoked");
            ExitCode::SUCCESS
        }
        Ok(Done::Accounts(_) | Done::Purged { .. }) => failed_because("the server answered something else"),
        Err(words) => failed_because(&words),
    }
}

fn command(matches: &ArgMatches) -> Result<Command, String> {
    match matches.subcommand() {
        Some(("create", flags)) => {
            let accounts: Vec<&AccountId> = flags.get_many("account").unwrap_or_default().collect();
            let scopes: Vec<_> = flags.get_many("scope").unwrap_or_default().copied().collect();
            if accounts.len() != scopes.len() {
                return Err(format!(
                    "expected a --scope for each --account, got {} of {}",
                    scopes.len(),
                    accounts.len()
                ));
            }
            let grant = |(account, scope): (&&AccountId, _)| Grant { account: (*account).clone(), scope };
            let grants: Vec<Grant> = accounts.iter().zip(scopes).map(grant).collect();
            check_grants(&grants)?;
            Ok(Command::CreateToken { grants: grants.iter().map(grant_text).collect() })
        }
        Some(("revoke", flags)) => {
            let id = flags.get_one::<String>("id").cloned().unwrap_or_default();
            // What was given may be the secret: it is not repeated.
            let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            let expected =
                "expected the id of a token, 32 hexadecimal digits as `darkroom token list` shows it";
            if is_id { Ok(Command::RevokeToken { id }) } else { Err(expected.into()) }
        }
        _ => Ok(Command::ListTokens {}),
    }
}

/// Writes a token as a line of the list.
fn line(token: &TokenText) -> String {
    let TokenText { id, kind, grants, expires_at } = token;
    let grants: Vec<String> =
        grants.iter().map(|grant| format!("{}={}", grant.account, grant.scope)).collect();
    let grants = if grants.is_empty() { "-".into() } else { grants.join(",") };
    format!("{id}\t{kind}\t{grants}\t{}\n", expires_at.as_deref().unwrap_or("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expected: Result<&[(&str, &str)], &str>) {
        let arguments = [&["token", "create"], arguments].concat();
        let read = command(&usage().try_get_matches_from(&arguments).unwrap());
        let expected = expected.map_err(str::to_owned).map(|grants| {
            let grant = |(account, scope): &(&str, &str)| control::GrantText {
                account: (*account).into(),
                scope: (*scope).into(),
            };
            Command::CreateToken { grants: grants.iter().map(grant).collect() }
        });
        assert_eq!(read, expected, "{arguments:?}");
    }

    #[test]
    fn every_account_has_its_scope() {
        check(&["--account", "a", "--scope", "read"], Ok(&[("a", "read")]));
        check(
            &["--account", "a", "--scope", "read", "--account", "b", "--scope", "write"],
            Ok(&[("a", "read"), ("b", "write")]),
        );
        check(
            &["--account", "a", "--account", "b", "--scope", "read"],
            Err("expected a --scope for each --account, got 1 of 2"),
        );
        check(
            &["--account", "a", "--scope", "read", "--account", "a", "--scope", "write"],
            Err("expected each account once, got a twice"),
        );
    }

    #[test]
    fn a_token_without_grants_is_listed_too() {
        let token = TokenText { id: "0".into(), kind: "api".into(), grants: Vec::new(), expires_at: None };
        assert_eq!(line(&token), "0\tapi\t-\t-\n");
    }
}
