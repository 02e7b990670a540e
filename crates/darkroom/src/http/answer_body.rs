//! What an answer carries.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use darkroom_service::ServiceError;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use hyper::body::{Body, Frame, SizeHint};

/// The body of an answer.
pub(crate) enum AnswerBody {
    /// Bytes that are there; `None` once they have been taken.
    Whole(Option<Bytes>),
    /// An original, read as it is sent: a client that takes its time holds one piece of it.
    Pieces {
        /// The pieces, in order.
        pieces: BoxStream<'static, Result<Bytes, ServiceError>>,
        /// How many bytes are still to come.
        left: u64,
    },
    /// A beginning, after which the answer breaks off as if the connection had. Only `darkroom dev` makes such.
    Cut {
        /// What is sent of it; empty once it has been taken.
        beginning: Bytes,
        /// How many bytes the head of the answer promises besides those sent.
        left: u64,
        /// Whether the connection has had a chance to send the beginning.
        is_sent: bool,
    },
}

/// Reading an original failed when its answer had already begun; all that is left is to break it off.
#[derive(Debug, thiserror::Error)]
#[error("an answer broke off")]
pub(crate) struct BrokenOff;

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> AnswerBody {
        AnswerBody::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let (pieces, left) = match &mut *self {
            AnswerBody::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            AnswerBody::Pieces { left: 0, .. } => return Poll::Ready(None),
            AnswerBody::Pieces { pieces, left } => (pieces, left),
            AnswerBody::Cut { beginning, .. } if !beginning.is_empty() => {
                return Poll::Ready(Some(Ok(Frame::data(std::mem::take(beginning)))));
            }
            AnswerBody::Cut { is_sent: is_sent @ false, .. } => {
                *is_sent = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            AnswerBody::Cut { .. } => return Poll::Ready(Some(Err(BrokenOff))),
        };
        let piece = ready!(pieces.poll_next_unpin(context));
        let problem = match piece {
            Some(Ok(piece)) => match left.checked_sub(piece.len() as u64) {
                Some(rest) => {
                    *left = rest;
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                None => "it is longer than it was".to_owned(),
            },
            Some(Err(error)) => format!("{error:?}"),
            None => "it is shorter than it was".to_owned(),
        };
        tracing::error!(problem, "an original could not be read to its end");
        Poll::Ready(Some(Err(BrokenOff)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, AnswerBody::Whole(None) | AnswerBody::Pieces { left: 0, .. })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            AnswerBody::Whole(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            AnswerBody::Pieces { left, .. } => *left,
            AnswerBody::Cut { beginning, left, .. } => beginning.len() as u64 + left,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn check(pieces: Vec<Result<&'static str, ServiceError>>, left: u64, expected: Option<&str>) {
        let pieces = pieces.into_iter().map(|piece| piece.map(|text| Bytes::from_static(text.as_bytes())));
        let body = AnswerBody::Pieces { pieces: futures_util::stream::iter(pieces).boxed(), left };
        assert_eq!(body.size_hint().exact(), Some(left));
        let collected = body.collect().await.ok().map(|body| body.to_bytes());
        assert_eq!(collected.as_deref(), expected.map(str::as_bytes));
    }

    #[tokio::test]
    async fn pieces_come_to_exactly_what_was_promised_or_break_off() {
        check(vec![], 0, Some("")).await;
        check(vec![Ok("ab"), Ok("c")], 3, Some("abc")).await;
        check(vec![Ok("ab")], 3, None).await;
        check(vec![Ok("ab"), Ok("cd")], 3, None).await;
        check(vec![Ok("ab"), Err(ServiceError::Unavailable)], 3, None).await;
    }

    #[tokio::test]
    async fn what_is_cut_breaks_off_after_its_beginning() {
        let cut = |beginning: &'static str| {
            let beginning = Bytes::from_static(beginning.as_bytes());
            AnswerBody::Cut { is_sent: beginning.is_empty(), beginning, left: 5 }
        };
        assert_eq!((cut("abc").size_hint().exact(), cut("abc").is_end_stream()), (Some(8), false));
        assert!(cut("").collect().await.is_err());
        let mut body = cut("abc");
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
        assert!(body.frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn what_is_whole_is_sent_at_once() {
        for text in ["", "abc"] {
            let body = AnswerBody::from(Bytes::from_static(text.as_bytes()));
            assert_eq!(
                (body.size_hint().exact(), body.is_end_stream()),
                (Some(text.len() as u64), text.is_empty())
            );
            assert_eq!(body.collect().await.unwrap().to_bytes(), text);
        }
    }
}
