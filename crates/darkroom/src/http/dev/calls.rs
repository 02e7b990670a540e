//! The calls of `darkroom dev` itself. Their answers have the envelope of the API, so that one client reads both.

use bytes::Bytes;
use darkroom_api::{ApiError, envelope};
use darkroom_model::{Clock, Timestamp};
use http::{Method, StatusCode};
use serde_json::json;

use super::fault::Fault;
use super::faults::FAULTS_MAX;
use super::{DevServer, World, is_get};
use crate::dev::{FieldError, Fields, Pace};
use crate::http::body::{BodyError, RequestBody};
use crate::http::respond;
use crate::http::server::{Request, Response};

/// Largest body of a call.
const BODY_BYTES_MAX: usize = 16 << 10;
/// Longest seed of ids.
const SEED_CHARS_MAX: usize = 256;
/// Farthest that one call moves the clock: a thousand years.
const ADVANCE_SECONDS_MAX: f64 = 31_556_952_000.0;

/// Answers a call, by what its path has below `/dev/`.
pub(super) async fn answer(server: &DevServer, call: &str, request: Request) -> Response {
    let world = server.world();
    let (head, body) = request.into_parts();
    let limits = world.service.limits();
    let body = RequestBody::new(body, limits.body_wait, limits.body_time_max);
    let progress = body.progress();
    let result = answer_with_result(server, &world, call, &head.method, body).await;
    let mut response = match result {
        Ok(result) => respond::json(StatusCode::OK, envelope::success(result.to_string())),
        Err(error) => respond::failure(&error),
    };
    if !progress.is_whole() && head.version < http::Version::HTTP_2 {
        // What was not read would be taken for the next request.
        respond::set(&mut response, http::header::CONNECTION, "close");
    }
    response
}

async fn answer_with_result(
    server: &DevServer,
    world: &World,
    call: &str,
    method: &Method,
    body: RequestBody,
) -> Result<serde_json::Value, ApiError> {
    let is_post = method == Method::POST;
    match call {
        "reset" if is_post => {
            read(body).await?;
            server.reset().await.map_err(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "a reset failed");
                ApiError::internal()
            })?;
            Ok(json!({}))
        }
        "reset" => Err(ApiError::method_not_allowed(&["POST"])),

        "clock" if is_get(method) => Ok(clock(world)),
        "clock" if is_post => {
            set_clock(world, &read(body).await?).await?;
            Ok(clock(world))
        }
        "clock" => Err(ApiError::method_not_allowed(&["GET", "POST"])),

        "ids" if is_get(method) => Ok(json!({ "seed": world.ids.seed() })),
        "ids" if is_post => {
            set_ids(world, &read(body).await?)?;
            Ok(json!({ "seed": world.ids.seed() }))
        }
        "ids" => Err(ApiError::method_not_allowed(&["GET", "POST"])),

        "faults" if is_get(method) => Ok(json!({ "faults": world.faults.all() })),
        "faults" if is_post => {
            let fault = Fault::parse(&read(body).await?).map_err(invalid)?;
            let listed = json!(fault);
            match world.faults.add(fault) {
                true => Ok(listed),
                false => Err(ApiError::invalid(
                    format!("Too many faults: at most {FAULTS_MAX} may wait at the same time"),
                    None,
                )),
            }
        }
        "faults" if method == Method::DELETE => {
            world.faults.clear();
            Ok(json!({}))
        }
        "faults" => Err(ApiError::method_not_allowed(&["GET", "POST", "DELETE"])),

        "requests" if is_get(method) => Ok(json!({ "requests": world.recent.all() })),
        "requests" => Err(ApiError::method_not_allowed(&["GET"])),

        _ => Err(ApiError::no_route()),
    }
}

async fn read(body: RequestBody) -> Result<Bytes, ApiError> {
    body.read(BODY_BYTES_MAX).await.map_err(|error| match error {
        BodyError::TooLarge => ApiError::too_large(),
        BodyError::Stalled => ApiError::upload_timed_out(),
        BodyError::NotReceived => ApiError::invalid("Invalid request body: incomplete", None),
    })
}

fn invalid(error: FieldError) -> ApiError {
    let pointer = error.field.as_ref().map(|name| format!("/{name}"));
    ApiError::invalid(format!("Invalid request body: {error}"), pointer)
}

fn clock(world: &World) -> serde_json::Value {
    let runs = matches!(world.clock.pace(), Pace::Runs { .. });
    json!({ "now": world.clock.now().to_string(), "runs": runs })
}

/// Moves the clock, and does what has become due: what the sweep of a server that ran all that time would have removed,
/// is removed.
async fn set_clock(world: &World, json: &[u8]) -> Result<(), ApiError> {
    let fields = Fields::parse(json, &["now", "advance_seconds", "runs"]).map_err(invalid)?;
    let now = fields.string("now", 64).map_err(invalid)?;
    let advance = fields.number("advance_seconds", -ADVANCE_SECONDS_MAX..=ADVANCE_SECONDS_MAX);
    let (advance, runs) = (advance.map_err(invalid)?, fields.boolean("runs").map_err(invalid)?);
    match (now, advance) {
        (Some(_), Some(_)) => {
            return Err(invalid(fields.error("advance_seconds", "expected without now")));
        }
        (Some(text), None) => {
            let expected = "expected a moment such as 2026-01-01T00:00:00Z";
            let moment = Timestamp::parse_rfc3339(&text);
            world.clock.set(Pace::Stands(moment.ok_or_else(|| invalid(fields.error("now", expected)))?));
        }
        (None, Some(seconds)) => {
            let expected = format!("expected a moment from {} to {}", Timestamp(0), Timestamp::MAX);
            let moved = world.clock.advance((seconds * 1000.0).round() as i64);
            moved.map_err(|_| invalid(fields.error("advance_seconds", expected)))?;
        }
        (None, None) if runs.is_none() => {
            let expected = "expected at least one of now, advance_seconds, runs".to_owned();
            return Err(invalid(FieldError { field: None, expected }));
        }
        (None, None) => {}
    }
    if let Some(runs) = runs {
        world.clock.let_run(runs);
    }
    if let Err(error) = world.service.sweep().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the sweep after moving the clock failed");
    }
    Ok(())
}

/// Begins the ids of a seed, or with `null` those of chance.
fn set_ids(world: &World, json: &[u8]) -> Result<(), ApiError> {
    let fields = Fields::parse(json, &["seed"]).map_err(invalid)?;
    let seed = fields.string("seed", SEED_CHARS_MAX).map_err(invalid)?;
    world.ids.begin(seed.as_deref());
    Ok(())
}
