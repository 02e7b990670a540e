//! Writing by libaom, in C and assembler: many times faster than rav1e.
//!
//! It sees only pixels that we made. All that is unsafe stands in [`Av1Encoder`].

#![expect(unsafe_code, reason = "libaom is C; `Av1Encoder` is the wall around it")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;

use avif_serialize::Aviffy;
use libaom_sys as aom;

use crate::RenderError;
use crate::picture::{Layout, Picture};
use crate::plan::Size;

/// The fastest for pictures that stand alone.
const SPEED: i32 = 9;

/// ISO/IEC 23091-2: sRGB is written with the primaries of BT.709, its own curve, and the matrix of BT.601.
const PRIMARIES: i32 = 1;
const TRANSFER: i32 = 13;
const MATRIX: i32 = 6;

/// Writes an AVIF with chroma stored once for four pixels.
pub(super) fn encode(picture: &Picture, quality: u8) -> Result<Vec<u8>, RenderError> {
    let has_alpha = match picture.layout {
        Layout::Rgb => false,
        Layout::Rgba => !picture.is_opaque(),
        Layout::Cmyk => return Err(RenderError::encoding("an AVIF has no inks")),
    };
    let color = Av1Encoder::new(picture.size, quality, false)?.encode(&Planes::color(picture))?;
    let alpha = match has_alpha {
        true => Some(Av1Encoder::new(picture.size, quality, true)?.encode(&Planes::alpha(picture))?),
        false => None,
    };
    let mut file = Aviffy::new();
    file.set_chroma_subsampling((true, true)).set_seq_profile(0);
    let Size { width, height } = picture.size;
    Ok(file.to_vec(&color, alpha.as_deref(), width, height, 8))
}

/// Samples of eight bits in their whole range, as libaom takes them.
struct Planes {
    size: Size,
    luma: Vec<u8>,
    /// Blue, then red; half as many columns and rows. Empty: there is only lightness.
    chroma: [Vec<u8>; 2],
}

impl Planes {
    fn alpha(picture: &Picture) -> Planes {
        let luma = picture.bytes.chunks_exact(4).map(|pixel| pixel[3]).collect();
        Planes { size: picture.size, luma, chroma: [Vec::new(), Vec::new()] }
    }

    fn color(picture: &Picture) -> Planes {
        let length = picture.layout.bytes();
        let weigh =
            |pixel: &[u8]| pixel[0] as f32 * 0.299 + pixel[1] as f32 * 0.587 + pixel[2] as f32 * 0.114;
        let luma = picture.bytes.chunks_exact(length).map(|pixel| weigh(pixel).round() as u8).collect();
        let (width, height) = (picture.size.width as usize, picture.size.height as usize);
        let mut chroma = [Vec::new(), Vec::new()];
        for y in (0..height).step_by(2) {
            for x in (0..width).step_by(2) {
                // At the edge of an odd size the last pixel counts twice.
                let corners = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)];
                let mut sum = [0.0_f32; 3];
                for (x, y) in corners {
                    let at = (y.min(height - 1) * width + x.min(width - 1)) * length;
                    let pixel = &picture.bytes[at..at + 3];
                    for (sum, value) in sum.iter_mut().zip([pixel[2] as f32, pixel[0] as f32, weigh(pixel)]) {
                        *sum += value / 4.0;
                    }
                }
                let [blue, red, luma] = sum;
                chroma[0].push(((blue - luma) / 1.772 + 128.0).round() as u8);
                chroma[1].push(((red - luma) / 1.402 + 128.0).round() as u8);
            }
        }
        Planes { size: picture.size, luma, chroma }
    }
}

/// One encoder for one picture.
struct Av1Encoder {
    /// INVARIANT: initialised by `aom_codec_enc_init_ver`, and never moved out of its box: libaom keeps its address.
    context: Box<aom::aom_codec_ctx_t>,
}

impl Av1Encoder {
    fn new(size: Size, quality: u8, is_monochrome: bool) -> Result<Av1Encoder, RenderError> {
        // SAFETY: the function takes nothing, and returns a static table.
        let interface = unsafe { aom::aom_codec_av1_cx() };
        let mut config = MaybeUninit::<aom::aom_codec_enc_cfg>::zeroed();
        // SAFETY: the interface is that of above, and `config` has room for what is written.
        let status = unsafe {
            aom::aom_codec_enc_config_default(interface, config.as_mut_ptr(), aom::AOM_USAGE_ALL_INTRA)
        };
        check(status)?;
        // SAFETY: all of it is numbers and null pointers, for which zeros are values, and the call filled it.
        let mut config = unsafe { config.assume_init() };
        let quantizer = quantizer(quality);
        config.g_w = size.width;
        config.g_h = size.height;
        config.g_threads = 1;
        config.g_lag_in_frames = 0;
        config.g_limit = 1;
        config.monochrome = is_monochrome.into();
        config.rc_end_usage = aom::AOM_Q;
        config.rc_min_quantizer = quantizer;
        config.rc_max_quantizer = quantizer;
        let mut context = Box::new(MaybeUninit::<aom::aom_codec_ctx_t>::zeroed());
        // SAFETY: interface and configuration are valid; the context is zeroed memory of its own that stays where it is.
        let status = unsafe {
            aom::aom_codec_enc_init_ver(
                context.as_mut_ptr(),
                interface,
                &config,
                0,
                aom::AOM_ENCODER_ABI_VERSION as i32,
            )
        };
        check(status)?;
        // SAFETY: the call succeeded, so that the context is initialised.
        let mut encoder = Av1Encoder { context: unsafe { context.assume_init() } };
        encoder.set(aom::AOME_SET_CPUUSED, SPEED)?;
        encoder.set(aom::AOME_SET_CQ_LEVEL, quantizer as i32)?;
        encoder.set(aom::AV1E_SET_COLOR_RANGE, aom::AOM_CR_FULL_RANGE as i32)?;
        encoder.set(aom::AV1E_SET_COLOR_PRIMARIES, PRIMARIES)?;
        encoder.set(aom::AV1E_SET_TRANSFER_CHARACTERISTICS, TRANSFER)?;
        encoder.set(aom::AV1E_SET_MATRIX_COEFFICIENTS, MATRIX)?;
        Ok(encoder)
    }

    /// Sets one of those controls whose value is an `int`.
    fn set(&mut self, control: aom::aome_enc_control_id, value: i32) -> Result<(), RenderError> {
        // SAFETY: the context is initialised, and only controls are set that take an `int`, or an `unsigned` of which
        // the value is in range.
        check(unsafe { aom::aom_codec_control(&mut *self.context, control as i32, value) })
    }

    /// Returns the stream of one picture, which must have the size that the encoder was made for.
    fn encode(mut self, planes: &Planes) -> Result<Vec<u8>, RenderError> {
        let Size { width, height } = planes.size;
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let grey =
            vec![128; if planes.chroma[0].is_empty() { (half_width * half_height) as usize } else { 0 }];
        let chroma = planes.chroma.each_ref().map(|plane| if plane.is_empty() { &grey } else { plane });
        // What is read below.
        assert_eq!(planes.luma.len(), width as usize * height as usize);
        assert!(chroma.iter().all(|plane| plane.len() == half_width as usize * half_height as usize));
        let mut image = MaybeUninit::<aom::aom_image_t>::zeroed();
        // SAFETY: `image` has room for what is written. The buffer is only remembered, and replaced below.
        let wrapped = unsafe {
            let buffer = planes.luma.as_ptr().cast_mut();
            aom::aom_img_wrap(image.as_mut_ptr(), aom::AOM_IMG_FMT_I420, width, height, 1, buffer)
        };
        if wrapped.is_null() {
            return Err(RenderError::encoding("libaom takes no picture of this size"));
        }
        // SAFETY: the call succeeded, so that the image is initialised.
        let mut image = unsafe { image.assume_init() };
        // The encoder reads planes, and never writes to them: it is not told to remove noise.
        image.planes = [&planes.luma, chroma[0], chroma[1]].map(|plane| plane.as_ptr().cast_mut());
        image.stride = [width, half_width, half_width].map(|stride| stride as i32);
        image.range = aom::AOM_CR_FULL_RANGE;
        image.monochrome = planes.chroma[0].is_empty().into();
        let mut stream = Vec::new();
        self.send(&image)?;
        self.receive(&mut stream);
        self.send(ptr::null())?;
        self.receive(&mut stream);
        if stream.is_empty() { Err(RenderError::encoding("libaom gave no picture")) } else { Ok(stream) }
    }

    /// Gives a picture to the encoder; null says that there are no more.
    fn send(&mut self, image: *const aom::aom_image_t) -> Result<(), RenderError> {
        // SAFETY: the context is initialised; the image is null or one whose planes are as long as its strides and height
        // say, and both live until the call returns: libaom copies the samples.
        check(unsafe { aom::aom_codec_encode(&mut *self.context, image, 0, 1, 0) })
    }

    /// Takes what the encoder has ready.
    fn receive(&mut self, stream: &mut Vec<u8>) {
        let mut iterator = ptr::null();
        // SAFETY: the context is initialised, and the iterator starts at null. A packet is valid until the next call of
        // the encoder; one that holds a frame has `frame` as its data, whose buffer is of this length.
        unsafe {
            while let Some(packet) = aom::aom_codec_get_cx_data(&mut *self.context, &mut iterator).as_ref() {
                if packet.kind == aom::AOM_CODEC_CX_FRAME_PKT {
                    let frame = packet.data.frame;
                    stream.extend_from_slice(std::slice::from_raw_parts(frame.buf.cast(), frame.sz));
                }
            }
        }
    }
}

impl Drop for Av1Encoder {
    fn drop(&mut self) {
        // SAFETY: the context is initialised, and not used again. The status says nothing that could be mended.
        unsafe { aom::aom_codec_destroy(&mut *self.context) };
    }
}

/// From 1 to 100 to libaom's 63 to 0, as AVIF's own library does.
fn quantizer(quality: u8) -> u32 {
    ((100 - u32::from(quality.clamp(1, 100))) * 63 + 50) / 100
}

fn check(status: aom::aom_codec_err_t) -> Result<(), RenderError> {
    if status == aom::AOM_CODEC_OK {
        return Ok(());
    }
    // SAFETY: the function returns a static text for any number.
    let text = unsafe { CStr::from_ptr(aom::aom_codec_err_to_string(status)) };
    Err(RenderError::encoding(text.to_string_lossy()))
}
