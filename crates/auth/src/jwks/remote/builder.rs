use std::time::Duration;

use super::{address::KeysAddress, discovery::Discovery, refresher::Remote};
use crate::{
    Jwks, ProviderError,
    provider::{Access, Endpoint},
};

/// Builds keys that an identity provider publishes.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct RemoteJwksBuilder {
    source: Source,
    access: Access,
}

#[derive(Debug, Clone)]
enum Source {
    Keys(Box<str>),
    Issuer(Box<str>),
}

impl RemoteJwksBuilder {
    pub(crate) fn of_keys(url: &str) -> Self {
        Self { source: Source::Keys(url.into()), access: Access::default() }
    }

    pub(crate) fn of_issuer(issuer: &str) -> Self {
        Self { source: Source::Issuer(issuer.into()), access: Access::default() }
    }

    /// Trusts these certificate authorities, in PEM, instead of the system's.
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.access.ca = Some(pem.into());
        self
    }

    /// The time for one answer, from the connection to the last byte; 5 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.access.timeout = timeout;
        self
    }

    /// The largest answer, in bytes; 256 KiB unless set.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.access.max_size = bytes;
        self
    }

    /// Allows `http://` too. Anyone on the network path can then make tokens.
    pub fn allow_cleartext(mut self) -> Self {
        self.access.cleartext = true;
        self
    }

    /// Builds the keys. Nothing is fetched yet: see [`Jwks::prefetch`].
    ///
    /// # Errors
    ///
    /// The URL is not a URL with `https`, or the certificate authorities cannot be read.
    pub fn build(self) -> Result<Jwks, ProviderError> {
        Ok(Jwks::of_remote(match self.source {
            // The log names the URL. Its query may be private.
            Source::Keys(url) => Remote::new(
                url.split('?').next().unwrap_or_default(),
                KeysAddress::Url(Endpoint::new(&url, &self.access)?),
            ),
            Source::Issuer(issuer) => {
                Remote::new(&issuer, KeysAddress::Discovered(Discovery::new(&issuer, self.access)?))
            }
        }))
    }
}
