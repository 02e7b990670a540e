//! What the operator decides, and where each decision came from.
//!
//! [`table`] is the one list of settings. Flags, their help, the environment's names, `darkroom.toml` and the messages
//! about bad values are all read from it.

pub mod darkroom_toml;
mod explain;
mod nearest;
mod parse;
mod sources;
pub mod table;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use darkroom_model::{AccountHash, AccountId, Compatibility, Limits, Network};
use darkroom_service::TransformOptions;

pub use explain::explain;
pub(crate) use parse::parse_account_hash;
pub use parse::{Listen, LogFormat, PublicUrl, Rate};
pub(crate) use sources::TOLD_BY_DEV;
pub use sources::{Source, flags, load, load_over};
pub(crate) use table::is_bearer_token;

/// The settings that hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: Listen,
    /// Where metrics live; without it, on those of `listen` that are loopback addresses.
    pub admin_listen: Option<Vec<SocketAddr>>,
    /// The data folder.
    pub data: PathBuf,
    /// What the URLs in `variants` begin with; without it, scheme and `Host` of the request.
    pub public_url: Option<PublicUrl>,
    /// Whose `X-Forwarded-…` headers count.
    pub trusted_proxies: Vec<Network>,
    /// How many calls a token may make.
    pub token_rate: Option<Rate>,
    /// How many calls a client's address may make.
    pub address_rate: Option<Rate>,
    /// Which engine keeps the catalog.
    pub catalog: CatalogEngine,
    /// Where originals are kept.
    pub originals: OriginalsPlace,
    /// Whose limits hold where none is set.
    pub compatibility: Compatibility,
    /// The id of the first account, if it is given.
    pub account_id: Option<AccountId>,
    /// The hash of the first account, if it is given.
    pub account_hash: Option<AccountHash>,
    /// The first account's token, if it is given.
    pub api_token: Option<Secret>,
    /// Networks that are not public and from which uploads by URL may fetch all the same.
    pub allow_private_sources: Vec<Network>,
    /// Whose images are transformed by URL.
    pub transform: TransformOptions,
    /// How logs are written.
    pub log_format: LogFormat,
    /// What is logged, as a filter of levels and modules.
    pub log: String,
    /// Whether the log has the addresses of clients.
    pub log_addresses: bool,
    /// The limits of this server.
    pub limits: Limits,
}

/// Which engine keeps the catalog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CatalogEngine {
    /// LMDB inside the data folder.
    Lmdb,
    /// Nothing is kept.
    Memory,
}

/// Where originals are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OriginalsPlace {
    /// Files inside the data folder.
    File,
    /// Nothing is kept.
    Memory,
}

/// A text that no log and no message may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// Returns the secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: Listen::Default,
            admin_listen: None,
            data: PathBuf::from("./darkroom-data"),
            public_url: None,
            trusted_proxies: Vec::new(),
            token_rate: None,
            address_rate: None,
            catalog: CatalogEngine::Lmdb,
            originals: OriginalsPlace::File,
            compatibility: Compatibility::default(),
            account_id: None,
            account_hash: None,
            api_token: None,
            allow_private_sources: Vec::new(),
            transform: TransformOptions::default(),
            log_format: LogFormat::Auto,
            log: "info".into(),
            log_addresses: false,
            limits: Limits::default(),
        }
    }
}

/// Why the settings cannot be used, told so that the operator can mend them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// A name that is no setting.
    #[error("unknown setting '{name}' in {place}{}", nearest.as_ref().map(|name| format!(", did you mean '{name}'?")).unwrap_or_default())]
    Unknown {
        /// What was written.
        name: String,
        /// Where it was written.
        place: String,
        /// The setting that is spelt most alike, as it is written there.
        nearest: Option<String>,
    },
    /// A value that the setting cannot have.
    #[error("setting '{key}' from {origin}: expected {expected}, got {shown}")]
    Invalid {
        /// The setting.
        key: &'static str,
        /// Where the value came from.
        origin: Source,
        /// What would have been right.
        expected: &'static str,
        /// The value, or what stands for it if it is a secret.
        shown: String,
    },
    /// A value that is documented and not built yet.
    #[error("setting '{key}' from {origin}: {shown} is not built yet, expected {expected}")]
    NotBuilt {
        /// The setting.
        key: &'static str,
        /// Where the value came from.
        origin: Source,
        /// What can be used.
        expected: &'static str,
        /// The value.
        shown: String,
    },
    /// A file that could not be read or understood.
    #[error("{what} '{path}': {reason}")]
    File {
        /// What the file is to the reader.
        what: &'static str,
        /// Which file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two settings that exclude each other.
    #[error("{0}")]
    Conflict(String),
}
