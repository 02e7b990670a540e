//! AVIF: boxes read by us, AV1 decoded by rav1d, written by rav1e or, with the feature `libaom`, by libaom.

mod colors;
mod container;
#[cfg(feature = "libaom")]
mod libaom;
#[cfg(not(feature = "libaom"))]
mod rav1e;
mod stream;

use darkroom_model::RenderLimits;
use re_rav1d::{Decoder as Av1Decoder, Error as Av1Error, Picture as Av1Picture, Settings};

use self::colors::Reader;
use self::container::{Coded, Container};
use super::{Decoder, EncodeOptions, Frame, Header};
use crate::RenderError;
use crate::picture::{Layout, Picture};
use crate::plan::Size;

pub(super) struct AvifDecoder<'a> {
    header: Header,
    container: Option<Container<'a>>,
    pixels_max: u64,
}

impl<'a> AvifDecoder<'a> {
    pub(super) fn open(bytes: &'a [u8], limits: &RenderLimits) -> Result<AvifDecoder<'a>, RenderError> {
        let mut container = container::read(bytes)?;
        let size = container.color.size;
        if area(size) > limits.pixels_max {
            return Err(RenderError::TooLarge);
        }
        if size.width == 0 || size.height == 0 {
            return Err(damaged("has a side of 0"));
        }
        if container.alpha.as_ref().is_some_and(|alpha| alpha.size != size) {
            return Err(damaged("has a transparency of another size"));
        }
        let header = Header {
            size,
            upright: container.upright,
            icc_profile: container.icc_profile.map(<[u8]>::to_vec),
            exif: container.exif.take(),
            ..Header::default()
        };
        Ok(AvifDecoder { header, container: Some(container), pixels_max: limits.pixels_max })
    }
}

impl Decoder for AvifDecoder<'_> {
    fn header(&self) -> &Header {
        &self.header
    }

    fn next_frame(&mut self, _shrink_max: u32) -> Result<Option<Frame>, RenderError> {
        let Some(container) = self.container.take() else { return Ok(None) };
        let layout = if container.alpha.is_some() { Layout::Rgba } else { Layout::Rgb };
        let mut canvas = Canvas { size: self.header.size, layout, bytes: Vec::new() };
        canvas.paint(&container.color, self.pixels_max, |tile, stream| {
            let coding = container.coding;
            let matrix = coding.map_or(stream.matrix, |coding| coding.matrix);
            Reader::color(tile, matrix, coding.map(|coding| coding.is_full_range))
        })?;
        if let Some(alpha) = &container.alpha {
            canvas.paint(alpha, self.pixels_max, |tile, _| Ok(Reader::alpha(tile)))?;
        }
        let Canvas { size, layout, mut bytes } = canvas;
        if container.is_premultiplied {
            colors::divide_by_alpha(&mut bytes);
        }
        let picture = Picture::new(size, layout, bytes);
        let picture = picture.ok_or_else(|| damaged("has fewer pixels than it says"))?;
        Ok(Some(Frame { picture, delay_ms: 0 }))
    }
}

/// What tiles are painted on.
struct Canvas {
    size: Size,
    layout: Layout,
    /// Empty until the first tile has shown that there are pixels.
    bytes: Vec<u8>,
}

impl Canvas {
    /// Decodes tiles, one after the other, and paints each in its place.
    fn paint(
        &mut self,
        coded: &Coded<'_>,
        pixels_max: u64,
        reader: impl for<'p> Fn(&'p Av1Picture, stream::SequenceHeader) -> Result<Reader<'p>, RenderError>,
    ) -> Result<(), RenderError> {
        let columns = coded.columns;
        let rows = coded.tiles.len() as u32 / columns;
        // A picture in one piece is as large as the container says, and tiles together are hardly larger.
        let tile_max = if coded.tiles.len() == 1 { area(self.size) } else { pixels_max };
        let mut tile_size = None;
        for (number, data) in (0..).zip(&coded.tiles) {
            let stream = stream::read(data)?;
            if area(stream.size_max) > tile_max {
                return Err(RenderError::TooLarge);
            }
            let tile = decode(data, tile_max)?;
            let size = Size { width: tile.width(), height: tile.height() };
            if size != *tile_size.get_or_insert(size)
                || !covers(size.width, columns, self.size.width)
                || !covers(size.height, rows, self.size.height)
            {
                return Err(damaged("has a picture of another size than it says"));
            }
            let length = self.size.width as usize * self.size.height as usize * self.layout.bytes();
            self.bytes.resize(length, 0);
            let (x, y) = (number % columns * size.width, number / columns * size.height);
            let shown = Size {
                width: size.width.min(self.size.width - x),
                height: size.height.min(self.size.height - y),
            };
            let stride = self.size.width as usize * self.layout.bytes();
            let mut reader = reader(&tile, stream)?;
            let rows = self.bytes.chunks_exact_mut(stride).skip(y as usize).take(shown.height as usize);
            for (row, line) in rows.enumerate() {
                let start = x as usize * self.layout.bytes();
                let line = &mut line[start..start + shown.width as usize * self.layout.bytes()];
                reader.read_row(row as u32, self.layout, line);
            }
        }
        Ok(())
    }
}

/// Says whether so many tiles reach from side to side, and not one fewer would.
fn covers(tile: u32, count: u32, side: u32) -> bool {
    let [tile, count, side] = [tile, count, side].map(u64::from);
    let covered = tile * count;
    if count == 1 { tile == side } else { covered >= side && covered - tile < side }
}

/// Decodes one picture of no more than so many pixels, in this thread.
fn decode(data: &[u8], pixels_max: u64) -> Result<Av1Picture, RenderError> {
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(u32::try_from(pixels_max).unwrap_or(u32::MAX));
    let mut decoder = Av1Decoder::with_settings(&settings).map_err(decode_error)?;
    match decoder.send_data(data.to_vec(), None, None, None) {
        Ok(()) | Err(Av1Error::Again) => decoder.get_picture().map_err(decode_error),
        Err(error) => Err(decode_error(error)),
    }
}

fn area(size: Size) -> u64 {
    u64::from(size.width) * u64::from(size.height)
}

fn damaged(what: &str) -> RenderError {
    RenderError::damaged(format_args!("the AVIF {what}"))
}

fn decode_error(error: Av1Error) -> RenderError {
    match error {
        Av1Error::NotEnoughMemory => RenderError::TooLarge,
        Av1Error::Again => damaged("has no picture"),
        other => RenderError::damaged(other),
    }
}

/// Writes a picture without loss of anything but what quality allows; one colour behind all that is transparent.
pub(super) fn encode(picture: &Picture, options: EncodeOptions<'_>) -> Result<Vec<u8>, RenderError> {
    #[cfg(feature = "libaom")]
    return libaom::encode(picture, options.quality);
    #[cfg(not(feature = "libaom"))]
    rav1e::encode(picture, options.quality)
}
