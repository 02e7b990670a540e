//! Our own chores.
fn main() {}
