//! Prints how like two PNG files are, by SSIMULACRA2: 100 is the same, above 80 hard to tell apart.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;

use ssimulacra2::{ColorPrimaries, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let [reference, other] = &paths[..] else { return Err("expected two PNG files".into()) };
    println!("{}", compute_frame_ssimulacra2(read(reference)?, read(other)?)?);
    Ok(())
}

fn read(path: &str) -> Result<Rgb, Box<dyn Error>> {
    let mut decoder = png::Decoder::new(BufReader::new(File::open(path)?));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let mut bytes = vec![0; reader.output_buffer_size().ok_or("too large")?];
    let info = reader.next_frame(&mut bytes)?;
    let channels = info.color_type.samples();
    let value = |byte: u8| f32::from(byte) / 255.0;
    let pixels = bytes.chunks_exact(channels).map(|pixel| match pixel {
        [red, green, blue, ..] => [value(*red), value(*green), value(*blue)],
        [grey, ..] => [value(*grey); 3],
        [] => [0.0; 3],
    });
    let (width, height) = (info.width as usize, info.height as usize);
    Ok(Rgb::new(pixels.collect(), width, height, TransferCharacteristic::SRGB, ColorPrimaries::BT709)?)
}
