//! TLS to origins, trusting whom the machine trusts.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use darkroom_model::source_url::Host;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What connections over TLS begin with; read at the first of them, since most servers never need it.
#[derive(Default)]
pub(super) struct Tls(OnceCell<TlsConnector>);

impl Tls {
    /// Trusts these and nobody else.
    #[cfg(test)]
    pub(super) fn trusting(roots: RootCertStore) -> Tls {
        Tls(OnceCell::new_with(connector(roots).ok()))
    }

    /// Makes a connection one over TLS, to a host that proves to be this one.
    pub(super) async fn connect(&self, host: &Host, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let connector = self.0.get_or_try_init(native_connector).await?;
        let name = match host {
            // A dot at the end is for the resolver; no certificate has it.
            Host::Name(name) => {
                ServerName::try_from(name.trim_end_matches('.').to_owned()).map_err(io::Error::other)?
            }
            Host::Address(address) => ServerName::IpAddress(IpAddr::into(*address)),
        };
        connector.connect(name, stream).await
    }
}

async fn native_connector() -> io::Result<TlsConnector> {
    let load = || {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, unusable) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            tracing::error!(
                "no certificate authority of this machine was found: no file can be fetched over TLS"
            );
        }
        tracing::debug!(added, unusable, unreadable = found.errors.len(), "certificate authorities");
        connector(roots)
    };
    tokio::task::spawn_blocking(load).await.map_err(io::Error::other)?
}

fn connector(roots: RootCertStore) -> io::Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
