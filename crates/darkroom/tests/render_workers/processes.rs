//! Processes that render, as the system sees them.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything that ends by itself may take to do so on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the processes that were told this limit of memory, by which tests tell theirs from those of others.
pub(crate) fn pids(memory_bytes_max: u64) -> Vec<i32> {
    let told = format!("render-worker\0{memory_bytes_max}\0");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let is_told = |pid: &i32| {
        let words = fs::read_to_string(format!("/proc/{pid}/cmdline"));
        words.is_ok_and(|words| words.contains(&told))
    };
    pids.filter(is_told).collect()
}

/// Waits until there are so many, and returns them.
pub(crate) fn await_pids(memory_bytes_max: u64, count: usize) -> Vec<i32> {
    let mut pids = Vec::new();
    await_that(|| {
        pids = self::pids(memory_bytes_max);
        pids.len() == count
    });
    pids
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn await_that(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it does not become so");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// Says whether a process is gone but for what its parent has not asked about yet.
pub(crate) fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.rsplit(") ").next().unwrap().starts_with('Z'))
}

/// Returns the text of a file in the folder of a process.
pub(crate) fn told_of(pid: i32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
}

/// Returns how many pages of memory a process has; 0 if it is gone.
pub(crate) fn resident_pages(pid: i32) -> u64 {
    let pages = fs::read_to_string(format!("/proc/{pid}/statm"));
    pages.map_or(0, |pages| pages.split(' ').nth(1).unwrap().parse().unwrap())
}
