//! Upload, list, edit, delete, deliver. No incoming HTTP: whoever calls has already read and judged a request.
//!
//! [`Service`] joins two stores. The catalog (`darkroom-catalog`) knows which images exist; the originals
//! (`originals.rs`, on `object_store`) hold their bytes. Each call of the API is one file: `upload`, `list`,
//! `details`, `edit`, `delete`, `deliver`, `direct_upload`; `fetch` is the one place that calls out; `accounts` says who
//! may ask, `sweep` tidies up, `data_folder` guards the folder in which both stores lie.
//!
//! What is delivered is a rendition: `rendering` makes a plan of options and client, `render_workers` carries it out,
//! and `renditions` keeps what came of it.
//!
//! # What a crash leaves
//!
//! INVARIANT: a row in the catalog has its bytes. Bytes may be there without a row.
//!
//! - In: the bytes are written under a new random key and are durable before the row is inserted; the row decides
//!   whether the id was free. A row that is definitely refused takes its bytes with it.
//! - Out: the row goes first, and the same commit notes that its bytes are garbage; then the answer; then the bytes.
//! - What is left over, after a crash or a commit whose outcome is unknown, the sweep finds: by the notes, and by
//!   asking the catalog about every original that no running upload can still be about to name.
//!
//! A caller that goes away stops nothing half-way: whatever changes the stores runs in a task of its own.

mod accounts;
mod data_folder;
mod delete;
mod deliver;
mod details;
mod direct_upload;
mod durable;
mod edit;
mod error;
mod fetch;
mod free_space;
mod list;
mod options;
mod originals;
mod render_workers;
mod rendering;
mod renditions;
mod service;
mod sweep;
mod tasks;
mod transform;
mod upload;

pub use darkroom_catalog::{LmdbOptions as CatalogThresholds, Page, PageWork};
pub use darkroom_transform::{
    Accepts, RenderError, RenderRequest, RenderTimes, Rendered, RenderedContent, RenderedFacts,
};

pub use data_folder::{DataFolder, DataFolderError};
pub use deliver::{DeliverError, Delivery, Keeping, RenderingAsked};
pub use direct_upload::{DraftFile, NewDraft};
pub use error::ServiceError;
pub use fetch::FetchError;
pub use list::{Listing, NumberedListing};
pub use options::{CatalogPlace, OpenError, OriginalsPlace, ServiceOptions};
pub use render_workers::{
    RenderFailure, RenderPlace, RenderReadings, RenderWorkers, RenderWorkersOptions, SPAN_SECONDS,
    SpanReading, render_worker,
};
pub use rendering::{RenderPlan, RenditionName, Viewer};
pub use renditions::{MakingTimes, Purged, Rendition, Served};
pub use service::Service;
pub use sweep::Swept;
pub use transform::{KnownSource, TransformOptions, Transformed};
pub use upload::{Upload, UploadPermit};
