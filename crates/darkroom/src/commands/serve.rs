//! `darkroom serve`: the server, from its settings to its end.

use std::io::{IsTerminal, Write, stderr};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use darkroom_model::{Clock, Ids, RandomIds, SystemClock};
use darkroom_service::{
    CatalogPlace, CatalogThresholds, DataFolder, DataFolderError, OpenError, OriginalsPlace, Service,
    ServiceOptions,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::announcement;
use super::control::server::ControlSocket;
use super::first_start::{self, FirstAccount};
use super::process::{self, Signals};
use crate::http::app::App;
use crate::http::server::{self, ConnectionCount, Listeners};
use crate::settings::{self, CatalogEngine, Listen, Settings};

pub use super::first_start::FirstStartError;
pub use crate::http::server::BindError;

/// What tests put in the place of the machine's own.
pub struct Overrides {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What chance brings.
    pub ids: Arc<dyn Ids>,
    /// When the catalog seals, merges and rewrites.
    pub thresholds: CatalogThresholds,
    /// A service that is open already, instead of one from the settings.
    pub service: Option<Arc<Service>>,
    /// The program that renders; without one nothing is rendered.
    pub render_program: Option<PathBuf>,
}

impl Default for Overrides {
    fn default() -> Overrides {
        Overrides {
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            thresholds: CatalogThresholds::default(),
            service: None,
            render_program: None,
        }
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The catalog or the originals cannot be opened.
    #[error("the data folder '{folder}' cannot be opened")]
    Open {
        /// Which folder.
        folder: String,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The first account cannot be made, or is another than the settings say.
    #[error(transparent)]
    FirstStart(#[from] FirstStartError),
}

/// A server that runs.
pub struct Running {
    addresses: Vec<SocketAddr>,
    admin_addresses: Vec<SocketAddr>,
    service: Arc<Service>,
    announcement: String,
    stop: watch::Sender<bool>,
    serving: JoinHandle<usize>,
    /// Absent where the folder cannot hold a socket.
    control: Option<ControlSocket>,
    /// INVARIANT: the folder stays locked until the service is closed.
    folder: DataFolder,
}

impl Running {
    /// Returns the addresses that are listened on, with the ports that they got.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns those of [`Settings::admin_listen`], with the ports that they got.
    pub fn admin_addresses(&self) -> &[SocketAddr] {
        &self.admin_addresses
    }

    /// Returns the service behind the server.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Stops: no request is accepted any more, those that were are finished, within
    /// [`darkroom_model::Limits::shutdown_wait`]. Returns how many connections had to be cut off.
    pub async fn stop(self) -> usize {
        let Running { service, stop, serving, control, folder, .. } = self;
        let _ = stop.send(true);
        if let Some(control) = control {
            control.close().await;
        }
        let cut_off = serving.await.unwrap_or_default();
        service.close().await;
        drop(folder);
        cut_off
    }
}

/// Starts a server and returns it when it answers requests.
pub async fn start(settings: Settings, overrides: Overrides) -> Result<Running, StartError> {
    // The folder first: a second server on it should hear of the folder, not of a port.
    let folder = DataFolder::open(&settings.data)?;
    let listeners = Listeners {
        public: server::bind(&settings.listen).await?,
        admin: match &settings.admin_listen {
            Some(addresses) => server::bind(&Listen::Named(addresses.clone())).await?,
            None => Vec::new(),
        },
    };
    let (addresses, admin_addresses) = (addresses(&listeners.public), addresses(&listeners.admin));
    let (stop, stopping) = watch::channel(false);
    let connections = ConnectionCount::default();
    let app = Arc::new(App::new(&settings, &*overrides.ids, connections.clone(), stopping.clone()));
    let serving =
        tokio::spawn(server::serve(listeners, Arc::clone(&app), settings.limits, connections, stopping));
    let ids = Arc::clone(&overrides.ids);
    let (service, first) = match open(&settings, &folder, overrides).await {
        Ok(opened) => opened,
        Err(error) => {
            let _ = stop.send(true);
            let _ = serving.await;
            return Err(error);
        }
    };
    let control = ControlSocket::open(&folder, Arc::clone(&service), ids);
    app.serve(Arc::clone(&service));
    let on_terminal = stderr().is_terminal();
    let announcement = announcement::text(&addresses, settings.public_url.as_ref(), &first, on_terminal);
    Ok(Running { addresses, admin_addresses, service, announcement, stop, serving, control, folder })
}

pub(super) fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}

async fn open(
    settings: &Settings,
    folder: &DataFolder,
    overrides: Overrides,
) -> Result<(Arc<Service>, FirstAccount), StartError> {
    let Overrides { clock, ids, thresholds, service, render_program } = overrides;
    let service = match service {
        Some(service) => service,
        None => {
            let ids = Arc::clone(&ids);
            Arc::new(open_service(settings, folder, clock, ids, thresholds, render_program).await?)
        }
    };
    let token_path = folder.api_token_file();
    // Whoever pastes the path may be in another folder by then.
    let token_path = std::path::absolute(&token_path).unwrap_or(token_path);
    let first = first_start::ensure(&service, settings, &token_path, &*ids).await?;
    Ok((service, first))
}

/// Opens the stores of a folder that this process has locked.
pub(super) async fn open_service(
    settings: &Settings,
    folder: &DataFolder,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    thresholds: CatalogThresholds,
    render_program: Option<PathBuf>,
) -> Result<Service, StartError> {
    let options = ServiceOptions {
        catalog: match settings.catalog {
            CatalogEngine::Lmdb => CatalogPlace::Lmdb { folder: folder.catalog(), thresholds },
            CatalogEngine::Memory => CatalogPlace::Memory,
        },
        originals: match settings.originals {
            settings::OriginalsPlace::File => OriginalsPlace::File(folder.originals()),
            settings::OriginalsPlace::Memory => OriginalsPlace::Memory,
        },
        renditions: match settings.originals {
            settings::OriginalsPlace::File => Some(folder.renditions()),
            settings::OriginalsPlace::Memory => None,
        },
        limits: settings.limits,
        allow_private_sources: settings.allow_private_sources.clone(),
        transform: settings.transform.clone(),
        render_program,
    };
    let failed = |source| StartError::Open { folder: folder.path().display().to_string(), source };
    Service::open(options, clock, ids).await.map_err(failed)
}

/// Serves until the process is told to stop. 0 after a stop in order, 1 if there was no start.
pub fn run(settings: Settings) -> ExitCode {
    process::run(&settings.clone(), serve_until_told(settings))
}

async fn serve_until_told(settings: Settings) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut signals = Signals::listen()?;
    let overrides = Overrides { render_program: process::own_program(), ..Overrides::default() };
    let starting = start(settings, overrides);
    let Ok(started) = process::started(&mut signals, starting).await else { return Ok(ExitCode::SUCCESS) };
    let running = started?;
    // Nobody may be there to read it.
    let _ = stderr().write_all(running.announcement.as_bytes());
    signals.next().await;
    process::finish(&mut signals, running.stop()).await;
    Ok(ExitCode::SUCCESS)
}
