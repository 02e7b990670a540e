//! The server's end of the control socket: only the owner of the folder gets in, and nobody can keep it busy.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use darkroom_model::Ids;
use darkroom_service::{DataFolder, Service};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::super::control_path::ShortPath;
use super::{Answer, Command, Done, REQUEST_BYTES_MAX, Request, VERSION};

/// Connections that are served at the same time; further ones wait.
const CONNECTIONS_MAX: usize = 16;
/// How long a connection may wait with its next line, and with taking an answer.
const WAIT: Duration = Duration::from_secs(10);

/// A control socket that is listened on.
pub(in crate::commands) struct ControlSocket {
    path: PathBuf,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl ControlSocket {
    /// Listens in a folder that this process has locked: what a killed server left there is replaced. A folder that
    /// cannot hold a socket is served all the same, and the log says so.
    pub(in crate::commands) fn open(
        folder: &DataFolder,
        service: Arc<Service>,
        ids: Arc<dyn Ids>,
    ) -> Option<ControlSocket> {
        let path = DataFolder::control_socket_of(folder.path());
        match listen(&path) {
            Ok((listener, owner)) => {
                let (stop, stopping) = watch::channel(false);
                let serving = tokio::spawn(serve(listener, owner, service, ids, stopping));
                Some(ControlSocket { path, stop, serving })
            }
            Err(error) => {
                tracing::warn!(%error, "no control socket: accounts and tokens can only be managed while no server runs");
                None
            }
        }
    }

    /// Stops listening and finishes the commands that were read.
    pub(in crate::commands) async fn close(self) {
        // First the name: who comes now finds no socket, and waits for the folder.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket was gone already");
        }
        let _ = self.stop.send(true);
        let _ = self.serving.await;
    }
}

/// Makes the socket, and returns it with the user it belongs to.
fn listen(path: &Path) -> io::Result<(UnixListener, u32)> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(ShortPath::of(path)?.as_path())?;
    // Whoever connects before this is looked at too: see `may_command`.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok((listener, fs::metadata(path)?.uid()))
}

async fn serve(
    listener: UnixListener,
    owner: u32,
    service: Arc<Service>,
    ids: Arc<dyn Ids>,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        while connections.try_join_next().is_some() {}
        let stream = match accepted {
            Ok((stream, _)) if may_command(&stream, owner) => stream,
            Ok(_) => {
                tracing::warn!("another user was refused at the control socket");
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the control socket could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (service, ids, stop) = (Arc::clone(&service), Arc::clone(&ids), stop.clone());
        connections.spawn(async move {
            if let Err(error) = serve_connection(stream, &service, &*ids, stop).await {
                tracing::debug!(%error, "a connection to the control socket broke");
            }
            drop(permit);
        });
    }
    while connections.join_next().await.is_some() {}
}

/// Says whether who connected is the owner of the socket, or may do everything on this machine anyway.
fn may_command(stream: &UnixStream, owner: u32) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == owner || peer.uid() == 0)
}

/// Answers one line after another, until the other side ends, is silent too long, or the server stops.
async fn serve_connection(
    stream: UnixStream,
    service: &Service,
    ids: &dyn Ids,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(REQUEST_BYTES_MAX as u64);
        let reading = tokio::time::timeout(WAIT, bounded.read_until(b'\n', &mut line));
        // INVARIANT: only the wait for a line is broken off; a command that was read is finished and answered.
        tokio::select! {
            read = reading => read??,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let outcome = match line.strip_suffix(b"\n") {
            Some(line) => answer(line, service, ids).await,
            None if line.len() < REQUEST_BYTES_MAX => return Ok(()),
            None => Err(format!("expected a line of less than {REQUEST_BYTES_MAX} bytes")),
        };
        let mut answer = serde_json::to_vec(&Answer::of(outcome)).map_err(io::Error::other)?;
        answer.push(b'\n');
        tokio::time::timeout(WAIT, write.write_all(&answer)).await??;
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
    }
}

/// Does what a line asks. The log knows which command it was, and nothing that the line said.
async fn answer(line: &[u8], service: &Service, ids: &dyn Ids) -> Result<Done, String> {
    let command = read(line)?;
    let name = command.name();
    let outcome = command.execute(service, ids).await;
    match &outcome {
        Ok(_) => tracing::info!(command = name, "a command was carried out"),
        Err(_) => tracing::info!(command = name, "a command was refused"),
    }
    outcome
}

fn read(line: &[u8]) -> Result<Command, String> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let Ok(Versioned { version }) = serde_json::from_slice(line) else {
        return Err("expected a line of JSON with a version".into());
    };
    if version != VERSION {
        return Err(format!(
            "this server takes commands of version {VERSION}, not {version}: use the darkroom that it runs"
        ));
    }
    match serde_json::from_slice::<Request>(line) {
        Ok(request) => Ok(request.command),
        // What the line said stays out of the message: it may come back in a log.
        Err(_) => Err("expected a command that this server knows: use the darkroom that it runs".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Command, &str>) {
        let read = read(line.as_bytes());
        match expected {
            Ok(command) => assert_eq!(read, Ok(command), "{line}"),
            Err(part) => assert!(read.as_ref().is_err_and(|words| words.contains(part)), "{line}: {read:?}"),
        }
    }

    #[test]
    fn lines_are_read_strictly() {
        check(r#"{"version":1,"command":{"list_tokens":{}}}"#, Ok(Command::ListTokens {}));
        check(
            r#"{"version":1,"command":{"create_account":{"id":null,"hash":"h"}}}"#,
            Ok(Command::CreateAccount { id: None, hash: Some("h".into()) }),
        );
        check("", Err("a line of JSON with a version"));
        check("[]", Err("a line of JSON with a version"));
        check(r#"{"command":{"list_tokens":{}}}"#, Err("a line of JSON with a version"));
        check(r#"{"version":2,"command":{"later":{}}}"#, Err("version 1, not 2"));
        check(r#"{"version":1,"command":{"later":{}}}"#, Err("a command that this server knows"));
        check(r#"{"version":1,"command":{"list_tokens":{}},"x":1}"#, Err("a command that this server knows"));
        check(
            r#"{"version":1,"command":{"revoke_token":{"id":"a","all":true}}}"#,
            Err("a command that this server knows"),
        );
    }
}
