//! Attacks: files and crowds that are meant to do harm. Each gets the answer that is documented, or a correct
//! picture; and whoever asks next is served as if nothing had happened.
//!
//! What a file does is tried twice: uploaded, and as the file of an origin, which no upload has looked at
//! before.

mod bombs;
mod crowds;
mod cuts;
mod disguises;
mod drawings;
mod files;
#[expect(dead_code, reason = "the other files are for other tests")]
#[path = "../../../darkroom-transform/tests/sources/mod.rs"]
mod sources;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use darkroom::settings::{CatalogEngine, Settings};
use darkroom_model::{AccountConfigEdit, AccountId, AccountSettingsChange, Limits, Network};
use darkroom_transform::probe;

use super::common::client::{Answer, Form};
use super::common::origin::Origin;
use super::common::{ACCOUNT, HASH, TestServer, pictures};

/// What every picture says of what a browser may do with it.
const POLICY: &str =
    "default-src 'none'; navigate-to 'none'; form-action 'none'; img-src data:; style-src 'unsafe-inline';";

/// What is documented to become of a file.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// A picture of this type and size.
    Picture(&'static str, u32, u32),
    /// A refusal: status, code, and how its words begin behind the code.
    Refused(u16, u32, &'static str),
}

const TOO_LARGE: Fate = Fate::Refused(403, 9413, "Could not resize the image: The image is too large");
const NOT_AN_IMAGE: Fate =
    Fate::Refused(415, 9412, "Could not resize the image: The requested file is not an image.");
const DAMAGED: Fate = Fate::Refused(422, 9516, "Could not resize the image: error during decoding: ");

/// Status and code of an upload that is refused.
type UploadRefusal = (u16, u32);

const UPLOAD_TOO_LARGE: Option<UploadRefusal> = Some((413, 5413));
const UPLOAD_DAMAGED: Option<UploadRefusal> = Some((400, 5400));
const UPLOAD_NOT_AN_IMAGE: Option<UploadRefusal> = Some((415, 5455));

/// A server that is attacked, and an origin for its transformations.
struct Target {
    server: TestServer,
    origin: Origin,
    /// What the origin has, by path.
    files: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    count: AtomicU32,
}

impl Target {
    async fn start() -> Target {
        Target::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Settings)) -> Target {
        let files = Arc::<Mutex<HashMap<String, Vec<u8>>>>::default();
        let of_origin = Arc::clone(&files);
        let origin = Origin::start(move |path| {
            let files = of_origin.lock().unwrap();
            [&b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n"[..], &files[path]].concat()
        });
        let origin = origin.await;
        let place = origin.place.parse().unwrap();
        let server = TestServer::start_with(CatalogEngine::Memory, |settings| {
            settings.allow_private_sources = vec![Network::parse("127.0.0.0/8").unwrap()];
            settings.transform.allows_http = true;
            settings.transform.origins = vec![place];
            change(settings);
        });
        let server = server.await;
        let account = AccountId::parse(ACCOUNT).unwrap();
        let edit = AccountConfigEdit { flexible_variants: Some(true), ..AccountConfigEdit::default() };
        let change = AccountSettingsChange::EditConfig(edit);
        server.service().change_account_settings(&account, change).await.unwrap();
        let target = Target { server, origin, files, count: AtomicU32::new(0) };
        target.store("ordinary", pictures::PHOTO).await;
        target
    }

    async fn upload(&self, id: &str, file: &[u8]) -> Answer {
        let form = Form::default().field("id", id).file("picture.png", file);
        self.server.call("POST", "/images/v1").form(&form).send().await
    }

    async fn store(&self, id: &str, file: &[u8]) {
        self.upload(id, file).await.result();
    }

    async fn hosted(&self, id: &str, options: &str) -> Answer {
        self.server.request("GET", &format!("/{HASH}/{id}/{options}")).send().await
    }

    /// Asks for a rendition of a file that the origin has.
    async fn remote(&self, file: &[u8], options: &str) -> Answer {
        let path = self.new_name();
        self.files.lock().unwrap().insert(format!("/{path}"), file.to_vec());
        let target = format!("/cdn-cgi/image/{options}/{}", self.origin.url(&path));
        let answer = self.server.request("GET", &target).send().await;
        self.files.lock().unwrap().remove(&format!("/{path}"));
        answer
    }

    fn new_name(&self) -> String {
        format!("n{}", self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// Checks what becomes of a file by both ways, and that the next ordinary request does not feel it. Returns
    /// what was answered last.
    async fn check(
        &self,
        name: &str,
        file: &[u8],
        options: &str,
        upload: Option<UploadRefusal>,
        fate: Fate,
    ) -> Answer {
        self.check_upload(name, file, options, upload, fate).await;
        let answer = self.remote(file, options).await;
        check_fate(name, &answer, "cf-resized", fate);
        self.check_calm().await;
        answer
    }

    async fn check_upload(
        &self,
        name: &str,
        file: &[u8],
        options: &str,
        upload: Option<UploadRefusal>,
        fate: Fate,
    ) {
        let id = self.new_name();
        let uploaded = self.upload(&id, file).await;
        match upload {
            Some(refusal) => {
                let told = (uploaded.status, uploaded.json()["errors"][0]["code"].as_u64());
                assert_eq!(told, (refusal.0, Some(refusal.1.into())), "{name}: {}", uploaded.text());
            }
            None => {
                assert_eq!(uploaded.status, 200, "{name}: {}", uploaded.text());
                check_fate(name, &self.hosted(&id, options).await, "cf-images", fate);
            }
        }
    }

    /// Checks that a picture which nobody has asked for yet is rendered.
    async fn check_calm(&self) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (width, height) = (20 + number % 200, 10 + number / 200);
        let answer = self.hosted("ordinary", &format!("w={width},h={height},fit=crop,format=jpeg")).await;
        check_fate("the next one", &answer, "cf-images", Fate::Picture("image/jpeg", width, height));
    }

    /// Stops, after a look at whether the processes that render have stood it.
    async fn stop(self) {
        let ended = self.server.service().render_workers().readings().ended;
        for (why, count) in ended {
            assert!(count == 0 || why == "worn", "{count} processes ended: {why}");
        }
        self.server.stop().await;
    }
}

#[track_caller]
fn check_fate(name: &str, answer: &Answer, header: &str, fate: Fate) {
    match fate {
        Fate::Picture(media_type, width, height) => {
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let limits = Limits { side_max: u32::MAX, ..Limits::default() };
            let found = probe(&answer.body, &limits).unwrap();
            let found = (found.media_type.as_str(), found.width, found.height);
            assert_eq!(found, (media_type, width, height), "{name}");
            assert!(answer.header(header).unwrap().starts_with("internal=ok/"), "{name}");
            check_picture_headers(name, answer, media_type);
        }
        Fate::Refused(status, code, words) => {
            assert_eq!(answer.status, status, "{name}: {}", told(answer));
            assert!(answer.text().starts_with(&format!("ERROR {code}: {words}")), "{name}: {}", told(answer));
            assert_eq!(answer.header(header), Some(format!("err={code}").as_str()), "{name}");
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{name}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
        }
    }
}

/// Checks that no browser takes a picture for anything else.
#[track_caller]
fn check_picture_headers(name: &str, answer: &Answer, media_type: &str) {
    assert_eq!(answer.header("content-type"), Some(media_type), "{name}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{name}");
    assert_eq!(answer.header("content-security-policy"), Some(POLICY), "{name}");
}

/// What an answer says, as far as it can be shown.
fn told(answer: &Answer) -> String {
    answer.text().chars().take(300).collect()
}

/// Returns the pixels of a PNG as red, green and blue.
fn pixels(file: &[u8]) -> Vec<[u8; 3]> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut samples).unwrap();
    let pixels = samples.chunks_exact(info.color_type.samples());
    pixels.map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}
