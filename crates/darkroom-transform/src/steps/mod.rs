//! What is done with pixels between decoder and encoder, one file for each step.

pub(crate) mod resize;
pub(crate) mod turn;
