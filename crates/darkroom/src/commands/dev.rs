//! `darkroom dev`: the same server for the tests of an application. It keeps nothing, and everyone knows its account.

use std::error::Error;
use std::io::{self, Write, stderr, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command as Usage, value_parser};
use darkroom_api::endpoints::API_BASE;
use darkroom_model::{Account, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::announcement::reachable;
use super::process::{self, Signals, Told};
use super::serve::addresses;
use crate::dev::{self, DevOptions};
use crate::http::dev::{Beginning, DevServer, FIRST_SEGMENT};
use crate::http::server::{self, BindError, ConnectionCount, Listeners};
use crate::settings::{Listen, Secret, Settings, TOLD_BY_DEV};

pub use crate::http::dev::BeginningError;

/// What holds unless a setting says otherwise: few words, and no long goodbye to requests of tests that are over.
const DEFAULTS: [(&str, &str); 5] = [
    ("account_id", dev::ACCOUNT_ID),
    ("account_hash", dev::ACCOUNT_HASH),
    ("api_token", dev::API_TOKEN),
    ("log", "warn"),
    ("shutdown_wait_seconds", "2"),
];
/// Where it listens if it runs a command, which is told the port: tests that run side by side do not meet.
const ANY_PORT: (&str, &str) = ("listen", "127.0.0.1:0");

/// Returns how the command is used.
pub fn usage() -> Usage {
    let moment =
        |text: &str| Timestamp::parse_rfc3339(text).ok_or("expected a moment such as 2026-01-01T00:00:00Z");
    Usage::new("dev")
        .about("Serves for tests: everything in memory, a known account, clock and ids that tests decide.")
        .after_help(
            "With a command, it serves on a free port for as long as the command runs, and ends as it ended; the \
             command finds CLOUDFLARE_BASE_URL, CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID in its environment.\n\
             Without one, it prints a line of JSON on standard output when it is ready.",
        )
        .arg(Arg::new("seed").long("seed").value_name("FOLDER").value_parser(value_parser!(PathBuf)).help(
            "Images that are there from the start, each perhaps with IMAGE.json beside it (id, creator, metadata, \
             requireSignedURLs, uploaded).",
        ))
        .arg(
            Arg::new("fixed_clock")
                .long("fixed-clock")
                .value_name("TIME")
                .value_parser(moment)
                .help("The moment at which the clock stands. [default: it runs]"),
        )
        .arg(
            Arg::new("fixed_ids")
                .long("fixed-ids")
                .value_name("SEED")
                .help("Any word; the same one makes the same ids every time. [default: chance]"),
        )
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .num_args(1..)
                .last(true)
                .help("What to run beside the server, such as: darkroom dev -- npm test"),
        )
}

/// Returns the settings that hold unless others are given.
pub fn defaults(matches: &ArgMatches) -> Vec<(&'static str, &'static str)> {
    let any_port = matches.contains_id("command").then_some(ANY_PORT);
    DEFAULTS.into_iter().chain(any_port).collect()
}

/// Serves until the process is told to stop, or the command that it runs has ended. 0 after a stop in order, or as the
/// command ended; 1 if there was no start.
pub fn run(settings: Settings, matches: &ArgMatches) -> ExitCode {
    let options = DevOptions {
        seed: matches.get_one("seed").cloned(),
        clock: matches.get_one("fixed_clock").copied(),
        ids: matches.get_one("fixed_ids").cloned(),
        render_program: process::own_program(),
    };
    let command: Vec<&String> = matches.get_many("command").into_iter().flatten().collect();
    process::run(&settings.clone(), serve(settings, options, &command))
}

async fn serve(
    settings: Settings,
    options: DevOptions,
    command: &[&String],
) -> Result<ExitCode, Box<dyn Error>> {
    let mut signals = Signals::listen()?;
    let running = match process::started(&mut signals, start(settings, options)).await {
        Ok(started) => started?,
        Err(_) if command.is_empty() => return Ok(ExitCode::SUCCESS),
        // Success would be the command's, which did not run.
        Err(told) => return Ok(told.exit_code()),
    };
    let code = match command {
        [] => {
            // Nobody may be there to read it.
            let _ = stderr().write_all(running.announcement().as_bytes());
            let _ = writeln!(stdout(), "{}", running.ready_line()).and_then(|()| stdout().flush());
            signals.next().await;
            ExitCode::SUCCESS
        }
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            let spawned = command.args(arguments).envs(running.environment()).kill_on_drop(true).spawn();
            let child = spawned.map_err(|error| format!("the command '{program}' cannot be run: {error}"))?;
            ended(child, &mut signals).await?
        }
    };
    process::finish(&mut signals, running.stop()).await;
    Ok(code)
}

/// Waits for a command, which is told what this process is told, and returns how it ended.
async fn ended(mut child: Child, signals: &mut Signals) -> io::Result<ExitCode> {
    loop {
        tokio::select! {
            status = child.wait() => return status.map(exit_code),
            told = signals.next() => {
                // What the keyboard says it says to both.
                let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
                if let (Told::Terminate, Some(pid)) = (told, pid) {
                    let _ = kill_process(pid, Signal::TERM);
                }
            }
        }
    }
}

/// Returns the exit code of a process as a shell would.
fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let of_signal = || status.signal().map(|signal| 128 + signal);
    let code = status.code().or_else(of_signal).and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}

/// Why a server for tests does not start.
#[derive(Debug, thiserror::Error)]
pub enum DevStartError {
    /// What it begins from cannot be used.
    #[error(transparent)]
    Beginning(#[from] BeginningError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The account's hash is where the calls of `darkroom dev` are.
    #[error("the setting 'account_hash' is 'dev', below which `darkroom dev` has calls of its own")]
    HashIsOurs,
}

/// A server for tests that runs.
pub struct RunningDev {
    addresses: Vec<SocketAddr>,
    origin: String,
    account: Account,
    api_token: Secret,
    server: Arc<DevServer>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<usize>,
}

/// Starts a server for tests and returns it when it answers requests. The settings say where it listens, and who has
/// the account; where they would keep things does not matter, since nothing is kept.
pub async fn start(settings: Settings, options: DevOptions) -> Result<RunningDev, DevStartError> {
    if settings.account_hash.as_ref().is_some_and(|hash| hash.as_str() == FIRST_SEGMENT) {
        return Err(DevStartError::HashIsOurs);
    }
    let (stop, stopping) = watch::channel(false);
    let connections = ConnectionCount::default();
    let limits = settings.limits;
    let (listen, admin_listen) = (settings.listen.clone(), settings.admin_listen.clone());
    let public_url = settings.public_url.clone();
    let beginning = {
        let (connections, stopping) = (connections.clone(), stopping.clone());
        // A seed is read for long.
        let begin = move || Beginning::new(settings, options, connections, stopping);
        tokio::task::spawn_blocking(begin).await.map_err(BeginningError::Interrupted)??
    };
    let (account, api_token) = (beginning.account().clone(), beginning.api_token().clone());
    let server = Arc::new(DevServer::begin(beginning).await?);

    let listeners = Listeners {
        public: server::bind(&listen).await?,
        admin: match admin_listen {
            Some(addresses) => server::bind(&Listen::Named(addresses)).await?,
            None => Vec::new(),
        },
    };
    let addresses = addresses(&listeners.public);
    let origin = match (public_url, addresses.first()) {
        (Some(url), _) => url.as_str().to_owned(),
        (None, Some(&address)) => format!("http://{}", reachable(address)),
        (None, None) => String::new(),
    };
    let serving = tokio::spawn(server::serve(listeners, Arc::clone(&server), limits, connections, stopping));
    Ok(RunningDev { addresses, origin, account, api_token, server, stop, serving })
}

impl RunningDev {
    /// Returns the addresses that are listened on, with the ports that they got.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns what the official clients call their base URL.
    pub fn base_url(&self) -> String {
        format!("{}{API_BASE}", self.origin)
    }

    /// Returns the line of JSON that tells another program where it is. A token that was given is not repeated.
    pub fn ready_line(&self) -> String {
        let line = json!({
            "url": self.origin,
            "base_url": self.base_url(),
            "account_id": self.account.id.as_str(),
            "account_hash": self.account.hash.as_str(),
            "api_token": self.known_token(),
        });
        line.to_string()
    }

    /// Returns what a command finds in its environment.
    fn environment(&self) -> [(String, String); 5] {
        [
            ("CLOUDFLARE_BASE_URL".to_owned(), self.base_url()),
            ("CLOUDFLARE_API_TOKEN".to_owned(), self.api_token.expose().to_owned()),
            ("CLOUDFLARE_ACCOUNT_ID".to_owned(), self.account.id.to_string()),
            (format!("{TOLD_BY_DEV}URL"), self.origin.clone()),
            (format!("{TOLD_BY_DEV}ACCOUNT_HASH"), self.account.hash.to_string()),
        ]
    }

    /// Returns the token that everyone knows, if it is the one; another was given, and is not repeated.
    fn known_token(&self) -> Option<&str> {
        Some(self.api_token.expose()).filter(|token| *token == dev::API_TOKEN)
    }

    /// Returns what a start tells the one who began it.
    fn announcement(&self) -> String {
        let urls: Vec<String> = self.addresses.iter().map(|address| format!("http://{address}")).collect();
        let token = match self.known_token() {
            Some(token) => format!("  CLOUDFLARE_API_TOKEN={token}\n"),
            None => String::new(),
        };
        format!(
            "Darkroom {} for tests listens on {}; it keeps nothing\n\n  CLOUDFLARE_BASE_URL={}\n  \
             CLOUDFLARE_ACCOUNT_ID={}\n{token}\n",
            env!("CARGO_PKG_VERSION"),
            urls.join(" and "),
            self.base_url(),
            self.account.id,
        )
    }

    /// Stops, as [`super::serve::Running::stop`] does.
    pub async fn stop(self) -> usize {
        let _ = self.stop.send(true);
        let cut_off = self.serving.await.unwrap_or_default();
        self.server.world().service.close().await;
        cut_off
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_command_ends_as_a_shell_would_say() {
        for (status, expected) in [(0, 0), (7 << 8, 7), (9, 137), (15, 143)] {
            let code = exit_code(ExitStatus::from_raw(status));
            assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(expected)), "{status}");
        }
    }
}
