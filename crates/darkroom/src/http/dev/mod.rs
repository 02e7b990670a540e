//! What `darkroom dev` puts around the application: calls that look at it and change it from outside, faults on request,
//! and a way back to how everything was.
//!
//! INVARIANT: `crate::commands::dev` alone makes a [`DevServer`]; the router knows nothing of it, so that in `serve` these
//! paths are what any unknown path is.

mod calls;
mod fault;
mod faults;
mod recent;
mod world;

use std::sync::{Arc, RwLock};

use http::request::Parts;
use http::{Method, Version, header};
use hyper::body::Body;

use self::fault::Fault;
use self::recent::Recent;
pub use self::world::BeginningError;
pub(crate) use self::world::{Beginning, World};
use super::linger::KeptBody;
use super::respond;
use super::router::{self, Route};
use super::server::{Arrival, Handler, Request, Response};

/// The first segment of the paths that are ours.
pub(crate) const FIRST_SEGMENT: &str = "dev";

/// The handler of `darkroom dev`.
pub(crate) struct DevServer {
    beginning: Beginning,
    /// INVARIANT: a request takes one world and stays in it, so that none sees a mixture of before and after a reset.
    world: RwLock<Arc<World>>,
    /// One reset at a time; the others wait for it, and then do theirs.
    resetting: tokio::sync::Mutex<()>,
}

impl DevServer {
    /// Makes the first world.
    pub(crate) async fn begin(beginning: Beginning) -> Result<DevServer, BeginningError> {
        let world = RwLock::new(Arc::new(beginning.world().await?));
        Ok(DevServer { beginning, world, resetting: tokio::sync::Mutex::default() })
    }

    /// Returns the world that there is now.
    pub(crate) fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().expect("no method panics while it holds the world"))
    }

    /// Puts a new world in the place of the one there is. Requests in progress end in theirs, which goes with the last
    /// of them: what they still write is gone.
    async fn reset(&self) -> Result<(), BeginningError> {
        let _alone = self.resetting.lock().await;
        let world = Arc::new(self.beginning.world().await?);
        *self.world.write().expect("no method panics while it holds the world") = world;
        Ok(())
    }
}

impl Handler for DevServer {
    async fn handle(self: Arc<Self>, request: Request, arrival: Arrival) -> Response {
        let path = request.uri().path();
        if let Some(ours) = path.strip_prefix("/dev").filter(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            let call = ours.trim_start_matches('/').to_owned();
            return calls::answer(&self, &call, request).await;
        }
        let world = self.world();
        let (head, body) = request.into_parts();
        let entry = world.recent.begin(&head.method, head.uri.path());
        let route = router::route(&head, &arrival, self.beginning.has_admin_entrance());
        let fault = can_fail(&route).then(|| world.faults.take(&head, route.name())).flatten();
        match fault {
            None => {
                let request = Request::from_parts(head, body);
                let response = Arc::clone(&world.app).handle(request, arrival).await;
                entry.answered(response.status());
                response
            }
            Some(fault) => failing(&world, fault, route, head, body, arrival, entry).await,
        }
    }
}

/// Says whether faults may meet a request: those of whoever keeps the server running they leave alone.
fn can_fail(route: &Route) -> bool {
    match route {
        Route::Call(_) | Route::Batch(_) | Route::UploadHost(_) | Route::Transformation | Route::Image => {
            true
        }
        Route::Live | Route::Ready | Route::Metrics | Route::OpenApi | Route::Nothing => false,
    }
}

/// Answers a request as a fault says.
async fn failing(
    world: &World,
    fault: Fault,
    route: Route,
    head: Parts,
    body: KeptBody,
    arrival: Arrival,
    entry: Recent,
) -> Response {
    tracing::info!(route = route.name(), fault = fault.name(), "a fault meets a request");
    entry.meets_fault();
    let response = match fault.refusal(&route) {
        Some(mut response) => {
            if !body.is_end_stream() && head.version < Version::HTTP_2 {
                // What is not read would be taken for the next request.
                respond::set(&mut response, header::CONNECTION, "close");
            }
            response
        }
        None if fault.is_before_call() => fault::cut_off_at_once(),
        None => {
            let request = Request::from_parts(head, body);
            Arc::clone(&world.app).handle(request, arrival).await
        }
    };
    if !fault.is_cut_off() {
        entry.answered(response.status());
    }
    tokio::time::sleep(fault.delay()).await;
    fault.break_off(response).await
}

/// Says whether a method only reads; `HEAD` is `GET` without the body.
fn is_get(method: &Method) -> bool {
    router::only_reads(method)
}
