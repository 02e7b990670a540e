//! Pixels in memory.

use crate::plan::Size;

/// What the bytes of a pixel mean. Eight bits each, in sRGB unless a colour profile says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layout {
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, opacity; colours are not multiplied with it.
    Rgba,
    /// Cyan, magenta, yellow, black; 255 is full ink.
    Cmyk,
}

impl Layout {
    /// Bytes of a pixel.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Layout::Rgb => 3,
            Layout::Rgba | Layout::Cmyk => 4,
        }
    }
}

/// Rows of pixels without gaps, the top row first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Picture {
    pub(crate) size: Size,
    pub(crate) layout: Layout,
    /// INVARIANT: width × height × bytes of a pixel.
    pub(crate) bytes: Vec<u8>,
}

impl Picture {
    /// Joins pixels and their size; `None` if they are not as many.
    pub(crate) fn new(size: Size, layout: Layout, bytes: Vec<u8>) -> Option<Picture> {
        let expected = u64::from(size.width) * u64::from(size.height) * layout.bytes() as u64;
        (bytes.len() as u64 == expected).then_some(Picture { size, layout, bytes })
    }

    /// Returns a picture of one colour, in as many channels as the colour has.
    pub(crate) fn filled<const N: usize>(size: Size, layout: Layout, pixel: [u8; N]) -> Picture {
        assert_eq!(layout.bytes(), N, "a pixel of this layout");
        let count = size.width as usize * size.height as usize;
        Picture { size, layout, bytes: pixel.repeat(count) }
    }

    /// Bytes of a row.
    pub(crate) fn stride(&self) -> usize {
        self.size.width as usize * self.layout.bytes()
    }

    /// The rows, from the top.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.stride())
    }

    /// Says whether every pixel hides what is beneath it.
    pub(crate) fn is_opaque(&self) -> bool {
        self.layout != Layout::Rgba || self.bytes.chunks_exact(4).all(|pixel| pixel[3] == 255)
    }
}
