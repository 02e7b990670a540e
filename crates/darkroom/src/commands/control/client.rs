//! The command's end: it asks the server that has the data folder, or opens the folder where no server runs.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use darkroom_model::{RandomIds, SystemClock};
use darkroom_service::{CatalogThresholds, DataFolder, DataFolderError};

use super::super::control_path::ShortPath;
use super::super::{serve, with_causes};
use super::{Answer, Command, Done, Request, VERSION};
use crate::settings::{CatalogEngine, Settings};

/// A line that answers has at most so many bytes: some hundred thousand tokens.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// How long a server may take for an answer.
const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// How long a folder may be in use by a process that takes no commands: a server that starts or stops does so.
const FOLDER_WAIT: Duration = Duration::from_secs(10);

/// Has a command done, wherever that is possible now; or says in a sentence why it was not done.
pub(in crate::commands) fn run(settings: &Settings, command: Command) -> Result<Done, String> {
    // Only the first account may come before everything else; otherwise a folder that is not there is a mistyped one.
    if !settings.data.exists() && !matches!(command, Command::CreateAccount { .. }) {
        return Err(format!("there is no data folder '{}'; name it with --data", settings.data.display()));
    }
    let began = Instant::now();
    loop {
        if let Some(stream) = connect(&settings.data)? {
            return ask(stream, command);
        }
        if settings.catalog == CatalogEngine::Memory {
            return Err(format!(
                "no server runs on the data folder '{}', and a catalog in memory ends with its server",
                settings.data.display()
            ));
        }
        match DataFolder::open(&settings.data) {
            Ok(folder) => return execute_alone(settings, &folder, command),
            Err(DataFolderError::InUse(_)) if began.elapsed() < FOLDER_WAIT => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error @ DataFolderError::InUse(_)) => {
                let socket = DataFolder::control_socket_of(&settings.data);
                return Err(format!("{error}, which takes no commands on {}", socket.display()));
            }
            Err(error) => return Err(with_causes(&error)),
        }
    }
}

/// Returns a connection to the server on this folder; `None` if none listens.
fn connect(folder: &Path) -> Result<Option<UnixStream>, String> {
    let path = DataFolder::control_socket_of(folder);
    if fs::symlink_metadata(&path).is_err() {
        return Ok(None);
    }
    let connected = ShortPath::of(&path).and_then(|short| UnixStream::connect(short.as_path()));
    match connected {
        Ok(stream) => Ok(Some(stream)),
        // Nobody listens: a server was killed, or one stops this very moment.
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
            Ok(None)
        }
        Err(error) => Err(format!("cannot reach the server at {}: {error}", path.display())),
    }
}

/// Sends the command over a connection and waits for the answer.
fn ask(stream: UnixStream, command: Command) -> Result<Done, String> {
    let line = exchange(stream, command).map_err(|error| {
        format!("the server did not answer, and what was asked may have been done or not: {error}")
    })?;
    let unknown = || "the server's answer is not known here: use the darkroom that it runs".to_owned();
    let answer: Answer = serde_json::from_slice(&line).map_err(|_| unknown())?;
    match answer {
        Answer { failed: Some(words), .. } => Err(words),
        Answer { version: VERSION, done: Some(done), .. } => Ok(done),
        Answer { .. } => Err(unknown()),
    }
}

fn exchange(mut stream: UnixStream, command: Command) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(ANSWER_WAIT))?;
    stream.set_write_timeout(Some(ANSWER_WAIT))?;
    let mut request = serde_json::to_vec(&Request { version: VERSION, command })?;
    request.push(b'\n');
    stream.write_all(&request)?;
    let mut line = Vec::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_until(b'\n', &mut line)?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Does the command on a folder that nobody else has.
fn execute_alone(settings: &Settings, folder: &DataFolder, command: Command) -> Result<Done, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|error| with_causes(&error))?.block_on(async {
        let (clock, thresholds) = (Arc::new(SystemClock), CatalogThresholds::default());
        let opened =
            serve::open_service(settings, folder, clock, Arc::new(RandomIds), thresholds, None).await;
        let service = opened.map_err(|error| with_causes(&error))?;
        let outcome = command.execute(&service, &RandomIds).await;
        service.close().await;
        outcome
    })
}
