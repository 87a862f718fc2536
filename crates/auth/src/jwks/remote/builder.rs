use std::time::Duration;

use super::{address::KeysAddress, discovery::Discovery, refresher::Remote};
use crate::{
    Jwks, ProviderError,
    provider::{Access, Endpoint},
};

/// Builds keys that an identity provider publishes.
#[derive(Debug, Clone)]
#[must_use = "nothing is fetched by a builder"]
pub struct RemoteJwksBuilder {
    from: From,
    access: Access,
}

#[derive(Debug, Clone)]
enum From {
    Keys(Box<str>),
    Issuer(Box<str>),
}

impl RemoteJwksBuilder {
    pub(crate) fn of_keys(url: &str) -> Self {
        Self { from: From::Keys(url.into()), access: Access::default() }
    }

    pub(crate) fn of_issuer(issuer: &str) -> Self {
        Self { from: From::Issuer(issuer.into()), access: Access::default() }
    }

    /// Trusts these authorities alone, given in PEM, instead of the system's.
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.access.ca = Some(pem.into());
        self
    }

    /// How long one answer may take, from the connection to the last byte; 5 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.access.timeout = timeout;
        self
    }

    /// The largest answer, in bytes; 256 KiB unless set.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.access.max_size = bytes;
        self
    }

    /// Allows `http://` too. Whoever can touch the network on the way can then make tokens.
    pub fn allow_cleartext(mut self) -> Self {
        self.access.cleartext = true;
        self
    }

    /// The keys. Nothing is fetched yet: see [`Jwks::prefetch`].
    ///
    /// # Errors
    ///
    /// When the URL is none, or not one of `https`; when the authorities cannot be read.
    pub fn build(self) -> Result<Jwks, ProviderError> {
        Ok(Jwks::of_remote(match self.from {
            // The log names where they are from; a query may be nobody's business.
            From::Keys(url) => Remote::new(
                url.split('?').next().unwrap_or_default(),
                KeysAddress::Url(Endpoint::new(&url, &self.access)?),
            ),
            From::Issuer(issuer) => {
                Remote::new(&issuer, KeysAddress::Discovered(Discovery::new(&issuer, self.access)?))
            }
        }))
    }
}
