//! One process that renders, as the server sees it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use darkroom_transform::{RenderError, RenderRequest, Rendered};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::{IDLE_BYTES_MAX, RENDERINGS_MAX, protocol};

pub(super) use super::protocol::Broken;

/// A process that renders one picture after another. It is killed when this is dropped.
pub(super) struct Worker {
    child: Child,
    socket: UnixStream,
    renderings: u32,
}

impl Worker {
    /// Starts one.
    ///
    /// INVARIANT: this runs on a thread that lives as long as the runtime, not on one of `spawn_blocking`: on Linux the
    /// process is killed when the thread that started it ends (see `confinement::confine`).
    pub(super) fn start(program: &Path, memory_bytes_max: u64, time_max: Duration) -> io::Result<Worker> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(program);
        command
            .arg("render-worker")
            .args([memory_bytes_max.to_string(), time_max.as_secs().max(1).to_string()])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What the keyboard says to the server is not said to those it waits for.
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        Ok(Worker { child, socket: UnixStream::from_std(ours)?, renderings: 0 })
    }

    /// Says whether it has not ended.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Says whether it has rendered enough, or keeps too much memory.
    pub(super) fn is_worn(&self) -> bool {
        self.renderings >= RENDERINGS_MAX || self.resident_bytes().is_some_and(|bytes| bytes > IDLE_BYTES_MAX)
    }

    /// Has it render a picture. After an error, or when the answer is dropped, it is good for nothing.
    pub(super) async fn render(
        &mut self,
        source: &[u8],
        request: &RenderRequest,
    ) -> Result<Result<Rendered, RenderError>, Broken> {
        self.renderings += 1;
        protocol::ask(&mut self.socket, source, request).await?;
        protocol::answer(&mut self.socket, request).await
    }

    /// Kills it, waits until it is gone, and says how it ended.
    pub(super) async fn end(mut self) -> String {
        let _ = self.child.start_kill();
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Returns how much memory it has now, where the system tells.
    fn resident_bytes(&self) -> Option<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id()?)).ok()?;
        let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }
}
