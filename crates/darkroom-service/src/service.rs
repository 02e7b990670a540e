//! The service: both stores, and what runs beside the requests.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use darkroom_catalog::{Catalog, LmdbCatalog, MemoryCatalog};
use darkroom_model::{Clock, Ids, Limits, OriginalKey, Secrets};
use object_store::ObjectStore;
use tokio::sync::Semaphore;

use crate::durable::{self, FileSystem};
use crate::fetch::Fetcher;
use crate::free_space::FreeSpace;
use crate::options::{CatalogPlace, OpenError, OriginalsPlace, ServiceOptions};
use crate::originals::Originals;
use crate::render_workers::{RenderWorkers, RenderWorkersOptions};
use crate::renditions::{Purged, Renditions};
use crate::sweep::Sweeper;
use crate::tasks::Tasks;
use crate::transform::{Sources, TransformOptions};
use crate::upload::{UPLOAD_MEMORY_UNIT, memory_units};

/// The service behind every request. Cheap to share behind an [`Arc`]; one for each pair of stores.
pub struct Service {
    pub(crate) stores: Arc<Stores>,
    sweeper: Option<Sweeper>,
}

/// What a task needs that may outlive the request that began it.
pub(crate) struct Stores {
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) originals: Originals,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) limits: Limits,
    pub(crate) tasks: Tasks,
    pub(crate) upload_memory: Arc<Semaphore>,
    pub(crate) fetcher: Fetcher,
    pub(crate) fetches: Semaphore,
    pub(crate) sources: Sources,
    pub(crate) removals: Arc<Semaphore>,
    pub(crate) free_space: FreeSpace,
    pub(crate) render_workers: RenderWorkers,
    pub(crate) renditions: Arc<Renditions>,
    pub(crate) counters: Counters,
    /// Originals of uploads that have not ended: whether a row will name them is not yet decided.
    undecided: Mutex<HashSet<OriginalKey>>,
    closed: AtomicBool,
}

/// What the service counts.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) uploads: AtomicU64,
    pub(crate) upload_bytes: AtomicU64,
    pub(crate) fetches: AtomicU64,
    pub(crate) fetch_failures: AtomicU64,
    pub(crate) deletes: AtomicU64,
    pub(crate) outcomes_unknown: AtomicU64,
    pub(crate) sweeps: AtomicU64,
    pub(crate) sweep_failures: AtomicU64,
    pub(crate) expired_removed: AtomicU64,
    pub(crate) garbage_removed: AtomicU64,
    pub(crate) strays_removed: AtomicU64,
    pub(crate) leftovers_removed: AtomicU64,
}

/// Originals removed at the same time after deletes; those beyond it are left to the sweep.
const REMOVALS_MAX: usize = 64;

impl Service {
    /// Opens both stores, or makes them, and begins to sweep them. The folders named must be under the lock of this
    /// process (see [`crate::DataFolder`]).
    pub async fn open(
        options: ServiceOptions,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Service, OpenError> {
        let (catalog_clock, catalog_ids) = (Arc::clone(&clock), Arc::clone(&ids));
        let ServiceOptions {
            catalog,
            originals,
            renditions,
            limits,
            allow_private_sources,
            transform,
            render_program,
        } = options;
        let fetcher = Fetcher::new(allow_private_sources, limits);
        let free_space = match &originals {
            OriginalsPlace::Memory => FreeSpace::default(),
            OriginalsPlace::File(folder) => FreeSpace::of(folder.clone()),
        };
        // Opening reads the disk, for long after a crash.
        let open = move || {
            let (catalog, originals) = open_stores(catalog, originals, catalog_clock, &*catalog_ids)?;
            Ok((catalog, originals, open_renditions(renditions, &limits)?))
        };
        let opened = tokio::task::spawn_blocking(open).await.map_err(OpenError::Interrupted)?;
        let (catalog, originals, renditions) = opened?;
        let stores = Stores::new(catalog, originals, fetcher, limits, clock, ids);
        let render_workers = RenderWorkers::new(RenderWorkersOptions::new(render_program, &limits));
        let renditions = Arc::new(renditions);
        let sources = Sources::new(transform);
        let stores = Arc::new(Stores { free_space, render_workers, renditions, sources, ..stores });
        let sweeper = Some(Sweeper::begin(&stores));
        Ok(Service { stores, sweeper })
    }

    /// Joins two stores that are open already, for tests that make them fail. Sweeps only when asked.
    pub fn with_stores(
        catalog: Arc<dyn Catalog>,
        originals: Arc<dyn ObjectStore>,
        limits: Limits,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Service {
        let fetcher = Fetcher::new(Vec::new(), limits);
        let stores = Stores::new(catalog, Originals::new(originals), fetcher, limits, clock, ids);
        Service { stores: Arc::new(stores), sweeper: None }
    }

    /// Returns the limits that requests meet.
    pub fn limits(&self) -> &Limits {
        &self.stores.limits
    }

    /// Returns the keys of the catalog.
    pub fn secrets(&self) -> &Secrets {
        self.stores.catalog.secrets()
    }

    /// Returns the processes that render.
    pub fn render_workers(&self) -> &RenderWorkers {
        &self.stores.render_workers
    }

    /// Says whether requests can be answered now.
    pub fn is_ready(&self) -> bool {
        !self.stores.closed.load(Ordering::Acquire) && self.stores.catalog.is_ready()
    }

    /// Returns the counters and gauges of service and catalog by name, without a prefix.
    pub fn metrics(&self) -> Vec<(&'static str, u64)> {
        let stores = &self.stores;
        let counters = &stores.counters;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let upload_memory = memory_units(&stores.limits) - stores.upload_memory.available_permits();
        let mut metrics = stores.catalog.metrics();
        metrics.extend([
            ("uploads_total", count(&counters.uploads)),
            ("upload_bytes_total", count(&counters.upload_bytes)),
            ("uploads_in_progress", stores.undecided().len() as u64),
            ("upload_memory_bytes", upload_memory as u64 * UPLOAD_MEMORY_UNIT as u64),
            ("fetches_total", count(&counters.fetches)),
            ("fetch_failures_total", count(&counters.fetch_failures)),
            ("deletes_total", count(&counters.deletes)),
            ("outcomes_unknown_total", count(&counters.outcomes_unknown)),
            ("sweeps_total", count(&counters.sweeps)),
            ("sweep_failures_total", count(&counters.sweep_failures)),
            ("sweep_expired_removed_total", count(&counters.expired_removed)),
            ("sweep_garbage_removed_total", count(&counters.garbage_removed)),
            ("sweep_strays_removed_total", count(&counters.strays_removed)),
            ("sweep_leftovers_removed_total", count(&counters.leftovers_removed)),
        ]);
        metrics
    }

    /// Returns the counters and gauges of delivery by name, without a prefix.
    pub fn delivery_metrics(&self) -> Vec<(&'static str, u64)> {
        self.stores.renditions.metrics()
    }

    /// Removes every rendition that is kept; each is made again when it is asked for.
    pub async fn purge_renditions(&self) -> Purged {
        self.stores.renditions.purge().await
    }

    /// Returns an id under which the log tells of a fault, as nobody can guess it.
    pub fn new_error_id(&self) -> String {
        self.stores.ids.image_id().to_string()
    }

    /// Finishes what was accepted and closes the catalog; later calls fail with
    /// [`ServiceError::Unavailable`](crate::ServiceError::Unavailable).
    pub async fn close(&self) {
        self.stores.closed.store(true, Ordering::Release);
        if let Some(sweeper) = &self.sweeper {
            sweeper.end();
        }
        self.stores.upload_memory.close();
        self.stores.fetches.close();
        self.stores.render_workers.close().await;
        self.stores.tasks.close().await;
        self.stores.renditions.close().await;
        self.stores.catalog.close().await;
    }
}

impl Stores {
    fn new(
        catalog: Arc<dyn Catalog>,
        originals: Originals,
        fetcher: Fetcher,
        limits: Limits,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Stores {
        Stores {
            catalog,
            originals,
            clock,
            ids,
            limits,
            tasks: Tasks::new(),
            upload_memory: Arc::new(Semaphore::new(memory_units(&limits))),
            fetcher,
            fetches: Semaphore::new(limits.fetches_max),
            sources: Sources::new(TransformOptions::default()),
            removals: Arc::new(Semaphore::new(REMOVALS_MAX)),
            free_space: FreeSpace::default(),
            render_workers: RenderWorkers::new(RenderWorkersOptions::new(None, &limits)),
            renditions: Arc::new(Renditions::in_memory(limits.rendition_memory_bytes_max)),
            counters: Counters::default(),
            undecided: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// Keeps the sweep away from an original until the answer is dropped.
    pub(crate) fn hold(self: &Arc<Self>, key: OriginalKey) -> Hold {
        self.undecided().insert(key.clone());
        Hold { stores: Arc::clone(self), key }
    }

    /// Says whether an upload still decides about this original.
    pub(crate) fn is_held(&self, key: &OriginalKey) -> bool {
        self.undecided().contains(key)
    }

    fn undecided(&self) -> MutexGuard<'_, HashSet<OriginalKey>> {
        self.undecided.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// See [`Stores::hold`].
pub(crate) struct Hold {
    stores: Arc<Stores>,
    key: OriginalKey,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.stores.undecided().remove(&self.key);
    }
}

fn open_stores(
    catalog: CatalogPlace,
    originals: OriginalsPlace,
    clock: Arc<dyn Clock>,
    ids: &dyn Ids,
) -> Result<(Arc<dyn Catalog>, Originals), OpenError> {
    if let OriginalsPlace::File(originals) = &originals {
        match &catalog {
            CatalogPlace::Memory => return Err(OpenError::OriginalsOutliveCatalog(originals.clone())),
            CatalogPlace::Lmdb { folder, .. } => check_catalog_is_there(folder, originals)?,
        }
    }
    let originals = match originals {
        OriginalsPlace::Memory => Originals::in_memory(),
        OriginalsPlace::File(root) => {
            Originals::in_folder(&root).map_err(|error| OpenError::Originals(root, error))?
        }
    };
    let catalog: Arc<dyn Catalog> = match catalog {
        CatalogPlace::Memory => Arc::new(MemoryCatalog::new(clock, ids)),
        CatalogPlace::Lmdb { folder, thresholds } => {
            // The engine syncs what it writes into its folder, and not the name of the folder.
            let made = durable::make_folder(&FileSystem, &folder);
            made.map_err(|error| OpenError::CatalogFolder(folder.clone(), error))?;
            Arc::new(LmdbCatalog::open(&folder, clock, ids, thresholds).map_err(OpenError::Catalog)?)
        }
    };
    Ok((catalog, originals))
}

fn open_renditions(folder: Option<PathBuf>, limits: &Limits) -> Result<Renditions, OpenError> {
    let renditions = Renditions::in_memory(limits.rendition_memory_bytes_max);
    match folder.filter(|_| limits.rendition_disk_bytes_max > 0) {
        None => Ok(renditions),
        Some(folder) => renditions
            .and_in_folder(folder.clone(), limits.rendition_disk_bytes_max, limits.min_free_bytes)
            .map_err(|error| OpenError::Renditions(folder, error)),
    }
}

/// Refuses to make a new catalog beside originals of an old one.
fn check_catalog_is_there(catalog: &Path, originals: &Path) -> Result<(), OpenError> {
    let has_entries = |folder: &Path| match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OpenError::Originals(folder.to_owned(), error)),
    };
    if has_entries(originals)? && !has_entries(catalog)? {
        return Err(OpenError::CatalogMissing { catalog: catalog.into(), originals: originals.into() });
    }
    Ok(())
}
