//! Files made by hand, as small as their formats allow.

/// First bytes of each type, up to where its numbers begin.
pub(crate) const HEADS: [&[u8]; 9] = [
    b"\xff\xd8\xff",
    b"\xff\xd8\xff\xc0\0\x0b\x08",
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
    b"GIF89a",
    b"GIF87a\x01\0\x01\0\0\0\0",
    b"RIFF\x50\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0",
    b"RIFF\x50\0\0\0WEBP",
    b"\0\0\0\x10ftypavif\0\0\0\0",
    b"<svg ",
];

pub(crate) fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let [height, width] = [height, width].map(u16::to_be_bytes);
    let mut bytes = b"\xff\xd8\xff\xc0\0\x0b\x08".to_vec();
    bytes.extend([height, width].concat());
    bytes.extend(b"\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0\0");
    bytes
}

pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let length = (data.len() as u32).to_be_bytes();
        [&length, kind, data, &[0; 4]].concat()
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let chunks = [chunk(b"IHDR", &header), chunk(b"IDAT", b""), chunk(b"IEND", b"")];
    [&b"\x89PNG\r\n\x1a\n"[..], &chunks.concat()].concat()
}

/// A GIF with frames of x, y, width and height.
pub(crate) fn gif(width: u16, height: u16, frames: &[(u16, u16, u16, u16)]) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend([width, height].map(u16::to_le_bytes).concat());
    bytes.extend([0; 3]);
    for &(x, y, width, height) in frames {
        bytes.push(b',');
        bytes.extend([x, y, width, height].map(u16::to_le_bytes).concat());
        bytes.extend(b"\0\x02\x02L\x01\0");
    }
    bytes.push(b';');
    bytes
}

fn riff(chunks: &[u8]) -> Vec<u8> {
    let length = (4 + chunks.len() as u32).to_le_bytes();
    [b"RIFF", &length, b"WEBP", chunks].concat()
}

fn riff_chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let padding: &[u8] = if data.len().is_multiple_of(2) { &[] } else { &[0] };
    [kind, &(data.len() as u32).to_le_bytes(), data, padding].concat()
}

fn lossy_chunk(width: u16, height: u16) -> Vec<u8> {
    let sides = [width, height].map(u16::to_le_bytes).concat();
    riff_chunk(b"VP8 ", &[&b"\0\0\0\x9d\x01\x2a"[..], &sides].concat())
}

pub(crate) fn webp_lossy(width: u16, height: u16) -> Vec<u8> {
    riff(&lossy_chunk(width, height))
}

/// An animated WebP with frames of x / 2, y / 2, width and height.
pub(crate) fn webp_extended(width: u32, height: u32, frames: &[(u32, u32, u32, u32)]) -> Vec<u8> {
    let number = |value: u32| value.to_le_bytes()[..3].to_vec();
    let mut header = vec![2, 0, 0, 0];
    header.extend([number(width - 1), number(height - 1)].concat());
    let mut chunks = riff_chunk(b"VP8X", &header);
    for &(x, y, width, height) in frames {
        let mut frame = [number(x), number(y), number(width - 1), number(height - 1)].concat();
        frame.extend([0; 4]);
        frame.extend(lossy_chunk(width as u16, height as u16));
        chunks.extend(riff_chunk(b"ANMF", &frame));
    }
    riff(&chunks)
}

fn mp4_box(kind: &[u8], data: &[u8]) -> Vec<u8> {
    [&(8 + data.len() as u32).to_be_bytes(), kind, data].concat()
}

pub(crate) fn avif(width: u32, height: u32) -> Vec<u8> {
    avif_of(width, height, &[])
}

pub(crate) fn avif_with_locations(locations: &[u8]) -> Vec<u8> {
    avif_of(1, 1, &mp4_box(b"iloc", locations))
}

fn avif_of(width: u32, height: u32, more: &[u8]) -> Vec<u8> {
    let size = [[0; 4], width.to_be_bytes(), height.to_be_bytes()].concat();
    let properties = mp4_box(b"ipco", &mp4_box(b"ispe", &size));
    // One item, number 1, with one property, the first.
    let associations = mp4_box(b"ipma", b"\0\0\0\0\0\0\0\x01\0\x01\x01\x81");
    let description = [
        &[0; 4],
        &mp4_box(b"pitm", b"\0\0\0\0\0\x01")[..],
        &mp4_box(b"iprp", &[properties, associations].concat()),
        more,
    ];
    let parts = [
        mp4_box(b"ftyp", b"avif\0\0\0\0mif1avif"),
        mp4_box(b"meta", &description.concat()),
        mp4_box(b"mdat", b"x"),
    ];
    parts.concat()
}
