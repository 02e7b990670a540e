//! The nouns of Darkroom and the rules that belong to them.
//!
//! A value of one of these types cannot be in a bad state: an [`ImageId`] is a legal id, a [`Metadata`] is an
//! object within its limit, a [`Filters`] is a question that has an answer. Whoever receives one need not check it
//! again. Nothing here does I/O, and nothing here knows HTTP or a storage engine.
//!
//! - who: [`account`] (accounts, API tokens, scopes), [`account_settings`] (configuration, variants, signing keys)
//! - what: [`image_id`], [`image`], [`metadata`], [`original_key`], [`media_type`], [`variant`],
//!   [`image_options`]
//! - which: [`meta_filter`] (what a filter means), [`number`] and [`scalar`] (what values are equal),
//!   [`cursor`] (a place in a listing)
//! - what a URL must show for a private image: [`signature`]
//! - bounds: [`limits`], [`compatibility`] (whose bounds they are)
//! - time and chance: [`clock`]

pub mod account;
pub mod account_settings;
pub mod allowed_origin;
pub mod clock;
pub mod compatibility;
pub mod cursor;
pub mod image;
pub mod image_id;
pub mod image_options;
pub mod limits;
pub mod media_type;
pub mod meta_filter;
pub mod metadata;
pub mod network;
pub mod number;
pub mod original_key;
pub mod scalar;
pub mod secrets;
pub mod signature;
pub mod source_url;
pub mod variant;

pub use account::{Account, AccountHash, AccountId, ApiToken, ApiTokenKind, Grant, Scope};
pub use account_settings::{
    AccountConfig, AccountConfigEdit, AccountSettings, AccountSettingsChange, AccountSettingsError,
    SigningKeyName, SigningKeyValue,
};
pub use allowed_origin::AllowedOrigin;
pub use clock::{Clock, Ids, RandomIds, SystemClock, Timestamp};
pub use compatibility::Compatibility;
pub use cursor::{Cursor, Sequence, SortOrder};
pub use image::{Creator, Draft, Edit, Entry, Image, ImageView, NewImage, Original};
pub use image_id::ImageId;
pub use image_options::ImageOptions;
pub use limits::{Limits, RenderLimits};
pub use media_type::MediaType;
pub use meta_filter::{Filters, MetaFilter, Predicate};
pub use metadata::Metadata;
pub use network::Network;
pub use number::Number;
pub use original_key::OriginalKey;
pub use scalar::{FieldPath, Scalar, ScalarRef};
pub use secrets::Secrets;
pub use signature::{SignatureError, SignedUrl};
pub use source_url::{SourceUrl, SourceUrlError};
pub use variant::{Fit, KeptMetadata, Variant, VariantEdit, VariantName, VariantOptions};
