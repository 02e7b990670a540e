//! What a process that renders gives up before it sees a byte.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The standard streams, one of which is the socket to the server, end here.
const STANDARD_END: i32 = 3;
#[cfg(target_os = "linux")]
const OPEN_FILES: &str = "/proc/self/fd";
#[cfg(not(target_os = "linux"))]
const OPEN_FILES: &str = "/dev/fd";

/// Closes what this process did not open: files that whoever started the server left open pass through it. What the server
/// opens itself does not come here.
///
/// To be called first of all, while there is one thread and nothing is open but the standard streams.
#[expect(unsafe_code, reason = "no safe call closes a file that nothing here owns")]
pub(super) fn close_inherited() -> io::Result<()> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir(OPEN_FILES)? {
        open.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    // The folder itself, closed by now, was among them.
    open.retain(|file| Path::new(OPEN_FILES).join(file.to_string()).symlink_metadata().is_ok());
    for file in open.into_iter().filter(|&file| file >= STANDARD_END) {
        // SAFETY: the file is open, and nothing in this process owns its number: it came with the process.
        unsafe { rustix::io::close(file) };
    }
    Ok(())
}

/// Gives up for good what rendering does not need: from here on the process can open neither file nor socket, start no
/// other, write no file, leave no image of its memory, and take no more memory.
///
/// The memory is that of addresses (`RLIMIT_AS`), with what the process has already added: of the limits that Linux has,
/// this is the one that holds for every way to get memory. macOS has none that holds.
pub(super) fn confine(memory_bytes_max: u64) -> io::Result<()> {
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

/// Lets the next picture take as much time of a core as it may take in all, and a little more: the server is sooner, if it
/// is still there.
pub(super) fn allow_time(time_max: Duration) -> io::Result<()> {
    let taken = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or_default();
    let maximum = getrlimit(Resource::Cpu).maximum;
    let current = Some(taken + time_max.as_secs().max(1) + 2);
    Ok(setrlimit(Resource::Cpu, Rlimit { current, maximum })?)
}

fn lower(resource: Resource, limit: u64) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum.map_or(limit, |maximum| maximum.min(limit));
    Ok(setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) })?)
}
