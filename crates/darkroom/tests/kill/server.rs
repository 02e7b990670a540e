//! The server as a child process: this executable, told by its environment to serve.
//!
//! It says on standard output where it listens. A line on its standard input makes it sweep, the end of that input
//! makes it stop, so that it never outlives the test.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use darkroom::commands::serve::{Overrides, start};
use darkroom::settings::{Listen, Secret, Settings};
use darkroom_model::{AccountHash, AccountId, Clock, SystemClock, Timestamp};
use darkroom_service::CatalogThresholds;

use crate::client::send;
use crate::{ACCOUNT_HASH, ACCOUNT_ID, API_TOKEN};

const FOLDER: &str = "DARKROOM_TEST_KILL_FOLDER";
const LISTENS: &str = "the child listens on ";
const SWEPT: &str = "the child has swept";
/// How far the child's clock is ahead: longer than an original without a row is left alone.
const AHEAD_MS: u64 = 48 * 3_600_000;

/// A running child.
pub(crate) struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a child on the folder, and waits until it listens.
    pub(crate) fn start(data: &Path) -> Server {
        let mut server = Server::begin(data);
        let line = server.await_line(LISTENS);
        server.address = line.rsplit(' ').next().unwrap().parse().unwrap();
        server
    }

    /// Starts a child without waiting for anything; its address is not known.
    pub(crate) fn begin(data: &Path) -> Server {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "serve", "--ignored", "--nocapture"])
            .env(FOLDER, data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Server { child, lines, address: ([0, 0, 0, 0], 0).into() }
    }

    /// Removes every original that no row names.
    pub(crate) fn sweep(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"sweep\n").unwrap();
        self.await_line(SWEPT);
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops in good order.
    pub(crate) fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    /// Returns the line that holds the text; libtest writes its own words before it.
    #[track_caller]
    fn await_line(&mut self, text: &str) -> String {
        let mut lines = self.lines.by_ref().map(|line| line.unwrap());
        match lines.find(|line| line.contains(text)) {
            Some(line) => line,
            None => panic!("the child ended before it said '{text}': {:?}", self.child.wait()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a counter of the server's.
pub(crate) fn metric(server: SocketAddr, name: &str) -> f64 {
    let answer = send(server, "GET", "/metrics", None, b"").expect("the server stays");
    let text = String::from_utf8(answer.body).unwrap();
    let named =
        |line: &&str| line.starts_with("darkroom_") && line.split(' ').next().unwrap().ends_with(name);
    let line = text.lines().find(named).unwrap_or_else(|| panic!("no metric {name} in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// What the child does.
pub(crate) fn serve() {
    let data = std::env::var_os(FOLDER).expect("the parent names a folder");
    let settings = Settings {
        listen: Listen::Named(vec!["127.0.0.1:0".parse().unwrap()]),
        data: data.into(),
        account_id: AccountId::parse(ACCOUNT_ID).ok(),
        account_hash: AccountHash::parse(ACCOUNT_HASH).ok(),
        api_token: Some(Secret::new(API_TOKEN.into())),
        ..Settings::default()
    };
    let overrides = Overrides { clock: Arc::new(ClockAhead), thresholds: tiny(), ..Overrides::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let running = runtime.block_on(start(settings, overrides)).unwrap();
    println!("{LISTENS}{}", running.addresses()[0]);
    for _ in std::io::stdin().lines() {
        runtime.block_on(running.service().sweep()).unwrap();
        println!("{SWEPT}");
    }
    runtime.block_on(running.stop());
}

/// Thresholds at which a server seals, merges and rewrites all the time, each in many small commits.
fn tiny() -> CatalogThresholds {
    let mut thresholds = CatalogThresholds::default();
    thresholds.seal_images = 12;
    thresholds.merge_fan_in = 3;
    thresholds.rewrite_fraction = 4;
    thresholds.group_max = 4;
    thresholds.step_bytes = 256;
    thresholds
}

struct ClockAhead;

impl Clock for ClockAhead {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + AHEAD_MS)
    }
}
