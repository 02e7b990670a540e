//! The environment and its tables, which can be closed and opened anew while the catalog lives.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{RwLock, RwLockReadGuard, TryLockError};

use darkroom_model::{Ids, Secrets};
use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions, RoTxn, WithoutTls};

use super::LmdbOptions;
use super::data_file::{DataFile, Fault};
use super::format_versions::FormatVersion;
use crate::CatalogError;
use crate::record::Reader;

/// A table: bytes to bytes.
pub(crate) type Table = Database<Bytes, Bytes>;

/// Why a folder could not be opened as a catalog.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or a file in it cannot be read or written.
    #[error("cannot use the catalog folder {0}")]
    Io(PathBuf, #[source] std::io::Error),
    /// The engine refused: the file is damaged, cut off, or no database.
    #[error("cannot open the catalog in {0}: damaged, or not a catalog")]
    Engine(PathBuf, #[source] heed::Error),
    /// A database that Darkroom did not write, or one that lacks its first row.
    #[error("{0} holds a database that is not a Darkroom catalog")]
    Foreign(PathBuf),
    /// Written by a newer version of Darkroom.
    #[error("the catalog in {0} has format {1}, newer than the format {2} that this version reads")]
    Newer(PathBuf, u32, u32),
    /// A row that cannot be read.
    #[error("the catalog in {0} is damaged: {1}")]
    Damaged(PathBuf, &'static str),
}

impl OpenError {
    /// Tells what the engine refused from what the operating system did: a file that may not be read is not damaged.
    fn of_engine(path: &Path, error: heed::Error) -> OpenError {
        match error {
            heed::Error::Io(error) => OpenError::Io(path.to_owned(), error),
            error => OpenError::Engine(path.to_owned(), error),
        }
    }
}

/// The tables of a catalog.
#[derive(Clone, Copy)]
pub(crate) struct Tables {
    /// Format version and secrets.
    pub(crate) meta: Table,
    /// Account number → account.
    pub(crate) accounts: Table,
    /// Account number → state.
    pub(crate) states: Table,
    /// Account → its settings; absent until something was changed.
    pub(crate) settings: Table,
    /// Account, hash of id → draft.
    pub(crate) drafts: Table,
    /// Keyed hash of the secret → token.
    pub(crate) api_tokens: Table,
    /// Account, sequence → record.
    pub(crate) records: Table,
    /// Account, hash of id → where it leads.
    pub(crate) ids: Table,
    /// Account, sequence → version of the account at which the image was masked.
    pub(crate) masks: Table,
    /// Account → manifest.
    pub(crate) manifests: Table,
    /// Account, segment, row → block, container or column.
    pub(crate) segments: Table,
    /// Account, original → (nothing): its blob is to be removed.
    pub(crate) garbage: Table,
}

/// An open environment.
pub(crate) struct Opened {
    pub(crate) env: Env<WithoutTls>,
    pub(crate) tables: Tables,
    page_bytes: u64,
}

/// The place of the environment: open, or closed for good or for a moment.
pub(crate) struct Store {
    path: PathBuf,
    map_bytes: usize,
    data_file: DataFile,
    opened: RwLock<Option<Opened>>,
}

const TABLES: [&str; 12] = [
    "meta",
    "accounts",
    "states",
    "settings",
    "drafts",
    "api_tokens",
    "records",
    "ids",
    "masks",
    "manifests",
    "segments",
    "garbage",
];
/// Reader slots of the environment: more than the read transactions that may run at once.
pub(crate) const READERS_MAX: u32 = 256;
const FORMAT_KEY: &[u8] = b"format";
const SECRETS_KEY: &[u8] = b"secrets";

impl Store {
    /// Opens the environment, makes it if the folder is empty, and returns it with its secrets.
    pub(crate) fn open(
        path: &Path,
        options: &LmdbOptions,
        ids: &dyn Ids,
    ) -> Result<(Store, Secrets), OpenError> {
        let io = |error| OpenError::Io(path.to_owned(), error);
        fs::create_dir_all(path).map_err(io)?;
        let data_file = DataFile::new(path, options.growth_bytes);
        check_data_file(path, &data_file)?;
        let opened = open_env(path, options.map_bytes)?;
        if is_new(path, &opened)? {
            write_first_rows(path, &opened, &Secrets::generate(ids))?;
        }
        let secrets = read_first_rows(path, &opened)?;
        data_file.grow(&opened.env, opened.page_bytes).map_err(io)?;
        data_file.mark().map_err(io)?;
        let map_bytes = options.map_bytes;
        let opened = RwLock::new(Some(opened));
        Ok((Store { path: path.to_owned(), map_bytes, data_file, opened }, secrets))
    }

    /// Sees to it before a commit that the file stays longer than what is in it.
    pub(crate) fn grow(&self, opened: &Opened) -> std::io::Result<()> {
        self.data_file.grow(&opened.env, opened.page_bytes)
    }

    /// Says whether a commit failed with the error that the engine has for pages of which only some could be written,
    /// and there is no room: that is why, unless the disk is broken as well.
    pub(crate) fn is_cut_short(&self, error: &heed::Error) -> bool {
        let heed::Error::Io(error) = error else { return false };
        error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
            && rustix::fs::statvfs(&self.path)
                .is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) < ROOM_BYTES_MIN)
    }

    /// Returns the environment, which stays open as long as the answer is kept.
    pub(crate) fn opened(&self) -> Result<OpenedGuard<'_>, CatalogError> {
        let guard = self.opened.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        if guard.is_some() { Ok(OpenedGuard(guard)) } else { Err(CatalogError::Unavailable) }
    }

    /// Says whether the environment is open; not while it is being opened anew. Does not wait.
    pub(crate) fn is_open(&self) -> bool {
        match self.opened.try_read() {
            Ok(opened) => opened.is_some(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().is_some(),
            Err(TryLockError::WouldBlock) => false,
        }
    }

    /// Closes the environment after the last reader and opens it anew: what a failed commit left is read afresh.
    pub(crate) fn reopen(&self) -> Result<(), OpenError> {
        let mut opened = self.opened.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(old) = opened.take() {
            old.env.prepare_for_closing().wait();
        }
        // The engine would make a missing file anew, and every account would be gone.
        check_data_file(&self.path, &self.data_file)?;
        *opened = Some(open_env(&self.path, self.map_bytes)?);
        Ok(())
    }

    /// Returns how many bytes the engine's file takes on the disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.data_file.disk_bytes()
    }

    /// Closes the environment for good, after the last reader.
    pub(crate) fn close(&self) {
        let old = self.opened.write().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(old) = old {
            old.env.prepare_for_closing().wait();
        }
    }
}

/// Keeps the environment open.
pub(crate) struct OpenedGuard<'a>(RwLockReadGuard<'a, Option<Opened>>);

impl std::ops::Deref for OpenedGuard<'_> {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        self.0.as_ref().expect("the guard was made of an open environment, and keeps it open")
    }
}

/// Refuses a file that is missing or cut off, before the engine opens it.
fn check_data_file(path: &Path, data_file: &DataFile) -> Result<(), OpenError> {
    let what = match data_file.check().map_err(|error| OpenError::Io(path.to_owned(), error))? {
        None => return Ok(()),
        Some(Fault::Missing) => "its data file is missing or empty",
        Some(Fault::CutOff) => "its data file was cut off",
    };
    Err(OpenError::Damaged(path.to_owned(), what))
}

fn open_env(path: &Path, map_bytes: usize) -> Result<Opened, OpenError> {
    let engine = |error| OpenError::of_engine(path, error);
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_bytes).max_dbs(TABLES.len() as u32).max_readers(READERS_MAX);
    // SAFETY: the folder is under the lock of the data folder, so that no other process maps or cuts the file, and
    // heed itself refuses to open one path twice in one process. The flag only tells the kernel that reads are
    // scattered, as those of a filtered page are: read-ahead would fetch 32 pages for each that is wanted.
    #[expect(unsafe_code, reason = "the engine maps a file")]
    let env = unsafe { options.flags(EnvFlags::NO_READ_AHEAD).open(path) }.map_err(engine)?;
    env.clear_stale_readers().map_err(engine)?;
    let mut txn = env.write_txn().map_err(engine)?;
    // The unnamed table lists the named ones; one that we do not know belongs to another program.
    if let Some(names) = env.open_database::<Bytes, Bytes>(&txn, None).map_err(engine)? {
        for name in names.iter(&txn).map_err(engine)? {
            let (name, _) = name.map_err(engine)?;
            if !TABLES.iter().any(|known| known.as_bytes() == name) {
                return Err(OpenError::Foreign(path.to_owned()));
            }
        }
    }
    let mut table = |name: &str| env.create_database(&mut txn, Some(name)).map_err(engine);
    let tables = Tables {
        meta: table("meta")?,
        accounts: table("accounts")?,
        states: table("states")?,
        settings: table("settings")?,
        drafts: table("drafts")?,
        api_tokens: table("api_tokens")?,
        records: table("records")?,
        ids: table("ids")?,
        masks: table("masks")?,
        manifests: table("manifests")?,
        segments: table("segments")?,
        garbage: table("garbage")?,
    };
    let page_bytes = u64::from(tables.meta.stat(&txn).map_err(engine)?.page_size);
    txn.commit().map_err(engine)?;
    Ok(Opened { env, tables, page_bytes })
}

/// Says whether the first rows are still to be written: the process may have ended before it could.
fn is_new(path: &Path, opened: &Opened) -> Result<bool, OpenError> {
    let look = || {
        let txn = opened.env.read_txn()?;
        Ok(opened.tables.meta.is_empty(&txn)? && opened.tables.accounts.is_empty(&txn)?)
    };
    look().map_err(|error| OpenError::of_engine(path, error))
}

fn write_first_rows(path: &Path, opened: &Opened, secrets: &Secrets) -> Result<(), OpenError> {
    let write = || {
        let mut txn = opened.env.write_txn()?;
        let keys = [secrets.id_key, secrets.term_key, secrets.api_token_key, secrets.continuation_token_key];
        opened.tables.meta.put(&mut txn, SECRETS_KEY, &keys.concat())?;
        opened.tables.meta.put(&mut txn, FORMAT_KEY, &FormatVersion::CURRENT.0.to_be_bytes())?;
        txn.commit()
    };
    write().map_err(|error| OpenError::of_engine(path, error))
}

fn read_first_rows(path: &Path, opened: &Opened) -> Result<Secrets, OpenError> {
    let engine = |error| OpenError::of_engine(path, error);
    let txn = opened.env.read_txn().map_err(engine)?;
    let row = |key| opened.tables.meta.get(&txn, key).map_err(engine);
    let version = row(FORMAT_KEY)?.and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let version = FormatVersion(version.ok_or_else(|| OpenError::Foreign(path.to_owned()))?);
    if version > FormatVersion::CURRENT {
        return Err(OpenError::Newer(path.to_owned(), version.0, FormatVersion::CURRENT.0));
    }
    let secrets = row(SECRETS_KEY)?.and_then(read_secrets);
    secrets.ok_or(OpenError::Damaged(path.to_owned(), "its keys are unreadable"))
}

fn read_secrets(bytes: &[u8]) -> Option<Secrets> {
    let mut reader = Reader { bytes };
    Some(Secrets {
        id_key: reader.array()?,
        term_key: reader.array()?,
        api_token_key: reader.array()?,
        continuation_token_key: reader.array()?,
    })
}

/// A disk with less free than this has no room: more than a group of commits writes at once.
const ROOM_BYTES_MIN: u64 = 1 << 20;

/// Wraps an engine's failure to read.
pub(crate) fn failed(error: heed::Error) -> CatalogError {
    if is_full(&error) { CatalogError::Full } else { CatalogError::failed(error) }
}

/// Says whether a write failed for lack of room.
pub(crate) fn is_full(error: &heed::Error) -> bool {
    match error {
        heed::Error::Mdb(heed::MdbError::MapFull) => true,
        heed::Error::Io(error) => {
            matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
        }
        _ => false,
    }
}

/// Returns a row of an account's version.
pub(crate) fn get<'txn>(
    table: Table,
    txn: &'txn RoTxn<'_>,
    key: &[u8],
) -> Result<Option<&'txn [u8]>, CatalogError> {
    table.get(txn, key).map_err(failed)
}
