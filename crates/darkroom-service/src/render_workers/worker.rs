//! The other side: a process that renders and can do nothing else.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use super::confinement::{allow_time, close_inherited, confine};
use super::protocol;
use darkroom_transform::{RenderError, RenderRequest, Rendered, render};

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
    let mut source = Vec::new();
    while let Some(request) = protocol::receive(&mut server, memory_bytes_max, &mut source)? {
        allow_time(time_max)?;
        protocol::reply(&mut server, rendered(&source, &request))?;
    }
    Ok(())
}

fn rendered(source: &[u8], request: &RenderRequest) -> Result<Rendered, RenderError> {
    let rendered = render(source, request)?;
    if rendered.bytes.len() as u64 > request.limits.output_bytes_max {
        return Err(RenderError::TooLarge);
    }
    Ok(rendered)
}
