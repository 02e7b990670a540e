//! Pictures, most of them tiny.

/// A photograph of 640 × 427 pixels.
pub(crate) const PHOTO: &[u8] = include_bytes!("../../../../../tests/photos/rocket.jpg");

/// Reads type, width and height of a JPEG, PNG or WebP as its own head tells them; `None` for anything else.
pub(crate) fn kind_of(file: &[u8]) -> Option<(&'static str, u32, u32)> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
    if file.starts_with(b"\x89PNG") {
        return Some(("image/png", number(&file[16..20]), number(&file[20..24])));
    }
    if file.starts_with(b"RIFF") && &file[12..16] == b"VP8 " {
        let side = |at: usize| u32::from(u16::from_le_bytes([file[at], file[at + 1]]) & 0x3fff);
        return Some(("image/webp", side(26), side(28)));
    }
    let mut rest = file.strip_prefix(b"\xff\xd8")?;
    while let [0xff, marker, high, low, segment @ ..] = rest {
        if matches!(marker, 0xc0 | 0xc2) {
            return Some(("image/jpeg", number(&segment[3..5]), number(&segment[1..3])));
        }
        rest = rest.get(2 + number(&[*high, *low]) as usize..)?;
    }
    None
}

/// One grey pixel.
pub(crate) const PNG: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\x0aIDATx\xdach\x00\x00\x00\x82\x00\x81\xdaE\x08;\x00\x00\x00\x00IEND\xaeB`\x82";

/// One pixel of nothing.
pub(crate) const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;";

/// A document that would run a script in a browser.
pub(crate) const SVG: &[u8] =
    br#"<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><script>alert(1)</script></svg>"#;

/// Returns a PNG whose header claims this size.
pub(crate) fn png_of_size(width: u32, height: u32) -> Vec<u8> {
    let mut png = PNG.to_vec();
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    png
}

/// Returns a PNG of so many bytes: what follows the end of a picture belongs to its file.
pub(crate) fn png_of_bytes(length: usize) -> Vec<u8> {
    let mut png = PNG.to_vec();
    png.resize(length, 0);
    png
}

/// Returns a GIF of so many frames, each of this size by its header.
pub(crate) fn gif_of_frames(width: u16, height: u16, frames: usize) -> Vec<u8> {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let head = [b"GIF89a", &size[..], b"\x80\0\0\0\0\0\xff\xff\xff"].concat();
    let frame = [b",\0\0\0\0", &size[..], b"\0\x02\x02D\x01\0"].concat();
    [&head[..], &frame.repeat(frames), b";"].concat()
}
