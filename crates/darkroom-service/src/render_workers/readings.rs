//! What is counted about rendering.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use darkroom_transform::RenderTimes;

/// Upper bounds of the buckets of [`SpanReading`], in seconds; what is longer has a bucket of its own.
pub const SPAN_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What was counted about rendering.
#[derive(Clone, PartialEq, Debug)]
pub struct RenderReadings {
    /// Pictures at a process now.
    pub in_progress: u64,
    /// Pictures that wait for one.
    pub queued: u64,
    /// Processes that were started.
    pub started: u64,
    /// Processes that ended, by why.
    pub ended: [(&'static str, u64); 6],
    /// Bytes of sources that were given to processes.
    pub source_bytes: u64,
    /// Bytes of what they made.
    pub rendered_bytes: u64,
    /// How long pictures took, by what was done: `queue`, `fetch`, `decode`, `steps`, `encode`.
    pub spans: [(&'static str, SpanReading); 5],
}

/// How long something took, every time.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct SpanReading {
    /// All of it together.
    pub seconds: f64,
    /// How often it took at most as long as the bound in [`SPAN_SECONDS`], and longer than the bound before.
    pub buckets: [u64; SPAN_SECONDS.len() + 1],
}

/// Why a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// It had rendered enough, or kept too much memory.
    Worn,
    /// Nobody waited for what it rendered.
    Abandoned,
    /// The picture took too long.
    Late,
    /// By itself, or by someone else's hand.
    Died,
    /// Its answer could not be right.
    Distrusted,
    /// The service closed.
    Closed,
}

const ENDS: [(End, &str); 6] = [
    (End::Worn, "worn"),
    (End::Abandoned, "abandoned"),
    (End::Late, "late"),
    (End::Died, "died"),
    (End::Distrusted, "distrusted"),
    (End::Closed, "closed"),
];

#[derive(Default)]
pub(super) struct Counts {
    started: AtomicU64,
    ended: [AtomicU64; ENDS.len()],
    source_bytes: AtomicU64,
    rendered_bytes: AtomicU64,
    queue: Span,
    fetch: Span,
    decode: Span,
    steps: Span,
    encode: Span,
}

#[derive(Default)]
struct Span {
    micros: AtomicU64,
    buckets: [AtomicU64; SPAN_SECONDS.len() + 1],
}

impl Counts {
    pub(super) fn started(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, end: End) {
        self.ended[end as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn queued_for(&self, time: Duration) {
        self.queue.observe(time);
    }

    pub(super) fn fetched_in(&self, time: Duration) {
        self.fetch.observe(time);
    }

    pub(super) fn given(&self, source_bytes: usize) {
        self.source_bytes.fetch_add(source_bytes as u64, Ordering::Relaxed);
    }

    /// Counts what a process says that it took, which is no longer than it could have.
    pub(super) fn rendered(&self, bytes: usize, times: &RenderTimes, time_max: Duration) {
        self.rendered_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        for (span, micros) in
            [(&self.decode, times.decode), (&self.steps, times.steps), (&self.encode, times.encode)]
        {
            span.observe(Duration::from_micros(micros).min(time_max));
        }
    }

    pub(super) fn readings(&self, in_progress: u64, queued: u64) -> RenderReadings {
        RenderReadings {
            in_progress,
            queued,
            started: self.started.load(Ordering::Relaxed),
            ended: ENDS.map(|(end, name)| (name, self.ended[end as usize].load(Ordering::Relaxed))),
            source_bytes: self.source_bytes.load(Ordering::Relaxed),
            rendered_bytes: self.rendered_bytes.load(Ordering::Relaxed),
            spans: [
                ("queue", self.queue.reading()),
                ("fetch", self.fetch.reading()),
                ("decode", self.decode.reading()),
                ("steps", self.steps.reading()),
                ("encode", self.encode.reading()),
            ],
        }
    }
}

impl Span {
    fn observe(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = SPAN_SECONDS.iter().position(|&bound| seconds <= bound).unwrap_or(SPAN_SECONDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn reading(&self) -> SpanReading {
        let count = |bucket: &AtomicU64| bucket.load(Ordering::Relaxed);
        SpanReading {
            seconds: Duration::from_micros(count(&self.micros)).as_secs_f64(),
            buckets: self.buckets.each_ref().map(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_bucket_whose_bound_it_reaches() {
        let counts = Counts::default();
        for millis in [1, 2, 60_000] {
            counts.queued_for(Duration::from_millis(millis));
        }
        let (name, reading) = counts.readings(0, 0).spans[0];
        let found: Vec<usize> = (0..=14).filter(|&bucket| reading.buckets[bucket] == 1).collect();
        assert_eq!((name, found), ("queue", vec![1, 2, 14]));
        assert!((reading.seconds - 60.003).abs() < 1e-9);
    }

    #[test]
    fn each_end_is_counted_under_its_name() {
        let counts = Counts::default();
        for (end, name) in ENDS {
            counts.ended(end);
            let counted = counts.readings(0, 0).ended;
            assert!(counted.contains(&(name, 1)), "{name} in {counted:?}");
        }
    }
}
