//! The certificates of a listener, chosen by name.

use std::{collections::HashMap, fmt, sync::Arc};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::error::TlsError;

/// Certificates and the names that they are for.
#[derive(Default)]
pub(super) struct Certificates {
    keys: Vec<Arc<CertifiedKey>>,
    exact: HashMap<Box<str>, usize>,
    /// `example.com` for `*.example.com`.
    wildcards: HashMap<Box<str>, usize>,
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
                Some(parent) => self.wildcards.entry(parent.into()).or_insert(index),
                None => self.exact.entry(name.into()).or_insert(index),
            };
        }
        self.keys.push(Arc::new(key));
        Ok(())
    }

    /// Whether there is no choice.
    pub(super) fn is_single(&self) -> bool {
        self.keys.len() == 1
    }

    /// The certificate for a name, by its place; the first when none is for it.
    pub(super) fn choose(&self, name: &str) -> usize {
        let name = name.to_ascii_lowercase();
        let wildcard = || name.split_once('.').and_then(|(_, parent)| self.wildcards.get(parent));
        self.exact.get(&*name).or_else(wildcard).copied().unwrap_or(0)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let index = hello.server_name().map_or(0, |name| self.choose(name));
        self.keys.get(index).map(Arc::clone)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("exact", &self.exact).field("wildcards", &self.wildcards).finish()
    }
}
