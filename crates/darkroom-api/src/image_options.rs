//! The option list of a delivery URL: `width=400,fit=cover` (reference: delivery §1.3, §5).
//!
//! [`OPTIONS`] declares each option once; what reads a list, and the documents, read the table.

use darkroom_model::image_options::{BorderTrim, Color, Flip, Gravity, Length, OutputFormat, Width};
use darkroom_model::{Fit, ImageOptions, KeptMetadata};
use percent_encoding::percent_decode_str;

use crate::delivery_error::DeliveryError;
use crate::error_codes::echo;

/// Warnings that one list can give; further ones are left out.
pub const WARNINGS_MAX: usize = 8;

/// Bytes of a colour. Colours can be nested in one another, and whoever reads them goes as deep as they do.
const COLOR_BYTES_MAX: usize = 100;

/// One option.
pub struct OptionRow {
    /// Its name.
    pub name: &'static str,
    /// A shorter name, which the longer one overrules.
    pub alias: Option<&'static str>,
    /// What a value must be, to end the sentence "expected …".
    pub expected: &'static str,
    /// What it does, for the documents.
    pub help: &'static str,
    set: fn(&mut Reading, &str) -> Result<(), Problem>,
}

/// Why a value is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Problem {
    /// It is no number where one is expected; the option counts as not given.
    NotANumber,
    /// It is nothing that is expected.
    Refused,
}

/// A list as it is read.
#[derive(Default)]
struct Reading {
    options: ImageOptions,
    warnings: Vec<String>,
}

/// A list that has been read.
#[derive(Clone, PartialEq, Debug)]
pub struct OptionList {
    /// What it asks for.
    pub options: ImageOptions,
    /// What the client should know, for the header `warning`; at most [`WARNINGS_MAX`].
    pub warnings: Vec<String>,
    /// Whether a format was asked for: without one, images from elsewhere are not those of the account (reference:
    /// delivery §4.1).
    pub is_format_given: bool,
}

impl OptionList {
    /// Reads the last segment of a delivery URL, still encoded. Of an option that is given twice the first counts.
    /// Unknown ones are passed over with a warning; a list in which none is known is refused.
    pub fn parse(raw: &str) -> Result<OptionList, DeliveryError> {
        let mut reading = Reading::default();
        let mut given: Vec<(&OptionRow, bool)> = Vec::new();
        for part in raw.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let Some(row) = OPTIONS.iter().find(|row| row.name == name || row.alias == Some(name)) else {
                reading.warn(format!("unknown option '{}'", printable(name)));
                continue;
            };
            let by_alias = row.name != name;
            match given.iter_mut().find(|(other, _)| other.name == row.name) {
                Some((_, was_by_alias)) if *was_by_alias && !by_alias => *was_by_alias = false,
                Some(_) => continue,
                None => given.push((row, by_alias)),
            }
            let value = percent_decode_str(value).decode_utf8().map_err(|_| DeliveryError::invalid_text())?;
            match (row.set)(&mut reading, &value) {
                Ok(()) | Err(Problem::NotANumber) => {}
                Err(Problem::Refused) => return Err(row.refusal(&value)),
            }
        }
        if given.is_empty() {
            return Err(DeliveryError::invalid_options("expected at least one option, such as width=400"));
        }
        let is_format_given = given.iter().any(|(row, _)| row.name == "format");
        Ok(OptionList { options: reading.options, warnings: reading.warnings, is_format_given })
    }
}

impl OptionRow {
    fn refusal(&self, value: &str) -> DeliveryError {
        DeliveryError::invalid_options(format!(
            "{} is '{}', expected {}",
            self.name,
            echo(value),
            self.expected
        ))
    }
}

impl Reading {
    fn warn(&mut self, warning: String) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(warning);
        }
    }
}

/// Returns a name as it may stand in a header: only what a name may have, and no more than a name has.
fn printable(name: &str) -> String {
    name.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '.')).take(30).collect()
}

/// Every option, in the order of the documents.
pub static OPTIONS: &[OptionRow] = &[
    OptionRow {
        name: "width",
        alias: Some("w"),
        expected: "a whole number of pixels from 1, or auto",
        help: "Width to fit into; auto: as the client's screen suggests.",
        set: |reading, text| match text {
            "auto" => put(&mut reading.options.width, Some(Width::Auto)),
            _ => put(&mut reading.options.width, side(text)?.map(Width::Pixels)),
        },
    },
    OptionRow {
        name: "height",
        alias: Some("h"),
        expected: "a whole number of pixels from 1",
        help: "Height to fit into.",
        set: |reading, text| put(&mut reading.options.height, side(text)?),
    },
    OptionRow {
        name: "dpr",
        alias: None,
        expected: "a number above 0",
        help: "Multiplies width, height and trim; above 3 it is 3.",
        set: |reading, text| {
            let dpr = number(text, |dpr| dpr > 0.0)?;
            if dpr > ImageOptions::DPR_MAX {
                reading.warn("dpr > 3 should never be used".to_owned());
            }
            put(&mut reading.options.dpr, dpr.min(ImageOptions::DPR_MAX))
        },
    },
    OptionRow {
        name: "fit",
        alias: None,
        expected: "scale-down, scale-up, contain, cover, crop, aspect-crop, pad or squeeze",
        help: "How the image is fitted into width and height.",
        set: |reading, text| word(&mut reading.options.fit, Fit::parse(text)),
    },
    OptionRow {
        name: "gravity",
        alias: Some("g"),
        expected: "center, left, right, top, bottom, auto, entropy, face, or a point such as 0.5x0.25",
        help: "What stays in sight where something is cut off.",
        set: |reading, text| word(&mut reading.options.gravity, gravity(text)),
    },
    OptionRow {
        name: "zoom",
        alias: Some("face-zoom"),
        expected: "a number from 0 to 1",
        help: "With gravity=face, how close to the faces.",
        set: |reading, text| {
            put(&mut reading.options.zoom, number(text, |zoom| (0.0..=1.0).contains(&zoom))?)
        },
    },
    OptionRow {
        name: "trim",
        alias: None,
        expected: "top;right;bottom;left in pixels or as fractions below 1, or border",
        help: "Cuts off sides before anything else.",
        set: |reading, text| {
            let trim = &mut reading.options.trim;
            if text == "border" {
                trim.border.get_or_insert_default();
                return Ok(());
            }
            let sides: Vec<&str> = text.split(';').collect();
            let &[top, right, bottom, left] = &sides[..] else { return Err(Problem::Refused) };
            for (side, text) in [
                (&mut trim.top, top),
                (&mut trim.right, right),
                (&mut trim.bottom, bottom),
                (&mut trim.left, left),
            ] {
                *side = Some(length(text).map_err(|_| Problem::Refused)?);
            }
            Ok(())
        },
    },
    trim_row("trim.top", |reading, text| put(&mut reading.options.trim.top, Some(length(text)?))),
    trim_row("trim.right", |reading, text| put(&mut reading.options.trim.right, Some(length(text)?))),
    trim_row("trim.bottom", |reading, text| put(&mut reading.options.trim.bottom, Some(length(text)?))),
    trim_row("trim.left", |reading, text| put(&mut reading.options.trim.left, Some(length(text)?))),
    trim_row("trim.width", |reading, text| put(&mut reading.options.trim.width, Some(length(text)?))),
    trim_row("trim.height", |reading, text| put(&mut reading.options.trim.height, Some(length(text)?))),
    OptionRow {
        name: "trim.border.color",
        alias: None,
        expected: COLOR,
        help: "Cuts off a border of this colour.",
        set: |reading, text| put(&mut border(reading).color, Some(color(text)?)),
    },
    OptionRow {
        name: "trim.border.tolerance",
        alias: None,
        expected: "a number from 0 to 255",
        help: "How far a border's pixels may be from its colour.",
        set: |reading, text| {
            let tolerance = number(text, |number| (0.0..=255.0).contains(&number))?;
            put(&mut border(reading).tolerance, Some(tolerance))
        },
    },
    OptionRow {
        name: "trim.border.keep",
        alias: None,
        expected: "a number of pixels from 0",
        help: "How much of a border stays.",
        set: |reading, text| put(&mut border(reading).keep, number(text, |keep| keep >= 0.0)?),
    },
    OptionRow {
        name: "rotate",
        alias: None,
        expected: "0, 90, 180, 270 or 360",
        help: "Turns clockwise, before resizing.",
        set: |reading, text| {
            let turns = ["0", "90", "180", "270", "360"].iter().position(|degrees| *degrees == text);
            word(&mut reading.options.quarter_turns, turns.map(|turns| turns as u8 % 4))
        },
    },
    OptionRow {
        name: "flip",
        alias: None,
        expected: "h, v or hv",
        help: "Mirrors, before it is turned.",
        set: |reading, text| {
            let is_known = matches!(text, "h" | "v" | "hv");
            let flip = Flip { horizontal: text.contains('h'), vertical: text.contains('v') };
            word(&mut reading.options.flip, is_known.then_some(flip))
        },
    },
    OptionRow {
        name: "background",
        alias: None,
        expected: COLOR,
        help: "Beneath transparent pixels, and around the image with fit=pad.",
        set: |reading, text| put(&mut reading.options.background, Some(color(text)?)),
    },
    OptionRow {
        name: "blur",
        alias: None,
        expected: "a number from 0 to 250",
        help: "Radius of a blur; below 1 there is nothing to see.",
        set: |reading, text| {
            put(&mut reading.options.blur, number(text, |blur| (0.0..=250.0).contains(&blur))?)
        },
    },
    OptionRow {
        name: "sharpen",
        alias: None,
        expected: "a number from 0 to 10",
        help: "Sharpens; 1 suits an image that was made smaller.",
        set: |reading, text| {
            put(&mut reading.options.sharpen, number(text, |sharpen| (0.0..=10.0).contains(&sharpen))?)
        },
    },
    factor_row("brightness", "Factor: 0.5 is half as bright, 2 twice.", |reading, text| {
        put_unless_zero(&mut reading.options.brightness, factor(text)?)
    }),
    factor_row("contrast", "Factor: 0.5 is half the contrast, 2 twice.", |reading, text| {
        put_unless_zero(&mut reading.options.contrast, factor(text)?)
    }),
    factor_row("gamma", "Exposure: 0.5 darkens, 2 lightens.", |reading, text| {
        put_unless_zero(&mut reading.options.gamma, factor(text)?)
    }),
    factor_row("saturation", "Factor: 0 is grey, 2 twice as colourful.", |reading, text| {
        put(&mut reading.options.saturation, factor(text)?)
    }),
    OptionRow {
        name: "metadata",
        alias: None,
        expected: "keep, copyright or none",
        help: "Which metadata of the file stays in a JPEG.",
        set: |reading, text| word(&mut reading.options.metadata, KeptMetadata::parse(text)),
    },
    OptionRow {
        name: "anim",
        alias: None,
        expected: "true or false",
        help: "Whether an animation stays one; if not, its first frame is shown.",
        set: |reading, text| word(&mut reading.options.animated, text.parse().ok()),
    },
    OptionRow {
        name: "format",
        alias: Some("f"),
        expected: "auto, avif, webp, jpeg, baseline-jpeg, png, png-force, svg or json",
        help: "In which format the image is sent; auto: the best that the client takes.",
        set: |reading, text| word(&mut reading.options.format, OutputFormat::parse(text)),
    },
    OptionRow {
        name: "quality",
        alias: Some("q"),
        expected: QUALITY,
        help: "How much is kept of what the eye hardly sees.",
        set: |reading, text| put(&mut reading.options.quality, Some(quality(text)?)),
    },
    OptionRow {
        name: "slow-connection-quality",
        alias: Some("scq"),
        expected: QUALITY,
        help: "The quality for clients that say they are on a slow line.",
        set: |reading, text| put(&mut reading.options.slow_connection_quality, Some(quality(text)?)),
    },
    OptionRow {
        name: "compression",
        alias: None,
        expected: "fast",
        help: "The quickest format rather than the smallest.",
        set: |reading, text| word(&mut reading.options.fast_compression, (text == "fast").then_some(true)),
    },
    OptionRow {
        name: "upscale",
        alias: None,
        expected: "interpolate or generate",
        help: "How an image is enlarged; generate is taken for interpolate.",
        set: |reading, text| match text {
            "interpolate" => Ok(()),
            "generate" => {
                reading.warn("upscale=generate is not available".to_owned());
                Ok(())
            }
            _ => Err(Problem::Refused),
        },
    },
    OptionRow {
        name: "segment",
        alias: None,
        expected: "not to be asked for: telling foreground from background is not available",
        help: "Not available.",
        set: |_, _| Err(Problem::Refused),
    },
    OptionRow {
        name: "onerror",
        alias: None,
        expected: "redirect",
        help: "Sends the client to the source when the image cannot be shown; never for hosted images.",
        set: |reading, text| {
            word(&mut reading.options.redirect_on_error, (text == "redirect").then_some(true))
        },
    },
];

const COLOR: &str = "a CSS colour, such as %23ff8800, red or rgb(240%2C40%2C145)";
const QUALITY: &str = "a whole number from 1 to 100, high, medium-high, medium-low or low";

const fn trim_row(name: &'static str, set: fn(&mut Reading, &str) -> Result<(), Problem>) -> OptionRow {
    let expected = "a number of pixels, or a fraction below 1";
    OptionRow { name, alias: None, expected, help: "Part of trim, on its own.", set }
}

const fn factor_row(
    name: &'static str,
    help: &'static str,
    set: fn(&mut Reading, &str) -> Result<(), Problem>,
) -> OptionRow {
    OptionRow { name, alias: None, expected: "a number from 0 and below 255", help, set }
}

fn put<T>(place: &mut T, value: T) -> Result<(), Problem> {
    *place = value;
    Ok(())
}

/// Takes one of several words.
fn word<T>(place: &mut T, value: Option<T>) -> Result<(), Problem> {
    put(place, value.ok_or(Problem::Refused)?)
}

/// A factor of 0 would leave nothing to see, and is passed over.
fn put_unless_zero(place: &mut f64, factor: f64) -> Result<(), Problem> {
    if factor != 0.0 { put(place, factor) } else { Ok(()) }
}

fn border(reading: &mut Reading) -> &mut BorderTrim {
    reading.options.trim.border.get_or_insert_default()
}

fn number(text: &str, is_legal: impl Fn(f64) -> bool) -> Result<f64, Problem> {
    let looks_like_one = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let number: f64 = text.parse().ok().filter(|_| looks_like_one).ok_or(Problem::NotANumber)?;
    if is_legal(number) { Ok(number) } else { Err(Problem::Refused) }
}

fn side(text: &str) -> Result<Option<u32>, Problem> {
    let side = number(text, |side| (1.0..=f64::from(ImageOptions::SIDE_MAX)).contains(&side))?;
    if side.fract() == 0.0 { Ok(Some(side as u32)) } else { Err(Problem::NotANumber) }
}

fn factor(text: &str) -> Result<f64, Problem> {
    number(text, |factor| (0.0..ImageOptions::FACTOR_END).contains(&factor))
}

fn length(text: &str) -> Result<Length, Problem> {
    let length = number(text, |length| (0.0..=f64::from(ImageOptions::SIDE_MAX)).contains(&length))?;
    Ok(if length < 1.0 { Length::Fraction(length) } else { Length::Pixels(length) })
}

fn gravity(text: &str) -> Option<Gravity> {
    let point = |x, y| Some(Gravity::Point { x, y });
    match text {
        "center" => Some(Gravity::CENTER),
        "left" => point(0.0, 0.5),
        "right" => point(1.0, 0.5),
        "top" => point(0.5, 0.0),
        "bottom" => point(0.5, 1.0),
        "auto" => Some(Gravity::Auto),
        "entropy" => Some(Gravity::Entropy),
        "face" => Some(Gravity::Face),
        _ => {
            let (x, y) = text.split_once('x')?;
            let fraction = |text| number(text, |fraction| (0.0..=1.0).contains(&fraction)).ok();
            point(fraction(x)?, fraction(y)?)
        }
    }
}

/// Reads a quality; the names are those of the original's emulator (reference: delivery §4.3).
fn quality(text: &str) -> Result<u8, Problem> {
    match text {
        "high" => Ok(90),
        "medium-high" => Ok(70),
        "medium-low" => Ok(50),
        "low" => Ok(35),
        _ => {
            let quality = number(text, |quality| (1.0..=100.0).contains(&quality))?;
            if quality.fract() == 0.0 { Ok(quality as u8) } else { Err(Problem::NotANumber) }
        }
    }
}

fn color(text: &str) -> Result<Color, Problem> {
    if text.len() > COLOR_BYTES_MAX {
        return Err(Problem::Refused);
    }
    let color = csscolorparser::parse(text).map_err(|_| Problem::Refused)?;
    let [red, green, blue, alpha] = color.to_rgba8();
    Ok(Color { red, green, blue, alpha })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> ImageOptions {
        let list = OptionList::parse(list).unwrap();
        assert_eq!(list.warnings, Vec::<String>::new());
        list.options
    }

    #[track_caller]
    fn check(list: &str, change: impl FnOnce(&mut ImageOptions)) {
        let mut expected = ImageOptions::default();
        change(&mut expected);
        assert_eq!(read(list), expected, "{list}");
    }

    #[track_caller]
    fn refused(list: &str, message: &str) {
        let error = OptionList::parse(list).unwrap_err();
        let expected = format!("Missing or invalid resizing parameters: {message}");
        assert_eq!((error.status, error.code, error.message), (400, 9401, expected), "{list}");
    }

    #[test]
    fn sizes() {
        check("width=400,height=300", |options| {
            (options.width, options.height) = (Some(Width::Pixels(400)), Some(300));
        });
        check("w=400", |options| options.width = Some(Width::Pixels(400)));
        check("width=auto", |options| options.width = Some(Width::Auto));
        check("h=1,dpr=1.5,fit=cover", |options| {
            (options.height, options.dpr, options.fit) = (Some(1), 1.5, Fit::Cover);
        });
        refused("width=0", "width is '0', expected a whole number of pixels from 1, or auto");
        refused("h=-5", "height is '-5', expected a whole number of pixels from 1");
        refused("width=1000001", "width is '1000001', expected a whole number of pixels from 1, or auto");
        refused("dpr=0", "dpr is '0', expected a number above 0");
        refused(
            "fit=stretch",
            "fit is 'stretch', expected scale-down, scale-up, contain, cover, crop, aspect-crop, pad or squeeze",
        );
    }

    #[test]
    fn what_is_no_number_counts_as_not_given() {
        for list in ["width=abc", "w=12.5", "blur=", "quality=1e2", "dpr=NaN", "height=+5", "sharpen=inf"] {
            check(list, |_| {});
        }
    }

    #[test]
    fn the_first_counts_and_the_long_name_before_the_short() {
        check("width=1,width=2", |options| options.width = Some(Width::Pixels(1)));
        check("w=1,width=2", |options| options.width = Some(Width::Pixels(2)));
        check("w=1,width=2,width=3,w=4", |options| options.width = Some(Width::Pixels(2)));
        check("width=2,w=1", |options| options.width = Some(Width::Pixels(2)));
        check("w=1,w=2", |options| options.width = Some(Width::Pixels(1)));
    }

    #[test]
    fn what_is_unknown_is_passed_over_and_named() {
        let list = OptionList::parse("foo=1,w=5,,WIDTH=3,b\u{e9}%0a=2").unwrap();
        assert_eq!(list.options.width, Some(Width::Pixels(5)));
        let expected =
            ["unknown option 'foo'", "unknown option ''", "unknown option 'WIDTH'", "unknown option 'b0a'"];
        assert_eq!(list.warnings, expected);
        let many = (0..100).map(|index| format!(",x{index}=1")).collect::<String>();
        assert_eq!(OptionList::parse(&format!("w=5{many}")).unwrap().warnings.len(), WARNINGS_MAX);
        for list in ["foo=1", "=", "=,=", "Width=5"] {
            refused(list, "expected at least one option, such as width=400");
        }
    }

    #[test]
    fn gravity_is_a_side_a_point_or_a_method() {
        let is = |list, gravity| check(list, |options| options.gravity = gravity);
        is("gravity=left", Gravity::Point { x: 0.0, y: 0.5 });
        is("g=bottom", Gravity::Point { x: 0.5, y: 1.0 });
        is("gravity=0.33x1", Gravity::Point { x: 0.33, y: 1.0 });
        is("gravity=face", Gravity::Face);
        for value in ["1.1x0", "-0.1x0", "0.5", "x", "0.5X0.5", "north", ""] {
            assert_eq!(OptionList::parse(&format!("gravity={value}")).unwrap_err().code, 9401, "{value}");
        }
    }

    #[test]
    fn what_is_cut_off_is_in_pixels_or_parts() {
        use Length::{Fraction, Pixels};
        check("trim=10;0.25;0;1", |options| {
            let trim = &mut options.trim;
            (trim.top, trim.right) = (Some(Pixels(10.0)), Some(Fraction(0.25)));
            (trim.bottom, trim.left) = (Some(Fraction(0.0)), Some(Pixels(1.0)));
        });
        check("trim=1%3B2%3B3%3B4,trim.width=0.5", |options| {
            let trim = &mut options.trim;
            (trim.top, trim.right) = (Some(Pixels(1.0)), Some(Pixels(2.0)));
            (trim.bottom, trim.left) = (Some(Pixels(3.0)), Some(Pixels(4.0)));
            trim.width = Some(Fraction(0.5));
        });
        check("trim=border", |options| options.trim.border = Some(BorderTrim::default()));
        check("trim.border.color=red,trim.border.tolerance=8,trim.border.keep=2", |options| {
            let red = Color { red: 255, green: 0, blue: 0, alpha: 255 };
            options.trim.border = Some(BorderTrim { color: Some(red), tolerance: Some(8.0), keep: 2.0 });
        });
        for value in ["1;2;3", "1;2;3;4;5", "1;2;3;x", "-1;0;0;0", ""] {
            assert_eq!(OptionList::parse(&format!("trim={value}")).unwrap_err().code, 9401, "{value}");
        }
    }

    #[test]
    fn colours_are_those_of_css() {
        let is = |value: &str, [red, green, blue, alpha]: [u8; 4]| {
            let background = read(&format!("background={value}")).background;
            assert_eq!(background, Some(Color { red, green, blue, alpha }), "{value}");
        };
        is("%23ff0000", [255, 0, 0, 255]);
        is("red", [255, 0, 0, 255]);
        is("rgb%28240%2C40%2C145%29", [240, 40, 145, 255]);
        is("rgb%28240%2040%20145%20%2F%2050%25%29", [240, 40, 145, 128]);
        is("transparent", [0, 0, 0, 0]);
        let nested = "rgb(from ".repeat(1_000);
        assert_eq!(OptionList::parse(&format!("background={nested}")).unwrap_err().code, 9401);
        refused("background=rouge", &format!("background is 'rouge', expected {COLOR}"));
    }

    #[test]
    fn strengths_have_ends() {
        check("blur=250,sharpen=10,brightness=254.9", |options| {
            (options.blur, options.sharpen, options.brightness) = (250.0, 10.0, 254.9);
        });
        check("brightness=0,contrast=0,gamma=0,saturation=0", |options| options.saturation = 0.0);
        for list in
            ["blur=251", "blur=-1", "sharpen=10.1", "brightness=255", "contrast=-1", "gamma=300", "zoom=1.01"]
        {
            assert_eq!(OptionList::parse(list).unwrap_err().code, 9401, "{list}");
        }
    }

    #[test]
    fn outputs() {
        check("format=baseline-jpeg,quality=70", |options| {
            (options.format, options.quality) = (OutputFormat::BaselineJpeg, Some(70));
        });
        check(
            "f=json,q=medium-low,scq=low,compression=fast,anim=false,metadata=none,onerror=redirect",
            |options| {
                (options.format, options.quality) = (OutputFormat::Json, Some(50));
                (options.slow_connection_quality, options.fast_compression) = (Some(35), true);
                (options.animated, options.metadata) = (false, KeptMetadata::None);
                options.redirect_on_error = true;
            },
        );
        let formats = "auto, avif, webp, jpeg, baseline-jpeg, png, png-force, svg or json";
        refused("format=jpg", &format!("format is 'jpg', expected {formats}"));
        refused("quality=101", &format!("quality is '101', expected {QUALITY}"));
        for list in ["anim=1", "compression=slow", "segment=foreground", "rotate=45", "flip=x", "flip="] {
            assert_eq!(OptionList::parse(list).unwrap_err().code, 9401, "{list}");
        }
        check("rotate=270,flip=hv", |options| {
            (options.quarter_turns, options.flip) = (3, Flip { horizontal: true, vertical: true });
        });
        check("rotate=360,flip=v,upscale=interpolate", |options| options.flip.vertical = true);
    }

    #[test]
    fn what_is_done_otherwise_is_said() {
        let list = OptionList::parse("dpr=4,upscale=generate").unwrap();
        assert_eq!(list.options.dpr, 3.0);
        assert_eq!(list.warnings, ["dpr > 3 should never be used", "upscale=generate is not available"]);
    }

    #[test]
    fn each_name_is_there_once() {
        let mut names: Vec<&str> =
            OPTIONS.iter().flat_map(|row| [Some(row.name), row.alias]).flatten().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
