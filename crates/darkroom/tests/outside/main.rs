//! The server seen from outside: real sockets, real stores, whole answers.
//!
//! One program for all of it, because linking takes longer than testing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod attacks;
mod bad_input;
mod batch;
mod common;
mod compatibility;
mod compression;
mod control;
mod deliver;
mod dev;
mod dev_program;
mod direct_uploads;
mod error_rows;
mod faults;
mod first_start;
mod free_space;
mod golden;
mod http2;
mod images;
mod keys;
mod list_v1;
mod list_v2;
mod operation;
mod program;
mod proxies;
mod ranges;
mod rate_limits;
mod renditions;
mod transform;
mod two_accounts;
mod upload;
mod upload_by_url;
mod variants;
