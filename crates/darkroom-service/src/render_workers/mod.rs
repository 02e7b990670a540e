//! Processes that render: what a stranger's picture may do, it does in one of these.
//!
//! A thread cannot be stopped; a process can. Each worker is this program, executed anew, and renders one picture at a time
//! within its own limits of memory and time, without files and without network.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use darkroom_model::Limits;
use darkroom_transform::{RenderError, RenderRequest, Rendered};

/// How pictures are rendered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenderWorkersOptions {
    /// The program whose command `render-worker` is [`render_worker`]. Without one nothing can be rendered.
    pub program: Option<PathBuf>,
    /// See [`Limits::render_workers_max`]; 0 is one a core.
    pub workers_max: usize,
    /// See [`Limits::render_queue_max`].
    pub queue_max: usize,
    /// See [`Limits::render_wait_max`].
    pub wait_max: Duration,
    /// See [`Limits::render_time_max`].
    pub time_max: Duration,
    /// See [`Limits::render_memory_bytes_max`].
    pub memory_bytes_max: u64,
}

impl RenderWorkersOptions {
    /// Takes what the limits of a server say.
    pub fn new(program: Option<PathBuf>, limits: &Limits) -> RenderWorkersOptions {
        RenderWorkersOptions {
            program,
            workers_max: limits.render_workers_max,
            queue_max: limits.render_queue_max,
            wait_max: limits.render_wait_max,
            time_max: limits.render_time_max,
            memory_bytes_max: limits.render_memory_bytes_max,
        }
    }
}

/// Why there is no rendering.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RenderFailure {
    /// The picture, or what was asked for, is not rendered.
    #[error(transparent)]
    Refused(#[from] RenderError),
    /// Too many wait, or this one has waited too long. Try again.
    #[error("too many renderings at once")]
    Busy {
        /// When.
        retry_after: Duration,
    },
    /// It took longer than [`Limits::render_time_max`].
    #[error("the rendering took too long")]
    TookTooLong,
    /// The process that rendered it ended without an answer: it crashed, or it would have taken more memory than
    /// [`Limits::render_memory_bytes_max`], or it was killed.
    #[error("the rendering ended without an answer")]
    Died,
    /// No process can be started, or the service is closing.
    #[error("nothing can be rendered")]
    Unavailable,
}

/// Renders pictures in processes of their own.
pub struct RenderWorkers {
    options: RenderWorkersOptions,
}

impl RenderWorkers {
    /// Makes the place where processes are kept. None is started before there is something to render.
    pub fn new(options: RenderWorkersOptions) -> RenderWorkers {
        RenderWorkers { options }
    }

    /// Waits for a process that is free, first come, first served. What it is to render is best read only then, so that
    /// those that wait hold no bytes.
    pub async fn place(&self) -> Result<RenderPlace, RenderFailure> {
        let _ = &self.options;
        Err(RenderFailure::Unavailable)
    }

    /// Renders a picture as soon as a process is free. Dropping the answer gives the place back, at once.
    pub async fn render(&self, source: Bytes, request: &RenderRequest) -> Result<Rendered, RenderFailure> {
        self.place().await?.render(source, request).await
    }

    /// Ends every process; what is waiting or being rendered is [`RenderFailure::Unavailable`].
    pub async fn close(&self) {}
}

/// A process that is free for one picture. Dropping it gives it back.
pub struct RenderPlace {}

impl RenderPlace {
    /// Renders a picture. Dropping the answer ends the rendering.
    pub async fn render(self, source: Bytes, request: &RenderRequest) -> Result<Rendered, RenderFailure> {
        let _ = (source, request);
        Err(RenderFailure::Unavailable)
    }
}
