//! The world outside, as far as calls out see it: names and connections. Tests give their own.

use std::io;
use std::net::{IpAddr, SocketAddr};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::net::TcpStream;

/// Who finds the addresses of a name, and who connects to an address that was found to be allowed.
pub(crate) trait Outside: Send + Sync {
    /// Returns the addresses of a name, in the order in which to try them.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;

    /// Connects. INVARIANT: this is the only place of the crate that opens a connection, and it is given an address and
    /// no name, so that what was checked is what is called.
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;
}

/// The machine's own resolver and network. Proxies that the environment names are not used: they would resolve again.
pub(crate) struct System;

impl Outside for System {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let look_up = async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        };
        look_up.boxed()
    }

    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        TcpStream::connect(address).boxed()
    }
}
