//! TLS towards endpoints.

mod builder;
mod messages;
#[cfg(test)]
mod tests;
mod verifier;

use std::{fmt, sync::Arc, time::SystemTime};

use gatewright_core::{CertificateFacts, Error, ErrorKind};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Protocol, Target};
pub use builder::{ClientTlsBuilder, ClientTlsError};
use messages::message;
pub(crate) use messages::with_message;

/// The TLS settings for an endpoint: the authorities to trust, the certificate to show, and the name to ask for. TLS 1.2
/// and 1.3.
#[derive(Clone)]
pub struct ClientTls {
    /// One configuration for each set of protocols, since a configuration holds the protocols that are offered.
    any: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    /// The certificates of `ca` and of `cert`.
    certificates: Arc<[(&'static str, CertificateFacts)]>,
    /// Doubts that do not depend on the time.
    fixed: Arc<[(&'static str, String)]>,
}

impl ClientTls {
    /// Doubts about the certificates: what is wrong now or within days, and what makes a certificate useless for endpoints
    /// with these hosts. Each doubt is a field, `ca` or `cert`, and a sentence.
    pub fn doubts(&self, hosts: &[&str]) -> Vec<(&'static str, String)> {
        let now = SystemTime::now();
        let mut doubts = self.fixed.to_vec();
        for (field, facts) in &*self.certificates {
            let names = (*field == "ca" && self.is_for_an_endpoint(facts, hosts)).then(|| facts.name_doubt());
            let all = [facts.doubt(now), names.flatten(), facts.flaw()];
            let subject = facts.shown_subject();
            doubts.extend(
                all.into_iter()
                    .flatten()
                    .map(|doubt| (*field, format!("the certificate of `{subject}` {doubt}"))),
            );
        }
        doubts
    }

    /// Whether a trusted certificate looks like an endpoint's own, and not like an authority's. Both may say `CA:TRUE`, as
    /// `openssl req -x509` writes it.
    fn is_for_an_endpoint(&self, facts: &CertificateFacts, hosts: &[&str]) -> bool {
        let name = facts.common_name();
        let is_name = |host: &str| name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(host));
        let own = self.server_name.as_ref().map(ServerName::to_str);
        let is_issuer = facts.is_authority() || facts.has_no_extensions();
        !is_issuer || hosts.iter().any(|host| is_name(host)) || own.is_some_and(|host| is_name(&host))
    }

    /// Trusts the system's authorities, shows no certificate, and asks for the target's host.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder::default()
    }

    pub(crate) async fn handshake(
        &self,
        target: &Target,
        protocol: Protocol,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, bool), Error> {
        let config = match protocol {
            Protocol::Auto => &self.any,
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        };
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(target.host().to_owned())
                .map_err(|error| Error::new(ErrorKind::Tls, format!("{}: {error}", target.host())))?,
        };
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name, stream)
            .await
            .map_err(|error| Error::new(ErrorKind::Tls, format!("{target}: {}", message(&error))))?;
        let agreed = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        // An endpoint without ALPN speaks HTTP/1, unless HTTP/2 was asked for.
        Ok((stream, agreed || protocol == Protocol::Http2))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}
