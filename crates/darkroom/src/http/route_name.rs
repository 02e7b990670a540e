//! What routes are called in the log and in the metrics: never by a path, which holds ids.

use super::router::Route;

impl Route {
    /// Returns the name for log and metrics, which does not depend on ids.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Route::Live => "health_live",
            Route::Ready => "health_ready",
            Route::Metrics => "metrics",
            Route::OpenApi => "openapi",
            Route::Call(Ok(found)) => found.endpoint.name.as_str(),
            Route::Call(Err(_)) => "no_call",
            Route::Batch(Ok(found)) => found.endpoint.name.as_str(),
            Route::Batch(Err(_)) => "batch",
            Route::UploadHost(_) => "direct_upload",
            Route::Transformation => "transform",
            Route::Image => "deliver",
            Route::Nothing => "nothing",
        }
    }
}
