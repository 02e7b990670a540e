//! Commands of the program that look at settings and at a server: `config print`, `health`; and its log.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::common::client::Request;
use super::common::{ACCOUNT, TOKEN, TestServer};

fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_darkroom"));
    command.current_dir(folder).args(arguments).env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn config_print_says_what_holds_and_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("darkroom.toml"), "page_max = 50\nlog = \"warn\"\n").unwrap();
    let environment = [
        ("DARKROOM_API_TOKEN", "a-very-secret-token"),
        ("DARKROOM_LOG", "debug"),
        ("DARKROOM_SIDE_MAX", "90"),
    ];
    let output = run(folder.path(), &["config", "print", "--side-max", "80"], &environment);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "page_max = 50  # the file 'darkroom.toml'",
        "log = \"debug\"  # the environment variable DARKROOM_LOG",
        "side_max = 80  # the flag --side-max",
        "per_page_max = 10000  # the default",
        "# api_token is set, and not shown  # the environment variable DARKROOM_API_TOKEN",
        "# admin_listen is not set",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert!(!text.contains("secret"), "{text}");
    // It looks, and begins nothing.
    assert!(!folder.path().join("darkroom-data").exists());
}

#[test]
fn config_print_refuses_what_the_server_would_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["config", "print"], &[("DARKROOM_PAGE_MAX", "0")]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), words.as_str()),
        (
            Some(2),
            "darkroom: setting 'page_max' from the environment variable DARKROOM_PAGE_MAX: \
             expected a number from 1 to 10000, got '0'\n"
        )
    );
}

#[tokio::test]
async fn health_asks_the_server_that_the_settings_mean() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start().await;
    let address = server.address.to_string();
    let ask = async |listen: String| {
        let path = folder.path().to_owned();
        let ask = move || run(&path, &["health"], &[("DARKROOM_LISTEN", &listen)]);
        let output = tokio::task::spawn_blocking(ask).await.unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    assert_eq!(ask(address.clone()).await, (Some(0), String::new()));
    assert_eq!(ask(format!("0.0.0.0:{}", server.address.port())).await, (Some(0), String::new()));
    // One of several is enough.
    let (code, _) = ask(format!("127.0.0.1:1,{address}")).await;
    assert_eq!(code, Some(0));
    server.service().close().await;
    let (code, words) = ask(address.clone()).await;
    assert_eq!(code, Some(1));
    assert!(words.contains("503"), "{words}");
    server.stop().await;
    let (code, words) = ask(address).await;
    assert_eq!(code, Some(1));
    assert!(words.contains("cannot be asked"), "{words}");
}

/// A program that is killed when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_log_has_addresses_only_if_it_should() {
    for (wanted, expected) in [(false, false), (true, true)] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_darkroom"));
        command.current_dir(folder.path()).env_clear().env("DARKROOM_API_TOKEN", TOKEN);
        command.env("DARKROOM_ACCOUNT_ID", ACCOUNT).env("DARKROOM_LOG_ADDRESSES", wanted.to_string());
        command.env("DARKROOM_TRUSTED_PROXIES", "127.0.0.1").args(["--listen", "127.0.0.1:0"]);
        command.stdin(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        let _running = Killed(command.spawn().unwrap());
        let words = || std::fs::read_to_string(&log).unwrap();
        let address = loop {
            let words = words();
            let address = words.split_once("listens on http://").and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((address, _)) = address {
                break address.parse().unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        let path = format!("/client/v4/accounts/{ACCOUNT}/images/v2");
        let list = Request::new(address, "GET", &path).token(TOKEN);
        list.header("x-forwarded-for", "192.0.2.77").send().await.result();
        let line = loop {
            let words = words();
            if let Some(line) = words.lines().find(|line| line.contains("request answered")) {
                break line.to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        assert_eq!(line.contains("192.0.2.77"), expected, "{line}");
        assert!(!line.contains(TOKEN) && !line.contains(ACCOUNT), "{line}");
    }
}
