//! One fault on request: which requests it meets, how often, and what they see.

use std::time::Duration;

use bytes::Bytes;
use darkroom_api::error_codes::ERROR_ROWS;
use darkroom_api::{ApiError, DeliveryError, ENDPOINTS, ErrorName};
use http::request::Parts;
use http::{HeaderName, Method, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Body;
use serde::Serialize;

use crate::dev::{FieldError, Fields};
use crate::http::answer_body::AnswerBody;
use crate::http::respond;
use crate::http::router::Route;
use crate::http::server::Response;

/// Most requests that one fault meets.
const TIMES_MAX: u32 = 1_000;
/// Longest that a fault holds an answer back: longer than clients wait by default.
const DELAY_MAX: Duration = Duration::from_secs(120);
/// Longest path prefix of a fault.
const PATH_CHARS_MAX: usize = 1_024;
/// Longest message of a fault's own.
const MESSAGE_CHARS_MAX: usize = 1_024;
/// Longest that a fault asks clients to wait.
const RETRY_AFTER_SECONDS_MAX: u32 = 3_600;
/// Requests and seconds of the rate that a 429 says was exceeded (reference: api §1.5).
const RATE: (u32, u32) = (1_200, 300);

const FIELDS: [&str; 10] = [
    "method",
    "path",
    "call",
    "times",
    "status",
    "code",
    "message",
    "retry_after_seconds",
    "delay_ms",
    "cut_off",
];

/// A fault, as it is asked for and listed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Fault {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    /// How many requests it is still to meet.
    times: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut_off: Option<Cut>,
}

/// Where a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Cut {
    /// Before anything is done.
    BeforeCall,
    /// When all is done, and nothing is answered.
    BeforeAnswer,
    /// In the middle of the answer.
    InAnswer,
}

const CUTS: [(&str, Cut); 3] =
    [("before_call", Cut::BeforeCall), ("before_answer", Cut::BeforeAnswer), ("in_answer", Cut::InAnswer)];

impl Fault {
    /// Reads what was asked for.
    pub(super) fn parse(json: &[u8]) -> Result<Fault, FieldError> {
        let fields = Fields::parse(json, &FIELDS)?;
        let status = fields.integer("status", 400..=599)?.map(|status| status as u16);
        let fault = Fault {
            method: parse_method(&fields)?,
            path: parse_path(&fields)?,
            call: parse_call(&fields)?,
            times: fields.integer("times", 1..=TIMES_MAX)?.unwrap_or(1),
            status,
            code: fields.integer("code", 1..=99_999)?,
            message: fields.string("message", MESSAGE_CHARS_MAX)?,
            retry_after_seconds: fields.integer("retry_after_seconds", 0..=RETRY_AFTER_SECONDS_MAX)?,
            delay_ms: fields.integer("delay_ms", 1..=DELAY_MAX.as_millis() as u32)?,
            cut_off: parse_cut(&fields)?,
        };
        let depend_on_status = ["code", "message", "retry_after_seconds"];
        if let Some(name) = depend_on_status.iter().find(|name| status.is_none() && fields.has(name)) {
            return Err(fields.error(name, "expected together with status"));
        }
        if status.is_some() && fault.cut_off.is_some() {
            return Err(fields.error("cut_off", "expected without status: nobody would see it"));
        }
        if status.is_none() && fault.cut_off.is_none() && fault.delay_ms.is_none() {
            let expected = "expected at least one of status, delay_ms, cut_off".to_owned();
            return Err(FieldError { field: None, expected });
        }
        Ok(fault)
    }

    /// Says whether it meets a request.
    pub(super) fn meets(&self, head: &Parts, call: &str) -> bool {
        // An answer to HEAD has no body to break off.
        let can_be_cut = self.cut_off.is_none() || head.method != Method::HEAD;
        // What a browser asks before it calls is met only by who names it.
        let is_wanted_kind = head.method != Method::OPTIONS || self.method.is_some();
        let is_same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|it| it == found);
        let path = head.uri.path();
        can_be_cut
            && is_wanted_kind
            && is_same(&self.method, head.method.as_str())
            && is_same(&self.call, call)
            && self.path.as_deref().is_none_or(|prefix| path.starts_with(prefix))
    }

    /// Takes one request off; says whether it was the last.
    pub(super) fn meet_one(&mut self) -> bool {
        self.times = self.times.saturating_sub(1);
        self.times == 0
    }

    /// Returns a word for the log.
    pub(super) fn name(&self) -> &'static str {
        match (self.status, self.cut_off) {
            (Some(_), _) => "refused",
            (None, Some(_)) => "cut off",
            (None, None) => "late",
        }
    }

    /// Returns how long the answer is held back.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms.unwrap_or(0).into())
    }

    /// Says whether there is no whole answer.
    pub(super) fn is_cut_off(&self) -> bool {
        self.cut_off.is_some()
    }

    /// Says whether nothing is done.
    pub(super) fn is_before_call(&self) -> bool {
        self.cut_off == Some(Cut::BeforeCall)
    }

    /// Returns the answer in place of the call's, in the form that is used there; `None` if the call is made.
    pub(super) fn refusal(&self, route: &Route) -> Option<Response> {
        let error = self.api_error()?;
        let mut response = match route {
            Route::Image => respond::delivery_failure(&self.delivery_error(&error)),
            Route::Transformation => respond::transformation_failure(&self.delivery_error(&error)),
            _ => route.refusal(&error),
        };
        if error.status == 429 {
            let seconds = self.retry_after_seconds.unwrap_or(1);
            let (requests, window) = RATE;
            let (now, rule) =
                (format!("\"default\";r=0;t={seconds}"), format!("\"default\";q={requests};w={window}"));
            respond::set_made(&mut response, HeaderName::from_static("ratelimit"), &now);
            respond::set_made(&mut response, HeaderName::from_static("ratelimit-policy"), &rule);
            respond::set_made(&mut response, header::RETRY_AFTER, &seconds.to_string());
        }
        if let Some(seconds) = self.retry_after_seconds {
            respond::set_made(&mut response, header::RETRY_AFTER, &seconds.to_string());
        }
        Some(response)
    }

    /// Returns the error of the API's table with this status, if it has one: with the code that was asked for, else one
    /// of Images' own.
    fn api_error(&self) -> Option<ApiError> {
        let status = self.status?;
        let rows = || ERROR_ROWS.iter().filter(|row| row.status == status);
        let row = match self.code {
            Some(code) => rows().find(|row| row.code == code),
            None => rows().find(|row| (5400..5600).contains(&row.code)).or_else(|| rows().next()),
        };
        let mut error = ApiError::from(row.map_or(ErrorName::Invalid, |row| row.name));
        error.status = status;
        if let Some(code) = self.code {
            error.code = code;
        } else if row.is_none() && status >= 500 {
            error.code = ErrorName::Internal.row().code;
        }
        if let Some(message) = &self.message {
            error.message.clone_from(message);
        } else if error.message.is_empty() {
            "Fault on request".clone_into(&mut error.message);
        }
        Some(error)
    }

    fn delivery_error(&self, error: &ApiError) -> DeliveryError {
        let known = match error.status {
            500 => DeliveryError::internal(),
            503 => DeliveryError::unavailable(),
            404 => DeliveryError::image_missing(),
            status => DeliveryError {
                status,
                code: error.code,
                message: error.message.clone(),
                retry_after_seconds: None,
            },
        };
        DeliveryError {
            code: self.code.unwrap_or(known.code),
            message: self.message.clone().unwrap_or(known.message),
            ..known
        }
    }

    /// Breaks an answer off, if that is the fault.
    pub(super) async fn break_off(&self, response: Response) -> Response {
        match self.cut_off {
            None => response,
            Some(Cut::BeforeCall | Cut::BeforeAnswer) => cut_off_at_once(),
            Some(Cut::InAnswer) => {
                let (head, body) = response.into_parts();
                // No larger than an original, which was held as a whole when it was uploaded.
                let whole = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                match whole.len() / 2 {
                    // What is so short has no middle.
                    0 => cut_off_at_once(),
                    half => {
                        let left = (whole.len() - half) as u64;
                        let beginning = whole.slice(..half);
                        Response::from_parts(head, AnswerBody::Cut { beginning, left, is_sent: false })
                    }
                }
            }
        }
    }
}

/// Returns an answer of which nothing is sent: the connection ends in its place (over HTTP/2, the stream is reset).
pub(super) fn cut_off_at_once() -> Response {
    let mut response = Response::new(AnswerBody::Cut { beginning: Bytes::new(), left: 1, is_sent: true });
    *response.status_mut() = StatusCode::OK;
    debug_assert!(!response.body().is_end_stream());
    response
}

fn parse_method(fields: &Fields) -> Result<Option<String>, FieldError> {
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let method = fields.string("method", 16)?;
    match method {
        Some(method) if !METHODS.contains(&method.as_str()) => {
            Err(fields.error("method", format!("expected one of {}", METHODS.join(", "))))
        }
        method => Ok(method),
    }
}

fn parse_path(fields: &Fields) -> Result<Option<String>, FieldError> {
    let expected = "expected the beginning of a path, such as /client/v4/accounts/";
    match fields.string("path", PATH_CHARS_MAX)? {
        Some(path) if !path.starts_with('/') => Err(fields.error("path", expected)),
        path => Ok(path),
    }
}

fn parse_call(fields: &Fields) -> Result<Option<String>, FieldError> {
    let call = fields.string("call", 64)?;
    let mut known: Vec<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.name.as_str()).collect();
    known.extend(["deliver", "transform"]);
    match call {
        Some(call) if !known.contains(&call.as_str()) => {
            Err(fields.error("call", format!("expected one of {}", known.join(", "))))
        }
        call => Ok(call),
    }
}

fn parse_cut(fields: &Fields) -> Result<Option<Cut>, FieldError> {
    let Some(text) = fields.string("cut_off", 16).map_err(|_| cut_error(fields))? else { return Ok(None) };
    let found = CUTS.iter().find(|(name, _)| *name == text);
    found.map(|&(_, cut)| Some(cut)).ok_or_else(|| cut_error(fields))
}

fn cut_error(fields: &Fields) -> FieldError {
    fields.error("cut_off", format!("expected one of {}", CUTS.map(|(name, _)| name).join(", ")))
}
