//! The requests of one HTTP/2 connection. They share a socket, so that waiting for the socket says nothing of any one of
//! them: each answer notes when its client last took a piece of it.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::answer_body::{AnswerBody, BrokenOff};

/// Answers are given to the connection in pieces of at most this size, one whenever the client has room for more.
const PIECE_BYTES: usize = 16 << 10;

/// The requests of a connection.
#[derive(Clone)]
pub(crate) struct Streams(Arc<Mutex<Inner>>);

struct Inner {
    /// Requests whose answers have not begun, and those that are read on after their answer.
    waiting: usize,
    /// When each answer that has begun was last taken from.
    taken: HashMap<u64, Instant>,
    next: u64,
    /// Since when there may have been nothing to do.
    idle_since: Instant,
}

/// How a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Requests are in progress; so long ago the client last took from the answer that it neglects most.
    Busy(Duration),
    /// Nothing has been asked for so long.
    Idle(Duration),
}

/// A request in progress.
pub(crate) struct Stream {
    streams: Streams,
    /// Its number once its answer has begun.
    number: Option<u64>,
}

impl Streams {
    /// Begins a connection.
    pub(crate) fn new() -> Streams {
        let idle_since = Instant::now();
        Streams(Arc::new(Mutex::new(Inner { waiting: 0, taken: HashMap::new(), next: 0, idle_since })))
    }

    /// Begins a request, which lasts until what this returns is dropped.
    pub(crate) fn begin(&self) -> Stream {
        self.inner().waiting += 1;
        Stream { streams: self.clone(), number: None }
    }

    /// Returns how the connection stands.
    pub(crate) fn standing(&self, now: Instant) -> Standing {
        let inner = self.inner();
        match inner.taken.values().min() {
            Some(&oldest) => Standing::Busy(now.saturating_duration_since(oldest)),
            None if inner.waiting > 0 => Standing::Busy(Duration::ZERO),
            None => Standing::Idle(now.saturating_duration_since(inner.idle_since)),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Stream {
    /// Begins the answer. The request and its place last until the body is dropped, which is when all of it is given to
    /// the connection, or the client has lost interest.
    pub(crate) fn answer(
        mut self,
        body: AnswerBody,
        place: Option<Arc<OwnedSemaphorePermit>>,
    ) -> WatchedBody {
        {
            let mut inner = self.streams.inner();
            inner.waiting -= 1;
            let number = inner.next;
            inner.next += 1;
            inner.taken.insert(number, Instant::now());
            self.number = Some(number);
        }
        WatchedBody { body, piece: Bytes::new(), stream: self, _place: place }
    }

    fn note_taken(&self) {
        if let Some(number) = self.number {
            self.streams.inner().taken.insert(number, Instant::now());
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut inner = self.streams.inner();
        match self.number {
            Some(number) => drop(inner.taken.remove(&number)),
            None => inner.waiting -= 1,
        }
        inner.idle_since = Instant::now();
    }
}

/// The body of an answer over HTTP/2.
pub(crate) struct WatchedBody {
    body: AnswerBody,
    /// What the body gave and the client had no room for yet.
    piece: Bytes,
    stream: Stream,
    _place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        // It is asked for only when the client has room.
        self.stream.note_taken();
        if self.piece.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => self.piece = piece,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.piece.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.piece.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.piece.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.size_hint().exact().unwrap_or_default();
        SizeHint::with_exact(rest + self.piece.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_connection_is_busy_until_its_last_answer_is_taken() {
        let streams = Streams::new();
        let later = Instant::now() + Duration::from_secs(100);
        let idle = |standing| matches!(standing, Standing::Idle(time) if time.as_secs() >= 99);
        assert!(idle(streams.standing(later)));
        let stream = streams.begin();
        assert_eq!(streams.standing(later), Standing::Busy(Duration::ZERO));
        let whole = Bytes::from(vec![7; PIECE_BYTES * 2 + 1]);
        let mut body = stream.answer(AnswerBody::from(whole.clone()), None);
        assert!(matches!(streams.standing(later), Standing::Busy(time) if time.as_secs() >= 99));
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((first.len(), body.size_hint().exact()), (PIECE_BYTES, Some(PIECE_BYTES as u64 + 1)));
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!([first, rest].concat(), whole);
        assert!(idle(streams.standing(later)));
    }

    #[test]
    fn a_request_that_is_given_up_is_over() {
        let streams = Streams::new();
        drop(streams.begin());
        assert!(matches!(streams.standing(Instant::now()), Standing::Idle(_)));
    }
}
