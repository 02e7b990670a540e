//! Where the stores of a service lie.

use std::path::PathBuf;

use darkroom_catalog::LmdbOptions;
use darkroom_model::{Limits, Network};

use crate::TransformOptions;

/// What a service is opened from.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// Where the catalog lies.
    pub catalog: CatalogPlace,
    /// Where the originals lie.
    pub originals: OriginalsPlace,
    /// The limits that every request meets.
    pub limits: Limits,
    /// The folder, under the lock of this process, in which renditions are kept besides those in memory, if they are.
    pub renditions: Option<PathBuf>,
    /// Networks that are not public and may be called all the same to fetch files.
    pub allow_private_sources: Vec<Network>,
    /// Whose images are transformed by URL.
    pub transform: TransformOptions,
    /// The program whose command `render-worker` renders; without one nothing is rendered.
    pub render_program: Option<PathBuf>,
}

/// Where the catalog lies.
#[derive(Clone, Debug)]
pub enum CatalogPlace {
    /// In memory, for as long as the service is open. Goes with originals in memory only.
    Memory,
    /// In a folder that is under the lock of this process.
    Lmdb {
        /// The folder; made if it is not there.
        folder: PathBuf,
        /// When segments are sealed, merged and rewritten.
        thresholds: LmdbOptions,
    },
}

/// Where the originals lie.
#[derive(Clone, Debug)]
pub enum OriginalsPlace {
    /// In memory, for as long as the service is open.
    Memory,
    /// In a folder that is under the lock of this process; made if it is not there.
    File(PathBuf),
}

/// Why a service could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A catalog that is new at every start would have the sweep remove every original of the last one.
    #[error("a catalog in memory needs originals in memory, not in {0}")]
    OriginalsOutliveCatalog(PathBuf),
    /// The catalog is gone while originals are there: a new one would have the sweep remove them all.
    #[error("{originals} holds originals, but there is no catalog in {catalog}")]
    CatalogMissing {
        /// Where the catalog should be.
        catalog: PathBuf,
        /// Where the originals are.
        originals: PathBuf,
    },
    /// The catalog could not be opened.
    #[error("cannot open the catalog")]
    Catalog(#[source] darkroom_catalog::OpenError),
    /// The folder of the catalog could not be made.
    #[error("cannot use the catalog folder {0}")]
    CatalogFolder(PathBuf, #[source] std::io::Error),
    /// The folder of the originals could not be made or read.
    #[error("cannot use the folder of the originals {0}")]
    Originals(PathBuf, #[source] std::io::Error),
    /// The folder of the renditions could not be made.
    #[error("cannot use the folder of the renditions {0}")]
    Renditions(PathBuf, #[source] std::io::Error),
    /// The thread that opens the catalog ended without an answer.
    #[error("opening the catalog was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}
