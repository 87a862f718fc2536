//! A certificate chain and its key, which have to belong together.

use super::CertificateFacts;
use crate::KeyFile;

/// Why a certificate chain and a private key are no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityFault {
    /// Each is where the other has to be.
    Swapped,
    /// The key belongs to a certificate that is not the first: to the one at this place, from 1.
    Disordered(usize),
    /// The key belongs to none of the certificates.
    Mismatch,
}

impl IdentityFault {
    /// Whether two files are in each other's place, by what they hold.
    pub fn are_swapped(chain: &[u8], key: &[u8]) -> bool {
        KeyFile::of(chain).is_private_key() && KeyFile::of(key).is_certificate()
    }

    /// Says whose key it is that does not belong to the first certificate. It is given by its public half, a
    /// `SubjectPublicKeyInfo` in DER.
    pub fn of_key(chain: &[CertificateFacts], public_key: &[u8]) -> Self {
        let own = chain.iter().position(|certificate| certificate.public_key().as_deref() == Some(public_key));
        own.map_or(Self::Mismatch, |index| Self::Disordered(index + 1))
    }

    /// A sentence with the names of the two files.
    pub fn told(self, chain: &str, key: &str) -> String {
        match self {
            Self::Swapped => {
                format!("{chain} holds a private key, and {key} a certificate: the two have changed places")
            }
            Self::Disordered(place) => format!(
                "the private key in {key} belongs to certificate {place} in {chain}, which has to be the first: put each certificate \
                 before that of its issuer, as in `cat server.pem intermediate.pem`"
            ),
            Self::Mismatch => {
                format!("the private key in {key} does not belong to the certificate in {chain}")
            }
        }
    }

    /// Why a private key cannot be used, in a sentence that begins with it. The certificate that is shown with it says
    /// what kind of key it is.
    pub fn unusable_key(chain: &[CertificateFacts], key: &str) -> String {
        match chain.first().and_then(CertificateFacts::flaw) {
            Some(flaw) => {
                let flaw = flaw.strip_prefix("has ").unwrap_or(&flaw);
                format!("the private key in {key} cannot be used: it is {flaw}")
            }
            None => format!(
                "the private key in {key} cannot be used: it is damaged, or of no kind that TLS takes here (RSA from 2048 bits on, \
                 P-256, P-384, P-521, Ed25519)"
            ),
        }
    }

    /// What is to be doubted about the order of a chain.
    pub fn order_doubt(chain: &[CertificateFacts], file: &str) -> Option<String> {
        CertificateFacts::disorder(chain).map(|place| {
            format!(
                "certificate {place} in {file} is not followed by that of its issuer, and some peers then cannot verify it: put each \
                 certificate before that of its issuer, and leave others out"
            )
        })
    }
}
