//! The format of the catalog folder, each version with what it was.
//!
//! A change that an older reader would misread raises the version; the folder that each version wrote first is kept
//! under `tests/fixtures/` and opened by a test.

/// A version of the folder's format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct FormatVersion(pub(crate) u32);

impl FormatVersion {
    /// The first format: twelve tables; records, accounts, states, settings, drafts, tokens and manifests each with a
    /// version byte of their own; ids that lead to an image or a draft; garbage notes; masks with the version that made
    /// them.
    pub(crate) const FIRST: FormatVersion = FormatVersion(1);

    /// What this program writes, and the newest that it reads.
    pub(crate) const CURRENT: FormatVersion = FormatVersion::FIRST;
}
