//! Pixels: bytes in, facts or bytes out. No socket, no file, no clock.
//!
//! [`probe()`] looks at an uploaded file and says what it is. It walks over the container (segments, chunks, blocks,
//! boxes, the first tags of a text) and decodes no pixel, so that its time is linear in the length of the file and its
//! memory constant, whatever the file claims.
//!
//! [`plan()`](plan::plan) says how large a rendering becomes and which part of the image it shows. Nothing renders yet.

pub mod plan;
pub mod probe;

pub use probe::{Probe, ProbeError, probe};
