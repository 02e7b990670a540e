//! One state of a server for tests: everything that a reset replaces, in one piece.

use std::sync::Arc;

use darkroom_model::{Account, AccountHash, AccountId, Clock, Grant, Ids, Scope};
use darkroom_service::{
    CatalogPlace, OpenError, OriginalsPlace, Service, ServiceError, ServiceOptions, Upload,
};
use tokio::sync::watch;

use super::faults::Faults;
use super::recent::RecentRequests;
use crate::dev::{self, ChosenIds, DevOptions, MovableClock, Pace, Seed, SeedError, SeedImage};
use crate::http::app::App;
use crate::http::failures::api_error;
use crate::http::server::ConnectionCount;
use crate::settings::{Secret, Settings};

/// What every world begins from. Nothing in it changes, so that the last world begins as the first one did.
pub(crate) struct Beginning {
    settings: Settings,
    options: DevOptions,
    account: Account,
    api_token: Secret,
    seed: Seed,
    connections: ConnectionCount,
    stop: watch::Receiver<bool>,
}

/// A state of the server.
pub(crate) struct World {
    pub(super) app: Arc<App>,
    pub(crate) service: Arc<Service>,
    pub(super) clock: Arc<MovableClock>,
    pub(super) ids: Arc<ChosenIds>,
    pub(super) faults: Faults,
    pub(super) recent: RecentRequests,
}

/// Why a world does not begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginningError {
    /// The seed cannot be read or uploaded.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// The stores in memory cannot be opened.
    #[error("the stores in memory cannot be opened")]
    Open(#[from] OpenError),
    /// The account cannot be made.
    #[error("the account could not be made")]
    Account(#[source] ServiceError),
    /// The task that reads it ended early.
    #[error("the beginning was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl Beginning {
    /// Reads what every world begins from: the seed, whose files are read once.
    pub(crate) fn new(
        settings: Settings,
        options: DevOptions,
        connections: ConnectionCount,
        stop: watch::Receiver<bool>,
    ) -> Result<Beginning, BeginningError> {
        let known_id = || AccountId::parse(dev::ACCOUNT_ID).expect("the constant is an account id");
        let known_hash = || AccountHash::parse(dev::ACCOUNT_HASH).expect("the constant is an account hash");
        let account = Account {
            id: settings.account_id.clone().unwrap_or_else(known_id),
            hash: settings.account_hash.clone().unwrap_or_else(known_hash),
        };
        let api_token = settings.api_token.clone().unwrap_or_else(|| Secret::new(dev::API_TOKEN.to_owned()));
        let seed = match &options.seed {
            Some(folder) => Seed::read(folder, &settings.limits)?,
            None => Seed::default(),
        };
        Ok(Beginning { settings, options, account, api_token, seed, connections, stop })
    }

    /// Returns the account that there is from the start.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// Returns the token that can do everything in it.
    pub(crate) fn api_token(&self) -> &Secret {
        &self.api_token
    }

    /// Says whether administration has an entrance of its own.
    pub(super) fn has_admin_entrance(&self) -> bool {
        self.settings.admin_listen.is_some()
    }

    /// Makes a world, whole with its account and its images.
    pub(super) async fn world(&self) -> Result<World, BeginningError> {
        let Beginning { settings, options, account, seed, .. } = self;
        let clock = Arc::new(MovableClock::beginning_at(options.clock));
        let ids = Arc::new(ChosenIds::beginning_with(options.ids.as_deref()));
        let stores = ServiceOptions {
            catalog: CatalogPlace::Memory,
            originals: OriginalsPlace::Memory,
            renditions: None,
            limits: settings.limits,
            allow_private_sources: settings.allow_private_sources.clone(),
            transform: settings.transform.clone(),
            render_program: options.render_program.clone(),
        };
        let (service_clock, service_ids) = (Arc::clone(&clock), Arc::clone(&ids) as Arc<dyn Ids>);
        let service = Arc::new(Service::open(stores, service_clock, service_ids).await?);

        let grant = Grant { account: account.id.clone(), scope: Scope::Write };
        service.create_account(account.clone()).await.map_err(BeginningError::Account)?;
        let token = service.create_api_token(self.api_token.expose(), vec![grant]).await;
        token.map_err(BeginningError::Account)?;
        plant(seed, &service, account, &clock).await?;

        let app = App::new(settings, &*ids, self.connections.clone(), self.stop.clone());
        app.serve(Arc::clone(&service));
        let (faults, recent) = (Faults::default(), RecentRequests::default());
        Ok(World { app: Arc::new(app), service, clock, ids, faults, recent })
    }
}

/// Uploads a seed, each of its images at the moment that it names.
async fn plant(
    seed: &Seed,
    service: &Service,
    account: &Account,
    clock: &MovableClock,
) -> Result<(), SeedError> {
    let (pace, start) = (clock.pace(), clock.now());
    let mut last = None;
    for image in &seed.0 {
        let uploaded = image.uploaded.unwrap_or(start);
        let problem = if uploaded > start {
            format!("uploaded: expected no later than the clock at the start, {start}")
        } else if let Some(last) = last.filter(|&last| uploaded < last) {
            format!("uploaded: expected no earlier than the image before it, {last}")
        } else {
            last = Some(uploaded);
            clock.set(Pace::Stands(uploaded));
            let stored = service.upload(&account.id, upload_of(image)).await;
            clock.set(pace);
            match stored {
                Ok(_) => continue,
                Err(error) => api_error(error).message,
            }
        };
        return Err(SeedError::new(&image.path, problem));
    }
    Ok(())
}

fn upload_of(image: &SeedImage) -> Upload {
    Upload {
        file: image.file.clone(),
        filename: Some(image.filename.clone()),
        id: image.id.clone(),
        creator: image.creator.clone(),
        metadata: image.metadata.clone(),
        require_signed_urls: image.require_signed_urls,
        memory: None,
    }
}
