//! Pictures that take long, or much memory, and little room.

use std::io::Write;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

pub(crate) const PHOTO: &[u8] = include_bytes!("../../../../tests/photos/rocket.jpg");

/// 60 million black pixels in some 200 KB: decoding it takes 180 MB, and a large part of a second.
pub(crate) static LARGE: LazyLock<Bytes> = LazyLock::new(|| png(10_000, 6_000).into());

/// Returns a black PNG.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let row = vec![0; 1 + 3 * width as usize];
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..height {
        pixels.write_all(&row).unwrap();
    }
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // Eight bits a sample, red, green and blue, not interlaced.
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &header);
    chunk(&mut png, b"IDAT", &pixels.finish().unwrap());
    chunk(&mut png, b"IEND", b"");
    png
}

fn chunk(png: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    let mut crc = Crc::new();
    crc.update(name);
    crc.update(data);
    png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    png.extend(name);
    png.extend(data);
    png.extend(crc.sum().to_be_bytes());
}
