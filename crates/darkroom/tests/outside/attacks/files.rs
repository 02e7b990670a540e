//! Makers of hostile files, and photographs in each format.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use super::{Target, pixels};
use crate::common::pictures::PHOTO;

/// Returns so many zeros, compressed.
pub(super) fn zeros(count: usize) -> Vec<u8> {
    const PART: usize = 1 << 20;
    let mut zeros = ZlibEncoder::new(Vec::new(), Compression::best());
    for _ in 0..count / PART {
        zeros.write_all(&[0; PART]).unwrap();
    }
    zeros.write_all(&vec![0; count % PART]).unwrap();
    zeros.finish().unwrap()
}

/// Returns a grey PNG of eight bits with these pixels and, before them, other chunks.
pub(super) fn png(width: u32, height: u32, chunks: &[(&[u8; 4], Vec<u8>)], pixels: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(png_chunk(b"IHDR", &header));
    chunks.iter().for_each(|(kind, data)| png.extend(png_chunk(kind, data)));
    png.extend(png_chunk(b"IDAT", pixels));
    png.extend(png_chunk(b"IEND", b""));
    png
}

pub(super) fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes(), &kind[..], data, &crc.sum().to_be_bytes()].concat()
}

/// Returns a GIF whose frames are one pixel each, however large its screen is.
pub(super) fn gif_of_dots(width: u16, height: u16, frames: usize) -> Vec<u8> {
    let screen = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let head = [b"GIF89a", &screen[..], b"\x80\0\0\0\0\0\xff\xff\xff"].concat();
    let frame = b"!\xf9\x04\0\x02\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0";
    [&head[..], &frame.repeat(frames), b";"].concat()
}

/// Returns a GIF of one black frame.
pub(super) fn flat_gif(width: u16, height: u16) -> Vec<u8> {
    let pixels = vec![0; usize::from(width) * usize::from(height)];
    let frame = gif::Frame::from_palette_pixels(width, height, pixels, [0, 0, 0, 255, 255, 255], None);
    let mut encoder = gif::Encoder::new(Vec::new(), width, height, &[]).unwrap();
    encoder.write_frame(&frame).unwrap();
    encoder.into_inner().unwrap()
}

/// Returns a lossless WebP of this size in one colour, which takes no bit a pixel.
pub(super) fn flat_webp(width: u32, height: u32) -> Vec<u8> {
    riff(&riff_chunk(b"VP8L", &flat_lossless(width, height)))
}

/// Returns a WebP of frames that are each as large as the whole, in one colour.
pub(super) fn flat_webp_animation(width: u32, height: u32, frames: usize) -> Vec<u8> {
    let number = |value: u32| value.to_le_bytes()[..3].to_vec();
    let sides = [number(width - 1), number(height - 1)].concat();
    let extended = riff_chunk(b"VP8X", &[&[2, 0, 0, 0], &sides[..]].concat());
    let animation = riff_chunk(b"ANIM", &[0; 6]);
    let place = [&[0; 6], &sides[..], &[20, 0, 0, 0]].concat();
    let picture = riff_chunk(b"VP8L", &flat_lossless(width, height));
    let frame = riff_chunk(b"ANMF", &[place, picture].concat());
    riff(&[extended, animation, frame.repeat(frames)].concat())
}

fn flat_lossless(width: u32, height: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(0x2f, 8);
    bits.put(width - 1, 14);
    bits.put(height - 1, 14);
    // No opacity in use, version 0; neither transform nor cache of colours nor groups of codes.
    bits.put(0, 1 + 3);
    bits.put(0, 1 + 1 + 1);
    // Green, red, blue, opacity, distance: each has a code of one symbol, and so of no bit.
    for symbol in [200, 0, 0, 255, 0] {
        bits.put(0b101, 3);
        bits.put(symbol, 8);
    }
    bits.bytes
}

/// Bits, the lowest of a byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, number: u32, count: usize) {
        for place in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (number >> place & 1) as u8;
            *self.bytes.last_mut().unwrap() |= bit << (self.count % 8);
            self.count += 1;
        }
    }
}

fn riff(chunks: &[u8]) -> Vec<u8> {
    [b"RIFF", &(4 + chunks.len() as u32).to_le_bytes(), &b"WEBP"[..], chunks].concat()
}

fn riff_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let padding: &[u8] = if data.len().is_multiple_of(2) { &[] } else { &[0] };
    [&kind[..], &(data.len() as u32).to_le_bytes(), data, padding].concat()
}

/// Returns an AVIF with another size in each of its properties that tell one.
pub(super) fn avif_that_claims(avif: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut avif = avif.to_vec();
    for at in places(&avif, b"ispe") {
        avif[at + 8..at + 12].copy_from_slice(&width.to_be_bytes());
        avif[at + 12..at + 16].copy_from_slice(&height.to_be_bytes());
    }
    avif
}

/// Returns an AVIF whose columns and rows are all the picture of another, a square.
pub(super) fn avif_grid(tile: &[u8], side: u32, columns: u8, rows: u8) -> Vec<u8> {
    const GRID: u16 = 1;
    let stream = &tile[places(tile, b"mdat")[0] + 4..];
    let size = |width: u32, height: u32| {
        mp4_box(b"ispe", &[[0; 4], width.to_be_bytes(), height.to_be_bytes()].concat())
    };
    let (width, height) = (side * u32::from(columns), side * u32::from(rows));
    let count = u16::from(columns) * u16::from(rows);
    let grid = [&[0, 1, rows - 1, columns - 1], &width.to_be_bytes()[..], &height.to_be_bytes()].concat();
    let tiles = GRID + 1..=GRID + count;
    let item = |id: u16, kind: &[u8; 4]| {
        mp4_box(b"infe", &[&[2, 0, 0, 0], &id.to_be_bytes()[..], &[0, 0], kind, &[0]].concat())
    };
    let mut items = [&[0; 4], &(count + 1).to_be_bytes()[..], &item(GRID, b"grid")].concat();
    let mut references = [GRID, count].map(u16::to_be_bytes).concat();
    let properties = [&size(width, height), &size(side, side), box_at(tile, b"av1C")].concat();
    // The first property belongs to the grid, the others to each tile, which has to know the last.
    let mut associations = [&[0; 4], &u32::from(count + 1).to_be_bytes()[..], &[0, 1, 1, 1]].concat();
    for id in tiles.clone() {
        items.extend(item(id, b"av01"));
        references.extend(id.to_be_bytes());
        associations.extend([&id.to_be_bytes()[..], &[2, 2, 0x83]].concat());
    }
    let meta = |start: usize| {
        let place = |id: u16, method: u8, offset: usize, length: usize| {
            let numbers = [offset, length].map(|number| (number as u32).to_be_bytes()).concat();
            [&id.to_be_bytes()[..], &[0, method, 0, 0, 0, 1], &numbers].concat()
        };
        // Offsets and lengths of four bytes. The grid lies in the box itself, its tiles in the file.
        let mut locations = [&[1, 0, 0, 0, 0x44, 0], &(count + 1).to_be_bytes()[..]].concat();
        locations.extend(place(GRID, 1, 0, grid.len()));
        for (number, id) in tiles.clone().enumerate() {
            locations.extend(place(id, 0, start + number * stream.len(), stream.len()));
        }
        let parts = [
            vec![0; 4],
            mp4_box(b"hdlr", &[&[0; 8], &b"pict"[..], &[0; 13]].concat()),
            mp4_box(b"pitm", &[0, 0, 0, 0, 0, 1]),
            mp4_box(b"iloc", &locations),
            mp4_box(b"iinf", &items),
            mp4_box(b"iref", &[&[0; 4], &mp4_box(b"dimg", &references)[..]].concat()),
            mp4_box(b"iprp", &[mp4_box(b"ipco", &properties), mp4_box(b"ipma", &associations)].concat()),
            mp4_box(b"idat", &grid),
        ];
        mp4_box(b"meta", &parts.concat())
    };
    let head = mp4_box(b"ftyp", b"avif\0\0\0\0mif1avif");
    let start = head.len() + meta(0).len() + 8;
    [head, meta(start), mp4_box(b"mdat", &stream.repeat(count.into()))].concat()
}

fn mp4_box(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&(8 + data.len() as u32).to_be_bytes(), &kind[..], data].concat()
}

/// Returns the first box of a kind, with its head.
fn box_at<'a>(file: &'a [u8], kind: &[u8; 4]) -> &'a [u8] {
    let start = places(file, kind)[0] - 4;
    let length = u32::from_be_bytes(file[start..start + 4].try_into().unwrap()) as usize;
    &file[start..start + length]
}

/// Returns where a word of four letters stands in a file.
fn places(file: &[u8], word: &[u8; 4]) -> Vec<usize> {
    (0..file.len().saturating_sub(3)).filter(|&at| file[at..].starts_with(word)).collect()
}

/// Returns a progressive JPEG of so many bytes and more, all of it scans that it had before.
pub(super) fn jpeg_of_scans(jpeg: &[u8], bytes_min: usize) -> Vec<u8> {
    let start = jpeg_frame_end(jpeg);
    let (head, scans) = (&jpeg[..start], &jpeg[start..jpeg.len() - 2]);
    [head, &scans.repeat(bytes_min.div_ceil(scans.len())), b"\xff\xd9"].concat()
}

/// Returns a progressive JPEG whose frame claims another size.
pub(super) fn jpeg_that_claims(jpeg: &[u8], width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = jpeg.to_vec();
    let frame = jpeg_frame(&jpeg);
    jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

/// Returns a JPEG with one more segment behind its first marker.
pub(super) fn jpeg_with_segment(jpeg: &[u8], marker: u8, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, data, &jpeg[2..]].concat()
}

/// Finds the frame header of a progressive JPEG.
fn jpeg_frame(jpeg: &[u8]) -> usize {
    let mut at = 2;
    while jpeg[at + 1] != 0xc2 {
        at += 2 + jpeg_length(jpeg, at);
    }
    at
}

fn jpeg_frame_end(jpeg: &[u8]) -> usize {
    let frame = jpeg_frame(jpeg);
    frame + 2 + jpeg_length(jpeg, frame)
}

fn jpeg_length(jpeg: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]))
}

/// Returns the photograph as a GIF of two frames in 256 colours.
pub(super) fn photo_gif(png: &[u8], width: u16, height: u16) -> Vec<u8> {
    let palette: Vec<u8> =
        (0..=255).flat_map(|index: u8| [index & 0xe0, index << 3 & 0xe0, index << 6]).collect();
    let indices = pixels(png).into_iter().map(|pixel| pixel[0] & 0xe0 | pixel[1] >> 3 & 0x1c | pixel[2] >> 6);
    let indices: Vec<u8> = indices.collect();
    let mut encoder = gif::Encoder::new(Vec::new(), width, height, &palette).unwrap();
    let turned: Vec<u8> = indices.iter().rev().copied().collect();
    for buffer in [indices, turned] {
        let frame = gif::Frame { width, height, delay: 10, buffer: buffer.into(), ..gif::Frame::default() };
        encoder.write_frame(&frame).unwrap();
    }
    encoder.into_inner().unwrap()
}

/// A drawing of more than a few kilobytes.
pub(super) fn drawing() -> Vec<u8> {
    let circle = |number: usize| format!("<circle cx=\"{number}\" cy=\"{}\" r=\"2\"/>", number * 7 % 100);
    let circles: String = (0..200).map(circle).collect();
    let head = r#"<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100">"#;
    format!("{head}{circles}</svg>").into_bytes()
}

/// A photograph in one of the formats.
pub(super) struct Photo {
    pub(super) name: &'static str,
    pub(super) media_type: &'static str,
    pub(super) file: Vec<u8>,
}

/// Returns the photograph in each format, most of them written by the server itself.
pub(super) async fn photos(target: &Target) -> Vec<Photo> {
    let made = async |id: &str, options: &str| {
        let answer = target.hosted(id, options).await;
        assert_eq!(answer.status, 200, "{options}: {}", answer.text());
        answer.body
    };
    let small = made("ordinary", "w=160,h=100,fit=crop,format=png-force").await;
    let gif = photo_gif(&small, 160, 100);
    target.store("animation", &gif).await;
    let photo = |name, media_type, file| Photo { name, media_type, file };
    vec![
        photo("JPEG", "image/jpeg", PHOTO.to_vec()),
        photo("progressive JPEG", "image/jpeg", made("ordinary", "w=300,format=jpeg").await),
        photo("PNG", "image/png", made("ordinary", "w=200,format=png-force").await),
        photo("PNG of a palette", "image/png", made("ordinary", "w=300,format=png-force,q=50").await),
        photo("WebP", "image/webp", made("ordinary", "w=640,format=webp").await),
        photo("lossless WebP", "image/webp", made("ordinary", "w=160,format=webp,q=100").await),
        photo("animated WebP", "image/webp", made("animation", "w=160,format=webp").await),
        photo("AVIF", "image/avif", made("ordinary", "w=500,format=avif").await),
        photo("GIF", "image/gif", gif),
        photo("SVG", "image/svg+xml", drawing()),
    ]
}
