//! Darkroom, put together: settings, HTTP, commands.
//!
//! - [`settings`]: what the operator decides; one table that flags, environment, `darkroom.toml` and help are read from.
//! - [`commands`]: what the program can be told to do. [`commands::serve::start`] is the whole server in a process, for
//!   the program and for tests alike.
//! - [`dev`]: what `darkroom dev` is besides a server; nothing of it is in the others' way.
//! - [`http`]: a request from its socket to its answer. Nothing in it reaches a store: it calls `darkroom-service`, and
//!   reads and writes the wire's spellings with `darkroom-api`.
//! - [`logging`]: where lines go.
//!
//! A request is walked like this: `http/server.rs` accepts the connection within its limits and reads the head;
//! `http/app.rs` begins the request's line in the log; `http/router.rs` finds the route and admits the caller
//! (`http/caller.rs`), before a byte of a body is read; one file of `http/routes` answers.

pub mod commands;
pub mod dev;
pub mod fuzz_targets;
pub mod http;
pub mod logging;
pub mod settings;
