//! What is to be made of a source for one client: options and what the client shows of itself become a plan, and the
//! plan a name. Nothing here knows where a source comes from.

use std::fmt;

use darkroom_model::image_options::{OutputFormat, Width};
use darkroom_model::{ImageOptions, Original, RenderLimits};
use darkroom_transform::{Accepts, OUTPUT_VERSION, Probe, RenderRequest, is_sent_untransformed};

/// What a client shows of itself that images are made for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Viewer {
    /// The formats that it says it takes.
    pub accepts: Accepts,
    /// How wide an image is for it where the width is left to its screen, in pixels (reference: delivery §5.3).
    pub auto_width: u32,
    /// Whether it says that its line is slow (reference: delivery §4.3).
    pub is_slow: bool,
}

/// What is to be made of a source.
#[derive(Clone, PartialEq, Debug)]
pub struct RenderPlan {
    pub(crate) request: RenderRequest,
    /// Whether another client could get another format.
    pub depends_on_accept: bool,
    /// Whether another screen could get another width.
    pub depends_on_screen: bool,
    /// Whether another line could get another quality.
    pub depends_on_line: bool,
}

/// The name of a rendition: the same for the same bytes, and for no others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionName(pub(crate) [u8; 32]);

impl RenderPlan {
    /// Plans for a hosted image. Options that are for other sources only mean nothing here (reference: delivery §4.3,
    /// §9).
    pub fn hosted(options: ImageOptions, viewer: &Viewer, limits: RenderLimits) -> RenderPlan {
        let hosted = ImageOptions { slow_connection_quality: None, redirect_on_error: false, ..options };
        RenderPlan::new(hosted, viewer, limits)
    }

    /// Plans for an image from elsewhere (reference: delivery §4.1, §4.3). Where no format is asked for it is a plain one.
    pub fn remote(
        options: ImageOptions,
        is_format_given: bool,
        viewer: &Viewer,
        limits: RenderLimits,
    ) -> RenderPlan {
        let format = if is_format_given { options.format } else { OutputFormat::Plain };
        let quality = options.slow_connection_quality.filter(|_| viewer.is_slow).or(options.quality);
        let depends_on_line = options.slow_connection_quality.is_some();
        let remote = ImageOptions {
            format,
            quality,
            slow_connection_quality: None,
            redirect_on_error: false,
            ..options
        };
        RenderPlan { depends_on_line, ..RenderPlan::new(remote, viewer, limits) }
    }

    /// Plans with options that all mean something. What cannot make a difference is left out, so that clients who get
    /// the same share it.
    fn new(options: ImageOptions, viewer: &Viewer, limits: RenderLimits) -> RenderPlan {
        let depends_on_accept = options.format == OutputFormat::Auto && !options.fast_compression;
        let depends_on_screen = options.width == Some(Width::Auto);
        let accepts = if depends_on_accept { viewer.accepts } else { Accepts::default() };
        let width = match options.width {
            Some(Width::Auto) => Some(Width::Pixels(viewer.auto_width)),
            width => width,
        };
        let request = RenderRequest { options: ImageOptions { width, ..options }, accepts, limits };
        RenderPlan { request, depends_on_accept, depends_on_screen, depends_on_line: false }
    }

    /// Returns the name of what this plan makes of content with this hash.
    pub fn name(&self, content_hash: &[u8; 32]) -> RenditionName {
        // A request has no value that JSON cannot say, and its members always stand in the same order.
        let request = serde_json::to_vec(&self.request).expect("a request can be written");
        let mut hasher = blake3::Hasher::new_derive_key("darkroom rendition name");
        hasher.update(&OUTPUT_VERSION.to_le_bytes()).update(content_hash).update(&request);
        RenditionName(*hasher.finalize().as_bytes())
    }

    /// Says whether an original is sent as it is: an animation that stays one and is too large to be rendered, though not
    /// to be delivered (reference: delivery §7).
    pub fn sends_as_is(&self, original: &Original) -> bool {
        let Original { media_type, width, height, frames, .. } = *original;
        self.sends_source_as_is(&Probe { media_type, width, height, frames })
    }

    /// As [`RenderPlan::sends_as_is`], of any source.
    pub(crate) fn sends_source_as_is(&self, source: &Probe) -> bool {
        is_sent_untransformed(source, &self.request)
    }
}

impl RenditionName {
    /// Returns the name itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for RenditionName {
    /// Writes 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RenditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RenditionName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkroom_model::{AccountId, MediaType, OriginalKey};

    const PLAIN: Viewer =
        Viewer { accepts: Accepts { avif: false, webp: false }, auto_width: 960, is_slow: false };
    const MODERN: Viewer =
        Viewer { accepts: Accepts { avif: true, webp: true }, auto_width: 320, is_slow: true };

    fn name(change: impl FnOnce(&mut ImageOptions), viewer: &Viewer) -> RenditionName {
        let mut options = ImageOptions::default();
        change(&mut options);
        RenderPlan::hosted(options, viewer, RenderLimits::DEFAULT).name(&[1; 32])
    }

    #[test]
    fn who_gets_the_same_shares_a_name() {
        type Change = fn(&mut ImageOptions);
        let rows: [(Change, bool); 6] = [
            (|_| {}, false),
            (|options| options.format = OutputFormat::WebP, true),
            (|options| options.format = OutputFormat::Json, true),
            (|options| options.fast_compression = true, true),
            (|options| options.width = Some(Width::Auto), false),
            (|options| (options.width, options.fast_compression) = (Some(Width::Auto), true), false),
        ];
        for (row, (change, is_same)) in rows.into_iter().enumerate() {
            assert_eq!(name(change, &PLAIN) == name(change, &MODERN), is_same, "row {row}");
        }
        let plain = name(|_| {}, &PLAIN);
        assert_eq!(name(|options| options.redirect_on_error = true, &PLAIN), plain);
        assert_eq!(name(|options| options.slow_connection_quality = Some(5), &PLAIN), plain);
        assert_eq!(
            name(|options| options.width = Some(Width::Auto), &PLAIN),
            name(|options| options.width = Some(Width::Pixels(960)), &PLAIN)
        );
    }

    #[test]
    fn an_animation_too_large_to_render_is_sent_as_it_is() {
        type Change = fn(&mut ImageOptions);
        let none: Change = |_| {};
        let account = AccountId::parse("a").unwrap();
        let (gif, webp, png) = (MediaType::Gif, MediaType::WebP, MediaType::Png);
        let rows: [(MediaType, u32, Change, bool); 11] = [
            (gif, 50, none, false),
            (gif, 51, none, true),
            (webp, 100, none, true),
            (gif, 101, none, false),
            (png, 51, none, false),
            (gif, 51, |options| options.format = OutputFormat::WebP, true),
            (gif, 51, |options| options.format = OutputFormat::Jpeg, false),
            (gif, 51, |options| options.format = OutputFormat::Json, false),
            (gif, 51, |options| options.animated = false, false),
            (gif, 51, |options| options.fast_compression = true, true),
            (gif, 1, none, false),
        ];
        for (row, (media_type, frames, change, expected)) in rows.into_iter().enumerate() {
            let original = Original {
                key: OriginalKey { account: account.clone(), id_hash: [0; 16], random: [0; 16] },
                media_type,
                size_bytes: 1,
                width: 1_000,
                height: 1_000,
                frames,
                content_hash: [0; 32],
            };
            let mut options = ImageOptions::default();
            change(&mut options);
            let plan = RenderPlan::hosted(options, &PLAIN, RenderLimits::DEFAULT);
            assert_eq!(plan.sends_as_is(&original), expected, "row {row}");
        }
    }

    #[test]
    fn whatever_makes_other_bytes_makes_another_name() {
        let plan = |limits| RenderPlan::hosted(ImageOptions::default(), &PLAIN, limits);
        let name_of = plan(RenderLimits::DEFAULT).name(&[1; 32]);
        assert_eq!(name_of, name(|_| {}, &PLAIN));
        assert_ne!(name_of, plan(RenderLimits::DEFAULT).name(&[2; 32]));
        assert_ne!(name_of, plan(RenderLimits { avif_side_max: 1, ..RenderLimits::DEFAULT }).name(&[1; 32]));
        assert_ne!(name_of, name(|options| options.blur = 0.5, &PLAIN));
        assert_eq!(name_of.to_string().len(), 64);
    }
}
