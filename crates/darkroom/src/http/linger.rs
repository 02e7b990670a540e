//! Reading on after a refusal, so that it arrives. An upload that is refused may still be on its way, and clients that are
//! cut off while they send may never look at the answer: over HTTP/1.1 because closing a socket with unread bytes throws
//! it away; over HTTP/2 because some, curl among them, take the reset of a stream for a failure (RFC 9113 §8.1 asks them
//! not to). What is read here is thrown away, and neither size nor time is without end.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What is thrown away of one request.
const LIMITS: SkipLimits =
    SkipLimits { bytes_max: 64 << 20, wait: Duration::from_secs(2), time_max: Duration::from_secs(10) };

/// Where throwing away ends.
#[derive(Clone, Copy)]
struct SkipLimits {
    /// How many bytes are taken, and what the last piece has above that.
    bytes_max: usize,
    /// For how long nothing may come.
    wait: Duration,
    /// How long it may take in all.
    time_max: Duration,
}

/// Closes a connection so that the last answer arrives.
pub(crate) async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut buffer = [0; 8 << 10];
    skip(LIMITS, |context| {
        let mut buffer = ReadBuf::new(&mut buffer);
        let read = ready!(Pin::new(&mut stream).poll_read(context, &mut buffer));
        Poll::Ready(read.ok().map(|()| buffer.filled().len()).filter(|&count| count > 0))
    })
    .await;
}

/// The body of a request as it comes from a connection, kept for whoever reads on. Over HTTP/2 a stream is reset when
/// its body is dropped unread and its answer is given.
///
/// INVARIANT: one reads at a time: the handler until it has answered, then perhaps [`KeptBody::skip`].
pub(crate) struct KeptBody<B = Incoming>(Arc<Mutex<B>>);

impl<B> Clone for KeptBody<B> {
    fn clone(&self) -> KeptBody<B> {
        KeptBody(Arc::clone(&self.0))
    }
}

impl<B> KeptBody<B> {
    /// Keeps a body until the last clone of what this returns is dropped.
    pub(crate) fn new(body: B) -> KeptBody<B> {
        KeptBody(Arc::new(Mutex::new(body)))
    }

    fn body(&self) -> MutexGuard<'_, B> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<B: Body<Data = Bytes> + Unpin> KeptBody<B> {
    /// Throws away what is still to come, within the limits of this module.
    pub(crate) async fn skip(mut self) {
        skip(LIMITS, |context| {
            let frame = ready!(Pin::new(&mut self).poll_frame(context));
            let frame = frame.and_then(Result::ok);
            Poll::Ready(frame.map(|frame| frame.data_ref().map_or(0, Bytes::len)))
        })
        .await;
    }
}

impl<B: Body + Unpin> Body for KeptBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut *self.body()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

/// Takes pieces, of which it is told the size, until there are no more or a limit is reached.
async fn skip(limits: SkipLimits, mut poll_next: impl FnMut(&mut Context<'_>) -> Poll<Option<usize>>) {
    let all = async {
        let mut left = limits.bytes_max;
        while left > 0 {
            match timeout(limits.wait, poll_fn(&mut poll_next)).await {
                Ok(Some(bytes)) => left = left.saturating_sub(bytes),
                Ok(None) | Err(_) => return,
            }
        }
    };
    let _ = timeout(limits.time_max, all).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    /// Returns how many pieces of ten bytes were taken, of as many as come with a pause before each.
    async fn taken(limits: SkipLimits, pieces: usize, pause: Duration) -> usize {
        let mut taken = 0;
        let mut pausing = Box::pin(tokio::time::sleep(pause));
        skip(limits, |context| {
            if taken == pieces {
                return Poll::Ready(None);
            }
            ready!(pausing.as_mut().poll(context));
            pausing = Box::pin(tokio::time::sleep(pause));
            taken += 1;
            Poll::Ready(Some(10))
        })
        .await;
        taken
    }

    #[tokio::test]
    async fn what_comes_is_taken_to_its_end_or_a_number_of_bytes() {
        let limits = SkipLimits { bytes_max: 100, wait: LONG, time_max: LONG };
        assert_eq!(taken(limits, 7, Duration::ZERO).await, 7);
        assert_eq!(taken(limits, usize::MAX, Duration::ZERO).await, 10);
        assert_eq!(taken(SkipLimits { bytes_max: 101, ..limits }, usize::MAX, Duration::ZERO).await, 11);
    }

    #[tokio::test]
    async fn what_pauses_or_drips_is_not_waited_for() {
        let limits = SkipLimits { bytes_max: usize::MAX, wait: SHORT, time_max: LONG };
        assert_eq!(taken(limits, usize::MAX, LONG).await, 0);
        let (limits, began) = (SkipLimits { wait: LONG, time_max: SHORT, ..limits }, Instant::now());
        assert!(taken(limits, usize::MAX, Duration::from_millis(1)).await > 0);
        assert!(began.elapsed() >= SHORT);
    }
}
