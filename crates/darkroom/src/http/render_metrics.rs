//! What is counted about rendering, in the form of metrics.

use std::fmt;

use darkroom_service::{RenderReadings, SPAN_SECONDS};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};

/// Reads what was counted about rendering when it is asked for.
pub(super) struct RenderMetrics {
    /// Uploads, which are images in progress too.
    pub(super) uploads: Gauge,
    /// Returns nothing while the server starts.
    pub(super) read: Box<dyn Fn() -> Option<RenderReadings> + Send + Sync>,
}

impl Collector for RenderMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let readings = (self.read)();
        let renderings = readings.as_ref().map_or(0, |readings| signed(readings.in_progress));
        let in_progress = ConstGauge::new(self.uploads.get() + renderings);
        let help = "Images that are uploaded or rendered now";
        let images = encoder.encode_descriptor("images_in_progress", help, None, MetricType::Gauge)?;
        in_progress.encode(images)?;
        let Some(readings) = readings else { return Ok(()) };
        let RenderReadings { queued, started, ended, source_bytes, rendered_bytes, spans, .. } = readings;

        let help = "Renderings that wait for a process";
        let queue = encoder.encode_descriptor("render_queue_depth", help, None, MetricType::Gauge)?;
        ConstGauge::new(signed(queued)).encode(queue)?;

        let help = "Processes started to render";
        let workers = encoder.encode_descriptor("render_workers_started", help, None, MetricType::Counter)?;
        ConstCounter::new(started).encode(workers)?;

        let help = "Processes that rendered and ended, by why";
        let mut workers =
            encoder.encode_descriptor("render_workers_ended", help, None, MetricType::Counter)?;
        for (reason, count) in ended {
            ConstCounter::new(count).encode(workers.encode_family(&[("reason", reason)])?)?;
        }

        for (name, help, bytes) in [
            ("render_source_bytes", "Bytes given to processes to render", source_bytes),
            ("rendered_bytes", "Bytes of what they made", rendered_bytes),
        ] {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(bytes).encode(counter)?;
        }

        let help = "Time of an image, by what was done with it";
        let name = "request_span_duration_seconds";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (span, reading) in spans {
            let bounds = SPAN_SECONDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(reading.buckets).collect();
            let count = reading.buckets.iter().sum();
            let labels = [("span", span)];
            let mut histogram = family.encode_family(&labels)?;
            histogram.encode_histogram::<NoLabelSet>(reading.seconds, count, &buckets, None)?;
        }
        Ok(())
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl fmt::Debug for RenderMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderMetrics").finish_non_exhaustive()
    }
}
