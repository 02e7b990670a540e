//! Sockets: listening, accepting within limits, stopping without dropping what was accepted. HTTP/1.1 and, for those who
//! begin with its preface, HTTP/2; encryption is a proxy's business.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use darkroom_model::Limits;
use http::{Method, header};
use hyper::body::Body;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::answer_body::AnswerBody;
use super::linger::{KeptBody, linger};
use super::patience::Patient;
use super::preface::Begun;
use super::streams::{Standing, Streams};
use crate::settings::Listen;

/// A request as it comes from a socket.
pub(crate) type Request = http::Request<KeptBody>;

/// An answer.
pub(crate) type Response = http::Response<AnswerBody>;

/// What answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers a request that came in this way.
    fn handle(
        self: Arc<Self>,
        request: Request,
        arrival: Arrival,
    ) -> impl Future<Output = Response> + Send + 'static;
}

/// How a connection came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Our address of it.
    pub(crate) local_address: SocketAddr,
    /// Whose address it came from: the client's, or a proxy's.
    pub(crate) peer_address: SocketAddr,
    /// Which of our doors it took.
    pub(crate) entrance: Entrance,
}

/// The doors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entrance {
    /// For everyone: API, delivery, health.
    Public,
    /// For those who keep the server running: metrics, health.
    Admin,
}

/// What is listened on.
pub(crate) struct Listeners {
    /// For everyone.
    pub(crate) public: Vec<TcpListener>,
    /// For those who keep the server running.
    pub(crate) admin: Vec<TcpListener>,
}

/// Connections served at the same time at the admin entrance, besides those of everyone: whoever asks how the server
/// does must get in when it is full.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// An address that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// Listens on the addresses of the setting: of the default addresses one suffices, what is named must bind.
pub(crate) async fn bind(listen: &Listen) -> Result<Vec<TcpListener>, BindError> {
    let (addresses, one_suffices) = match listen {
        Listen::Default => (&Listen::DEFAULT[..], true),
        Listen::Named(addresses) => (&addresses[..], false),
    };
    let mut listeners = Vec::new();
    let mut failure = None;
    for &address in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(source) if one_suffices => {
                tracing::info!(%address, error = %source, "a default address is not listened on");
                failure.get_or_insert(BindError { address, source });
            }
            Err(source) => return Err(BindError { address, source }),
        }
    }
    match failure {
        Some(failure) if listeners.is_empty() => Err(failure),
        _ => Ok(listeners),
    }
}

/// How many connections are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionCount(Arc<AtomicUsize>);

impl ConnectionCount {
    /// Returns the number.
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
}

/// One connection, as long as it lives.
struct Counted(ConnectionCount);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves until `stop` becomes true, then lets the requests that were accepted finish, for at most
/// [`Limits::shutdown_wait`]; what is not finished then is cut off. Returns how many connections were cut off.
pub(crate) async fn serve<H: Handler>(
    listeners: Listeners,
    handler: Arc<H>,
    limits: Limits,
    connections: ConnectionCount,
    mut stop: watch::Receiver<bool>,
) -> usize {
    let public = (Entrance::Public, Arc::new(Semaphore::new(limits.connections_max)));
    let admin = (Entrance::Admin, Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX)));
    let streams = Arc::new(Semaphore::new(limits.connections_max));
    let mut accepting = JoinSet::new();
    let (served_sender, mut all_served) = tokio::sync::mpsc::channel::<Infallible>(1);
    let (cut_sender, cut) = watch::channel(false);
    let of_public = listeners.public.into_iter().map(|listener| (listener, public.clone()));
    let of_admin = listeners.admin.into_iter().map(|listener| (listener, admin.clone()));
    for (listener, (entrance, permits)) in of_public.chain(of_admin) {
        let connections = connections.clone();
        let served = served_sender.clone();
        let server = Server { handler: Arc::clone(&handler), limits, streams: Arc::clone(&streams) };
        let (stop, cut) = (stop.clone(), cut.clone());
        accepting.spawn(async move {
            let mut stopping = stop.clone();
            loop {
                // INVARIANT: a place first, then a connection: whoever cannot be served waits in the kernel's queue.
                let next = async {
                    let permit = Arc::clone(&permits).acquire_owned().await;
                    (permit, accept(&listener).await)
                };
                let (permit, (stream, local_address, peer_address)) = tokio::select! {
                    next = next => next,
                    _ = stopping.wait_for(|stop| *stop) => return,
                };
                let counted = connections.enter();
                let arrival = Arrival { local_address, peer_address, entrance };
                let (server, stop, mut cut, served) =
                    (server.clone(), stop.clone(), cut.clone(), served.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = server.serve_connection(stream, arrival, stop) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                    drop((permit, counted, served));
                });
            }
        });
    }
    drop(served_sender);
    // Whoever could have said "stop" and is gone can never say it.
    let _ = stop.wait_for(|stop| *stop).await;
    while accepting.join_next().await.is_some() {}
    if tokio::time::timeout(limits.shutdown_wait, all_served.recv()).await.is_ok() {
        return 0;
    }
    let left = connections.get();
    let _ = cut_sender.send(true);
    let _ = all_served.recv().await;
    left
}

/// Returns the next connection, our address of it, and theirs. Errors of accepting are errors of a connection that is
/// gone already, or of too many open files: both pass.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr, SocketAddr) {
    loop {
        let accepted = listener.accept().await;
        match accepted.and_then(|(stream, peer)| stream.local_addr().map(|address| (stream, address, peer))) {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// What every connection is served with.
struct Server<H> {
    handler: Arc<H>,
    limits: Limits,
    /// Places of requests over HTTP/2.
    streams: Arc<Semaphore>,
}

impl<H> Clone for Server<H> {
    fn clone(&self) -> Server<H> {
        let Server { handler, limits, streams } = self;
        Server { handler: Arc::clone(handler), limits: *limits, streams: Arc::clone(streams) }
    }
}

type Socket = Begun<Patient<TcpStream>>;

impl<H: Handler> Server<H> {
    /// Serves a connection, in the HTTP that it begins with.
    async fn serve_connection(&self, stream: TcpStream, arrival: Arrival, mut stop: watch::Receiver<bool>) {
        // Answers are written as a whole; waiting for more to send only delays their end.
        let _ = stream.set_nodelay(true);
        let beginning = Begun::wait(Patient::new(stream, self.limits.answer_wait));
        let beginning = tokio::time::timeout(self.limits.head_wait, beginning);
        let begun = tokio::select! {
            biased;
            begun = beginning => begun,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match begun {
            // Boxed, so that a connection pays for what it speaks and not for what it could have spoken.
            Ok(Ok(socket)) if socket.is_http2() => Box::pin(self.serve_http2(socket, arrival, stop)).await,
            Ok(Ok(socket)) => Box::pin(self.serve_http1(socket, arrival, stop)).await,
            Ok(Err(error)) => tracing::debug!(%error, "a connection broke before its first request"),
            Err(_) => tracing::debug!("a connection was closed that asked for nothing"),
        }
    }

    /// Serves requests one after another.
    async fn serve_http1(&self, socket: Socket, arrival: Arrival, mut stop: watch::Receiver<bool>) {
        let Server { handler, limits, .. } = self;
        let service = service_fn(move |request: http::Request<_>| {
            let answer = Arc::clone(handler).handle(request.map(KeptBody::new), arrival);
            Box::pin(async move { Ok::<Response, Infallible>(answer.await) })
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_wait)
            .max_header_size(limits.head_bytes_max)
            // The buffer must hold the largest head and what came with it.
            .max_buf_size(limits.head_bytes_max.max(32 << 10) * 2)
            .serve_connection(TokioIo::new(socket), service);
        let served = {
            let mut stopping = pin!(stop.wait_for(|stop| *stop));
            let mut told = false;
            poll_fn(|context| {
                if !told && stopping.as_mut().poll(context).is_ready() {
                    told = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                connection.poll_without_shutdown(context)
            })
            .await
        };
        let was_answered = match &served {
            Ok(()) => true,
            // Whoever sent what cannot be read was told so.
            Err(error) => error.is_parse(),
        };
        if let Err(error) = &served {
            log_broken(error);
        }
        if was_answered {
            Box::pin(linger(connection.into_parts().io.into_inner().into_inner().into_inner())).await;
        }
    }

    /// Serves requests side by side: so many of one connection, and of all such connections together no more than
    /// there may be connections.
    async fn serve_http2(&self, socket: Socket, arrival: Arrival, mut stop: watch::Receiver<bool>) {
        let limits = &self.limits;
        let streams = Streams::new();
        let (handler, places, begun) =
            (Arc::clone(&self.handler), Arc::clone(&self.streams), streams.clone());
        let service = service_fn(move |request: http::Request<_>| {
            let is_head = request.method() == Method::HEAD;
            let (stream, places, handler) = (begun.begin(), Arc::clone(&places), Arc::clone(&handler));
            let begun = begun.clone();
            async move {
                let place = places.acquire_owned().await.ok().map(Arc::new);
                let request = request.map(KeptBody::new);
                let rest = request.body().clone();
                let mut response = handler.handle(request, arrival).await;
                if is_head {
                    drop_body(&mut response);
                }
                if !rest.is_end_stream() {
                    // A request that is read on is still in progress, and keeps its place among the others.
                    let held = (begun.begin(), place.clone());
                    tokio::spawn(async move {
                        rest.skip().await;
                        drop(held);
                    });
                }
                Ok::<_, Infallible>(response.map(|body| stream.answer(body, place)))
            }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_max)
            .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
            // Whoever opens and resets streams faster than they can be looked at is not waited for.
            .max_pending_accept_reset_streams(RESETS_MAX)
            .max_local_error_reset_streams(RESETS_MAX)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .serve_connection(TokioIo::new(socket), service);
        let mut connection = pin!(connection);
        let mut stopping = pin!(stop.wait_for(|stop| *stop));
        let (mut told, period) = (false, limits.head_wait.min(limits.answer_wait) / 4);
        let mut look = tokio::time::interval(period.max(Duration::from_millis(1)));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_over = tokio::select! {
                served = connection.as_mut() => {
                    return served.unwrap_or_else(|error| log_broken(&error));
                }
                _ = stopping.as_mut(), if !told => true,
                _ = look.tick() => match streams.standing(Instant::now()) {
                    Standing::Busy(untaken) if untaken >= limits.answer_wait => {
                        tracing::debug!("a connection was cut off whose client does not take what it asked for");
                        return;
                    }
                    // It was told to end, and does not.
                    Standing::Idle(idle) if idle >= limits.head_wait * 2 => return,
                    Standing::Idle(idle) => idle >= limits.head_wait,
                    Standing::Busy(_) => false,
                },
            };
            if is_over && !told {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Streams that a client may have reset before they were looked at, and that we may have reset for its faults.
const RESETS_MAX: usize = 32;
/// What a client may send of one body before it is read.
const STREAM_WINDOW_BYTES: u32 = 512 << 10;
/// What a client may send of all bodies together before they are read.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// What is kept of one answer for a client that has no room for it.
const SEND_BUFFER_BYTES: usize = 64 << 10;

/// Leaves the head of an answer to HEAD, with the length of what GET would get. Over HTTP/1.1 hyper does this.
fn drop_body(response: &mut Response) {
    let body = std::mem::replace(response.body_mut(), AnswerBody::Whole(None));
    if let Some(length) = body.size_hint().exact().filter(|&length| length > 0) {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
}

fn log_broken(error: &hyper::Error) {
    tracing::debug!(error = error as &dyn std::error::Error, "a connection broke");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_named_must_bind() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = (taken.local_addr().unwrap(), taken);
        let free = "127.0.0.1:0".parse().unwrap();
        let error = bind(&Listen::Named(vec![free, taken.0])).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {}", taken.0));
        assert_eq!(bind(&Listen::Named(vec![free, free])).await.unwrap().len(), 2);
    }
}
