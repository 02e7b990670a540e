//! The other side: a process that renders and can do nothing else.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use darkroom_transform::{RenderError, RenderRequest, Rendered, render};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::protocol;

/// Renders what comes over the socket that is standard input, until it is closed. Returns 1 if the process could not be
/// confined, or the other side makes no sense; a picture that takes too much ends the process.
pub fn render_worker(memory_bytes_max: u64, time_max: Duration) -> ExitCode {
    // Nobody reads what a panic says, and the server sees that this process is gone.
    std::panic::set_hook(Box::new(|_| {}));
    match serve(memory_bytes_max, time_max) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(memory_bytes_max: u64, time_max: Duration) -> io::Result<()> {
    let mut server = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    confine(memory_bytes_max)?;
    while let Some((source, request)) = protocol::receive(&mut server, memory_bytes_max)? {
        allow_time(time_max)?;
        protocol::reply(&mut server, rendered(&source, &request))?;
    }
    Ok(())
}

fn rendered(source: &[u8], request: &RenderRequest) -> Result<Rendered, RenderError> {
    let rendered = render(source, request)?;
    if rendered.bytes.len() as u64 > request.limits.output_bytes_max {
        return Err(RenderError::TooLarge);
    }
    Ok(rendered)
}

/// Gives up for good what rendering does not need: from here on the process can open neither file nor socket, start no
/// other, write no file, leave no image of its memory, and take no more memory.
///
/// The memory is that of addresses (`RLIMIT_AS`), with what the process has already added: of the limits that Linux has,
/// this is the one that holds for every way to get memory. macOS has none that holds.
fn confine(memory_bytes_max: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        rustix::thread::set_no_new_privs(true)?;
        // Also in the middle of a picture. What ended before this line closed the socket.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        // Where all memory is short, rather this process than the server. Some systems do not let it.
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
        let taken = std::fs::read_to_string("/proc/self/statm")?;
        let pages: Option<u64> = taken.split(' ').next().and_then(|pages| pages.parse().ok());
        let taken = pages.ok_or(io::ErrorKind::InvalidData)? * rustix::param::page_size() as u64;
        lower(Resource::As, taken.saturating_add(memory_bytes_max))?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory_bytes_max;
    // Two are open already, and go on working: the socket, and nothing in the place of both outputs.
    for resource in [Resource::Nofile, Resource::Nproc, Resource::Fsize, Resource::Core] {
        lower(resource, 0)?;
    }
    Ok(())
}

/// Lets the next picture take as much time of a core as it may take in all, and a second. The server is sooner, if it is
/// still there.
fn allow_time(time_max: Duration) -> io::Result<()> {
    let taken = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or_default();
    let maximum = getrlimit(Resource::Cpu).maximum;
    let current = Some(taken + time_max.as_secs().max(1) + 2);
    Ok(setrlimit(Resource::Cpu, Rlimit { current, maximum })?)
}

fn lower(resource: Resource, limit: u64) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum.map_or(limit, |maximum| maximum.min(limit));
    Ok(setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) })?)
}
