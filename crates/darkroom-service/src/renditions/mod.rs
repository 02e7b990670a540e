//! Renditions that were made before: in memory, and in the data folder where there is one. All of it can be lost at any
//! time; it is then made again.
//!
//! Both have a bound in bytes that holds at every moment. A rendition goes by its [`RenditionName`], which says of what
//! content and by which plan it was made, so that one that is found is always right; who may see it is decided before
//! anyone asks here.

mod disk;
mod file;
mod flights;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use darkroom_transform::{Probe, RenderTimes, RenderedContent, RenderedFacts};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::DeliverError;
use crate::rendering::RenditionName;
use disk::Disk;
pub(crate) use flights::Flights;

/// A rendition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendition {
    /// What it is.
    pub facts: RenderedFacts,
    /// The file.
    pub bytes: Bytes,
}

impl Rendition {
    /// A source that is sent as it is.
    pub(crate) fn as_is(probe: &Probe, bytes: Bytes) -> Rendition {
        let facts = RenderedFacts {
            content: RenderedContent::Image(probe.media_type),
            width: probe.width,
            height: probe.height,
            warnings: Vec::new(),
            times: RenderTimes::default(),
        };
        Rendition { facts, bytes }
    }
}

/// A rendition and where it came from.
#[derive(Clone, Debug)]
pub struct Served {
    /// The rendition.
    pub rendition: Arc<Rendition>,
    /// What it took to make, if it was not there already.
    pub made_in: Option<MakingTimes>,
}

/// Where the time of a rendition went that was not there.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct MakingTimes {
    /// Waiting for a renderer.
    pub queue: Duration,
    /// Reading the source.
    pub fetch: Duration,
    /// Rendering.
    pub render: Duration,
}

/// What a purge has removed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Purged {
    /// Renditions in the data folder.
    pub renditions: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The renditions of one service.
pub(crate) struct Renditions {
    memory: Cache<RenditionName, Arc<Rendition>, Weight>,
    disk: Option<Disk>,
    flights: Flights<Served>,
    hits: AtomicU64,
    misses: AtomicU64,
    rendered: AtomicU64,
}

/// Renditions that are expected in memory, on which the length of the list of those seen lately depends.
const RENDITIONS_EXPECTED: usize = 4_096;

impl Renditions {
    /// Makes an empty cache in memory that holds so many bytes.
    pub(crate) fn in_memory(bytes_max: u64) -> Renditions {
        // One shard: with several, each has a part of the bytes, and what is larger than that part is not kept.
        let options = OptionsBuilder::new()
            .shards(1)
            .estimated_items_capacity(RENDITIONS_EXPECTED)
            .weight_capacity(bytes_max)
            .build()
            .expect("what must be said was said");
        Renditions {
            memory: Cache::with_options(
                options,
                Weight,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            disk: None,
            flights: Flights::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            rendered: AtomicU64::new(0),
        }
    }

    /// Keeps them in a folder besides, so many bytes of them; the folder is made if it is not there. At least
    /// `free_bytes_min` stay free on its file system. Blocks.
    pub(crate) fn and_in_folder(
        self,
        root: PathBuf,
        bytes_max: u64,
        free_bytes_min: u64,
    ) -> io::Result<Renditions> {
        let disk = Disk::open(root, bytes_max, free_bytes_min)?;
        Ok(Renditions { disk: Some(disk), ..self })
    }

    /// Returns the rendition with this name, made by `make` if it is not there. Whoever asks for the same meanwhile waits
    /// for the same making; it is given up when all of them have gone away, and its failure is told to all of them and
    /// not kept.
    pub(crate) async fn get_or_make<M>(
        self: &Arc<Self>,
        name: RenditionName,
        make: impl FnOnce() -> M,
    ) -> Result<Served, DeliverError>
    where
        M: Future<Output = Result<(Rendition, MakingTimes), DeliverError>> + Send + 'static,
    {
        let served = match self.memory.get(&name) {
            Some(rendition) => Ok(Served { rendition, made_in: None }),
            None => self.flights.join(name, || Arc::clone(self).look_or_make(name, make())).await,
        };
        let is_hit = served.as_ref().is_ok_and(|served| served.made_in.is_none());
        let counter = if is_hit { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        served
    }

    /// Returns the rendition with this name if it was made before.
    pub(crate) async fn find(&self, name: RenditionName) -> Option<Served> {
        let rendition = self.look(name).await?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(Served { rendition, made_in: None })
    }

    /// Looks in memory, then on the disk.
    async fn look(&self, name: RenditionName) -> Option<Arc<Rendition>> {
        if let Some(rendition) = self.memory.get(&name) {
            return Some(rendition);
        }
        let rendition = Arc::new(self.disk.as_ref()?.read(name).await?);
        self.memory.insert(name, Arc::clone(&rendition));
        Some(rendition)
    }

    /// Looks once more, and on the disk, and makes it if need be.
    async fn look_or_make<M>(self: Arc<Self>, name: RenditionName, make: M) -> Result<Served, DeliverError>
    where
        M: Future<Output = Result<(Rendition, MakingTimes), DeliverError>>,
    {
        // An earlier making may have ended between the first look and this one.
        if let Some(rendition) = self.look(name).await {
            return Ok(Served { rendition, made_in: None });
        }
        let (rendition, times) = make.await?;
        self.rendered.fetch_add(1, Ordering::Relaxed);
        let rendition = Arc::new(rendition);
        self.memory.insert(name, Arc::clone(&rendition));
        if let Some(disk) = &self.disk {
            disk.keep(name, Arc::clone(&rendition));
        }
        Ok(Served { rendition, made_in: Some(times) })
    }

    /// Removes all of them. What is being made meanwhile is kept afterwards.
    pub(crate) async fn purge(&self) -> Purged {
        self.memory.clear();
        match &self.disk {
            Some(disk) => disk.purge().await,
            None => Purged::default(),
        }
    }

    /// Writes what is still to be written, and keeps nothing more.
    pub(crate) async fn close(&self) {
        if let Some(disk) = &self.disk {
            disk.close().await;
        }
    }

    /// Returns counters and gauges by name, without a prefix.
    pub(crate) fn metrics(&self) -> Vec<(&'static str, u64)> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("cache_hits_total", count(&self.hits)),
            ("cache_misses_total", count(&self.misses)),
            ("cache_memory_bytes", self.memory.weight()),
            ("cache_disk_bytes", self.disk.as_ref().map_or(0, Disk::bytes)),
            ("renditions_rendered_total", count(&self.rendered)),
        ]
    }
}

/// A rendition in memory counts by its bytes, and a little for what else there is of it.
#[derive(Clone)]
struct Weight;

impl Weight {
    const OVERHEAD_BYTES: u64 = 256;
}

impl Weighter<RenditionName, Arc<Rendition>> for Weight {
    fn weight(&self, _name: &RenditionName, rendition: &Arc<Rendition>) -> u64 {
        rendition.bytes.len() as u64 + Weight::OVERHEAD_BYTES
    }
}
