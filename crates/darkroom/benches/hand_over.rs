//! What does it cost to have a picture rendered in another process? A source of 5 MB whose picture is tiny, rendered by a
//! worker and in this process, in turn; the difference is what handing it over and the answer back costs.
//! `cargo xtask bench hand-over`.
//!
//! Aim: at most 1 ms, median.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use darkroom_model::{ImageOptions, Limits, RenderLimits};
use darkroom_service::{Accepts, RenderRequest, RenderWorkers, RenderWorkersOptions};

const ROUNDS: usize = 500;
const SOURCE_BYTES: usize = 5_000_000;
const PICTURE: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../darkroom-transform/tests/pictures/baseline.jpg"));

#[tokio::main]
async fn main() {
    let source = Bytes::from(source());
    let (options, accepts) = (ImageOptions::default(), Accepts::default());
    let request = RenderRequest { options, accepts, limits: RenderLimits::default() };
    let program = Some(env!("CARGO_BIN_EXE_darkroom").into());
    let workers = RenderWorkers::new(RenderWorkersOptions::new(program, &Limits::default()));

    let began = Instant::now();
    let expected = workers.render(source.clone(), &request).await.unwrap().bytes;
    let first = began.elapsed();
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let rendered = darkroom_transform::render(&source, &request).unwrap();
        here.push(began.elapsed());
        assert_eq!(rendered.bytes, expected);
        let began = Instant::now();
        let rendered = workers.render(source.clone(), &request).await.unwrap();
        there.push(began.elapsed());
        assert_eq!(rendered.bytes, expected);
    }
    workers.close().await;

    println!("\na source of {SOURCE_BYTES} bytes with a tiny picture, {ROUNDS} times each, in turn\n");
    println!("| | p10 | median | p90 |");
    println!("|---|--:|--:|--:|");
    let [here_p10, here_median] = row("in this process", &mut here);
    let [there_p10, there_median] = row("in a worker", &mut there);
    let [p10, median] = [there_p10 - here_p10, there_median - here_median];
    println!("\nhanding over: {median:.2} ms, median; {p10:.2} ms where nothing else disturbs it (p10)");
    println!("the first one, which starts the process: {:.1} ms", first.as_secs_f64() * 1e3);
}

/// Prints times, and returns their 10th percentile and median in milliseconds.
fn row(name: &str, times: &mut [Duration]) -> [f64; 2] {
    times.sort();
    let [p10, median, p90] =
        [1, 5, 9].map(|tenths| times[ROUNDS * tenths / 10]).map(|time| time.as_secs_f64() * 1e3);
    println!("| {name} | {p10:.2} ms | {median:.2} ms | {p90:.2} ms |");
    [p10, median]
}

/// Returns a JPEG whose segments for applications make it as long as a photograph.
fn source() -> Vec<u8> {
    let mut source = PICTURE[..2].to_vec();
    while source.len() + PICTURE.len() < SOURCE_BYTES {
        source.extend([0xff, 0xef, 0xff, 0xff]);
        source.extend([0x55; 0xffff - 2]);
    }
    source.extend(&PICTURE[2..]);
    source
}
