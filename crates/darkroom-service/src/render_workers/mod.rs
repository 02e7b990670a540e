//! Processes that render: what a stranger's picture may do, it does in one of these.
//!
//! A thread cannot be stopped; a process can. Each worker is this program, executed anew, and renders one picture at a time
//! within its own limits of memory and time, without files and without network (`worker`, `confinement`, `memory`). `process` is the server's hand
//! on one of them, `protocol` what the two say to each other over a pair of sockets, `readings` what is counted.
//!
//! A worker is killed when a picture takes too long, when its answer cannot be right, and when nobody waits for the answer
//! any more: to let it finish would keep the place from those who wait. The next picture gets a new one.

mod confinement;
mod memory;
mod process;
mod protocol;
mod readings;
mod worker;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use darkroom_model::Limits;
use darkroom_transform::{RenderError, RenderRequest, Rendered};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

pub use readings::{RenderReadings, SPAN_SECONDS, SpanReading};
pub use worker::render_worker;

use process::{Broken, Worker};
use readings::{Counts, End};

/// When to come back to a queue that was full.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Pictures that a worker renders before it makes room for a new one: what decoders leave behind stays small, and what one
/// picture may have done to the process does not last.
const RENDERINGS_MAX: u32 = 1_000;
/// Bytes of memory that a worker may keep between two pictures; one that keeps more makes room for a new one.
const IDLE_BYTES_MAX: u64 = 128 << 20;
/// How long closing waits for processes that were killed.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

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
    /// The answer of the process cannot be right.
    #[error("the answer of a rendering cannot be right")]
    Distrusted,
    /// No process can be started, or the service is closing.
    #[error("nothing can be rendered")]
    Unavailable,
}

/// Renders pictures in processes of their own.
pub struct RenderWorkers {
    pool: Arc<Pool>,
}

struct Pool {
    options: RenderWorkersOptions,
    /// One a worker. Whoever has one renders; fair, first come, first served.
    places: Arc<Semaphore>,
    workers_max: usize,
    /// One for each that may wait for a place.
    queue: Semaphore,
    /// Processes that wait for a picture; no more than there are places free.
    idle: Mutex<Vec<Worker>>,
    closing: watch::Sender<bool>,
    counts: Counts,
}

impl RenderWorkers {
    /// Makes the place where processes are kept. None is started before there is something to render.
    pub fn new(options: RenderWorkersOptions) -> RenderWorkers {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let workers_max = if options.workers_max == 0 { cores() } else { options.workers_max };
        let pool = Pool {
            places: Arc::new(Semaphore::new(workers_max)),
            workers_max,
            queue: Semaphore::new(options.queue_max),
            idle: Mutex::default(),
            closing: watch::Sender::new(false),
            counts: Counts::default(),
            options,
        };
        RenderWorkers { pool: Arc::new(pool) }
    }

    /// Waits for a process that is free, first come, first served. What it is to render is best read only then, so that
    /// those that wait hold no bytes.
    pub async fn place(&self) -> Result<RenderPlace, RenderFailure> {
        let pool = Arc::clone(&self.pool);
        let began = Instant::now();
        let mut closing = pool.closing.subscribe();
        let permit = tokio::select! {
            biased;
            _ = closing.wait_for(|&closing| closing) => return Err(RenderFailure::Unavailable),
            permit = pool.permit() => permit?,
        };
        pool.counts.queued_for(began.elapsed());
        Ok(RenderPlace { pool, permit })
    }

    /// Renders a picture as soon as a process is free. Dropping the answer gives the place back, at once.
    pub async fn render(&self, source: Bytes, request: &RenderRequest) -> Result<Rendered, RenderFailure> {
        self.place().await?.render(source, request).await
    }

    /// Counts how long it took to read a source.
    pub(crate) fn fetched_in(&self, time: Duration) {
        self.pool.counts.fetched_in(time);
    }

    /// Returns what was counted.
    pub fn readings(&self) -> RenderReadings {
        let pool = &self.pool;
        let in_progress = pool.workers_max.saturating_sub(pool.places.available_permits());
        let queued = pool.options.queue_max.saturating_sub(pool.queue.available_permits());
        pool.counts.readings(in_progress as u64, queued as u64)
    }

    /// Ends every process; what is waiting or being rendered is [`RenderFailure::Unavailable`].
    pub async fn close(&self) {
        let pool = &self.pool;
        pool.closing.send_replace(true);
        let every_place = u32::try_from(pool.workers_max).unwrap_or(u32::MAX);
        // A process gives its place back when it is gone.
        let _ = timeout(CLOSE_WAIT, pool.places.acquire_many(every_place)).await;
        pool.places.close();
        let idle = std::mem::take(&mut *pool.idle());
        for worker in idle {
            pool.counts.ended(End::Closed);
            let _ = timeout(CLOSE_WAIT, worker.end()).await;
        }
    }
}

impl Pool {
    /// Waits in the queue, if there is one.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, RenderFailure> {
        let busy = RenderFailure::Busy { retry_after: RETRY_AFTER };
        // Places that are given back go to those that wait: none is taken here that another has waited for.
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(permit);
        }
        let Ok(_queued) = self.queue.try_acquire() else { return Err(busy) };
        match timeout(self.options.wait_max, Arc::clone(&self.places).acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| RenderFailure::Unavailable),
            Err(_) => Err(busy),
        }
    }

    /// Returns a process that lives: one that waits, or else a new one.
    fn worker(&self) -> Result<Worker, RenderFailure> {
        loop {
            let Some(mut worker) = self.idle().pop() else { break };
            if worker.is_alive() {
                return Ok(worker);
            }
            self.counts.ended(End::Died);
        }
        let options = &self.options;
        let program = options.program.as_ref().ok_or(RenderFailure::Unavailable)?;
        let worker = Worker::start(program, options.memory_bytes_max, options.time_max).map_err(|error| {
            tracing::error!(%error, "a process that renders cannot be started");
            RenderFailure::Unavailable
        })?;
        self.counts.started();
        Ok(worker)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A place at a process that is free for one picture. Dropping it gives it back.
pub struct RenderPlace {
    pool: Arc<Pool>,
    permit: OwnedSemaphorePermit,
}

impl RenderPlace {
    /// Renders a picture. Dropping the answer ends the rendering.
    pub async fn render(self, source: Bytes, request: &RenderRequest) -> Result<Rendered, RenderFailure> {
        let RenderPlace { pool, permit } = self;
        let mut closing = pool.closing.subscribe();
        if *closing.borrow() {
            return Err(RenderFailure::Unavailable);
        }
        let worker = pool.worker()?;
        pool.counts.given(source.len());
        let time_max = pool.options.time_max;
        let mut rendering = Rendering { pool, held: Some((worker, permit)), end: End::Abandoned };
        let outcome = tokio::select! {
            biased;
            _ = closing.wait_for(|&closing| closing) => {
                rendering.end = End::Closed;
                return Err(RenderFailure::Unavailable);
            }
            outcome = timeout(time_max, rendering.work(&source, request)) => outcome,
        };
        let (end, failure) = match outcome {
            Ok(Ok(answer)) => {
                rendering.give_back();
                return answer.map_err(RenderFailure::Refused);
            }
            Ok(Err(Broken::Ended)) => (End::Died, RenderFailure::Died),
            Ok(Err(Broken::Answer(what))) => {
                tracing::error!(what, "the answer of a process that renders cannot be right");
                (End::Distrusted, RenderFailure::Distrusted)
            }
            Err(_) => (End::Late, RenderFailure::TookTooLong),
        };
        rendering.end = end;
        Err(failure)
    }
}

/// A process at work. Dropping it ends the process, and then gives the place back.
struct Rendering {
    pool: Arc<Pool>,
    held: Option<(Worker, OwnedSemaphorePermit)>,
    /// Why it ends, if it does.
    end: End,
}

impl Rendering {
    async fn work(
        &mut self,
        source: &[u8],
        request: &RenderRequest,
    ) -> Result<Result<Rendered, RenderError>, Broken> {
        let (worker, _) = self.held.as_mut().ok_or(Broken::Ended)?;
        let answer = worker.render(source, request).await?;
        if let Ok(rendered) = &answer {
            self.pool.counts.rendered(
                rendered.bytes.len(),
                &rendered.facts.times,
                self.pool.options.time_max,
            );
        }
        Ok(answer)
    }

    /// Lets the process wait for the next picture, unless it is worn.
    fn give_back(&mut self) {
        self.end = End::Worn;
        if let Some((worker, permit)) = self.held.take_if(|(worker, _)| !worker.is_worn()) {
            self.pool.idle().push(worker);
            drop(permit);
        }
    }
}

impl Drop for Rendering {
    fn drop(&mut self) {
        let Some((worker, permit)) = self.held.take() else { return };
        let (pool, end) = (Arc::clone(&self.pool), self.end);
        // Without a runtime the whole server ends, and the process with it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let status = worker.end().await;
            pool.counts.ended(end);
            if end == End::Died {
                tracing::warn!(status, "a process that renders ended without an answer");
            }
            // INVARIANT: only now, so that there are never more processes, and their memory, than places.
            drop(permit);
        });
    }
}
