//! The requests that came last: what an application's test asks when it wants to know what was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use serde::Serialize;

/// Requests that are remembered; older ones are forgotten.
const REQUESTS_MAX: usize = 1_000;
/// Characters of a path that are remembered.
const PATH_CHARS_MAX: usize = 1_024;

/// The requests that came last, in the order in which they came.
#[derive(Default)]
pub(super) struct RecentRequests(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    entries: VecDeque<Entry>,
    /// How many were forgotten.
    forgotten: u64,
}

/// One of them. Neither queries nor headers nor bodies are remembered: they may hold secrets.
#[derive(Clone, Serialize)]
pub(super) struct Entry {
    method: String,
    path: String,
    /// `null` while it is in progress, and where it was not answered as a whole.
    status: Option<u16>,
    /// Whether a fault met it.
    fault: bool,
}

/// A request in progress.
pub(super) struct Recent {
    inner: Arc<Mutex<Inner>>,
    number: u64,
}

impl RecentRequests {
    /// Remembers a request.
    pub(super) fn begin(&self, method: &Method, path: &str) -> Recent {
        let entry = Entry {
            method: method.as_str().chars().take(PATH_CHARS_MAX).collect(),
            path: path.chars().take(PATH_CHARS_MAX).collect(),
            status: None,
            fault: false,
        };
        let mut inner = self.0.lock().expect("no method panics while it holds the requests");
        let number = inner.forgotten + inner.entries.len() as u64;
        inner.entries.push_back(entry);
        if inner.entries.len() > REQUESTS_MAX {
            inner.entries.pop_front();
            inner.forgotten += 1;
        }
        Recent { inner: Arc::clone(&self.0), number }
    }

    /// Returns those that are remembered.
    pub(super) fn all(&self) -> Vec<Entry> {
        let inner = self.0.lock().expect("no method panics while it holds the requests");
        inner.entries.iter().cloned().collect()
    }
}

impl Recent {
    /// Remembers that a fault met it.
    pub(super) fn meets_fault(&self) {
        self.change(|entry| entry.fault = true);
    }

    /// Remembers how it was answered.
    pub(super) fn answered(self, status: StatusCode) {
        self.change(|entry| entry.status = Some(status.as_u16()));
    }

    /// Does nothing once the request is forgotten.
    fn change(&self, change: impl FnOnce(&mut Entry)) {
        let mut inner = self.inner.lock().expect("no method panics while it holds the requests");
        let place = self.number.checked_sub(inner.forgotten).and_then(|place| usize::try_from(place).ok());
        if let Some(entry) = place.and_then(|place| inner.entries.get_mut(place)) {
            change(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_requests_are_remembered_and_older_ones_forgotten() {
        let requests = RecentRequests::default();
        let first = requests.begin(&Method::GET, "/first");
        let second = requests.begin(&Method::GET, &"é".repeat(2_000));
        for number in 2..=REQUESTS_MAX {
            let request = requests.begin(&Method::POST, &format!("/{number}"));
            request.meets_fault();
            request.answered(StatusCode::OK);
        }
        first.answered(StatusCode::NOT_FOUND);
        second.answered(StatusCode::CREATED);
        let all = requests.all();
        assert_eq!(all.len(), REQUESTS_MAX);
        assert_eq!((all[0].path.chars().count(), all[0].status, all[0].fault), (1_024, Some(201), false));
        assert_eq!((all[1].path.as_str(), all[1].status, all[1].fault), ("/2", Some(200), true));
    }
}
