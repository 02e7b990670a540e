//! Delivery: who may see an image, and in which form (reference: delivery §2).

use darkroom_model::{
    AccountHash, AccountSettings, Image, ImageId, MediaType, SignatureError, SignedUrl, VariantName,
};

use crate::error::Cause;
use crate::{Service, ServiceError};

/// The form in which an image is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RenderingAsked {
    /// A named variant.
    Variant(String),
    /// A list of options.
    Options(String),
}

/// An image that may be delivered. Its bytes are [`Service::original_bytes`], read only where they are sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The image.
    pub image: Image,
    /// Whether it was the URL's signature that opened it.
    pub by_signature: bool,
}

/// Why an image is not delivered, in the order of the checks.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeliverError {
    /// No account has this hash: 403, 9427.
    #[error("unknown account hash")]
    UnknownAccountHash,
    /// There is no image with this id: 404, 9404.
    #[error("image not found")]
    NotFound,
    /// The account has no variant with this name: 403, 9425.
    #[error("unknown variant")]
    UnknownVariant,
    /// Options instead of a variant, which the account does not allow: 403, 9429.
    #[error("flexible variants are not enabled")]
    FlexibleVariantsOff,
    /// Options on a private image, which only named variants show: 403, 9425.
    #[error("flexible variants of a private image")]
    OptionsOnPrivateImage,
    /// Options that the account allows, before they are built: 501, 5501.
    #[error("flexible variants are not built")]
    OptionsNotBuilt,
    /// The image is private and the URL has no signature: 403, 9425.
    #[error("signature missing")]
    SignatureMissing,
    /// The image is private and the signature is none of this account's: 403, 9425.
    #[error("signature does not match")]
    SignatureMismatch,
    /// The image is private and the signature counts no more: 403, 9425.
    #[error("signature has expired")]
    SignatureExpired,
    /// The original is of a type that is not delivered, which SVG is until it is sanitised: 415, 9520.
    #[error("original image has unsupported format")]
    UnsupportedFormat,
    /// Starting, stopping, or too busy. Try again.
    #[error("service unavailable")]
    Unavailable,
    /// A store failed.
    #[error("a store failed")]
    Internal(#[source] Cause),
}

impl Service {
    /// Says whether an image may be delivered in this form, and returns it. An `id` of `None`, which no image can have,
    /// is that of an image that is not there. `url` is asked for a signature if one is needed. Reads rows only.
    pub async fn deliver(
        &self,
        hash: &AccountHash,
        id: Option<&ImageId>,
        rendering: RenderingAsked,
        url: SignedUrl<'_>,
    ) -> Result<Delivery, DeliverError> {
        let account = self.account_by_hash(hash).await?.ok_or(DeliverError::UnknownAccountHash)?;
        let image = self.details(&account.id, id.ok_or(DeliverError::NotFound)?).await?;
        let settings = self.account_settings(&account.id).await?;
        let by_signature = needs_signature(&image, &rendering, &settings)?;
        if by_signature {
            url.verify(settings.signing_keys().map(|(_, key)| key), self.stores.clock.now())?;
        }
        if matches!(rendering, RenderingAsked::Options(_)) {
            return Err(DeliverError::OptionsNotBuilt);
        }
        if image.original.media_type == MediaType::Svg {
            return Err(DeliverError::UnsupportedFormat);
        }
        Ok(Delivery { image, by_signature })
    }
}

/// Checks that the account delivers in this form, and says whether it takes a signature: that of a private image does,
/// unless its variant never does. A signature that is not needed is not looked at.
fn needs_signature(
    image: &Image,
    rendering: &RenderingAsked,
    settings: &AccountSettings,
) -> Result<bool, DeliverError> {
    match rendering {
        RenderingAsked::Options(_) if !settings.config.flexible_variants => {
            Err(DeliverError::FlexibleVariantsOff)
        }
        RenderingAsked::Options(_) if image.require_signed_urls => Err(DeliverError::OptionsOnPrivateImage),
        RenderingAsked::Options(_) => Ok(false),
        RenderingAsked::Variant(name) => {
            let variant = VariantName::parse(name).and_then(|name| settings.variant(&name));
            let variant = variant.ok_or(DeliverError::UnknownVariant)?;
            Ok(image.require_signed_urls && !variant.never_require_signed_urls)
        }
    }
}

impl From<SignatureError> for DeliverError {
    fn from(error: SignatureError) -> DeliverError {
        match error {
            SignatureError::Missing => DeliverError::SignatureMissing,
            SignatureError::Mismatch => DeliverError::SignatureMismatch,
            SignatureError::Expired => DeliverError::SignatureExpired,
        }
    }
}

impl From<ServiceError> for DeliverError {
    fn from(error: ServiceError) -> DeliverError {
        match error {
            ServiceError::UnknownAccount => DeliverError::UnknownAccountHash,
            ServiceError::NotFound => DeliverError::NotFound,
            ServiceError::Unavailable => DeliverError::Unavailable,
            ServiceError::Internal(cause) => DeliverError::Internal(cause),
            // Nothing is written here, and no file is judged.
            other => DeliverError::Internal(std::sync::Arc::new(other)),
        }
    }
}
