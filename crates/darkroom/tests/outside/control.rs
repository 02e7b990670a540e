//! `darkroom account`, `darkroom token` and `darkroom renditions`, on a running server and without one.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::common::client::{Form, Request};
use super::common::pictures;
use super::first_start::{Program, command, kept_token};

/// Runs a command and returns its exit code and what it wrote on both outputs.
fn run(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let arguments: Vec<&str> = line.split(' ').collect();
    told(command(folder, &arguments, &[]).output().unwrap())
}

fn told(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Runs a command that must succeed, and returns its standard output.
#[track_caller]
fn done(folder: &Path, line: &str) -> String {
    let (code, stdout, stderr) = run(folder, line);
    assert_eq!(code, Some(0), "{line}: {stderr}");
    stdout
}

/// Runs a command that must fail in this way, with nothing on standard output.
#[track_caller]
fn refused(folder: &Path, line: &str, code: i32, words: &str) {
    let (got, stdout, stderr) = run(folder, line);
    assert_eq!((got, stdout.as_str()), (Some(code), ""), "{line}: {stderr}");
    assert!(stderr.contains(words), "{line}: {stderr}");
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("darkroom-data/control.sock")
}

fn upload(program: &Program, account: &str, token: &str) -> Request {
    let form = Form::default().file("tiny.png", pictures::PNG).field("id", "tiny");
    program.request("POST", &format!("/accounts/{account}/images/v1"), token).form(&form)
}

fn list(program: &Program, account: &str, token: &str) -> Request {
    program.request("GET", &format!("/accounts/{account}/images/v2"), token)
}

/// Returns the id of the token with exactly these grants.
fn token_id(folder: &Path, grants: &str) -> String {
    let tokens = done(folder, "token list");
    let line = tokens.lines().find(|line| line.split('\t').nth(2) == Some(grants));
    line.unwrap_or_else(|| panic!("{grants} in {tokens}")).split('\t').next().unwrap().to_owned()
}

#[tokio::test]
async fn accounts_and_tokens_are_managed_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = Program::start(folder, &[]);
    let first = program.word_after("\n  account ");

    assert_eq!(done(folder, "account create --id second --hash second-hash"), "second\tsecond-hash\n");
    let made = done(folder, "account create");
    let (id, hash) = made.trim_end().split_once('\t').unwrap();
    assert_eq!((id.len(), hash.len()), (32, 22));
    let accounts = done(folder, "account list");
    assert_eq!(accounts.lines().count(), 3, "{accounts}");
    assert!(accounts.contains(&made) && accounts.contains("second\tsecond-hash\n"), "{accounts}");

    let output =
        run(folder, &format!("token create --account second --scope write --account {first} --scope read"));
    let (code, stdout, stderr) = output;
    let secret = stdout.strip_suffix('\n').unwrap().to_owned();
    assert_eq!((code, secret.len()), (Some(0), 43));
    assert!(!stderr.contains(&secret) && stderr.contains("shown this once"), "{stderr}");
    upload(&program, "second", &secret).send().await.result();
    upload(&program, &first, &secret).send().await.refusal(403, 10000);
    list(&program, &first, &secret).send().await.result();
    list(&program, id, &secret).send().await.refusal(403, 5403);
    // The image is where its account's hash says, and nowhere else.
    let deliver = |hash: &str| Request::new(program.address, "GET", &format!("/{hash}/tiny/public"));
    assert_eq!(deliver("second-hash").send().await.status, 200);
    assert_ne!(deliver(hash).send().await.status, 200);

    let id = token_id(folder, &format!("second=write,{first}=read"));
    assert!(stderr.contains(&id), "{stderr}");
    assert_eq!(done(folder, &format!("token revoke {id}")), "");
    upload(&program, "second", &secret).send().await.refusal(403, 9109);
    list(&program, &first, &secret).send().await.refusal(403, 9109);
    list(&program, &first, &kept_token(folder)).send().await.result();
    refused(folder, &format!("token revoke {id}"), 1, "there is no token with this id");

    let words = program.words();
    assert_eq!(words.matches("a command was carried out").count(), 6, "{words}");
    for private in [secret.as_str(), "second", hash] {
        assert!(!words.contains(private), "{private} in {words}");
    }
    assert_eq!(program.stop(Signal::TERM), Some(0));
    assert!(!socket(folder).exists());
}

#[tokio::test]
async fn without_a_server_the_commands_open_the_folder_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    refused(folder, "token list", 1, "there is no data folder './darkroom-data'; name it with --data");
    assert_eq!(done(folder, "account create --id first --hash first-hash"), "first\tfirst-hash\n");
    let secret = done(folder, "token create --account first --scope write");
    let reader = done(folder, "token create --account first --scope read");
    let id = token_id(folder, "first=read");
    done(folder, &format!("token revoke {id}"));
    assert!(!socket(folder).exists());

    let program = Program::start(folder, &[]);
    upload(&program, "first", secret.trim_end()).send().await.result();
    list(&program, "first", reader.trim_end()).send().await.refusal(403, 9109);
    assert_eq!(done(folder, "account list"), "first\tfirst-hash\n");
}

/// Asserts that the server carried out one command, which its log says a moment later.
#[track_caller]
fn check_one_command(program: &Program) {
    let carried_out = || program.words().matches("a command was carried out").count();
    let began = Instant::now();
    while carried_out() == 0 && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(carried_out(), 1);
}

#[tokio::test]
async fn the_socket_of_a_killed_server_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    drop(Program::start(folder, &[]));
    assert!(socket(folder).exists());
    assert_eq!(done(folder, "account list").lines().count(), 1);
    let program = Program::start(folder, &[]);
    assert_eq!(fs::metadata(socket(folder)).unwrap().permissions().mode() & 0o777, 0o600);
    done(folder, "account create --id second");
    check_one_command(&program);
    // What is no socket of ours is replaced too: the folder is ours.
    drop(program);
    fs::remove_file(socket(folder)).unwrap();
    fs::write(socket(folder), "x").unwrap();
    let program = Program::start(folder, &[]);
    done(folder, "account list");
    check_one_command(&program);
}

#[test]
fn commands_at_the_same_moment_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), "account create --id a");
    let children: Vec<_> = (0..4)
        .map(|number| {
            command(folder.path(), &["account", "create", "--id", &format!("a{number}")], &[]).spawn()
        })
        .collect();
    for child in children {
        assert_eq!(told(child.unwrap().wait_with_output().unwrap()).0, Some(0));
    }
    assert_eq!(done(folder.path(), "account list").lines().count(), 5);
}

#[test]
fn a_server_that_takes_no_commands_is_named() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), "account create --id a");
    let _locked = darkroom_service::DataFolder::open(&folder.path().join("darkroom-data")).unwrap();
    refused(folder.path(), "account list", 1, "in use by another process, which takes no commands");
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, "account create --id a --hash h");
    for (line, code, words) in [
        ("account create --id a", 1, "there is an account a already"),
        ("account create --id b --hash h", 1, "another account has the hash h already"),
        ("account create --id a/b", 2, "expected 1 to 64 letters, digits, '_' or '-'"),
        ("account create --hash upload", 2, "no word that other paths begin with"),
        ("account create --name x", 2, "--name"),
        ("account", 2, "create"),
        ("account remove", 2, "remove"),
        ("token create --account b --scope read", 1, "there is no account b; `darkroom account list`"),
        ("token create --account a", 2, "--scope"),
        ("token create --scope read", 2, "--account"),
        ("token create --account a --scope admin", 2, "expected read or write"),
        ("token create --account a --account b --scope read", 2, "a --scope for each --account, got 1 of 2"),
        ("token create --account a --scope read --account a --scope read", 2, "expected each account once"),
        ("token revoke", 2, "<ID>"),
        ("token revoke 0123456789abcdef0123456789abcdef", 1, "there is no token with this id"),
        ("token list --catalog memory --originals memory", 1, "a catalog in memory ends with its server"),
    ] {
        refused(folder, line, code, words);
    }
    // A secret in the place of an id is not repeated.
    let secret = "kQ3b6kKq3VJ5mX0fU1m9l2b7r0s8t4u6v1w3x5y7z9A";
    let (code, _, stderr) = run(folder, &format!("token revoke {secret}"));
    assert_eq!((code, stderr.contains(secret)), (Some(2), false), "{stderr}");
    assert!(stderr.contains("expected the id of a token"), "{stderr}");
    assert_eq!(done(folder, "account list"), "a\th\n");
    assert_eq!(done(folder, "token list"), "");
}

/// Sends bytes to the control socket and returns the line that comes back, if one does.
fn exchange(folder: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket(folder)).unwrap();
    // What is refused may not be read to its end.
    let _ = stream.write_all(bytes);
    let mut line = String::new();
    let _ = BufReader::new(&mut stream).read_line(&mut line);
    line
}

#[tokio::test]
async fn the_socket_bears_whatever_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = Program::start(folder, &[]);
    // Those who say nothing, or half a line, hold nobody up.
    let silent: Vec<UnixStream> = (0..8)
        .map(|_| {
            let mut stream = UnixStream::connect(socket(folder)).unwrap();
            stream.write_all(b"{\"version\":1,").unwrap();
            stream
        })
        .collect();
    for (bytes, words) in [
        (&b"\n"[..], "expected a line of JSON with a version"),
        (b"GET / HTTP/1.1\r\n\r\n", "expected a line of JSON with a version"),
        (b"\xff\xfe\n", "expected a line of JSON with a version"),
        (b"{\"version\":2,\"command\":{\"list_accounts\":{}}}\n", "takes commands of version 1, not 2"),
        (b"{\"version\":1,\"command\":{\"remove_everything\":{}}}\n", "a command that this server knows"),
        (
            b"{\"version\":1,\"command\":{\"create_account\":{\"id\":\"a/b\",\"hash\":null}}}\n",
            "the id of an account: expected 1 to 64",
        ),
        (
            b"{\"version\":1,\"command\":{\"create_token\":{\"grants\":[]}}}\n",
            "a token for nothing opens nothing",
        ),
        (&vec![b'['; 1 << 20], "expected a line of less than 262144 bytes"),
    ] {
        let line = exchange(folder, bytes);
        assert!(line.starts_with(r#"{"version":1,"failed":""#) && line.contains(words), "{line}");
    }
    // Several lines on one connection are answered in turn; what is no whole line is not done.
    let mut stream = UnixStream::connect(socket(folder)).unwrap();
    let list = "{\"version\":1,\"command\":{\"list_accounts\":{}}}\n";
    let create = "{\"version\":1,\"command\":{\"create_account\":{\"id\":\"half\",\"hash\":null}}}";
    stream.write_all([list, list, create].concat().as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.lines().count(), 2, "{answers}");
    assert_eq!(done(folder, "account list").lines().count(), 1);
    assert_eq!(program.stop(Signal::TERM), Some(0));
    drop(silent);
}

#[tokio::test]
async fn renditions_are_purged_on_a_running_server_and_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = Program::start(folder, &[]);
    let account = done(folder, "account list");
    let (account, hash) = account.trim_end().split_once('\t').unwrap();
    upload(&program, account, &kept_token(folder)).send().await.result();
    let class = async |program: &Program| {
        let path = format!("/{hash}/tiny/public");
        let image = Request::new(program.address, "GET", &path).send().await;
        image.header("cf-images").unwrap().split(' ').next().unwrap().to_owned()
    };
    assert_eq!([class(&program).await, class(&program).await], ["internal=ok/m", "internal=ok/h"]);
    // It is written soon after it was answered, before the purge or after it.
    let purged = done(folder, "renditions purge");
    let counts: Vec<u64> = purged.trim_end().split('\t').map(|count| count.parse().unwrap()).collect();
    assert!(counts.len() == 2 && counts[0] <= 1, "{purged}");
    assert_eq!(class(&program).await, "internal=ok/m");
    let kept = || {
        let folders = fs::read_dir(folder.join("darkroom-data/renditions")).unwrap().flatten();
        folders.flat_map(|folder| fs::read_dir(folder.path())).flatten().count()
    };
    let began = Instant::now();
    while kept() == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "it is never written");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(program);
    assert!(done(folder, "renditions purge").starts_with("1\t"));
    assert!(done(folder, "renditions purge").starts_with("0\t0"));
    let program = Program::start(folder, &[]);
    assert_eq!(class(&program).await, "internal=ok/m");
}
