//! What every engine must pass: [`cases`], each a function on a new catalog, and [`history`], random histories in which
//! an engine must agree with [`crate::MemoryCatalog`] on every answer.
//!
//! An engine's own tests name the functions that they run; a function fails by panicking.

#![expect(clippy::missing_panics_doc, reason = "a suite fails by panicking")]

pub mod cases;
pub mod history;
pub mod sample;
