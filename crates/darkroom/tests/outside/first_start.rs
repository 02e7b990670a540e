//! The program itself: first and later starts, its folder, its token, its exit codes, its words.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use darkroom::commands::serve::{Overrides, start};
use darkroom::settings::{Listen, Settings};
use darkroom_model::{Account, AccountHash, AccountId, RandomIds, SystemClock};
use darkroom_service::{CatalogPlace, DataFolder, OriginalsPlace, Service, ServiceOptions};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::common::client::{Form, Request};
use super::common::pictures;

/// A program that runs, and is killed when it is dropped.
pub(super) struct Program {
    child: Child,
    stderr: PathBuf,
    pub(super) address: SocketAddr,
}

/// Begins a command in a folder, with no environment but this.
pub(super) fn command(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_darkroom"));
    command.current_dir(folder).args(arguments).env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::null());
    command
}

/// Runs a command that ends by itself; returns its exit code and all its words.
pub(super) fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = command(folder, arguments, environment).output().unwrap();
    let words = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(words).unwrap())
}

impl Program {
    /// Starts the server in a folder and waits until it says where it listens.
    pub(super) fn start(folder: &Path, environment: &[(&str, &str)]) -> Program {
        let stderr = folder.join(format!("stderr-{}", fs::read_dir(folder).unwrap().count()));
        let child = command(folder, &["--listen", "127.0.0.1:0"], environment)
            .stdout(Stdio::null())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let mut program = Program { child, stderr, address: "127.0.0.1:0".parse().unwrap() };
        let began = Instant::now();
        program.address = loop {
            let words = program.words();
            if let Some((_, rest)) = words.split_once("listens on http://")
                && let Some((address, _)) = rest.split_once('\n')
            {
                break address.parse().unwrap();
            }
            let ended = program.child.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < Duration::from_secs(20), "{ended:?}: {words}");
            std::thread::sleep(Duration::from_millis(10));
        };
        program
    }

    /// Returns everything that it has said.
    pub(super) fn words(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Returns the word after this one, wherever it stands first.
    pub(super) fn word_after(&self, before: &str) -> String {
        let words = self.words();
        let (_, rest) = words.split_once(before).unwrap_or_else(|| panic!("{before} in {words}"));
        rest.split_whitespace().next().unwrap().to_owned()
    }

    pub(super) fn request(&self, method: &str, path: &str, token: &str) -> Request {
        Request::new(self.address, method, &format!("/client/v4{path}")).token(token)
    }

    /// Tells it to stop and returns its exit code.
    pub(super) fn stop(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a program takes this signal, which would end it before.
#[cfg(target_os = "linux")]
pub(super) fn wait_until_taken(child: &Child, signal: Signal) {
    let bit = 1 << (signal.as_raw() - 1);
    let is_taken = || {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let taken = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(taken.trim(), 16).unwrap() & bit != 0
    };
    while !is_taken() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Returns the token in the file.
pub(super) fn kept_token(folder: &Path) -> String {
    fs::read_to_string(folder.join("darkroom-data/api-token")).unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_first_start_says_everything_and_later_starts_keep_everything() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), &[]);
    let token = kept_token(folder.path());
    let path = folder.path().canonicalize().unwrap().join("darkroom-data/api-token");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(token.len(), 43);
    let account = program.word_after("\n  account ");
    assert!(account.len() == 32 && account.bytes().all(|byte| byte.is_ascii_hexdigit()), "{account}");

    // Standard error is a file here: the token is not in it, but where it is kept.
    let words = program.words();
    assert!(!words.contains(&token));
    assert!(words.contains(&format!("\n  token    kept in {}\n", path.display())), "{words}");
    let base = format!("http://{}", program.address);
    assert!(words.contains(&format!("\n  CLOUDFLARE_BASE_URL={base}/client/v4\n")), "{words}");
    assert!(words.contains(&format!("\n    {base}/client/v4/accounts/{account}/images/v1\n")), "{words}");

    // What is printed works: the upload, the list, the image's URL.
    let form = Form::default()
        .file("photo.png", pictures::PNG)
        .field("id", "first")
        .field("metadata", r#"{"status":"active","priority":5}"#);
    let images = format!("/accounts/{account}/images");
    program.request("POST", &format!("{images}/v1"), &token).form(&form).send().await.result();
    let list =
        words.split_once(&format!("'{base}/client/v4")).unwrap().1.split_once('\'').unwrap().0.to_owned();
    let listed = program.request("GET", &list, &token).send().await.result();
    assert_eq!(listed["images"][0]["id"], "first");
    let url = program.word_after("See the image:");
    let image = url.strip_prefix(&base).unwrap();
    let image = Request::new(program.address, "GET", image).send().await;
    assert_eq!((image.status, image.header("content-type")), (200, Some("image/png")));
    assert_eq!(program.stop(Signal::TERM), Some(0));

    let again = Program::start(folder.path(), &[]);
    let words = again.words();
    let lines: Vec<&str> = words.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(
        lines,
        [format!("Darkroom {} listens on http://{}", env!("CARGO_PKG_VERSION"), again.address)]
    );
    let kept = again.request("GET", &format!("{images}/v2"), &token).send().await.result();
    assert_eq!(kept["images"][0]["id"], listed["images"][0]["id"]);
    assert_eq!(kept_token(folder.path()), token);
    assert_eq!(again.stop(Signal::INT), Some(0));
}

#[tokio::test]
async fn a_second_process_is_refused_by_the_name_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), &[]);
    let (code, words) = run(folder.path(), &["--listen", "127.0.0.1:0"], &[]);
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("./darkroom-data") && words.contains("in use"), "{words}");
    assert!(!words.contains("panicked") && words.lines().count() == 1, "{words}");
    let account = program.word_after("\n  account ");
    let list = program.request("GET", &format!("/accounts/{account}/images/v2"), &kept_token(folder.path()));
    list.send().await.result();
}

#[tokio::test]
async fn given_names_win_and_a_given_token_is_never_shown_or_kept() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("DARKROOM_ACCOUNT_ID", "my-account"),
        ("DARKROOM_ACCOUNT_HASH", "my-hash"),
        ("DARKROOM_API_TOKEN", "my-very-secret-token"),
    ];
    let program = Program::start(folder.path(), &environment);
    let words = program.words();
    assert!(words.contains("/accounts/my-account/") && words.contains("/my-hash/first/public"), "{words}");
    assert!(
        words.contains("Bearer $DARKROOM_API_TOKEN") && !words.contains("my-very-secret-token"),
        "{words}"
    );
    assert!(!folder.path().join("darkroom-data/api-token").exists());
    let list = "/accounts/my-account/images/v2";
    program.request("GET", list, "my-very-secret-token").send().await.result();
    program.stop(Signal::TERM);

    // Another token at a later start is added to the one that is there.
    let later = Program::start(folder.path(), &[("DARKROOM_API_TOKEN", "my-second-secret-token")]);
    later.request("GET", list, "my-second-secret-token").send().await.result();
    later.request("GET", list, "my-very-secret-token").send().await.result();
    later.stop(Signal::TERM);

    for (environment, expected) in [
        (
            ("DARKROOM_ACCOUNT_ID", "another"),
            "the setting 'account_id' is another, but the data folder has my-account",
        ),
        (
            ("DARKROOM_ACCOUNT_HASH", "another"),
            "the setting 'account_hash' is another, but account my-account has the hash my-hash",
        ),
    ] {
        let (code, words) = run(folder.path(), &["--listen", "127.0.0.1:0"], &[environment]);
        assert_eq!(code, Some(1));
        assert!(words.contains(expected), "{words}");
    }
}

#[test]
fn what_is_asked_for_wrongly_has_its_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, environment, expected) in [
        (&["--catalog", "sqlite"][..], &[][..], "setting 'catalog' from the flag --catalog"),
        (&[], &[("DARKROOM_LISTN", "x")], "did you mean 'DARKROOM_LISTEN'?"),
        (&["--no-such-flag"], &[], "--no-such-flag"),
        (&["no-such-command"], &[], "no-such-command"),
        (&["--config", "missing.toml"], &[], "missing.toml"),
    ] {
        let (code, words) = run(folder.path(), arguments, environment);
        assert_eq!(code, Some(2), "{words}");
        assert!(words.contains(expected), "{words}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    for argument in ["--help", "--version"] {
        assert_eq!(run(folder.path(), &[argument], &[]).0, Some(0));
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let (code, words) = run(folder.path(), &["--listen", &format!("127.0.0.1:0,{taken}")], &[]);
    assert_eq!(code, Some(1));
    assert!(words.contains(&format!("cannot listen on {taken}")), "{words}");
    drop(listener);
    let foreign = folder.path().join("holiday");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("beach.jpg"), "sand").unwrap();
    let (code, words) = run(folder.path(), &["--listen", "127.0.0.1:0", "--data", "holiday"], &[]);
    assert_eq!(code, Some(1));
    assert!(words.contains("holiday"), "{words}");
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);
}

#[tokio::test]
async fn no_secret_is_ever_in_the_log() {
    for (log, format) in [("info", "json"), ("trace", "text")] {
        let folder = tempfile::tempdir().unwrap();
        let environment = [("DARKROOM_LOG", log), ("DARKROOM_LOG_FORMAT", format)];
        let program = Program::start(folder.path(), &environment);
        let (token, account) = (kept_token(folder.path()), program.word_after("\n  account "));
        let images = format!("/accounts/{account}/images");
        let form = Form::default()
            .file("private-name.png", pictures::PNG)
            .field("id", "private-id")
            .field("creator", "private-creator")
            .field("metadata", r#"{"a":"private-metadata"}"#);
        program.request("POST", &format!("{images}/v1"), &token).form(&form).send().await.result();
        let query = "meta.a[eq]=private-metadata&creator=private-creator";
        program.request("GET", &format!("{images}/v2?{query}"), &token).send().await.result();
        let unknown = program.request("GET", &format!("{images}/v2"), "private-unknown-token");
        unknown
            .header("x-auth-key", &token)
            .header("cookie", "private-cookie")
            .send()
            .await
            .refusal(403, 9109);
        let signed = "/hash/private-id/public?sig=private-signature";
        Request::new(program.address, "GET", signed).send().await;
        // A request that breaks off is told too.
        let whole = program.request("POST", &format!("{images}/v1"), &token).form(&form).bytes();
        let mut broken = tokio::net::TcpStream::connect(program.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut broken, &whole[..whole.len() - 50]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(broken);
        tokio::time::sleep(Duration::from_millis(50)).await;

        let words = program.words();
        let (_, log) = words.split_once("CLOUDFLARE_BASE_URL").unwrap();
        assert!(log.matches("request answered").count() >= 4, "{log}");
        assert!(log.contains("route") && log.contains("list_images_v2"), "{log}");
        for secret in [token.as_str(), "private-", &account] {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
        program.stop(Signal::TERM);
    }
}

#[tokio::test]
async fn a_log_that_nobody_takes_ends_nothing() {
    let folder = TempDir::new().unwrap();
    let mut child = command(folder.path(), &["--listen", "127.0.0.1:0"], &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines.by_ref().find_map(|line| {
        line.unwrap().split_once("listens on http://").map(|(_, address)| address.parse().unwrap())
    });
    // The rest of the announcement is taken, then the pipe breaks.
    lines.find(|line| line.as_ref().unwrap().contains("CLOUDFLARE_BASE_URL="));
    drop(lines);
    let mut program = Program { child, stderr: PathBuf::new(), address: address.unwrap() };
    for _ in 0..3 {
        assert_eq!(program.request("GET", "/user/tokens/verify", "unknown").send().await.status, 401);
    }
    assert_eq!(program.child.try_wait().unwrap(), None);
    assert_eq!(program.stop(Signal::TERM), Some(0));
}

#[tokio::test]
async fn a_log_reader_that_stalls_holds_nobody_up() {
    let folder = TempDir::new().unwrap();
    let mut child = command(folder.path(), &["--listen", "127.0.0.1:0"], &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines.by_ref().find_map(|line| {
        line.unwrap().split_once("listens on http://").map(|(_, address)| address.parse().unwrap())
    });
    let program = Program { child, stderr: PathBuf::new(), address: address.unwrap() };
    // More lines than a pipe holds, and nobody reads them.
    for _ in 0..400 {
        assert_eq!(program.request("GET", "/user/tokens/verify", "unknown").send().await.status, 401);
    }
    assert_eq!(program.stop(Signal::TERM), Some(0));
    drop(lines);
}

/// Settings of a server on this folder, in this process.
fn settings(folder: &TempDir) -> Settings {
    Settings {
        listen: Listen::Named(vec!["127.0.0.1:0".parse().unwrap()]),
        data: folder.path().join("darkroom-data"),
        ..Settings::default()
    }
}

/// Starts on what a crash has left, and returns whether this token can list the images of the only account.
async fn can_list_after_restart(folder: &TempDir, token: &str) -> bool {
    let running = start(settings(folder), Overrides::default()).await.unwrap();
    let accounts = running.service().accounts().await.unwrap();
    assert_eq!(accounts.len(), 1);
    let path = format!("/client/v4/accounts/{}/images/v2", accounts[0].id);
    let answer = Request::new(running.addresses()[0], "GET", &path).token(token).send().await;
    running.stop().await;
    answer.status == 200
}

#[tokio::test]
async fn a_crash_before_the_account_keeps_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(&folder.path().join("darkroom-data")).unwrap();
    fs::write(data.api_token_file().with_extension("pending"), "written-before-the-crash\n").unwrap();
    drop(data);
    assert!(can_list_after_restart(&folder, "written-before-the-crash").await);
    assert_eq!(kept_token(folder.path()), "written-before-the-crash");
    assert!(can_list_after_restart(&folder, "written-before-the-crash").await);
}

#[tokio::test]
async fn a_crash_between_account_and_token_locks_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::open(&folder.path().join("darkroom-data")).unwrap();
    fs::write(data.api_token_file().with_extension("pending"), "written-before-the-crash\n").unwrap();
    let options = ServiceOptions {
        catalog: CatalogPlace::Lmdb { folder: data.catalog(), thresholds: Default::default() },
        originals: OriginalsPlace::File(data.originals()),
        limits: Default::default(),
        renditions: None,
        allow_private_sources: Vec::new(),
        transform: darkroom_service::TransformOptions::default(),
        render_program: None,
    };
    let service = Service::open(options, Arc::new(SystemClock), Arc::new(RandomIds)).await.unwrap();
    let (id, hash) = (AccountId::parse("a").unwrap(), AccountHash::parse("h").unwrap());
    service.create_account(Account { id, hash }).await.unwrap();
    service.close().await;
    drop((service, data));
    assert!(can_list_after_restart(&folder, "written-before-the-crash").await);
    assert_eq!(kept_token(folder.path()), "written-before-the-crash");
}

#[tokio::test]
async fn a_token_that_was_taken_away_does_not_come_back_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(settings(&folder), Overrides::default()).await.unwrap();
    let token = kept_token(folder.path());
    running.service().create_api_token(&token, Vec::new()).await.unwrap();
    running.stop().await;
    assert!(!can_list_after_restart(&folder, &token).await);
}

#[cfg(target_os = "linux")]
#[test]
fn a_start_is_broken_off_when_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Program::start(folder.path(), &[]).stop(Signal::TERM), Some(0));
    // The engine waits for this lock when it opens: what a large catalog takes seconds for, never ends here.
    let lock =
        File::options().write(true).open(folder.path().join("darkroom-data/catalog/lock.mdb")).unwrap();
    fcntl_lock(&lock, FlockOperation::LockExclusive).unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let mut command = command(folder.path(), &["--listen", "127.0.0.1:0"], &[]);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        wait_until_taken(&child, signal);
        // By then it waits for the lock; if not, it is told even earlier.
        std::thread::sleep(Duration::from_millis(100));
        kill_process(Pid::from_child(&child), signal).unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(20), "it is still starting");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(child.wait().unwrap().code(), Some(0));
        DataFolder::open(&folder.path().join("darkroom-data")).expect("the folder is free");
    }
    fcntl_lock(&lock, FlockOperation::Unlock).unwrap();
    assert_eq!(Program::start(folder.path(), &[]).stop(Signal::TERM), Some(0));
}
