//! What `darkroom dev` is besides a server: an account that everyone knows, a clock and ids that tests decide, and images
//! that are there from the start.
//!
//! INVARIANT: nothing that `serve` runs uses this module or `http/dev`. [`crate::commands::dev`] alone puts them around
//! the same application that `serve` has.

mod clock;
mod fields;
mod ids;
mod seed;

use std::path::PathBuf;

use darkroom_model::Timestamp;

pub(crate) use clock::{MovableClock, Pace};
pub(crate) use fields::{FieldError, Fields};
pub(crate) use ids::ChosenIds;
pub use seed::SeedError;
pub(crate) use seed::{Seed, SeedImage};

/// The account of `darkroom dev`, unless a setting names another. Cloudflare's documents use it in their examples.
pub const ACCOUNT_ID: &str = "023e105f4ecef8ad9ca31a8372d0c353";
/// Its name in delivery URLs.
pub const ACCOUNT_HASH: &str = "Vi7wi5KSItxGFsWRG2Us6Q";
/// A token that can do everything in it. It is no secret: whoever reads this has it.
pub const API_TOKEN: &str = "darkroom-dev-token";

/// How a server for tests begins.
#[derive(Clone, Debug, Default)]
pub struct DevOptions {
    /// A folder of images that are there from the start.
    pub seed: Option<PathBuf>,
    /// Where the clock stands; without it, it is the machine's.
    pub clock: Option<Timestamp>,
    /// What ids are made from; without it, from chance.
    pub ids: Option<String>,
    /// The program that renders; without one nothing is rendered.
    pub render_program: Option<PathBuf>,
}
