//! Render workers from outside: real processes of the real program, and pictures that are too much for them.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod formats;
mod pictures;
mod processes;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use darkroom_model::image_options::{OutputFormat, Width};
use darkroom_model::{ImageOptions, Limits, MediaType, RandomIds, RenderLimits, SystemClock};
use darkroom_service::{
    Accepts, CatalogPlace, CatalogThresholds, OriginalsPlace, RenderError, RenderFailure, RenderRequest,
    RenderWorkers, RenderWorkersOptions, Rendered, RenderedContent, Service, ServiceOptions,
};
use futures_util::future::join_all;
use pictures::{LARGE, PHOTO, png};
use processes::{await_pids, await_that, has_ended, kill, pids, resident_pages, told_of};

/// What the child that is to be killed is told: the limit of memory.
const MEMORY: &str = "DARKROOM_TEST_RENDER_MEMORY";

/// Returns options of a pool whose processes no other test has.
fn options() -> RenderWorkersOptions {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = u64::from(std::process::id()) * 64 + COUNT.fetch_add(1, Ordering::Relaxed);
    let program = Some(env!("CARGO_BIN_EXE_darkroom").into());
    let limits = Limits {
        render_workers_max: 1,
        render_queue_max: 8,
        render_wait_max: Duration::from_secs(60),
        render_time_max: Duration::from_secs(60),
        render_memory_bytes_max: (1 << 30) + name,
        ..Limits::default()
    };
    RenderWorkersOptions::new(program, &limits)
}

fn request() -> RenderRequest {
    let options = ImageOptions {
        width: Some(Width::Pixels(100)),
        format: OutputFormat::Jpeg,
        ..ImageOptions::default()
    };
    RenderRequest { options, accepts: Accepts::default(), limits: RenderLimits::default() }
}

async fn render(workers: &RenderWorkers, source: &Bytes) -> Result<Rendered, RenderFailure> {
    workers.render(source.clone(), &request()).await
}

async fn check_photo(workers: &RenderWorkers) {
    let rendered = render(workers, &Bytes::from_static(PHOTO)).await.unwrap();
    assert_eq!(rendered.facts.content, RenderedContent::Image(MediaType::Jpeg));
    assert_eq!(rendered.facts.width, 100);
    assert!(rendered.bytes.starts_with(b"\xff\xd8\xff"));
}

/// Begins to render in a task of its own.
fn begin(
    workers: &Arc<RenderWorkers>,
    source: &Bytes,
) -> tokio::task::JoinHandle<Result<Rendered, RenderFailure>> {
    let (workers, source) = (Arc::clone(workers), source.clone());
    tokio::spawn(async move { render(&workers, &source).await })
}

/// Waits, in tasks, until something is so.
async fn eventually(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not become so");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn ended(workers: &RenderWorkers) -> Vec<(&'static str, u64)> {
    workers.readings().ended.into_iter().filter(|&(_, count)| count > 0).collect()
}

#[tokio::test]
async fn one_process_renders_one_picture_after_another_and_none_is_started_before() {
    let options = options();
    let workers = RenderWorkers::new(options.clone());
    assert!(pids(options.memory_bytes_max).is_empty());
    check_photo(&workers).await;
    let first = pids(options.memory_bytes_max);
    check_photo(&workers).await;
    let refused = render(&workers, &Bytes::from_static(b"no picture")).await;
    assert_eq!(refused, Err(RenderFailure::Refused(RenderError::NotAnImage)));
    check_photo(&workers).await;
    assert_eq!((first.len(), pids(options.memory_bytes_max)), (1, first));
    let readings = workers.readings();
    assert_eq!((readings.started, readings.in_progress, readings.queued), (1, 0, 0));
    for (span, reading) in readings.spans {
        let expected = match span {
            "queue" => 4,
            // What is rendered here was not fetched.
            "fetch" => 0,
            _ => 3,
        };
        assert_eq!(reading.buckets.iter().sum::<u64>(), expected, "{span}");
    }
}

#[tokio::test]
async fn a_process_can_open_nothing_and_start_nothing() {
    let options = options();
    let folder = tempfile::tempdir().unwrap();
    let service = service_on_disk(folder.path(), &options).await;
    check_photo(service.render_workers()).await;
    let pid = await_pids(options.memory_bytes_max, 1)[0];

    let limits = told_of(pid, "limits");
    let limit = |name: &str| -> Vec<String> {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect()
    };
    for name in ["Max open files", "Max processes", "Max file size", "Max core file size"] {
        assert_eq!(limit(name), ["0", "0"], "{name}");
    }
    let memory: Vec<u64> = limit("Max address space").iter().map(|limit| limit.parse().unwrap()).collect();
    let base = memory[0] - options.memory_bytes_max;
    assert!(memory[0] == memory[1] && (1 << 20..1 << 30).contains(&base), "{memory:?}");
    assert_ne!(limit("Max cpu time")[0], "unlimited");

    let status = told_of(pid, "status");
    // A thread would fail to start where the limit of processes counts, which is not for root.
    for line in ["NoNewPrivs:\t1", "Threads:\t1"] {
        assert!(status.lines().any(|found| found == line), "{line} in\n{status}");
    }
    assert_eq!(told_of(pid, "environ"), "");
    let link = |name: &str| std::fs::read_link(format!("/proc/{pid}/{name}")).unwrap().display().to_string();
    assert_eq!(link("cwd"), "/");
    for file in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let open = link(&format!("fd/{name}"));
        assert!(open == "/dev/null" || open.starts_with("socket:"), "{name} is {open}");
    }
    service.close().await;
    assert!(pids(options.memory_bytes_max).is_empty());
}

/// Opens a service that has files of its own open.
async fn service_on_disk(folder: &Path, options: &RenderWorkersOptions) -> Service {
    let options = ServiceOptions {
        renditions: None,
        transform: darkroom_service::TransformOptions::default(),
        catalog: CatalogPlace::Lmdb {
            folder: folder.join("catalog"),
            thresholds: CatalogThresholds::default(),
        },
        originals: OriginalsPlace::File(folder.join("originals")),
        limits: Limits { render_memory_bytes_max: options.memory_bytes_max, ..Limits::default() },
        allow_private_sources: Vec::new(),
        render_program: options.program.clone(),
    };
    Service::open(options, Arc::new(SystemClock), Arc::new(RandomIds)).await.unwrap()
}

#[tokio::test]
async fn what_takes_too_much_memory_ends_its_process_and_no_more() {
    let enough = options();
    let small = RenderWorkersOptions { memory_bytes_max: enough.memory_bytes_max - (900 << 20), ..options() };
    let workers = RenderWorkers::new(small);
    check_photo(&workers).await;
    assert_eq!(render(&workers, &LARGE).await, Err(RenderFailure::Died));
    check_photo(&workers).await;
    assert_eq!(ended(&workers), [("died", 1)]);
    // It was the memory.
    render(&RenderWorkers::new(enough), &LARGE).await.unwrap();
}

#[tokio::test]
async fn what_takes_too_long_is_killed() {
    let options = RenderWorkersOptions { time_max: Duration::from_millis(50), ..options() };
    let workers = RenderWorkers::new(options.clone());
    let began = Instant::now();
    assert_eq!(render(&workers, &LARGE).await, Err(RenderFailure::TookTooLong));
    assert!(began.elapsed() < Duration::from_secs(5));
    eventually(|| pids(options.memory_bytes_max).is_empty()).await;
    eventually(|| ended(&workers) == [("late", 1)]).await;
    let patient = RenderWorkers::new(RenderWorkersOptions { time_max: Duration::from_secs(60), ..options });
    check_photo(&patient).await;
}

#[tokio::test]
async fn a_process_killed_by_another_hand_takes_one_picture_with_it() {
    let options = options();
    let workers = Arc::new(RenderWorkers::new(options.clone()));
    let rendering = begin(&workers, &LARGE);
    eventually(|| pids(options.memory_bytes_max).len() == 1).await;
    kill(pids(options.memory_bytes_max)[0]);
    assert_eq!(rendering.await.unwrap(), Err(RenderFailure::Died));
    check_photo(&workers).await;

    // While it waits it takes none.
    let waiting = await_pids(options.memory_bytes_max, 1)[0];
    kill(waiting);
    await_that(|| has_ended(waiting));
    check_photo(&workers).await;
    assert_eq!((workers.readings().started, ended(&workers)), (3, vec![("died", 2)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_at_once_are_rendered_or_told_to_come_back() {
    let options = RenderWorkersOptions { workers_max: 2, queue_max: 16, ..options() };
    let workers = RenderWorkers::new(options.clone());
    let source = Bytes::from_static(PHOTO);
    let outcomes = join_all((0..500).map(|_| render(&workers, &source))).await;
    let rendered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let busy = outcomes.iter().filter(|outcome| matches!(outcome, Err(RenderFailure::Busy { .. }))).count();
    assert_eq!(rendered + busy, 500);
    assert!(rendered >= 18, "{rendered}");
    assert!(busy > 0, "the queue has an end");
    let readings = workers.readings();
    assert_eq!((readings.started, readings.in_progress, readings.queued), (2, 0, 0));
    assert_eq!(pids(options.memory_bytes_max).len(), 2);
}

#[tokio::test]
async fn who_has_waited_too_long_is_told_to_come_back() {
    let workers = Arc::new(RenderWorkers::new(RenderWorkersOptions {
        wait_max: Duration::from_millis(30),
        ..options()
    }));
    let place = workers.place().await.unwrap();
    let waited = render(&workers, &Bytes::from_static(PHOTO)).await;
    assert!(matches!(waited, Err(RenderFailure::Busy { .. })), "{waited:?}");
    drop(place);
    check_photo(&workers).await;
}

#[tokio::test]
async fn who_came_first_is_first() {
    let workers = RenderWorkers::new(options());
    let place = workers.place().await.unwrap();
    let order = std::sync::Mutex::new(Vec::new());
    let waiting = (0..8).map(|number| {
        let (workers, order) = (&workers, &order);
        async move {
            check_photo(workers).await;
            order.lock().unwrap().push(number);
        }
    });
    let release = async {
        eventually(|| workers.readings().queued == 8).await;
        drop(place);
    };
    tokio::join!(join_all(waiting), release);
    assert_eq!(order.into_inner().unwrap(), (0..8).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_goes_away_gives_the_place_back() {
    let options = options();
    let workers = Arc::new(RenderWorkers::new(options.clone()));
    let rendering = begin(&workers, &LARGE);
    eventually(|| pids(options.memory_bytes_max).len() == 1).await;
    let queued = begin(&workers, &LARGE);
    eventually(|| workers.readings().queued == 1).await;
    queued.abort();
    assert!(queued.await.unwrap_err().is_cancelled());
    assert_eq!(workers.readings().queued, 0);
    rendering.abort();
    assert!(rendering.await.unwrap_err().is_cancelled());
    eventually(|| pids(options.memory_bytes_max).is_empty()).await;
    eventually(|| workers.readings().in_progress == 0).await;
    assert_eq!(ended(&workers), [("abandoned", 1)]);
    check_photo(&workers).await;
}

#[tokio::test]
async fn closing_ends_all() {
    let options = options();
    let workers = Arc::new(RenderWorkers::new(options.clone()));
    let rendering = begin(&workers, &LARGE);
    eventually(|| pids(options.memory_bytes_max).len() == 1).await;
    let queued = begin(&workers, &LARGE);
    eventually(|| workers.readings().queued == 1).await;
    workers.close().await;
    for outcome in [rendering.await.unwrap(), queued.await.unwrap(), render(&workers, &LARGE).await] {
        assert_eq!(outcome, Err(RenderFailure::Unavailable));
    }
    assert!(pids(options.memory_bytes_max).is_empty());

    let idle = RenderWorkers::new(options.clone());
    check_photo(&idle).await;
    idle.close().await;
    assert!(pids(options.memory_bytes_max).is_empty());
}

#[tokio::test]
async fn a_process_makes_room_for_a_new_one_after_many_pictures() {
    let workers = RenderWorkers::new(options());
    let source = Bytes::from(png(2, 2));
    for _ in 0..1_001 {
        render(&workers, &source).await.unwrap();
    }
    eventually(|| ended(&workers) == [("worn", 1)]).await;
    assert_eq!(workers.readings().started, 2);
}

#[tokio::test]
async fn without_a_program_nothing_is_rendered() {
    for program in [None, Some("/nowhere/darkroom".into())] {
        let workers = RenderWorkers::new(RenderWorkersOptions { program, ..options() });
        let outcome = render(&workers, &Bytes::from_static(PHOTO)).await;
        assert_eq!(outcome, Err(RenderFailure::Unavailable));
    }
}

#[test]
fn a_killed_server_leaves_no_process_behind() {
    let memory = options().memory_bytes_max;
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_server_that_renders", "--ignored", "--nocapture"])
        .env(MEMORY, memory.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let workers = await_pids(memory, 2);
    // In the middle of a picture, which is when a process would not see that its socket is closed.
    await_that(|| workers.iter().any(|&pid| resident_pages(pid) > 100 << 20 >> 12));
    server.kill().unwrap();
    server.wait().unwrap();
    await_that(|| pids(memory).is_empty());
}

/// Renders on, with a second process that waits, until it is killed.
#[tokio::test]
#[ignore = "started by the test that kills it"]
async fn a_server_that_renders() {
    let memory_bytes_max = std::env::var(MEMORY).unwrap().parse().unwrap();
    let options = RenderWorkersOptions { workers_max: 2, memory_bytes_max, ..options() };
    let workers = RenderWorkers::new(options);
    tokio::join!(check_photo(&workers), check_photo(&workers));
    loop {
        render(&workers, &LARGE).await.unwrap();
    }
}
