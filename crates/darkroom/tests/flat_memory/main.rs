//! Memory that stays as it is: a server renders one picture after another, harmless and hostile ones, keeps none of the
//! renditions, and is not larger afterwards than it was when it had warmed up.
//!
//! `DARKROOM_TEST_RENDERINGS` asks for more of them.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../render_workers/pictures.rs"]
mod hostile;
mod pictures;
mod server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use pictures::{Picture, harmless};
use server::{Client, Server};

/// Renderings of an ordinary test run.
const RENDERINGS: usize = 2_000;
/// After so many the server has seen everything once: every format, every kind of harm, and each of its threads.
const WARM_UP: usize = 1_000;
/// How much larger a server may be at the end, in hundredths: its heaps go on growing for a while, by less and less.
const GROWTH_MAX: u64 = 5;
/// Clients that ask at the same time, each on a connection of its own.
const CLIENTS: usize = 6;

/// One rendering of so many meets a picture that takes too much memory, one asks for too many pixels, and one takes too
/// long. They are rare because each of them costs a process or a second.
const TOO_MUCH_MEMORY_EVERY: usize = 250;
const TOO_LARGE_EVERY: usize = 50;
const TOO_LONG_EVERY: usize = 1_000;
/// Beside one rendering of so many, an upload that is refused.
const REFUSED_UPLOAD_EVERY: usize = 40;

/// What takes seconds where one is allowed, and not much memory.
const TOO_LONG: &str = "width=1200,height=1200,fit=cover,format=avif,quality=100";
/// What is asked for.
const FORMATS: [&str; 7] = ["auto", "jpeg", "webp", "png", "baseline-jpeg", "avif", "json"];

#[test]
fn a_server_that_renders_on_and_on_does_not_grow() {
    let asked = std::env::var("DARKROOM_TEST_RENDERINGS").ok();
    let renderings = asked.as_deref().map_or(RENDERINGS, |asked| asked.parse().expect("a number"));
    assert!(renderings > WARM_UP, "{renderings} renderings are too few");
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let album = Album::upload(&mut server.connect());
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();

    let began = Instant::now();
    let (mut seen, mut done, mut at_first) = (Seen::default(), 0, None);
    let quarters = (1..=4).map(|quarter| renderings * quarter / 4).filter(|&until| until > WARM_UP);
    for until in std::iter::once(WARM_UP).chain(quarters) {
        render(&mut clients, &album, done..until, &seen);
        done = until;
        let memory = server.memory();
        eprintln!("after {done} renderings, {:.0} s: {memory}", began.elapsed().as_secs_f64());
        at_first.get_or_insert(memory.resident_bytes);
    }
    eprintln!("{seen:?}");
    let at_first = at_first.unwrap();
    let Seen { shown, damaged, died, late, too_large, refused_uploads } = &mut seen;
    // Nothing was kept: what was shown was rendered.
    assert!(server.metric("darkroom_renditions_rendered_total") >= *shown.get_mut() as u64);
    assert_eq!(server.metric("darkroom_cache_memory_bytes"), 0);
    for kind in [shown, damaged, died, late, too_large, refused_uploads] {
        assert!(*kind.get_mut() > 0, "every kind must have been there");
    }
    let at_last = server.memory().resident_bytes;
    assert!(
        at_last * 100 <= at_first * (100 + GROWTH_MAX),
        "{at_first} bytes after {WARM_UP} renderings, {at_last} after {renderings}"
    );
}

/// What became of the requests.
#[derive(Debug, Default)]
struct Seen {
    shown: AtomicUsize,
    damaged: AtomicUsize,
    died: AtomicUsize,
    late: AtomicUsize,
    too_large: AtomicUsize,
    refused_uploads: AtomicUsize,
}

/// The ids of what was uploaded.
struct Album {
    /// With whether it is a drawing, which no pixels are made of.
    harmless: Vec<(String, bool)>,
    damaged: Vec<String>,
    too_much_memory: String,
    too_large: String,
    /// A photograph of which to ask too much.
    photo: String,
    /// What no upload may be.
    refused: Vec<Vec<u8>>,
}

impl Album {
    fn upload(client: &mut Client) -> Album {
        client.allow_options();
        let mut put = |bytes: &[u8]| client.upload(bytes).unwrap();
        let harmless = harmless().into_iter().map(|Picture { bytes, is_drawing }| (put(&bytes), is_drawing));
        let harmless = harmless.collect();
        let (too_much_memory, photo) = (put(&hostile::LARGE), put(hostile::PHOTO));
        let too_large = put(&hostile::png(10_000, 9_600));
        // An upload looks at the structure of a file, and of these not all come further.
        let (mut damaged, mut refused) = (Vec::new(), pictures::refused());
        for bytes in pictures::damaged() {
            match client.upload(&bytes) {
                Ok(id) => damaged.push(id),
                Err(_) => refused.push(bytes),
            }
        }
        assert!(damaged.len() >= 5, "{}", damaged.len());
        Album { harmless, damaged, too_much_memory, too_large, photo, refused }
    }
}

/// Asks for these renderings, by all clients at once, and waits for every answer.
fn render(clients: &mut [Client], album: &Album, numbers: std::ops::Range<usize>, seen: &Seen) {
    let next = AtomicUsize::new(numbers.start);
    thread::scope(|scope| {
        for client in clients {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        break;
                    }
                    ask(client, album, number, seen);
                }
            });
        }
    });
}

/// Asks for the rendering with this number, no two of which are the same within any time that matters.
fn ask(client: &mut Client, album: &Album, number: usize, seen: &Seen) {
    if number % REFUSED_UPLOAD_EVERY == 1 {
        let file = &album.refused[number / REFUSED_UPLOAD_EVERY % album.refused.len()];
        let status = client.upload(file).expect_err("no image");
        assert!((400..500).contains(&status), "{status}");
        count(&seen.refused_uploads);
    }
    let (width, quality) = (8 + number % 89, 50 + number / 89 % 50);
    let (kind, expected, path) = if number % TOO_LONG_EVERY == 100 {
        (&seen.late, (504, "err=9529"), format!("{}/{TOO_LONG}", album.photo))
    } else if number % TOO_MUCH_MEMORY_EVERY == 10 {
        (&seen.died, (504, "err=9529"), format!("{}/width={width},quality={quality}", album.too_much_memory))
    } else if number % TOO_LARGE_EVERY == 20 {
        (&seen.too_large, (403, "err=9413"), format!("{}/width={width},quality={quality}", album.too_large))
    } else if number % 8 == 3 {
        let id = &album.damaged[number / 8 % album.damaged.len()];
        let answer = client.get(&format!("{id}/width={width},quality={quality}"));
        // Of some a part can be shown.
        assert!(matches!(answer.status, 200 | 415 | 422), "{}", answer.status);
        return count(if answer.status == 200 { &seen.shown } else { &seen.damaged });
    } else {
        let (id, is_drawing) = &album.harmless[number % album.harmless.len()];
        let format = if *is_drawing { "auto" } else { FORMATS[number / 3 % FORMATS.len()] };
        (&seen.shown, (200, ""), format!("{id}/width={width},quality={quality},format={format}"))
    };
    let answer = client.get(&path);
    assert_eq!((answer.status, answer.error.as_str()), expected, "{path}");
    count(kind);
}

fn count(kind: &AtomicUsize) {
    kind.fetch_add(1, Ordering::Relaxed);
}
