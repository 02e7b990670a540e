//! Pictures that no two uploads share: one pixel, and a private chunk of random bytes.

use crate::chance::Chance;

/// Most random bytes in a picture: enough for several writes to the file.
const NOISE_BYTES_MAX: usize = 40_000;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const HEADER: &[u8] = b"\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";
const PIXEL: &[u8] =
    &[0x78, 0x9c, 0x63, 0xfc, 0xcf, 0xc0, 0x50, 0x0f, 0, 4, 0x85, 1, 0x80, 0x84, 0xa9, 0x8c, 0x21];

/// Returns the picture with this number.
pub(crate) fn picture(number: u64) -> Vec<u8> {
    let mut chance = Chance::from_seed(number);
    let noise: Vec<u8> = (0..chance.below(NOISE_BYTES_MAX)).map(|_| chance.next() as u8).collect();
    let mut png = SIGNATURE.to_vec();
    for (kind, content) in [(b"IHDR", HEADER), (b"noSe", &noise), (b"IDAT", PIXEL), (b"IEND", &[])] {
        let start = png.len() + 4;
        png.extend_from_slice(&u32::try_from(content.len()).expect("small").to_be_bytes());
        png.extend_from_slice(kind);
        png.extend_from_slice(content);
        png.extend_from_slice(&crc(&png[start..]).to_be_bytes());
    }
    png
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
