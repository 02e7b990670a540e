//! The other side: a process that renders and can do nothing else.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::confinement::{allow_time, close_inherited, confine};
use super::{memory, protocol};
use darkroom_transform::{RenderError, RenderRequest, Rendered, render};

/// How long a worker waits for a picture before it gives back the memory of the last one.
const IDLE: Duration = Duration::from_secs(1);

/// Renders what comes over the socket that is standard input, until it is closed. Returns 1 if the process could not be
/// confined, or the other side makes no sense; a picture that takes too much ends the process.
pub fn render_worker(memory_bytes_max: u64, time_max: Duration) -> ExitCode {
    // Nobody reads what a panic says, and the server sees that this process is gone.
    std::panic::set_hook(Box::new(|_| {}));
    match serve(memory_bytes_max, time_max) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(memory_bytes_max: u64, time_max: Duration) -> io::Result<()> {
    close_inherited()?;
    let mut server = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    confine(memory_bytes_max)?;
    memory::keep();
    let mut source = Vec::new();
    loop {
        await_picture(&server, &mut source)?;
        let request = protocol::receive(&mut server, memory_bytes_max, &mut source)?;
        let Some(request) = request else { return Ok(()) };
        allow_time(time_max)?;
        protocol::reply(&mut server, rendered(&source, &request))?;
    }
}

/// Waits until there is something to read, be it the end; memory that is not needed meanwhile is given back.
fn await_picture(server: &UnixStream, last: &mut Vec<u8>) -> io::Result<()> {
    server.set_read_timeout(Some(IDLE))?;
    if let Err(Errno::AGAIN) = recv(server, &mut [0; 1], RecvFlags::PEEK) {
        *last = Vec::new();
        memory::release();
    }
    server.set_read_timeout(None)
}

fn rendered(source: &[u8], request: &RenderRequest) -> Result<Rendered, RenderError> {
    let rendered = render(source, request)?;
    if rendered.bytes.len() as u64 > request.limits.output_bytes_max {
        return Err(RenderError::TooLarge);
    }
    Ok(rendered)
}
