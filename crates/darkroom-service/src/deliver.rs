//! Delivery: who may see an image, in which form, and the bytes of that form (reference: delivery §2).

use std::sync::Arc;
use std::time::{Duration, Instant};

use darkroom_model::{
    AccountHash, AccountSettings, Image, ImageId, ImageOptions, Original, SignatureError, SignedUrl,
    Timestamp, VariantName,
};
use darkroom_transform::{RenderError, RenderRequest, Rendered};

use crate::FetchError;
use crate::error::Cause;
use crate::render_workers::RenderFailure;
use crate::rendering::{RenderPlan, RenditionName};
use crate::renditions::{MakingTimes, Rendition, Served};
use crate::service::Stores;
use crate::{Service, ServiceError};

/// The form in which an image is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RenderingAsked<'a> {
    /// A named variant.
    Variant(&'a str),
    /// Options of the URL's own.
    Options,
}

/// An image that may be delivered in the form that was asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Delivery {
    /// The image.
    pub image: Image,
    /// The options of the variant; `None` if the URL has its own.
    pub variant: Option<ImageOptions>,
    /// How long who gets it may keep it.
    pub keeping: Keeping,
}

/// How long an answer may be kept, in seconds (reference: delivery §10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeping {
    /// By everyone.
    Public(u32),
    /// By the one who asked only: it took a signature.
    Private(u32),
}

impl Keeping {
    /// How long what took a signature is kept at most.
    const PRIVATE_SECONDS_MAX: u64 = 3_600;

    fn private(until: Option<Timestamp>, now: Timestamp) -> Keeping {
        let left = until.map_or(u64::MAX, |until| until.0.saturating_sub(now.0) / 1000);
        Keeping::Private(left.min(Keeping::PRIVATE_SECONDS_MAX) as u32)
    }
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
    /// The image is private and the URL has no signature: 403, 9425.
    #[error("signature missing")]
    SignatureMissing,
    /// The image is private and the signature is none of this account's: 403, 9425.
    #[error("signature does not match")]
    SignatureMismatch,
    /// The image is private and the signature counts no more: 403, 9425.
    #[error("signature has expired")]
    SignatureExpired,
    /// The source is of an origin that the operator did not allow: 403, 9401.
    #[error("the origin is not allowed")]
    OriginNotAllowed,
    /// The source could not be fetched.
    #[error("the source could not be fetched")]
    Fetch(#[source] FetchError),
    /// The original cannot be rendered as it was asked for.
    #[error("the image cannot be rendered")]
    Render(#[source] RenderError),
    /// Too many renderings are going on or wait: 503, 9522. Try again.
    #[error("too busy to render")]
    Busy {
        /// When.
        retry_after: Duration,
    },
    /// The rendering was stopped at its deadline, or its process ended in the middle, as it does for want of memory:
    /// 504, 9529.
    #[error("the rendering took too much time or memory")]
    TookTooMuch,
    /// Starting or stopping. Try again.
    #[error("service unavailable")]
    Unavailable,
    /// A store or a renderer failed.
    #[error("a store or a renderer failed")]
    Internal(#[source] Cause),
}

impl Service {
    /// Says whether an image may be delivered in this form, and returns it. An `id` of `None`, which no image can have,
    /// is that of an image that is not there. `url` is asked for a signature if one is needed. Reads rows only.
    pub async fn deliver(
        &self,
        hash: &AccountHash,
        id: Option<&ImageId>,
        rendering: RenderingAsked<'_>,
        url: SignedUrl<'_>,
    ) -> Result<Delivery, DeliverError> {
        let account = self.account_by_hash(hash).await?.ok_or(DeliverError::UnknownAccountHash)?;
        let image = self.details(&account.id, id.ok_or(DeliverError::NotFound)?).await?;
        let settings = self.account_settings(&account.id).await?;
        let form = Form::of(&image, rendering, &settings)?;
        let keeping = match form.needs_signature {
            false => Keeping::Public(form.browser_ttl.unwrap_or(settings.config.browser_ttl)),
            true => {
                let now = self.stores.clock.now();
                let until = url.verify(settings.signing_keys().map(|(_, key)| key), now)?;
                Keeping::private(until, now)
            }
        };
        Ok(Delivery { image, variant: form.variant, keeping })
    }

    /// Returns what a plan makes of an image that [`Service::deliver`] gave, made now if it was not made before. `name`
    /// is what the plan calls it.
    pub async fn rendition(
        &self,
        name: RenditionName,
        image: &Image,
        plan: &RenderPlan,
    ) -> Result<Served, DeliverError> {
        let (stores, original, request) =
            (Arc::clone(&self.stores), image.original.clone(), plan.request.clone());
        self.stores.renditions.get_or_make(name, || stores.make(original, request)).await
    }
}

/// A form that the account delivers.
struct Form {
    variant: Option<ImageOptions>,
    browser_ttl: Option<u32>,
    needs_signature: bool,
}

impl Form {
    /// Checks that the account delivers in this form. A private image takes a signature, unless its variant never does;
    /// a signature that is not needed is not looked at.
    fn of(
        image: &Image,
        rendering: RenderingAsked<'_>,
        settings: &AccountSettings,
    ) -> Result<Form, DeliverError> {
        match rendering {
            RenderingAsked::Options if !settings.config.flexible_variants => {
                Err(DeliverError::FlexibleVariantsOff)
            }
            RenderingAsked::Options if image.require_signed_urls => Err(DeliverError::OptionsOnPrivateImage),
            RenderingAsked::Options => Ok(Form { variant: None, browser_ttl: None, needs_signature: false }),
            RenderingAsked::Variant(name) => {
                let variant = VariantName::parse(name).and_then(|name| settings.variant(&name));
                let variant = variant.ok_or(DeliverError::UnknownVariant)?;
                Ok(Form {
                    variant: Some(ImageOptions::from(&variant.options)),
                    browser_ttl: variant.options.browser_ttl,
                    needs_signature: image.require_signed_urls && !variant.never_require_signed_urls,
                })
            }
        }
    }
}

impl Stores {
    /// Waits for a renderer, reads an original, and renders it. Those that wait hold no bytes.
    async fn make(
        self: Arc<Self>,
        original: Original,
        request: RenderRequest,
    ) -> Result<(Rendition, MakingTimes), DeliverError> {
        let began = Instant::now();
        let place = self.render_workers.place().await?;
        let placed = Instant::now();
        let source = self.open_original(&original, None).await?.bytes().await?;
        let fetched = Instant::now();
        self.render_workers.fetched_in(fetched - placed);
        let Rendered { facts, bytes } = place.render(source, &request).await?;
        let times = MakingTimes { queue: placed - began, fetch: fetched - placed, render: fetched.elapsed() };
        Ok((Rendition { facts, bytes: bytes.into() }, times))
    }
}

impl From<RenderFailure> for DeliverError {
    fn from(failure: RenderFailure) -> DeliverError {
        match failure {
            RenderFailure::Refused(refusal) => DeliverError::Render(refusal),
            RenderFailure::Busy { retry_after } => DeliverError::Busy { retry_after },
            RenderFailure::TookTooLong | RenderFailure::Died => DeliverError::TookTooMuch,
            RenderFailure::Unavailable => DeliverError::Unavailable,
            RenderFailure::Distrusted => DeliverError::Internal(Arc::new(failure)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_a_signature_is_kept_for_an_hour_or_as_long_as_the_signature_counts() {
        let now = Timestamp(1_000_000_500);
        for (until, seconds) in [
            (None, 3_600),
            (Some(u64::MAX), 3_600),
            (Some(1_003_600_500), 3_600),
            (Some(1_003_600_000), 3_599),
            (Some(1_000_001_499), 0),
            (Some(0), 0),
        ] {
            assert_eq!(Keeping::private(until.map(Timestamp), now), Keeping::Private(seconds), "{until:?}");
        }
    }
}
