//! `cargo xtask bench`: measurements, each against something, in turn.

use crate::Failure;
use crate::run::{cargo, run};

/// Measures lists on a server with 10,000 idle connections and 200 slow ones, and on one without.
pub(crate) fn connections() -> Result<(), Failure> {
    run(&mut cargo(&["bench", "--package", "darkroom", "--bench", "connections"]))
}

/// Measures how long `darkroom dev` and `darkroom serve` take until they answer.
pub(crate) fn start() -> Result<(), Failure> {
    run(&mut cargo(&["bench", "--package", "darkroom", "--bench", "start"]))
}

/// Measures what it costs to hand a picture to a process that renders.
pub(crate) fn hand_over() -> Result<(), Failure> {
    run(&mut cargo(&["bench", "--package", "darkroom", "--bench", "hand_over"]))
}
