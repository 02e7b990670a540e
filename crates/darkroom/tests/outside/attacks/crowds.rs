//! Workers that are killed, and crowds.

use std::time::Duration;

use super::files::{png, zeros};
use super::{Fate, Target, check_fate};
use crate::common::HASH;
use crate::common::client::Request;

#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "the rest is for another test")]
#[path = "../../render_workers/processes.rs"]
mod processes;

/// Returns how much a process that renders may take: a number that tells those of one test from all others.
#[cfg(target_os = "linux")]
fn own_memory() -> u64 {
    (1 << 30) + (1 << 28) + u64::from(std::process::id())
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_takes_one_request_with_it() {
    use processes::{await_pids, await_that, kill, resident_pages};

    let memory = own_memory();
    let target = Target::start_with(|settings| {
        settings.limits.render_workers_max = 1;
        settings.limits.render_memory_bytes_max = memory;
    });
    let target = target.await;
    // It takes a large part of a second, and a hundred megabytes.
    let large = png(10_000, 10_000, &[], &zeros(10_001 * 10_000));
    target.store("large", &large).await;
    target.check_calm().await;
    let words = "The image is too large to process or the service is too busy";
    let options = "w=50,h=50,fit=squeeze,format=png-force";
    for (name, header) in [("hosted", "cf-images"), ("remote", "cf-resized")] {
        let pid = await_pids(memory, 1)[0];
        let killing = tokio::task::spawn_blocking(move || {
            await_that(|| resident_pages(pid) > 64 << 20 >> 12);
            kill(pid);
        });
        let answer = match name {
            "hosted" => target.hosted("large", options).await,
            _ => target.remote(&large, options).await,
        };
        killing.await.unwrap();
        check_fate(name, &answer, header, Fate::Refused(504, 9529, words));
        target.check_calm().await;
    }
    check_fate(
        "again",
        &target.hosted("large", options).await,
        "cf-images",
        Fate::Picture("image/png", 50, 50),
    );
    let readings = target.server.service().render_workers().readings();
    assert!(readings.ended.contains(&("died", 2)), "{readings:?}");
    target.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_at_once_are_served_or_told_to_come_back() {
    const COUNT: u32 = 500;
    allow_open_files();
    let target = Target::start_with(|settings| {
        settings.limits.render_workers_max = 2;
        settings.limits.render_queue_max = 16;
    });
    let target = target.await;
    let path = |width: u32| format!("/{HASH}/ordinary/w={width},h=10,fit=crop,format=jpeg");
    let picture = |width| Fate::Picture("image/jpeg", width, 10);
    let asking = (1..=COUNT).map(|width| {
        let request = Request::new(target.server.address, "GET", &path(width));
        (width, tokio::spawn(async move { request.send().await }))
    });
    let asking: Vec<_> = asking.collect();
    let mut refused = Vec::new();
    for (width, answer) in asking {
        let answer = answer.await.unwrap();
        let name = format!("{width} wide");
        if answer.status == 200 {
            check_fate(&name, &answer, "cf-images", picture(width));
            continue;
        }
        let busy = Fate::Refused(503, 9522, "The service in this colo is too busy");
        check_fate(&name, &answer, "cf-images", busy);
        assert_eq!(answer.header("retry-after"), Some("2"), "{name}");
        refused.push(width);
    }
    let served = COUNT as usize - refused.len();
    assert!(served >= 18 && !refused.is_empty(), "{served} served");
    assert_eq!(metric(&target, "render_queue_depth").await, "0");
    assert_eq!(metric(&target, "images_in_progress").await, "0");
    // Whoever comes back, one after the other, is served.
    for width in refused.into_iter().take(20) {
        let answer = target.server.request("GET", &path(width)).send().await;
        check_fate("again", &answer, "cf-images", picture(width));
    }
    target.check_calm().await;
    target.stop().await;
}

/// Each request has two ends in this process.
fn allow_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

async fn metric(target: &Target, name: &str) -> String {
    // A place is given back before its answer has arrived, or just after.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let metrics = target.server.request("GET", "/metrics").send().await.text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("darkroom_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).to_owned()
}
