//! Reading what a client sends: never more than allowed, never longer than it keeps coming.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::Instant;

use super::linger::KeptBody;

/// The body of a request.
pub(crate) struct RequestBody<B = KeptBody> {
    body: B,
    wait: Duration,
    time_max: Duration,
    /// When it must have ended; begins to run with the first read.
    ends_at: Option<Instant>,
    progress: BodyProgress,
}

/// How far a body was read; it can be asked after the body is gone.
#[derive(Clone, Default)]
pub(crate) struct BodyProgress(Arc<AtomicU8>);

const UNREAD: u8 = 0;
const WHOLE: u8 = 1;
const STALLED: u8 = 2;

/// Why a body could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It has more bytes than allowed.
    #[error("body too large")]
    TooLarge,
    /// It stopped coming, or came too slowly.
    #[error("body stalled")]
    Stalled,
    /// The connection broke, or the body is not framed as it should be.
    #[error("body not received")]
    NotReceived,
}

impl BodyProgress {
    /// Says whether every byte was read; if not, no further request can follow on the connection.
    pub(crate) fn is_whole(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WHOLE
    }

    /// Says whether it stopped coming, or came too slowly.
    pub(crate) fn is_stalled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == STALLED
    }

    fn set(&self, progress: u8) {
        self.0.store(progress, Ordering::Relaxed);
    }
}

impl<B> RequestBody<B>
where
    B: Body<Data = Bytes> + Send + Unpin,
{
    /// Wraps a body, which may pause for so long and take so long in all.
    pub(crate) fn new(body: B, wait: Duration, time_max: Duration) -> RequestBody<B> {
        let progress = BodyProgress(Arc::new(AtomicU8::new(UNREAD)));
        let body = RequestBody { body, wait, time_max, ends_at: None, progress };
        body.note_end();
        body
    }

    /// Returns what can be asked later.
    pub(crate) fn progress(&self) -> BodyProgress {
        self.progress.clone()
    }

    /// Returns how many bytes the client says there are; `None` if it does not.
    pub(crate) fn declared_bytes(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// Refuses a body that says of itself that it is too large. Reads nothing.
    pub(crate) fn check_declared(&self, bytes_max: usize) -> Result<(), BodyError> {
        match self.declared_bytes() {
            Some(bytes) if bytes > bytes_max as u64 => Err(BodyError::TooLarge),
            _ => Ok(()),
        }
    }

    /// Reads the whole body.
    pub(crate) async fn read(mut self, bytes_max: usize) -> Result<Bytes, BodyError> {
        self.check_declared(bytes_max)?;
        let mut content = BytesMut::new();
        while let Some(chunk) = self.next().await? {
            if content.len() + chunk.len() > bytes_max {
                return Err(BodyError::TooLarge);
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content.freeze())
    }

    /// Returns the body piece by piece.
    pub(crate) fn pieces(&mut self) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + '_ {
        futures_util::stream::try_unfold(self, |body| async move {
            let chunk = body.next().await?;
            Ok(chunk.map(|chunk| (chunk, body)))
        })
    }

    /// Reads what a form leaves behind its end, if it is little, so that the connection can be used again.
    pub(crate) async fn skip_rest(mut self) {
        const REST_BYTES_MAX: usize = 16 << 10;
        let mut left = REST_BYTES_MAX;
        while let Ok(Some(chunk)) = self.next().await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let now = Instant::now();
            let ends_at = *self.ends_at.get_or_insert(now + self.time_max);
            let until = ends_at.min(now + self.wait);
            let Ok(frame) = tokio::time::timeout_at(until, self.body.frame()).await else {
                self.progress.set(STALLED);
                return Err(BodyError::Stalled);
            };
            self.note_end();
            match frame {
                None => {
                    self.progress.set(WHOLE);
                    return Ok(None);
                }
                Some(Err(_)) => return Err(BodyError::NotReceived),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    // Trailers say nothing that anyone here asks for.
                    Err(_) => continue,
                },
            }
        }
    }

    fn note_end(&self) {
        if self.body.is_end_stream() {
            self.progress.set(WHOLE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;
    use std::convert::Infallible;

    const WAIT: Duration = Duration::from_secs(1);

    fn full(text: &'static str) -> RequestBody<Full<Bytes>> {
        RequestBody::new(Full::new(Bytes::from_static(text.as_bytes())), WAIT, WAIT)
    }

    #[tokio::test]
    async fn a_body_of_the_allowed_size_is_read_and_one_byte_more_is_not() {
        assert_eq!(full("1234").read(4).await, Ok(Bytes::from_static(b"1234")));
        assert_eq!(full("12345").read(4).await, Err(BodyError::TooLarge));
        let undeclared = || {
            let pieces = ["123", "45"]
                .map(|text| Ok::<_, Infallible>(Frame::data(Bytes::from_static(text.as_bytes()))));
            RequestBody::new(StreamBody::new(futures_util::stream::iter(pieces)), WAIT, WAIT)
        };
        assert_eq!(undeclared().read(5).await, Ok(Bytes::from_static(b"12345")));
        assert_eq!(undeclared().read(4).await, Err(BodyError::TooLarge));
    }

    #[tokio::test]
    async fn a_body_that_stops_coming_is_given_up() {
        let never = futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>();
        let body = RequestBody::new(StreamBody::new(never), Duration::from_millis(5), WAIT);
        let progress = body.progress();
        assert_eq!(body.read(4).await, Err(BodyError::Stalled));
        assert!(progress.is_stalled() && !progress.is_whole());
    }

    #[tokio::test]
    async fn a_body_that_comes_too_slowly_is_given_up() {
        let drops = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))), ()))
        });
        let body = RequestBody::new(StreamBody::new(Box::pin(drops)), WAIT, Duration::from_millis(40));
        let progress = body.progress();
        assert_eq!(body.read(usize::MAX).await, Err(BodyError::Stalled));
        assert!(progress.is_stalled());
    }

    #[tokio::test]
    async fn it_is_known_whether_a_body_was_read() {
        let body = full("1234");
        let progress = body.progress();
        assert!(!progress.is_whole());
        body.skip_rest().await;
        assert!(progress.is_whole());
        assert!(full("").progress().is_whole());
    }
}
