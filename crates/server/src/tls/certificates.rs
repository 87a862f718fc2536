//! The certificates of a listener, chosen by name and by what the client can verify.

use std::{collections::HashMap, fmt, sync::Arc};

use gatewright_core::CertificateFacts;
use rustls::{
    CipherSuite, SignatureAlgorithm, SignatureScheme, SupportedCipherSuite,
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::error::TlsError;

/// The longest name, in bytes.
const MAX_NAME: usize = 255;
/// The first certificate takes every name that belongs to no other.
pub(super) const DEFAULT: usize = 0;

/// Certificates and their names.
///
/// Several certificates may have one name if their keys are of different kinds. A client then gets a certificate whose
/// signatures it can verify, with an elliptic curve before RSA, which costs more; otherwise the first. For the host check of
/// requests they count as one certificate, identified by the index of the first.
#[derive(Default)]
pub(super) struct Certificates {
    keys: Vec<Arc<CertifiedKey>>,
    exact: HashMap<Box<[u8]>, Vec<usize>>,
    /// `example.com` for `*.example.com`.
    wildcards: HashMap<Box<[u8]>, Vec<usize>>,
    /// The certificates for every other name: the first, and the certificates with exactly its names.
    default: Vec<usize>,
    suites: Vec<SupportedCipherSuite>,
}

/// The use of an added certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// The certificate serves some of its names, or is the default.
    Used,
    /// The certificate is never served: an earlier certificate with a key of the same kind has each of its names.
    NeverServed,
}

/// All signature schemes. The scheme that a key chooses among them tells its kind.
const SCHEMES: [SignatureScheme; 7] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
];

impl Certificates {
    pub(super) fn new(provider: &CryptoProvider) -> Self {
        Self { suites: provider.cipher_suites.clone(), ..Self::default() }
    }

    /// Adds a certificate. A name stays with an earlier certificate whose key is of the same kind.
    pub(super) fn add(&mut self, key: CertifiedKey, label: &str) -> Result<Added, TlsError> {
        let index = self.keys.len();
        let unusable = |leaf: &[u8]| {
            let why = CertificateFacts::why_unusable(leaf);
            TlsError::new("cert", format!("the certificate in {label} {why}"))
        };
        let leaf = key.end_entity_cert().map_err(|_| unusable(&[]))?;
        let parsed = webpki::EndEntityCert::try_from(leaf).map_err(|_| unusable(leaf))?;
        let names: Vec<_> = parsed.valid_dns_names().map(str::to_ascii_lowercase).collect();
        self.keys.push(Arc::new(key));
        let mut is_used = index == DEFAULT;
        for name in &names {
            let (map, name) = match name.strip_prefix("*.") {
                Some(parent) => (&mut self.wildcards, parent),
                None => (&mut self.exact, name.as_str()),
            };
            let holders = map.entry(name.as_bytes().into()).or_default();
            let kind = kind(&self.keys[index]);
            if !holders.iter().any(|other| kind == self::kind(&self.keys[*other])) {
                holders.push(index);
                is_used = true;
            }
        }
        let is_like_the_first = !names.is_empty()
            && self.default.first().is_some_and(|first| self.names_of(index) == self.names_of(*first));
        if index == DEFAULT || (is_used && is_like_the_first) {
            self.default.push(index);
        }
        Ok(if is_used { Added::Used } else { Added::NeverServed })
    }

    /// The names that a certificate is served for, in order.
    fn names_of(&self, index: usize) -> Vec<(bool, &[u8])> {
        let of = |map, is_wildcard| {
            let map: &HashMap<Box<[u8]>, Vec<usize>> = map;
            map.iter()
                .filter(move |(_, holders)| holders.contains(&index))
                .map(move |(name, _)| (is_wildcard, &**name))
        };
        let mut names: Vec<_> = of(&self.exact, false).chain(of(&self.wildcards, true)).collect();
        names.sort_unstable();
        names
    }

    /// Whether there is only one certificate.
    pub(super) fn is_single(&self) -> bool {
        self.keys.len() == 1
    }

    /// The index of the certificate for a name: the one with the exact name, else one with a wildcard that covers the name,
    /// else the first. An IP address belongs to the first certificate, since no client names an address in its handshake
    /// (RFC 6066, section 3).
    pub(super) fn choose(&self, name: &[u8]) -> usize {
        self.holders(name).first().copied().unwrap_or(DEFAULT)
    }

    /// All certificates for a name, in order.
    fn holders(&self, name: &[u8]) -> &[usize] {
        // No DNS name is longer (RFC 1035, section 2.3.4).
        let mut lower = [0; MAX_NAME];
        let Some(lower) = lower.get_mut(..name.len()) else { return &self.default };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let lower = &*lower;
        let wildcard = || {
            let dot = lower.iter().position(|byte| *byte == b'.')?;
            self.wildcards.get(&lower[dot + 1..])
        };
        self.exact.get(lower).or_else(wildcard).unwrap_or(&self.default)
    }

    /// Whether a client can verify signatures of this key: it offers a scheme for the key and, below TLS 1.3, a cipher
    /// suite for it.
    fn fits(&self, key: &CertifiedKey, schemes: &[SignatureScheme], suites: &[CipherSuite]) -> bool {
        let algorithm = key.key.algorithm();
        let has_suite =
            self.suites.iter().filter(|suite| suites.contains(&suite.suite())).any(|suite| match suite {
                // The suites of TLS 1.3 say nothing about signatures (RFC 8446, section 4.1.1).
                SupportedCipherSuite::Tls13(_) => true,
                SupportedCipherSuite::Tls12(suite) => {
                    suite.sign.iter().any(|scheme| algorithm_of(*scheme) == Some(algorithm))
                }
            });
        has_suite && key.key.choose_scheme(schemes).is_some()
    }
}

/// The kind of a key. Two keys of one kind serve the same clients.
fn kind(key: &CertifiedKey) -> Option<SignatureScheme> {
    key.key.choose_scheme(&SCHEMES).map(|signer| signer.scheme())
}

fn algorithm_of(scheme: SignatureScheme) -> Option<SignatureAlgorithm> {
    Some(match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
        | SignatureScheme::ECDSA_NISTP384_SHA384
        | SignatureScheme::ECDSA_NISTP521_SHA512 => SignatureAlgorithm::ECDSA,
        SignatureScheme::ED25519 => SignatureAlgorithm::ED25519,
        SignatureScheme::RSA_PKCS1_SHA256
        | SignatureScheme::RSA_PKCS1_SHA384
        | SignatureScheme::RSA_PKCS1_SHA512
        | SignatureScheme::RSA_PSS_SHA256
        | SignatureScheme::RSA_PSS_SHA384
        | SignatureScheme::RSA_PSS_SHA512 => SignatureAlgorithm::RSA,
        _ => return None,
    })
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let holders = hello.server_name().map_or(&*self.default, |name| self.holders(name.as_bytes()));
        let (schemes, suites) = (hello.signature_schemes(), hello.cipher_suites());
        let fitting = || {
            let keys = holders.iter().filter_map(|index| self.keys.get(*index));
            // `min_by_key` gives the first of equal keys.
            keys.filter(|key| self.fits(key, schemes, suites))
                .min_by_key(|key| key.key.algorithm() == SignatureAlgorithm::RSA)
        };
        let chosen = match holders {
            [only] => self.keys.get(*only),
            several => fitting().or_else(|| self.keys.get(*several.first()?)),
        };
        chosen.map(Arc::clone)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |map: &HashMap<Box<[u8]>, Vec<usize>>| {
            map.keys().map(|name| name.escape_ascii().to_string()).collect::<Vec<_>>()
        };
        f.debug_struct("Certificates")
            .field("exact", &names(&self.exact))
            .field("wildcards", &names(&self.wildcards))
            .finish()
    }
}
