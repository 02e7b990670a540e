//! A process that serves: its threads, its open files, its signals.

use std::error::Error;
use std::io::{Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::with_causes;
use crate::logging;
use crate::settings::Settings;

/// Heaps that threads share where there are more cores than that: most of what they want is small, and comes from a store
/// that each thread has of its own.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS_MAX: i32 = 4;

/// Runs a server to its end. Its exit code, or 1 if it fails.
pub(super) fn run(
    settings: &Settings,
    serving: impl Future<Output = Result<ExitCode, Box<dyn Error>>>,
) -> ExitCode {
    share_heaps();
    logging::init(settings);
    raise_open_files_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = runtime.block_on(serving).unwrap_or_else(|error| failed(&*error));
    // What still blocks a thread is nothing that anybody waits for: a start that was broken off, the name of a host.
    runtime.shutdown_background();
    code
}

/// Waits until a server has started, or until the process is told to stop: `Err` says how. What a start leaves behind is
/// what a crash at this moment would, which every store is made for; everything that it has locked or listens on stays
/// so until the process has ended, since other threads may still be at work on it.
pub(super) async fn started<T>(signals: &mut Signals, starting: impl Future<Output = T>) -> Result<T, Told> {
    let mut starting = Box::pin(starting);
    tokio::select! {
        started = &mut starting => Ok(started),
        told = signals.next() => {
            tracing::info!("stopped before the start was over");
            std::mem::forget(starting);
            Err(told)
        }
    }
}

/// Has all threads share a few heaps. To be called while there is one thread.
///
/// Left alone, glibc makes eight a core: a thread that reads a file may get a heap of its own, which keeps the room of the
/// largest files that went through it. With two cores a server of 15 MB had 156 MB after a thousand renderings of files of
/// some megabytes, and nothing left to do; so it has 63 MB, and is no slower.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "no safe call sets the allocator")]
fn share_heaps() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let heaps = i32::try_from(cores).unwrap_or(HEAPS_MAX).min(HEAPS_MAX);
    // SAFETY: it takes two numbers and changes nothing that is in use: no other thread is there.
    let is_set = unsafe { libc::mallopt(libc::M_ARENA_MAX, heaps) };
    debug_assert_eq!(is_set, 1, "glibc has this setting");
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn share_heaps() {}

/// Takes all the open files that the system allows: each connection is one, and so is each original that is read.
fn raise_open_files_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Returns where this program is, to be executed anew; `None` where the system does not tell.
pub(super) fn own_program() -> Option<PathBuf> {
    // What a link to the running program names stays this program when a new one is installed in its place.
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Some(running) } else { std::env::current_exe().ok() }
}

/// Waits until a server has stopped, which returns how many connections it cut off, or until the process is told to
/// stop once more.
pub(super) async fn finish(signals: &mut Signals, stopping: impl Future<Output = usize>) {
    tracing::info!("stopping: requests that were accepted are finished");
    tokio::select! {
        cut_off = stopping => tracing::info!(cut_off, "stopped"),
        _ = signals.next() => tracing::warn!("stopped at once: told to stop twice"),
    }
}

/// The two ways to tell a process to stop.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// How a process was told to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// SIGTERM: by another process, which means this one.
    Terminate,
    /// SIGINT: from the keyboard, which means every process at the terminal.
    Interrupt,
}

impl Told {
    /// Returns the exit code of a command that this ended, as a shell would.
    pub(super) fn exit_code(self) -> ExitCode {
        let signal = match self {
            Told::Terminate => SignalKind::terminate(),
            Told::Interrupt => SignalKind::interrupt(),
        };
        ExitCode::from(128 + signal.as_raw_value() as u8)
    }
}

impl Signals {
    /// Begins to take signals, which end the process no more.
    pub(super) fn listen() -> std::io::Result<Signals> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Signals { terminate, interrupt })
    }

    /// Returns the next one, when it comes.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Terminate,
            _ = self.interrupt.recv() => Told::Interrupt,
        }
    }
}

/// Tells the operator why, with all that led to it.
fn failed(error: &dyn Error) -> ExitCode {
    let _ = writeln!(stderr(), "darkroom: {}", with_causes(error));
    ExitCode::FAILURE
}
