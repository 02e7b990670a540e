//! Which HTTP a client speaks: one that knows that we speak HTTP/2 begins with its preface (RFC 9113 §3.3, §3.4).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose beginning was looked at and is still to be read.
pub(crate) struct Begun<S> {
    beginning: [u8; PREFACE.len()],
    length: usize,
    read: usize,
    stream: S,
}

impl<S: AsyncRead + Unpin> Begun<S> {
    /// Waits for as many bytes as it takes to tell: one, unless the client begins like the preface. Whoever says
    /// nothing is waited for; that is for the caller to end.
    pub(crate) async fn wait(mut stream: S) -> io::Result<Begun<S>> {
        let mut beginning = [0; PREFACE.len()];
        let mut length = 0;
        while length < PREFACE.len() && PREFACE.starts_with(&beginning[..length]) {
            match stream.read(&mut beginning[length..]).await? {
                0 => break,
                count => length += count,
            }
        }
        Ok(Begun { beginning, length, read: 0, stream })
    }
}

impl<S> Begun<S> {
    /// Says whether the client speaks HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.beginning[..self.length] == *PREFACE
    }

    /// Returns the stream; what of its beginning was not read is lost.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read == self.length {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let end = self.length.min(self.read + buffer.remaining());
        buffer.put_slice(&self.beginning[self.read..end]);
        self.read = end;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    async fn check(pieces: &[&str], is_http2: bool) {
        let (mut theirs, ours) = tokio::io::duplex(64);
        let whole = pieces.concat();
        let write = async {
            for piece in pieces {
                theirs.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
            theirs.shutdown().await.unwrap();
        };
        let read = async {
            let mut begun = Begun::wait(ours).await.unwrap();
            let told = begun.is_http2();
            let mut text = String::new();
            begun.read_to_string(&mut text).await.unwrap();
            (told, text)
        };
        let ((told, text), ()) = tokio::join!(read, write);
        assert_eq!((told, text), (is_http2, whole), "{pieces:?}");
    }

    #[tokio::test]
    async fn the_beginning_tells_and_is_read_again() {
        check(&["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], true).await;
        check(&["PRI * HT", "TP/2.0\r\n\r\nSM\r\n\r", "\n and more"], true).await;
        check(&["GET / HTTP/1.1\r\n\r\n"], false).await;
        check(&["P", "OST / HTTP/1.1\r\n\r\n"], false).await;
        check(&["PRI * HTTP/2.0\r\n\r\nSM\r\n\r"], false).await;
        check(&[""], false).await;
    }
}
