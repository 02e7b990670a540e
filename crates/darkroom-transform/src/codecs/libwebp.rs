//! libwebp, which writes our own pixels: nothing of a stranger's bytes comes here but as pixels.
//!
//! All `unsafe` of this crate is in this file. Each C value has an owner whose `Drop` frees it, so that it is freed on
//! every path.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use libwebp_sys::{
    WEBP_ENCODER_ABI_VERSION, WEBP_MUX_ABI_VERSION, WebPAnimEncoder, WebPAnimEncoderAdd,
    WebPAnimEncoderAssemble, WebPAnimEncoderDelete, WebPAnimEncoderGetError, WebPAnimEncoderNewInternal,
    WebPAnimEncoderOptions, WebPAnimEncoderOptionsInitInternal, WebPConfig, WebPConfigInitInternal,
    WebPConfigLosslessPreset, WebPData, WebPEncode, WebPEncodingError, WebPFree, WebPMemoryWrite,
    WebPMemoryWriter, WebPMemoryWriterClear, WebPMemoryWriterInit, WebPPicture, WebPPictureFree,
    WebPPictureImportRGB, WebPPictureImportRGBA, WebPPictureInitInternal, WebPPreset, WebPValidateConfig,
};

use crate::RenderError;
use crate::picture::{Layout, Picture};
use crate::plan::Size;

/// How hard the lossy encoder tries, of 0 to 6. Above 2, the next that gains anything (4) costs twice the time and more
/// for 2 to 6 % fewer bytes: at 1,200 pixels that is 78 ms instead of 29, as measured with libwebp 1.6.0.
const METHOD: i32 = 2;

/// How hard the lossless encoder tries, of 0 to 9.
const LOSSLESS_LEVEL: i32 = 2;

/// Pixels on a side, where the format ends.
const SIDE_MAX: u32 = 16_383;

/// The quality that means: nothing is lost (reference: delivery §4.3).
const LOSSLESS: u8 = 100;

/// Writes one picture; quality 100 loses nothing.
pub(super) fn encode(picture: &Picture, quality: u8) -> Result<Vec<u8>, RenderError> {
    let config = config(quality)?;
    let mut pixels = Pixels::import(picture, config.lossless != 0)?;
    let mut writer = Writer::new();
    pixels.0.writer = Some(WebPMemoryWrite);
    pixels.0.custom_ptr = (&raw mut writer.0).cast();
    // SAFETY: the config was validated; the picture is initialised and holds its pixels; `WebPMemoryWrite` takes a
    // memory writer from `custom_ptr`, which outlives the call.
    if unsafe { WebPEncode(&raw const config, &raw mut pixels.0) } == 0 {
        return Err(failed(pixels.0.error_code));
    }
    Ok(writer.bytes().to_vec())
}

/// An animation in the making. Frames are compressed as they come; their pixels do not stay.
pub(crate) struct Animation {
    encoder: NonNull<WebPAnimEncoder>,
    config: WebPConfig,
    /// When the next frame begins, in milliseconds.
    now: i32,
}

impl Animation {
    /// Begins an animation that is shown `loop_count` times; 0 is for ever.
    pub(super) fn new(size: Size, loop_count: u16, quality: u8) -> Result<Animation, RenderError> {
        let (width, height) = sides(size)?;
        let config = config(quality)?;
        let mut options = MaybeUninit::<WebPAnimEncoderOptions>::uninit();
        // SAFETY: it writes all of the options, and says so.
        let mut options = unsafe {
            let is_known =
                WebPAnimEncoderOptionsInitInternal(options.as_mut_ptr(), WEBP_MUX_ABI_VERSION as i32);
            if is_known == 0 {
                return Err(RenderError::encoding("libwebp has another interface"));
            }
            options.assume_init()
        };
        options.anim_params.loop_count = loop_count.into();
        // SAFETY: the options are initialised; the sides are within the format's.
        let encoder = unsafe {
            WebPAnimEncoderNewInternal(width, height, &raw const options, WEBP_MUX_ABI_VERSION as i32)
        };
        let encoder = NonNull::new(encoder).ok_or_else(out_of_memory)?;
        Ok(Animation { encoder, config, now: 0 })
    }

    /// Adds a frame, which must have the animation's size.
    pub(super) fn add(&mut self, picture: &Picture, delay_ms: u32) -> Result<(), RenderError> {
        let mut pixels = Pixels::import(picture, true)?;
        let now = self.now;
        self.now = i32::try_from(delay_ms)
            .ok()
            .and_then(|delay| now.checked_add(delay))
            .ok_or_else(|| RenderError::encoding("the animation is too long"))?;
        // SAFETY: the encoder lives; picture and config are initialised. A wrong size is an error that it reports.
        let is_added = unsafe {
            WebPAnimEncoderAdd(self.encoder.as_ptr(), &raw mut pixels.0, now, &raw const self.config)
        };
        if is_added == 0 { Err(self.failed()) } else { Ok(()) }
    }

    /// Returns the file.
    pub(super) fn finish(self) -> Result<Vec<u8>, RenderError> {
        let mut file = File(WebPData { bytes: ptr::null(), size: 0 });
        // SAFETY: the encoder lives; a null frame tells it when the last one ends; the data is empty and `File` frees it.
        let is_done = unsafe {
            WebPAnimEncoderAdd(self.encoder.as_ptr(), ptr::null_mut(), self.now, ptr::null()) != 0
                && WebPAnimEncoderAssemble(self.encoder.as_ptr(), &raw mut file.0) != 0
        };
        if is_done { Ok(file.bytes().to_vec()) } else { Err(self.failed()) }
    }

    fn failed(&self) -> RenderError {
        // SAFETY: the encoder lives, and with it the text, which ends with a zero.
        let text = unsafe {
            let text = WebPAnimEncoderGetError(self.encoder.as_ptr());
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        };
        RenderError::encoding(text.as_deref().unwrap_or("the animation cannot be written"))
    }
}

impl Drop for Animation {
    fn drop(&mut self) {
        // SAFETY: it came from `WebPAnimEncoderNewInternal` and is not used again.
        unsafe { WebPAnimEncoderDelete(self.encoder.as_ptr()) }
    }
}

/// Pixels in libwebp's own memory.
struct Pixels(WebPPicture);

impl Pixels {
    /// Copies a picture: as it is, or as the lossy encoder works on it.
    fn import(picture: &Picture, as_argb: bool) -> Result<Pixels, RenderError> {
        let (width, height) = sides(picture.size)?;
        let mut pixels = MaybeUninit::<WebPPicture>::uninit();
        // SAFETY: it writes all of the picture, and says so.
        let mut pixels = unsafe {
            if WebPPictureInitInternal(pixels.as_mut_ptr(), WEBP_ENCODER_ABI_VERSION as i32) == 0 {
                return Err(RenderError::encoding("libwebp has another interface"));
            }
            Pixels(pixels.assume_init())
        };
        pixels.0.use_argb = as_argb.into();
        pixels.0.width = width;
        pixels.0.height = height;
        let import = match picture.layout {
            Layout::Rgb => WebPPictureImportRGB,
            Layout::Rgba => WebPPictureImportRGBA,
            Layout::Cmyk => return Err(RenderError::encoding("a WebP cannot be CMYK")),
        };
        let (bytes, stride) = (picture.bytes.as_ptr(), width * picture.layout.bytes() as i32);
        // SAFETY: `bytes` holds `height` rows of `stride` bytes: the invariant of `Picture`.
        if unsafe { import(&raw mut pixels.0, bytes, stride) } == 0 {
            return Err(failed(pixels.0.error_code));
        }
        Ok(pixels)
    }
}

impl Drop for Pixels {
    fn drop(&mut self) {
        // SAFETY: the picture is initialised, and not used again.
        unsafe { WebPPictureFree(&raw mut self.0) }
    }
}

/// What `WebPMemoryWrite` writes to.
struct Writer(WebPMemoryWriter);

impl Writer {
    fn new() -> Writer {
        let mut writer = MaybeUninit::uninit();
        // SAFETY: it writes all of the writer.
        unsafe {
            WebPMemoryWriterInit(writer.as_mut_ptr());
            Writer(writer.assume_init())
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: `mem` holds `size` bytes unless it is null.
        unsafe { bytes(self.0.mem, self.0.size) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // SAFETY: the writer is initialised, and not used again.
        unsafe { WebPMemoryWriterClear(&raw mut self.0) }
    }
}

/// What `WebPAnimEncoderAssemble` gives.
struct File(WebPData);

impl File {
    fn bytes(&self) -> &[u8] {
        // SAFETY: `bytes` holds `size` bytes unless it is null.
        unsafe { bytes(self.0.bytes, self.0.size) }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: it is null or came from libwebp's allocator, and is not used again.
        unsafe { WebPFree(self.0.bytes.cast_mut().cast()) }
    }
}

/// SAFETY: `start` is null, or points to `length` bytes that live and do not change as long as the result does.
unsafe fn bytes<'a>(start: *const u8, length: usize) -> &'a [u8] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts(start, length) }
}

fn config(quality: u8) -> Result<WebPConfig, RenderError> {
    let wrong = || RenderError::encoding("libwebp does not take these settings");
    let preset = WebPPreset::WEBP_PRESET_DEFAULT;
    let mut config = MaybeUninit::<WebPConfig>::uninit();
    // SAFETY: it writes all of the config, and says so.
    let mut config = unsafe {
        let abi = WEBP_ENCODER_ABI_VERSION as i32;
        if WebPConfigInitInternal(config.as_mut_ptr(), preset, quality.into(), abi) == 0 {
            return Err(wrong());
        }
        config.assume_init()
    };
    config.method = METHOD;
    // SAFETY: the config is initialised.
    let is_valid = unsafe {
        (quality != LOSSLESS || WebPConfigLosslessPreset(&raw mut config, LOSSLESS_LEVEL) != 0)
            && WebPValidateConfig(&raw const config) != 0
    };
    if is_valid { Ok(config) } else { Err(wrong()) }
}

fn sides(size: Size) -> Result<(i32, i32), RenderError> {
    let longest = size.width.max(size.height);
    if longest > SIDE_MAX {
        return Err(RenderError::encoding(format_args!(
            "a WebP has at most {SIDE_MAX} pixels on a side, not {longest}"
        )));
    }
    Ok((size.width as i32, size.height as i32))
}

fn out_of_memory() -> RenderError {
    RenderError::TooLarge
}

fn failed(code: WebPEncodingError) -> RenderError {
    match code {
        WebPEncodingError::VP8_ENC_ERROR_OUT_OF_MEMORY
        | WebPEncodingError::VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY => out_of_memory(),
        other => RenderError::encoding(format_args!("libwebp: {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Picture {
        Picture::filled(Size { width, height }, Layout::Rgba, [10, 200, 30, 120])
    }

    #[test]
    fn sides_beyond_the_format_are_refused() {
        for (width, height) in [(SIDE_MAX + 1, 1), (1, SIDE_MAX + 1), (70_000, 1)] {
            let error = encode(&picture(width, height), 80).unwrap_err();
            assert!(matches!(error, RenderError::Encoding(_)), "{error}");
            assert!(Animation::new(Size { width, height }, 0, 80).is_err());
        }
        assert!(encode(&picture(SIDE_MAX, 1), 80).is_ok());
    }

    #[test]
    fn a_frame_of_another_size_is_refused() {
        let mut animation = Animation::new(Size { width: 4, height: 4 }, 0, 80).unwrap();
        animation.add(&picture(4, 4), 10).unwrap();
        let error = animation.add(&picture(5, 4), 10).unwrap_err();
        assert!(matches!(error, RenderError::Encoding(_)), "{error}");
    }

    #[test]
    fn an_animation_without_frames_is_refused() {
        assert!(Animation::new(Size { width: 4, height: 4 }, 0, 80).unwrap().finish().is_err());
    }

    #[test]
    fn an_animation_of_more_than_a_clock_counts_is_refused() {
        let mut animation = Animation::new(Size { width: 4, height: 4 }, 0, 80).unwrap();
        assert!(animation.add(&picture(4, 4), u32::MAX).is_err());
    }
}
