//! `cargo xtask lint`: what needs no test to be seen wrong.

use crate::Failure;
use crate::run::{cargo, run};

/// Checks formatting, lints and documentation; a warning is an error.
pub(crate) fn lint() -> Result<(), Failure> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]))?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--quiet", "--document-private-items"]);
    // The manual is for who works on the code, so front pages may lead to private modules.
    run(docs.env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private_intra_doc_links"))
}
