//! What server and worker say to each other: a picture and what to make of it, and what became of it.
//!
//! Each message is the length of its head (four bytes, little-endian), the head in JSON, and as many bytes as the head says.
//! Both sides hold every length against a limit first. The server does not believe an answer: whatever a picture did to the
//! process, the answer is small enough, is of the type that it says, and has no words that a header cannot hold.

use std::io::{self, Read, Write};

use darkroom_model::{Limits, MediaType};
use darkroom_transform::{RenderError, RenderRequest, Rendered, RenderedContent, RenderedFacts, probe};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of a head: that of an answer with all its warnings takes a few thousand.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes of a reason or a warning.
const WORDS_BYTES_MAX: usize = 256;

#[derive(Serialize, Deserialize)]
struct Asked<R> {
    request: R,
    source_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Answered {
    outcome: Result<RenderedFacts, RenderError>,
    output_bytes: u64,
}

/// Why a worker is good for nothing any more.
#[derive(Debug)]
pub(super) enum Broken {
    /// It ended, or its socket did.
    Ended,
    /// It gave an answer that cannot be right.
    Answer(&'static str),
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Broken {
        Broken::Ended
    }
}

/// Sends a picture to a worker.
pub(super) async fn ask(
    worker: &mut (impl AsyncWrite + Unpin),
    source: &[u8],
    request: &RenderRequest,
) -> Result<(), Broken> {
    let head = head(&Asked { request, source_bytes: source.len() as u64 })?;
    worker.write_all(&head).await?;
    worker.write_all(source).await?;
    Ok(())
}

/// Receives what a worker made of a picture, and judges it.
pub(super) async fn answer(
    worker: &mut (impl AsyncRead + Unpin),
    request: &RenderRequest,
) -> Result<Result<Rendered, RenderError>, Broken> {
    let mut length = [0; 4];
    worker.read_exact(&mut length).await?;
    let length = u32::from_le_bytes(length) as usize;
    if length > HEAD_BYTES_MAX {
        return Err(Broken::Answer("its head is too long"));
    }
    let mut head = vec![0; length];
    worker.read_exact(&mut head).await?;
    let answered: Answered =
        serde_json::from_slice(&head).map_err(|_| Broken::Answer("its head is no head"))?;
    if answered.output_bytes > request.limits.output_bytes_max {
        return Err(Broken::Answer("it is too long"));
    }
    let mut bytes = vec![0; answered.output_bytes as usize];
    worker.read_exact(&mut bytes).await?;
    match answered.outcome {
        Ok(facts) => {
            judge(&facts, &bytes)?;
            Ok(Ok(Rendered { facts, bytes }))
        }
        Err(RenderError::Damaged(words) | RenderError::Encoding(words) | RenderError::Unsupported(words))
            if !are_plain(&words) =>
        {
            Err(Broken::Answer("its reason is none"))
        }
        Err(error) => Ok(Err(error)),
    }
}

/// Receives a picture from the server, into memory that the last one may have had: new pages cost as much as what is copied
/// into them. Returns what to make of it; `None` when there is no more. `memory_bytes_max` is the most it may take.
pub(super) fn receive(
    server: &mut impl Read,
    memory_bytes_max: u64,
    source: &mut Vec<u8>,
) -> io::Result<Option<RenderRequest>> {
    let mut length = [0; 4];
    match server.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > HEAD_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut head = vec![0; length];
    server.read_exact(&mut head)?;
    let asked: Asked<RenderRequest> = parsed(&head)?;
    if asked.source_bytes > memory_bytes_max {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    source.resize(asked.source_bytes as usize, 0);
    server.read_exact(source)?;
    Ok(Some(asked.request))
}

/// Sends the server what became of a picture.
pub(super) fn reply(server: &mut impl Write, outcome: Result<Rendered, RenderError>) -> io::Result<()> {
    let (outcome, bytes) = match outcome {
        Ok(Rendered { facts, bytes }) => (Ok(facts), bytes),
        Err(error) => (Err(plain(error)), Vec::new()),
    };
    server.write_all(&head(&Answered { outcome, output_bytes: bytes.len() as u64 })?)?;
    server.write_all(&bytes)
}

fn head(head: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, head)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

fn parsed<T: DeserializeOwned>(head: &[u8]) -> io::Result<T> {
    serde_json::from_slice(head).map_err(io::Error::from)
}

/// Says whether a rendering is what it says it is.
fn judge(facts: &RenderedFacts, bytes: &[u8]) -> Result<(), Broken> {
    if facts.warnings.len() > RenderedFacts::WARNINGS_MAX
        || !facts.warnings.iter().all(|text| are_plain(text))
    {
        return Err(Broken::Answer("its warnings are none"));
    }
    let is_what_it_says = match facts.content {
        RenderedContent::Json => serde_json::from_slice::<IgnoredAny>(bytes).is_ok(),
        RenderedContent::Image(media_type) => found(bytes) == Some(media_type),
    };
    if is_what_it_says { Ok(()) } else { Err(Broken::Answer("its bytes are not of their type")) }
}

/// Returns what bytes are. How large the picture is was judged before it was made.
fn found(bytes: &[u8]) -> Option<MediaType> {
    let limits = Limits { pixels_max: u64::MAX, side_max: u32::MAX, ..Limits::default() };
    probe(bytes, &limits).ok().map(|found| found.media_type)
}

/// Returns an error whose reason can stand in a header: a decoder may repeat what it found in a file.
fn plain(error: RenderError) -> RenderError {
    let plain = |words: String| {
        let mut words = words.replace(char::is_control, " ");
        words.truncate(words.floor_char_boundary(WORDS_BYTES_MAX));
        words
    };
    match error {
        RenderError::Damaged(words) => RenderError::Damaged(plain(words)),
        RenderError::Encoding(words) => RenderError::Encoding(plain(words)),
        RenderError::Unsupported(words) => RenderError::Unsupported(plain(words)),
        other => other,
    }
}

/// Says whether words can stand in a header.
fn are_plain(words: &str) -> bool {
    words.len() <= WORDS_BYTES_MAX && !words.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::{ImageOptions, RenderLimits};
    use darkroom_transform::{Accepts, RenderTimes};

    const DRAWING: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"4\" height=\"3\"/>";

    fn request() -> RenderRequest {
        let limits = RenderLimits { output_bytes_max: 1_000, ..RenderLimits::default() };
        RenderRequest { options: ImageOptions::default(), accepts: Accepts::default(), limits }
    }

    fn rendered(media_type: MediaType, bytes: &[u8]) -> Rendered {
        let content = RenderedContent::Image(media_type);
        let (warnings, times) = (Vec::new(), RenderTimes::default());
        Rendered {
            facts: RenderedFacts { content, width: 4, height: 3, warnings, times },
            bytes: bytes.into(),
        }
    }

    fn replied(outcome: Result<Rendered, RenderError>) -> Vec<u8> {
        let mut message = Vec::new();
        reply(&mut message, outcome).unwrap();
        message
    }

    async fn heard(message: &[u8]) -> Result<Result<Rendered, RenderError>, Broken> {
        answer(&mut &message[..], &request()).await
    }

    async fn check_distrusted(message: &[u8]) {
        let heard = heard(message).await;
        assert!(matches!(heard, Err(Broken::Answer(_))), "{heard:?}");
    }

    #[tokio::test]
    async fn a_picture_and_what_became_of_it_arrive_whole() {
        let mut message = std::io::Cursor::new(Vec::new());
        ask(&mut message, b"bytes", &request()).await.unwrap();
        let mut source = b"a longer one".to_vec();
        let received = receive(&mut &message.into_inner()[..], 5, &mut source).unwrap();
        assert_eq!((received, &source[..]), (Some(request()), &b"bytes"[..]));
        let made = rendered(MediaType::Svg, DRAWING);
        assert_eq!(heard(&replied(Ok(made.clone()))).await.unwrap(), Ok(made));
        assert_eq!(heard(&replied(Err(RenderError::TooLarge))).await.unwrap(), Err(RenderError::TooLarge));
    }

    #[tokio::test]
    async fn no_more_pictures_is_an_end_and_half_of_one_is_an_error() {
        let receive = |message: &[u8], bytes_max| receive(&mut &message[..], bytes_max, &mut Vec::new());
        assert_eq!(receive(b"", 5).unwrap(), None);
        let mut message = std::io::Cursor::new(Vec::new());
        ask(&mut message, b"bytes", &request()).await.unwrap();
        let message = message.into_inner();
        assert!(receive(&message[..message.len() - 1], 5).is_err());
        assert!(receive(&message, 4).is_err(), "more than its memory holds");
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_right_is_not_believed() {
        check_distrusted(&replied(Ok(rendered(MediaType::Jpeg, DRAWING)))).await;
        check_distrusted(&replied(Ok(rendered(MediaType::Svg, &DRAWING.repeat(20))))).await;
        let mut warned = rendered(MediaType::Svg, DRAWING);
        warned.facts.warnings = vec!["a\r\nset-cookie: b".to_owned()];
        check_distrusted(&replied(Ok(warned))).await;
        let mut described = rendered(MediaType::Svg, DRAWING);
        described.facts.content = RenderedContent::Json;
        check_distrusted(&replied(Ok(described))).await;
        check_distrusted(&u32::MAX.to_le_bytes()).await;
        check_distrusted(b"\x02\0\0\0{}").await;
        let outcome = Err(RenderError::Damaged("a\nb".to_owned()));
        check_distrusted(&head(&Answered { outcome, output_bytes: 0 }).unwrap()).await;
    }

    #[tokio::test]
    async fn an_answer_that_ends_too_early_is_none() {
        let message = replied(Ok(rendered(MediaType::Svg, DRAWING)));
        for length in [0, 3, 4, 50, message.len() - 1] {
            let heard = heard(&message[..length]).await;
            assert!(matches!(heard, Err(Broken::Ended)), "{length}: {heard:?}");
        }
    }

    #[tokio::test]
    async fn what_a_decoder_found_in_a_file_is_made_plain() {
        let outcome = Err(RenderError::Damaged(format!("a\n{}", "é".repeat(200))));
        let Ok(Err(RenderError::Damaged(words))) = heard(&replied(outcome)).await else { panic!() };
        assert!(words.starts_with("a é") && words.len() <= WORDS_BYTES_MAX, "{words}");
    }
}
