//! A server in this process, on temporary stores and an address of its own, and what speaks to it.

pub(crate) mod client;
pub(crate) mod origin;
pub(crate) mod pictures;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use darkroom::commands::serve::{Overrides, Running, start};
use darkroom::settings::{CatalogEngine, Listen, OriginalsPlace, Secret, Settings};
use darkroom_model::{Account, AccountHash, AccountId, Clock, Grant, Scope, Timestamp};
use darkroom_service::{CatalogThresholds, Service};
use tempfile::TempDir;

use client::Request;

/// The account of every test.
pub(crate) const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";
/// Its hash.
pub(crate) const HASH: &str = "Vi7wi5KSItxGFsWRG2Us6Q";
/// A token that may write in it.
pub(crate) const TOKEN: &str = "a-token-that-may-write";
/// A token that may read in it.
pub(crate) const READ_TOKEN: &str = "a-token-that-may-read";
/// Another account.
pub(crate) const OTHER_ACCOUNT: &str = "ffffffffffffffffffffffffffffffff";
/// A token that may write in the other account only.
pub(crate) const OTHER_TOKEN: &str = "a-token-of-someone-else";

/// A clock that tests set.
#[derive(Default)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn set(&self, timestamp: Timestamp) {
        self.0.store(timestamp.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A server that runs.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) folder: TempDir,
    running: Running,
}

impl TestServer {
    /// Starts one that keeps everything in memory.
    pub(crate) async fn start() -> TestServer {
        TestServer::start_with(CatalogEngine::Memory, |_| {}).await
    }

    /// Starts one on LMDB and files, with thresholds so small that a handful of images is sealed and merged.
    pub(crate) async fn start_on_disk() -> TestServer {
        TestServer::start_with(CatalogEngine::Lmdb, |_| {}).await
    }

    /// Starts one with other settings.
    pub(crate) async fn start_with(engine: CatalogEngine, change: impl FnOnce(&mut Settings)) -> TestServer {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings {
            listen: Listen::Named(vec!["127.0.0.1:0".parse().unwrap()]),
            data: folder.path().join("data"),
            catalog: engine,
            originals: match engine {
                CatalogEngine::Lmdb => OriginalsPlace::File,
                CatalogEngine::Memory => OriginalsPlace::Memory,
            },
            account_id: Some(AccountId::parse(ACCOUNT).unwrap()),
            account_hash: Some(AccountHash::parse(HASH).unwrap()),
            api_token: Some(Secret::new(TOKEN.to_owned())),
            ..Settings::default()
        };
        change(&mut settings);
        let clock = Arc::new(TestClock::default());
        clock.set(Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap());
        let overrides = Overrides {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            thresholds: CatalogThresholds::tiny(),
            render_program: Some(env!("CARGO_BIN_EXE_darkroom").into()),
            ..Overrides::default()
        };
        let running = start(settings, overrides).await.unwrap();
        let server = TestServer { address: running.addresses()[0], clock, folder, running };
        server.add_others().await;
        server
    }

    async fn add_others(&self) {
        let account = |text: &str| AccountId::parse(text).unwrap();
        let hash = AccountHash::parse("ZWd9g1K7eljCn_KDTu_MWA").unwrap();
        let other = Account { id: account(OTHER_ACCOUNT), hash };
        // They are there already in a folder of another server.
        if self.service().account(&other.id).await.unwrap().is_none() {
            self.service().create_account(other).await.unwrap();
        }
        for (token, id, scope) in
            [(READ_TOKEN, ACCOUNT, Scope::Read), (OTHER_TOKEN, OTHER_ACCOUNT, Scope::Write)]
        {
            // A test may have named the first account otherwise.
            if self.service().account(&account(id)).await.unwrap().is_some() {
                let grants = vec![Grant { account: account(id), scope }];
                self.service().create_api_token(token, grants).await.unwrap();
            }
        }
    }

    /// Returns the address of the admin entrance.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.running.admin_addresses()[0]
    }

    pub(crate) fn service(&self) -> &Service {
        self.running.service()
    }

    /// Begins a request of a caller who may write, to a path below the account.
    pub(crate) fn call(&self, method: &str, path: &str) -> Request {
        let path = format!("/client/v4/accounts/{ACCOUNT}{path}");
        Request::new(self.address, method, &path).token(TOKEN)
    }

    /// Begins a request of nobody.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    /// Begins an upload.
    pub(crate) fn upload(&self, parts: &[(&str, &str)]) -> Request {
        let mut form = client::Form::default();
        for (name, content) in parts {
            form = form.field(name, content);
        }
        self.call("POST", "/images/v1").form(&form.file("tiny.png", pictures::PNG))
    }

    /// Uploads a tiny picture, which must succeed, and returns its id.
    pub(crate) async fn uploaded(&self, parts: &[(&str, &str)]) -> String {
        let answer = self.upload(parts).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["result"]["id"].as_str().unwrap().to_owned()
    }

    /// Stops, and returns how many connections were cut off.
    pub(crate) async fn stop(self) -> usize {
        self.stop_and_keep().await.0
    }

    /// Stops, and returns how many connections were cut off and the folder as it was left.
    pub(crate) async fn stop_and_keep(self) -> (usize, TempDir) {
        let TestServer { running, folder, .. } = self;
        (running.stop().await, folder)
    }
}
