//! What each option does, as a picture: docs/options.md and the pictures beside it are what the server answers here
//! (reference: delivery §5). `cargo xtask golden` makes them anew; then look at every one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use darkroom_api::image_options::{OPTIONS, OptionRow};
use darkroom_model::Limits;
use darkroom_transform::probe;
use serde_json::json;

use super::common::client::Form;
use super::common::{HASH, TestServer};

/// One picture.
struct Case {
    /// The option that it shows.
    option: &'static str,
    /// The end of its URL.
    list: &'static str,
    /// A photograph of `tests/photos`, or [`FRAMED`].
    photo: &'static str,
    /// Width and height of the picture.
    size: (u32, u32),
}

const CAT: &str = "chelsea.png";
const COFFEE: &str = "coffee.png";
const ROCKET: &str = "rocket.jpg";
const ASTRONAUT: &str = "astronaut.png";
/// The cat with a border, as the server itself draws it.
const FRAMED: &str = "framed.png";
const FRAME: &str = "fit=pad,width=240,height=240,background=%23ff8800,format=png-force";

const fn case(option: &'static str, list: &'static str, photo: &'static str, size: (u32, u32)) -> Case {
    Case { option, list, photo, size }
}

/// Pictures are small, since they are kept with the code; JPEG, where another format is not the point.
const CASES: &[Case] = &[
    case("width", "width=240,format=jpeg", ROCKET, (240, 160)),
    case("height", "height=120,format=jpeg", ROCKET, (180, 120)),
    case("dpr", "width=120,dpr=2,format=jpeg", ROCKET, (240, 160)),
    case("fit", "fit=scale-down,width=200,height=200,format=jpeg", ROCKET, (200, 133)),
    case("fit", "fit=contain,width=200,height=200,format=jpeg", ROCKET, (200, 133)),
    case("fit", "fit=cover,width=200,height=200,format=jpeg", ROCKET, (200, 200)),
    case("fit", "fit=crop,width=200,height=200,format=jpeg", ROCKET, (200, 200)),
    case("fit", "fit=aspect-crop,width=200,height=100,format=jpeg", ROCKET, (200, 100)),
    case("fit", "fit=pad,width=200,height=200,format=jpeg", ROCKET, (200, 200)),
    case("fit", "fit=squeeze,width=200,height=200,format=jpeg", ROCKET, (200, 200)),
    case(
        "fit",
        "fit=scale-up,width=200,height=200,trim.width=80,trim.height=60,format=jpeg",
        ROCKET,
        (200, 150),
    ),
    case("gravity", "fit=cover,width=120,height=200,gravity=left,format=jpeg", COFFEE, (120, 200)),
    case("gravity", "fit=cover,width=120,height=200,gravity=0.75x0.5,format=jpeg", COFFEE, (120, 200)),
    case("gravity", "fit=cover,width=120,height=200,gravity=auto,format=jpeg", COFFEE, (120, 200)),
    case("gravity", "fit=cover,width=120,height=200,gravity=entropy,format=jpeg", COFFEE, (120, 200)),
    case("trim", "trim=20;0.25;20;0.25,width=240,format=jpeg", CAT, (225, 260)),
    case("trim", "trim=border,width=200,format=jpeg", FRAMED, (200, 133)),
    case("trim.top", "trim.top=0.4,width=200,format=jpeg", CAT, (200, 80)),
    case("trim.right", "trim.right=0.4,width=200,format=jpeg", CAT, (200, 221)),
    case("trim.bottom", "trim.bottom=0.4,width=200,format=jpeg", CAT, (200, 80)),
    case("trim.left", "trim.left=0.4,width=200,format=jpeg", CAT, (200, 221)),
    case("trim.width", "trim.left=120,trim.width=200,format=jpeg", CAT, (200, 300)),
    case("trim.height", "trim.top=60,trim.height=120,width=200,format=jpeg", CAT, (200, 53)),
    case("trim.border.color", "trim.border.color=%23ff8800,width=200,format=jpeg", FRAMED, (200, 133)),
    case(
        "trim.border.tolerance",
        "trim.border.color=%23ff7700,trim.border.tolerance=20,width=200,format=jpeg",
        FRAMED,
        (200, 133),
    ),
    case("trim.border.keep", "trim=border,trim.border.keep=10,width=200,format=jpeg", FRAMED, (200, 150)),
    case("rotate", "rotate=90,width=160,format=jpeg", CAT, (160, 241)),
    case("flip", "flip=h,width=240,format=jpeg", CAT, (240, 160)),
    case("background", "fit=pad,width=200,height=200,background=%23ff8800,format=jpeg", CAT, (200, 200)),
    case("blur", "blur=8,width=240,format=jpeg", CAT, (240, 160)),
    case("sharpen", "sharpen=3,width=240,format=jpeg", CAT, (240, 160)),
    case("brightness", "brightness=1.5,width=240,format=jpeg", COFFEE, (240, 160)),
    case("contrast", "contrast=1.5,width=240,format=jpeg", COFFEE, (240, 160)),
    case("gamma", "gamma=0.5,width=240,format=jpeg", COFFEE, (240, 160)),
    case("saturation", "saturation=0,width=240,format=jpeg", COFFEE, (240, 160)),
    case("saturation", "saturation=2,width=240,format=jpeg", COFFEE, (240, 160)),
    case("format", "format=webp,width=200", ASTRONAUT, (200, 200)),
    case("format", "format=avif,width=200", ASTRONAUT, (200, 200)),
    case("format", "format=png-force,width=100", ASTRONAUT, (100, 100)),
    case("quality", "quality=10,width=200,format=jpeg", ASTRONAUT, (200, 200)),
];

/// Options without a picture: what they change is not seen in one, or is not there.
const UNSEEN: &[&str] =
    &["zoom", "metadata", "anim", "slow-connection-quality", "compression", "upscale", "segment", "onerror"];

/// How far channels of a pixel may be apart, on average over a picture, from 0 to 255: arithmetic of other processors
/// rounds otherwise now and then.
const DISTANCE_MAX: f64 = 0.5;

#[tokio::test]
async fn every_option_is_shown_and_its_picture_is_fresh() {
    let shown: HashSet<&str> = CASES.iter().map(|case| case.option).chain(UNSEEN.iter().copied()).collect();
    let there: HashSet<&str> = OPTIONS.iter().map(|row| row.name).collect();
    assert_eq!(shown, there, "each option has a picture, or is said to have none");

    let server = server_with_photos().await;
    let update = std::env::var_os("UPDATE_GENERATED").is_some();
    let mut wanted = HashSet::new();
    for case in CASES {
        let path = format!("/{HASH}/{}/{}", case.photo, case.list);
        let answer = server.request("GET", &path).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let found = probe(&answer.body, &Limits::default()).unwrap();
        assert_eq!((found.width, found.height), case.size, "{path}");
        assert_eq!(answer.header("content-type"), Some(found.media_type.as_str()), "{path}");

        let file = case.file(found.media_type.as_str());
        wanted.insert(file.clone());
        let committed = std::fs::read(folder().join(&file)).unwrap_or_default();
        if committed != answer.body && update {
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(folder().join(&file), &answer.body).unwrap();
        } else if committed != answer.body {
            let distance = distance(&committed, &answer.body);
            assert!(distance <= DISTANCE_MAX, "{file} is another picture, by {distance}: cargo xtask golden");
        }
    }
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(wanted.contains(&name), "docs/options/{name} belongs to no option");
    }
    check_document(update);
}

async fn server_with_photos() -> TestServer {
    let server = TestServer::start().await;
    let flexible = json!({ "flexible_variants": true });
    server.call("PATCH", "/images/v1/config").json(&flexible.to_string()).send().await.result();
    let photos: HashSet<&str> =
        CASES.iter().map(|case| case.photo).filter(|photo| *photo != FRAMED).collect();
    for photo in photos {
        let bytes = std::fs::read(repository().join("tests/photos").join(photo)).unwrap();
        let form = Form::default().field("id", photo).file(photo, &bytes);
        server.call("POST", "/images/v1").form(&form).send().await.result();
    }
    let framed = server.request("GET", &format!("/{HASH}/{CAT}/{FRAME}")).send().await;
    let form = Form::default().field("id", FRAMED).file(FRAMED, &framed.body);
    server.call("POST", "/images/v1").form(&form).send().await.result();
    server
}

impl Case {
    fn file(&self, media_type: &str) -> String {
        let list = self.list.replace(",format=jpeg", "").replace("%23", "").replace([',', '=', ';'], "_");
        let extension = media_type.trim_start_matches("image/").replace("jpeg", "jpg");
        format!("{list}.{extension}")
    }

    fn markdown(&self) -> String {
        let format = self.list.rsplit_once("format=").map_or("jpeg", |(_, rest)| rest);
        let format = format.split(',').next().unwrap_or(format);
        let file = self.file(&format!("image/{}", format.trim_end_matches("-force")));
        format!(
            "![{list}](options/{file})<br>`/{{hash}}/{photo}/{list}`\n\n",
            list = self.list,
            photo = self.photo
        )
    }
}

fn check_document(update: bool) {
    let path = repository().join("docs/options.md");
    let fresh = document();
    if update {
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == fresh, "docs/options.md is stale: cargo xtask golden");
}

fn document() -> String {
    let options: String = OPTIONS.iter().map(option_markdown).collect();
    format!(
        "# Options of a rendering

What may stand at the end of a delivery URL, several with commas between, in any order:
`/{{account_hash}}/{{image_id}}/width=240,fit=cover`. Made of the table that the server itself reads; the pictures are its
answers (`cargo xtask golden`).

{options}"
    )
}

fn option_markdown(row: &OptionRow) -> String {
    let alias = row.alias.map_or(String::new(), |alias| format!(", `{alias}`"));
    let pictures: String = CASES.iter().filter(|case| case.option == row.name).map(Case::markdown).collect();
    format!("## `{}`{alias}\n\n{} Expected: {}.\n\n{pictures}", row.name, row.help, row.expected)
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn folder() -> PathBuf {
    repository().join("docs/options")
}

/// Returns how far channels are apart on average; the most there can be where the pictures cannot be compared.
fn distance(a: &[u8], b: &[u8]) -> f64 {
    let (a, b) = (pixels(a), pixels(b));
    if a.len() != b.len() || a.is_empty() {
        return 255.0;
    }
    let sum: u64 = a.iter().zip(&b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

/// Decodes a picture by way of the renderer, which other tests compare with other decoders.
fn pixels(bytes: &[u8]) -> Vec<u8> {
    use darkroom_model::image_options::OutputFormat;
    use darkroom_model::{ImageOptions, RenderLimits};
    use darkroom_transform::{Accepts, RenderRequest, render};
    let options = ImageOptions { format: OutputFormat::PngForce, ..ImageOptions::default() };
    let request = RenderRequest { options, accepts: Accepts::default(), limits: RenderLimits::default() };
    let Ok(rendered) = render(bytes, &request) else { return Vec::new() };
    let mut reader = png::Decoder::new(std::io::Cursor::new(rendered.bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    pixels
}
