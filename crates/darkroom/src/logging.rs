//! Where log lines go: standard error, as text for people or JSON for machines.
//!
//! Requests never wait for whoever reads the log: lines go through a bounded queue to a thread that writes them, and
//! what finds the queue full is lost, and counted in the next line that is not.

use std::io::{self, IsTerminal, Write, stderr};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::settings::{LogFormat, Settings};

/// Sends log lines and panics to standard error, as the settings say. Does nothing if logs already go somewhere.
pub fn init(settings: &Settings) {
    let on_terminal = stderr().is_terminal();
    let json = match settings.log_format {
        LogFormat::Auto => !on_terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // The setting was read with the same parser.
    let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
    // INVARIANT: a line that cannot be written is lost, and nothing else. The subscriber would tell standard error of it,
    // and panic where that fails; so would the hook below, within a panic, which ends the process.
    let Some(queue) = begin() else { return };
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false).with_writer(queue);
    let set = match json {
        true => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        false => lines.with_ansi(on_terminal).with_target(false).try_init(),
    };
    if set.is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            tracing::error!(
                location = panic.location().map(tracing::field::display),
                words = words(panic),
                "the program failed here"
            );
        }));
    }
}

/// Lines that may wait to be written.
const LINES_MAX: usize = 4096;
/// How long the first line waits for others: waking the thread for each of them would cost as much as a short answer.
const GATHER_WAIT: Duration = Duration::from_millis(2);
/// How long the end of the program waits for lines to be written.
const FINISH_WAIT: Duration = Duration::from_secs(1);

static QUEUE: OnceLock<Queue> = OnceLock::new();

/// The way of a line to the thread that writes it.
struct Queue {
    lines: SyncSender<Message>,
    lost: AtomicU64,
}

enum Message {
    Line(Vec<u8>),
    /// Say so when everything before this is written.
    Finish(SyncSender<()>),
}

/// Starts the thread that writes; `None` if it cannot be started, or is there already.
fn begin() -> Option<&'static Queue> {
    let (lines, waiting) = sync_channel(LINES_MAX);
    std::thread::Builder::new().name("log".into()).spawn(move || write(&waiting, &mut stderr())).ok()?;
    QUEUE.set(Queue { lines, lost: AtomicU64::new(0) }).ok()?;
    QUEUE.get()
}

/// Writes lines, those of a short while together. What cannot be written is lost, and nothing else.
fn write(waiting: &Receiver<Message>, to: &mut impl Write) {
    let mut text = Vec::new();
    while let Ok(first) = waiting.recv() {
        // Whoever is asked to finish is waited for.
        if matches!(first, Message::Line(_)) {
            std::thread::sleep(GATHER_WAIT);
        }
        let mut finished = Vec::new();
        for message in std::iter::once(first).chain(waiting.try_iter().take(LINES_MAX)) {
            match message {
                Message::Line(line) => text.extend(line),
                Message::Finish(done) => finished.push(done),
            }
        }
        let _ = to.write_all(&text);
        text.clear();
        // Whoever asked may not wait any more.
        for done in finished {
            let _ = done.try_send(());
        }
    }
}

/// Waits until what was logged so far is written, but not for long.
pub fn finish() {
    let Some(queue) = QUEUE.get() else { return };
    let (done, finished) = sync_channel(1);
    if queue.lines.try_send(Message::Finish(done)).is_ok() {
        // Too late is as good as never: the program ends.
        let _ = finished.recv_timeout(FINISH_WAIT);
    }
}

impl Queue {
    fn push(&self, line: Vec<u8>) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let mut text = Vec::new();
        if lost > 0 {
            text = format!("{{\"level\":\"WARN\",\"message\":\"log lines were lost\",\"lines\":{lost}}}\n")
                .into_bytes();
        }
        text.extend(line);
        if self.lines.try_send(Message::Line(text)).is_err() {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }
}

impl MakeWriter<'_> for &'static Queue {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line { queue: self, text: Vec::new() }
    }
}

/// One line, which is queued when it is whole.
struct Line {
    queue: &'static Queue,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.queue.push(std::mem::take(&mut self.text));
        }
    }
}

/// Returns what a panic says, if it says it in words of ours. Words that were put together may hold what a client
/// sent; the place in the code says enough.
fn words<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown)")
}
