//! Every format in and every format out, in one process of one thread: a codec that would start another cannot,
//! where the limit of processes counts.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use bytes::Bytes;
use darkroom_model::image_options::{OutputFormat, Width};
use darkroom_model::{Fit, ImageOptions, MediaType};
use darkroom_service::{RenderRequest, RenderWorkers, RenderWorkersOptions, Rendered, RenderedContent};

use crate::pictures::PHOTO;
use crate::processes::{await_pids, pids, told_of};

/// What the child that is not root is told: the program, where it may read it.
const PROGRAM: &str = "DARKROOM_TEST_RENDER_PROGRAM";

/// A user and a group that every system has, and that owns nothing.
const NOBODY: u32 = 65_534;

const ANIMATION: &[u8] = include_bytes!("../../../darkroom-transform/tests/pictures/animated.gif");

#[tokio::test]
async fn one_process_of_one_thread_reads_and_writes_every_format() {
    check_formats(crate::options()).await;
}

/// For root there is no limit of processes: another user's processes show that no thread is missed.
#[test]
fn no_format_needs_a_thread_that_may_not_be_started() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::copy(std::env::current_exe().unwrap(), place("test")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_darkroom"), place("darkroom")).unwrap();
    let mut child = Command::new(place("test"));
    child.args(["--exact", "formats::every_format_by_a_user_who_is_not_root", "--ignored"]);
    child.env(PROGRAM, place("darkroom")).current_dir("/");
    if rustix::process::geteuid().is_root() {
        child.uid(NOBODY).gid(NOBODY);
    }
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "started by another test, as another user"]
async fn every_format_by_a_user_who_is_not_root() {
    assert!(!rustix::process::geteuid().is_root());
    let program = std::env::var_os(PROGRAM).unwrap();
    check_formats(RenderWorkersOptions { program: Some(program.into()), ..crate::options() }).await;
}

async fn check_formats(options: RenderWorkersOptions) {
    let workers = RenderWorkers::new(options.clone());
    let photo = Bytes::from_static(PHOTO);
    let made = async |format| Bytes::from(render(&workers, &photo, format).await.bytes);
    let sources = [
        ("JPEG", photo.clone()),
        ("PNG", made(OutputFormat::PngForce).await),
        ("GIF", Bytes::from_static(ANIMATION)),
        ("WebP", made(OutputFormat::WebP).await),
        ("AVIF", made(OutputFormat::Avif).await),
    ];
    let pid = await_pids(options.memory_bytes_max, 1)[0];
    let limits = told_of(pid, "limits");
    let processes = limits.lines().find_map(|line| line.strip_prefix("Max processes")).unwrap();
    assert_eq!(processes.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);
    for (name, source) in &sources {
        for (format, media_type) in [
            (OutputFormat::Jpeg, MediaType::Jpeg),
            (OutputFormat::PngForce, MediaType::Png),
            (OutputFormat::WebP, MediaType::WebP),
            (OutputFormat::Avif, MediaType::Avif),
        ] {
            let facts = render(&workers, source, format).await.facts;
            assert_eq!(facts.content, RenderedContent::Image(media_type), "{name}");
            assert_eq!(facts.width, 300, "{name} as {media_type:?}");
            let status = told_of(pid, "status");
            assert!(status.lines().any(|line| line == "Threads:\t1"), "{name} as {media_type:?}: {status}");
        }
    }
    assert_eq!((workers.readings().started, pids(options.memory_bytes_max)), (1, vec![pid]));
}

/// Renders a source in a size that makes every codec work.
async fn render(workers: &RenderWorkers, source: &Bytes, format: OutputFormat) -> Rendered {
    let width = Some(Width::Pixels(300));
    let options = ImageOptions { width, fit: Fit::Contain, format, ..ImageOptions::default() };
    let request = RenderRequest { options, ..crate::request() };
    workers.render(source.clone(), &request).await.unwrap()
}
