//! The certificates of a listener, chosen by name.

use std::{collections::HashMap, fmt, sync::Arc};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::error::TlsError;

const MAX_NAME: usize = 255;
/// What belongs to no other certificate belongs to the first.
pub(super) const DEFAULT: usize = 0;

/// Certificates and the names that they are for.
#[derive(Default)]
pub(super) struct Certificates {
    keys: Vec<Arc<CertifiedKey>>,
    exact: HashMap<Box<[u8]>, usize>,
    /// `example.com` for `*.example.com`.
    wildcards: HashMap<Box<[u8]>, usize>,
}

impl Certificates {
    /// Adds one. Names that an earlier one has are left to that.
    pub(super) fn add(&mut self, key: CertifiedKey, label: &str) -> Result<(), TlsError> {
        let index = self.keys.len();
        let leaf = key.end_entity_cert().map_err(|error| TlsError::certificate(label, error))?;
        let parsed =
            webpki::EndEntityCert::try_from(leaf).map_err(|error| TlsError::certificate(label, error))?;
        for name in parsed.valid_dns_names() {
            let name = name.to_ascii_lowercase();
            match name.strip_prefix("*.") {
                Some(parent) => self.wildcards.entry(parent.as_bytes().into()).or_insert(index),
                None => self.exact.entry(name.into_bytes().into()).or_insert(index),
            };
        }
        self.keys.push(Arc::new(key));
        Ok(())
    }

    /// Whether there is no choice.
    pub(super) fn is_single(&self) -> bool {
        self.keys.len() == 1
    }

    /// The certificate that a name belongs to, by its place: the one that has it, else one with a wildcard that covers
    /// it, else the first. An address belongs to the first, since no client names one in its handshake (RFC 6066,
    /// section 3).
    pub(super) fn choose(&self, name: &[u8]) -> usize {
        // No name is longer (RFC 1035, section 2.3.4).
        let mut lower = [0; MAX_NAME];
        let Some(lower) = lower.get_mut(..name.len()) else { return DEFAULT };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let lower = &*lower;
        let wildcard = || {
            let dot = lower.iter().position(|byte| *byte == b'.')?;
            self.wildcards.get(&lower[dot + 1..])
        };
        self.exact.get(lower).or_else(wildcard).copied().unwrap_or(DEFAULT)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let index = hello.server_name().map_or(DEFAULT, |name| self.choose(name.as_bytes()));
        self.keys.get(index).map(Arc::clone)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |map: &HashMap<Box<[u8]>, usize>| {
            map.keys().map(|name| name.escape_ascii().to_string()).collect::<Vec<_>>()
        };
        f.debug_struct("Certificates")
            .field("exact", &names(&self.exact))
            .field("wildcards", &names(&self.wildcards))
            .finish()
    }
}
