//! What is counted, under the names that others see (prefix `darkroom_`, base units).

use std::fmt;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use darkroom_service::RenderReadings;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::render_metrics::RenderMetrics;
use super::server::ConnectionCount;

/// Upper bounds in seconds: a hot page takes less than a millisecond, a large upload seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ListLabels {
    filters: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ErrorLabels {
    r#type: u32,
}

/// The counters of HTTP, and the way to everyone else's.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    list_seconds: Family<ListLabels, Histogram, fn() -> Histogram>,
    errors: Family<ErrorLabels, Counter>,
    uploads: Gauge<i64, AtomicI64>,
}

/// An upload, as long as it is in progress.
pub(crate) struct UploadInProgress(Gauge<i64, AtomicI64>);

impl Metrics {
    /// Makes the counters. `of_service` and `of_delivery` return what the layers below count, by name, and `of_rendering`
    /// what is counted about rendering, once there is a service.
    pub(crate) fn new(
        connections: ConnectionCount,
        of_service: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static,
        of_delivery: impl Fn() -> Vec<(&'static str, u64)> + Send + Sync + 'static,
        of_rendering: impl Fn() -> Option<RenderReadings> + Send + Sync + 'static,
    ) -> Metrics {
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut registry = Registry::with_prefix("darkroom");
        let metrics = Metrics {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(histogram),
            list_seconds: Family::new_with_constructor(histogram),
            errors: Family::default(),
            uploads: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("requests", "Requests answered", metrics.requests.clone());
        registry.register(
            "request_duration_seconds",
            "Time from a request's head to its answer",
            metrics.request_seconds.clone(),
        );
        registry.register(
            "list_duration_seconds",
            "Time of a page of a listing, by number of metadata filters",
            metrics.list_seconds.clone(),
        );
        registry.register("errors", "Refusals and faults, by public code", metrics.errors.clone());
        let (uploads, read) = (metrics.uploads.clone(), Box::new(of_rendering));
        registry.register_collector(Box::new(RenderMetrics { uploads, read }));
        registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let connections: Reader = Box::new(move || vec![("connections", connections.get() as u64)]);
        registry.register_collector(Box::new(Readings {
            prefix: "",
            help: "Open connections",
            read: connections,
        }));
        let of_service: Reader = Box::new(of_service);
        registry.register_collector(Box::new(Readings {
            prefix: "catalog_",
            help: "See the catalog's documentation",
            read: of_service,
        }));
        let of_delivery: Reader = Box::new(of_delivery);
        registry.register_collector(Box::new(Readings { prefix: "", help: "Delivery", read: of_delivery }));
        Metrics { registry, ..metrics }
    }

    /// Counts a request that was answered.
    pub(crate) fn answered(&self, route: &'static str, method: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { route, method, status }).inc();
        self.request_seconds.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }

    /// Counts a page of a listing with so many metadata filters.
    pub(crate) fn listed(&self, filters: usize, took: Duration) {
        let filters = u32::try_from(filters).unwrap_or(u32::MAX);
        self.list_seconds.get_or_create(&ListLabels { filters }).observe(took.as_secs_f64());
    }

    /// Counts a refusal or fault by its public code.
    pub(crate) fn failed(&self, code: u32) {
        self.errors.get_or_create(&ErrorLabels { r#type: code }).inc();
    }

    /// Counts an upload until what it returns is dropped.
    pub(crate) fn upload(&self) -> UploadInProgress {
        self.uploads.inc();
        UploadInProgress(self.uploads.clone())
    }

    /// Returns everything in the text form of OpenMetrics 1.0.
    pub(crate) fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Drop for UploadInProgress {
    fn drop(&mut self) {
        self.0.dec();
    }
}

type Reader = Box<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>;

/// Numbers that are read when they are asked for.
struct Readings {
    prefix: &'static str,
    help: &'static str,
    read: Reader,
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for (name, value) in (self.read)() {
            // What only grows says so by its name; the format puts the ending back.
            let (name, metric): (_, Box<dyn EncodeMetric>) = match name.strip_suffix("_total") {
                Some(name) => (name, Box::new(ConstCounter::new(value))),
                None => (name, Box::new(ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)))),
            };
            let name = format!("{}{name}", self.prefix);
            metric.encode(encoder.encode_descriptor(&name, self.help, None, metric.metric_type())?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readings").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_service::SpanReading;

    #[test]
    fn names_are_those_that_the_documentation_promises() {
        let mut reading = SpanReading { seconds: 60.003, ..SpanReading::default() };
        (reading.buckets[1], reading.buckets[14]) = (1, 1);
        let rendering = RenderReadings {
            in_progress: 0,
            queued: 4,
            started: 3,
            ended: ["worn", "abandoned", "late", "died", "distrusted", "closed"].map(|end| (end, 2)),
            source_bytes: 5_000,
            rendered_bytes: 400,
            spans: ["queue", "fetch", "decode", "steps", "encode"].map(|span| (span, reading)),
        };
        let of_service = || vec![("records_read", 7), ("uploads_total", 8)];
        let of_delivery = || vec![("cache_hits_total", 9)];
        let of_rendering = move || Some(rendering.clone());
        let metrics = Metrics::new(ConnectionCount::default(), of_service, of_delivery, of_rendering);
        metrics.answered("list_images_v2", "GET", 200, Duration::from_millis(3));
        metrics.listed(2, Duration::from_millis(3));
        metrics.failed(5404);
        let in_progress = metrics.upload();
        let text = metrics.encode().unwrap();
        for line in [
            "darkroom_requests_total{route=\"list_images_v2\",method=\"GET\",status=\"200\"} 1",
            "darkroom_request_duration_seconds_count{route=\"list_images_v2\"} 1",
            "darkroom_list_duration_seconds_bucket{le=\"0.005\",filters=\"2\"} 1",
            "darkroom_errors_total{type=\"5404\"} 1",
            "darkroom_images_in_progress 1",
            "darkroom_render_queue_depth 4",
            "darkroom_render_workers_started_total 3",
            "darkroom_render_workers_ended_total{reason=\"late\"} 2",
            "darkroom_render_source_bytes_total 5000",
            "darkroom_rendered_bytes_total 400",
            "darkroom_request_span_duration_seconds_count{span=\"fetch\"} 2",
            "darkroom_request_span_duration_seconds_count{span=\"decode\"} 2",
            "darkroom_request_span_duration_seconds_sum{span=\"decode\"} 60.003",
            "darkroom_request_span_duration_seconds_bucket{le=\"0.001\",span=\"decode\"} 1",
            "darkroom_request_span_duration_seconds_bucket{le=\"10.0\",span=\"decode\"} 1",
            "darkroom_request_span_duration_seconds_bucket{le=\"+Inf\",span=\"decode\"} 2",
            "darkroom_connections 0",
            "darkroom_catalog_records_read 7",
            "darkroom_catalog_uploads_total 8",
            "darkroom_cache_hits_total 9",
            concat!("darkroom_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found.starts_with(line)), "{line} in\n{text}");
        }
        drop(in_progress);
        assert!(metrics.encode().unwrap().contains("darkroom_images_in_progress 0"));
    }
}
