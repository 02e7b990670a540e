//! Images that are there from the start: files of a folder, each with what else is to be known of it in a file beside it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use darkroom_model::image_id::ImageIdError;
use darkroom_model::{Creator, ImageId, Limits, Metadata, Timestamp};

use super::fields::{FieldError, Fields};

/// Most images of a seed: it is uploaded at the start and at every reset.
const IMAGES_MAX: usize = 10_000;
/// Most bytes of all its images together, which stay in memory.
const BYTES_MAX: u64 = 512 << 20;
/// Folders within folders that are looked into: a link that leads back up ends here.
const DEPTH_MAX: usize = 16;
/// Largest file that tells of an image.
const SIDECAR_BYTES_MAX: u64 = 64 << 10;
/// What the files of images end with.
const EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "gif", "webp", "avif", "svg"];

const FIELDS: [&str; 5] = ["id", "creator", "metadata", "requireSignedURLs", "uploaded"];

/// The images of a folder, in the order of their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seed(pub(crate) Vec<SeedImage>);

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct SeedImage {
    /// Where it lies.
    pub(crate) path: PathBuf,
    pub(crate) file: Bytes,
    pub(crate) filename: String,
    pub(crate) id: Option<ImageId>,
    pub(crate) creator: Option<Creator>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) require_signed_urls: bool,
    /// When it was uploaded; without it, at the start.
    pub(crate) uploaded: Option<Timestamp>,
}

/// What is wrong with a seed, and with which of its files.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("seed '{}': {problem}", path.display())]
pub struct SeedError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong, and what was expected.
    pub problem: String,
}

impl SeedError {
    pub(crate) fn new(path: &Path, problem: impl ToString) -> SeedError {
        SeedError { path: path.to_owned(), problem: problem.to_string() }
    }
}

impl Seed {
    /// Reads a folder and the folders in it: what is called as an image must be one, what is called as a sidecar must
    /// have its image beside it, and everything else is passed over, as are names that begin with a dot.
    pub(crate) fn read(folder: &Path, limits: &Limits) -> Result<Seed, SeedError> {
        let mut files = Vec::new();
        find(folder, DEPTH_MAX, &mut files)?;
        let (sidecars, images): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| is_sidecar(file));
        let of_images: HashSet<_> = images.iter().map(|image| sidecar_of(image)).collect();
        if let Some(sidecar) = sidecars.iter().find(|sidecar| !of_images.contains(*sidecar)) {
            let problem = "expected the name of an image beside it, with .json behind, such as cat.png.json";
            return Err(SeedError::new(sidecar, problem));
        }
        let sidecars: HashSet<_> = sidecars.into_iter().collect();
        if images.is_empty() {
            return Err(SeedError::new(folder, format!("expected images ({})", EXTENSIONS.join(", "))));
        }
        if images.len() > IMAGES_MAX {
            return Err(SeedError::new(folder, format!("expected at most {IMAGES_MAX} images")));
        }
        let mut left = BYTES_MAX;
        let images = images.into_iter().map(|path| {
            let image = read_image(path, &sidecars, limits)?;
            let rest = left.checked_sub(image.file.len() as u64);
            let problem = || format!("expected at most {BYTES_MAX} bytes in all images together");
            left = rest.ok_or_else(|| SeedError::new(&image.path, problem()))?;
            Ok(image)
        });
        images.collect::<Result<_, _>>().map(Seed)
    }
}

/// Finds files, in the order of their names, folders among them.
fn find(folder: &Path, depth_left: usize, found: &mut Vec<PathBuf>) -> Result<(), SeedError> {
    let unreadable = |error: std::io::Error| SeedError::new(folder, error);
    if depth_left == 0 {
        return Err(SeedError::new(folder, format!("expected at most {DEPTH_MAX} folders in each other")));
    }
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut paths =
        entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    paths.sort();
    for path in paths {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_hidden {
            continue;
        }
        let metadata = fs::metadata(&path).map_err(|error| SeedError::new(&path, error))?;
        if metadata.is_dir() {
            find(&path, depth_left - 1, found)?;
        } else if is_image(&path) || is_sidecar(&path) {
            // Opening a pipe would wait for someone to write to it.
            if !metadata.is_file() {
                return Err(SeedError::new(&path, "expected a file"));
            }
            found.push(path);
        }
        // An image and its sidecar are two files.
        if found.len() > IMAGES_MAX * 2 {
            return Err(SeedError::new(folder, format!("expected at most {IMAGES_MAX} images")));
        }
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|found| EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known)))
}

fn is_sidecar(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// Returns where the sidecar of an image would lie.
fn sidecar_of(image: &Path) -> PathBuf {
    let mut path = image.as_os_str().to_owned();
    path.push(".json");
    path.into()
}

fn read_image(path: PathBuf, sidecars: &HashSet<PathBuf>, limits: &Limits) -> Result<SeedImage, SeedError> {
    let file = read_within(&path, limits.file_bytes_max as u64)?;
    let name = path.file_name().and_then(|name| name.to_str());
    let filename = name.ok_or_else(|| SeedError::new(&path, "expected a name in UTF-8"))?.to_owned();
    let mut image = SeedImage {
        path,
        file: file.into(),
        filename,
        id: None,
        creator: None,
        metadata: None,
        require_signed_urls: false,
        uploaded: None,
    };
    if let Some(sidecar) = sidecars.get(&sidecar_of(&image.path)) {
        let json = read_within(sidecar, SIDECAR_BYTES_MAX)?;
        image.take(&json, limits).map_err(|error| SeedError::new(sidecar, error))?;
    }
    Ok(image)
}

fn read_within(path: &Path, bytes_max: u64) -> Result<Vec<u8>, SeedError> {
    let unreadable = |error: std::io::Error| SeedError::new(path, error);
    let mut bytes = Vec::new();
    // One byte more, to know that there is one.
    File::open(path).map_err(unreadable)?.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() as u64 <= bytes_max {
        true => Ok(bytes),
        false => Err(SeedError::new(path, format!("expected at most {bytes_max} bytes"))),
    }
}

impl SeedImage {
    /// Takes over what a sidecar says.
    fn take(&mut self, json: &[u8], limits: &Limits) -> Result<(), FieldError> {
        let fields = Fields::parse(json, &FIELDS)?;
        if let Some(text) = fields.string("id", ImageId::CHARS_MAX)? {
            let id = match ImageId::custom(&text) {
                Err(ImageIdError::Uuid) if limits.uuid_custom_ids => ImageId::parse(&text),
                read => read,
            };
            self.id = Some(id.map_err(|problem| fields.error("id", problem))?);
        }
        if let Some(text) = fields.string("creator", limits.creator_chars_max)? {
            self.creator =
                Creator::parse(&text, limits).map_err(|problem| fields.error("creator", problem))?;
        }
        if let Some(text) = fields.text("metadata") {
            let metadata = Metadata::parse(text, limits);
            self.metadata = Some(metadata.map_err(|problem| fields.error("metadata", problem))?);
        }
        if let Some(is_private) = fields.boolean("requireSignedURLs")? {
            self.require_signed_urls = is_private;
        }
        if let Some(text) = fields.string("uploaded", 64)? {
            let moment = Timestamp::parse_rfc3339(&text);
            let expected = "expected a moment such as 2026-01-01T00:00:00Z";
            self.uploaded = Some(moment.ok_or_else(|| fields.error("uploaded", expected))?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes files and reads them as a seed; an error without the folder's own path.
    fn read(files: &[(&str, &str)]) -> Result<Seed, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let seed = Seed::read(folder.path(), &Limits::default());
        seed.map_err(|error| error.to_string().replace(folder.path().to_str().unwrap(), "."))
    }

    #[test]
    fn images_come_in_the_order_of_their_names() {
        let seed = read(&[
            ("b.png", ""),
            ("a/2.GIF", ""),
            ("a/1.svg", ""),
            ("c.jpeg", ""),
            (".x.png", ""),
            ("README.md", ""),
        ]);
        let names: Vec<_> = seed.unwrap().0.into_iter().map(|image| image.filename).collect();
        assert_eq!(names, ["1.svg", "2.GIF", "b.png", "c.jpeg"]);
    }

    #[test]
    fn a_sidecar_tells_of_its_image() {
        let json = r#"{"id":"cats/a","creator":"me","metadata":{"n":5.0},"uploaded":"2026-01-01T00:00:00Z"}"#;
        let seed = read(&[("cat.png", ""), ("cat.png.json", json), ("dog.png", "")]).unwrap();
        let [cat, dog] = &seed.0[..] else { panic!("{seed:?}") };
        assert_eq!(cat.id.as_ref().map(ImageId::as_str), Some("cats/a"));
        assert_eq!(cat.metadata.as_ref().map(Metadata::as_json), Some(r#"{"n":5.0}"#));
        assert_eq!(cat.uploaded, Some(Timestamp(1_767_225_600_000)));
        assert!(!cat.require_signed_urls && dog.id.is_none());
    }

    #[test]
    fn an_id_may_be_what_an_upload_may_choose() {
        let folder = tempfile::tempdir().unwrap();
        let id = "8f14e45f-ceea-4e7a-9c1b-2d3a5b6c7d12";
        fs::write(folder.path().join("cat.png"), "").unwrap();
        fs::write(folder.path().join("cat.png.json"), format!(r#"{{"id":"{id}"}}"#)).unwrap();
        let strict = Seed::read(folder.path(), &Limits::default()).unwrap_err();
        assert_eq!(strict.problem, "id: Must not be UUID");
        let limits = Limits { uuid_custom_ids: true, ..Limits::default() };
        let seed = Seed::read(folder.path(), &limits).unwrap();
        assert_eq!(seed.0[0].id.as_ref().map(ImageId::as_str), Some(id));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_file() {
        let image = ("cat.png", "");
        for (files, expected) in [
            (&[][..], "seed '.': expected images (png, jpg, jpeg, gif, webp, avif, svg)"),
            (
                &[image, ("dog.png.json", "{}")],
                "seed './dog.png.json': expected the name of an image beside it, with .json behind, such as \
                 cat.png.json",
            ),
            (&[image, ("cat.png.json", "[]")], "seed './cat.png.json': expected a JSON object"),
            (
                &[image, ("cat.png.json", r#"{"meta":{}}"#)],
                "seed './cat.png.json': meta: unknown field, expected one of id, creator, metadata, \
                 requireSignedURLs, uploaded",
            ),
            (
                &[image, ("cat.png.json", r#"{"requireSignedURLs":"yes"}"#)],
                "seed './cat.png.json': requireSignedURLs: expected true or false",
            ),
            (
                &[image, ("cat.png.json", r#"{"uploaded":"yesterday"}"#)],
                "seed './cat.png.json': uploaded: expected a moment such as 2026-01-01T00:00:00Z",
            ),
            (
                &[image, ("cat.png.json", r#"{"id":"/a"}"#)],
                "seed './cat.png.json': id: Must not start or end with a slash",
            ),
        ] {
            assert_eq!(read(files).err().as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Seed::read(Path::new("no/such/folder"), &Limits::default()).unwrap_err();
        assert!(error.to_string().starts_with("seed 'no/such/folder': No such file"), "{error}");
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cat.png");
        std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = Seed::read(folder.path(), &Limits::default()).unwrap_err();
        assert_eq!(error, SeedError::new(&path, "expected a file"));
    }

    #[test]
    fn a_link_that_leads_back_ends() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        let error = Seed::read(folder.path(), &Limits::default()).unwrap_err();
        assert_eq!(error.problem, "expected at most 16 folders in each other");
    }
}
