//! Calls out: the one place from which the server asks others for anything.
//!
//! Whoever may upload by URL decides whom this machine calls, and the machine may reach what the caller may not: the
//! database beside it, a cloud's metadata, a printer. So a name is resolved, its addresses are judged, and the
//! connection is made to an address that was judged, never to the name again; every redirect begins anew. Time, bytes,
//! redirects and heads are bounded, and nothing is unpacked.
//!
//! INVARIANT: to an address that is neither public nor allowed by the operator, nothing is sent, not even the first
//! packet of a connection.

mod address;
mod exchange;
mod outside;
#[cfg(test)]
mod tests;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use darkroom_model::source_url::{Host, Scheme};
use darkroom_model::{Limits, Network, SourceUrl};
use tokio::net::TcpStream;

use exchange::{Answer, exchange};
use outside::{Outside, System};
use tls::Tls;

/// Addresses of one name that are tried; names with more of them have others that answer.
const ADDRESSES_MAX: usize = 8;

/// Why a file could not be fetched. What names and addresses were involved is not told: the caller knows what it asked
/// for, and should not learn what this machine's resolver knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FetchError {
    /// The name does not resolve, or to no address that may be called.
    #[error("its host has no address that may be called")]
    Refused,
    /// No connection came about.
    #[error("its host does not accept connections")]
    NotConnected,
    /// TLS failed: mostly a certificate that proves nothing.
    #[error("no trusted TLS connection to its host")]
    NotTrusted,
    /// What came back is no HTTP, or ended early.
    #[error("its host did not send a whole answer")]
    NoHttp,
    /// An answer that is no file.
    #[error("its host answered with status {0}")]
    Status(u16),
    /// A file in an encoding that was not asked for.
    #[error("its host sent an encoded file")]
    Encoded,
    /// A redirect to what cannot be fetched.
    #[error("its host redirected to what is no http or https URL")]
    BadRedirect,
    /// A redirect too many.
    #[error("its host redirected too often")]
    TooManyRedirects,
    /// The file is larger than a file may be.
    #[error("the file is too large")]
    TooLarge,
    /// It took too long.
    #[error("its host took too long")]
    TimedOut,
}

/// What is fetched, and what for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Errand {
    bytes_max: usize,
    is_for_transformation: bool,
}

impl Errand {
    /// For a file that becomes an image of an account.
    pub(crate) fn upload(bytes_max: usize) -> Errand {
        Errand { bytes_max, is_for_transformation: false }
    }

    /// For a file that is transformed and sent on; its origin is told so.
    pub(crate) fn transformation(bytes_max: usize) -> Errand {
        Errand { bytes_max, is_for_transformation: true }
    }
}

/// A file, and what its origin says of keeping it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fetched {
    pub(crate) bytes: Bytes,
    /// `Cache-Control`, as it was sent.
    pub(crate) cache_control: Option<String>,
    /// `ETag`, as it was sent.
    pub(crate) etag: Option<String>,
}

/// Fetches files.
pub(crate) struct Fetcher {
    outside: Arc<dyn Outside>,
    tls: Tls,
    allowed: Vec<Network>,
    limits: Limits,
}

impl Fetcher {
    /// Makes one that may call public addresses, and those that the operator allowed besides.
    pub(crate) fn new(allowed: Vec<Network>, limits: Limits) -> Fetcher {
        Fetcher { outside: Arc::new(System), tls: Tls::default(), allowed, limits }
    }

    /// Returns the file at a URL, of no more bytes than the errand allows, whatever its origin says that it is.
    ///
    /// User and password go to the origin of the URL that holds them, and to no other.
    pub(crate) async fn fetch(&self, url: &SourceUrl, errand: Errand) -> Result<Fetched, FetchError> {
        let fetching = self.follow(url.clone(), errand);
        tokio::time::timeout(self.limits.fetch_wait, fetching).await.unwrap_or(Err(FetchError::TimedOut))
    }

    async fn follow(&self, mut url: SourceUrl, errand: Errand) -> Result<Fetched, FetchError> {
        for _ in 0..=self.limits.redirects_max {
            match self.ask(&url, errand).await? {
                Answer::File(file) => return Ok(file),
                Answer::Elsewhere(place) => url = redirected(&url, &place)?,
            }
        }
        Err(FetchError::TooManyRedirects)
    }

    async fn ask(&self, url: &SourceUrl, errand: Errand) -> Result<Answer, FetchError> {
        let stream = self.connect(url).await?;
        match url.scheme() {
            Scheme::Http => exchange(stream, url, errand).await,
            Scheme::Https => {
                let secured = self.tls.connect(url.host(), stream).await;
                exchange(secured.map_err(|_| FetchError::NotTrusted)?, url, errand).await
            }
        }
    }

    /// Connects to the first address of the host that accepts it, of those that may be called.
    async fn connect(&self, url: &SourceUrl) -> Result<TcpStream, FetchError> {
        let addresses = match url.host() {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.outside.resolve(name).await.map_err(|_| FetchError::Refused)?,
        };
        // Where one family of addresses leads nowhere, there must be time left for the other.
        let connect_wait = self.limits.fetch_wait / 4;
        let mut failure = FetchError::Refused;
        for address in addresses.into_iter().filter(|address| self.may_call(*address)).take(ADDRESSES_MAX) {
            let connecting = self.outside.connect(SocketAddr::new(address, url.port()));
            match tokio::time::timeout(connect_wait, connecting).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(_)) | Err(_) => failure = FetchError::NotConnected,
            }
        }
        if failure == FetchError::Refused {
            tracing::info!(
                "a source was refused: no address of its host is public, or in 'allow_private_sources'"
            );
        }
        Err(failure)
    }

    fn may_call(&self, address: IpAddr) -> bool {
        address::is_public(address) || address::is_in(&self.allowed, address)
    }
}

/// Returns the URL to which a redirect leads. A redirect within an origin keeps what only that origin may know.
fn redirected(from: &SourceUrl, place: &str) -> Result<SourceUrl, FetchError> {
    let to = from.join(place).map_err(|_| FetchError::BadRedirect)?;
    let keeps = to.is_same_origin(from) && to.credentials().is_none();
    Ok(if keeps { to.with_credentials(from.credentials().cloned()) } else { to })
}
