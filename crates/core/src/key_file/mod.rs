//! What files hold that were meant to hold a key or a certificate in PEM, for errors that say how to mend them.

mod damage;

use std::fmt;

use damage::Damage;

/// What a file holds, judged by its first octets and its PEM labels (RFC 7468). Nothing in it is verified.
///
/// ```
/// use gatewright_core::{KeyFile, KeyFilePart};
///
/// let found = KeyFile::of(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
/// assert_eq!(found.to_string(), "an encrypted private key");
/// assert_eq!(
///     found.remedy(KeyFilePart::PrivateKey, "api.key").as_deref(),
///     Some("`openssl pkey -in api.key -out PLAIN.key`"),
/// );
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFile(Kind);

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFilePart {
    /// One certificate or several.
    Certificate,
    /// A private key.
    PrivateKey,
    /// A public key.
    PublicKey,
    /// A revocation list.
    RevocationList,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Certificate,
    TrustedCertificate,
    OldCertificate,
    Request,
    RevocationList,
    PrivateKey,
    EncryptedKey,
    PublicKey,
    Pkcs1PublicKey,
    SshPublicKey,
    SshPrivateKey,
    Pkcs7,
    Pkcs12,
    JavaKeyStore,
    DerCertificate,
    DerPkcs7,
    DerRevocationList,
    DerPrivateKey,
    DerEncryptedKey,
    DerPublicKey,
    Der,
    Utf16,
    BareBase64,
    Other,
}

/// The PEM labels that are known, those first that are part of no other.
const LABELS: [(&str, Kind); 13] = [
    ("BEGIN CERTIFICATE REQUEST", Kind::Request),
    ("BEGIN NEW CERTIFICATE REQUEST", Kind::Request),
    ("BEGIN CERTIFICATE-----", Kind::Certificate),
    ("BEGIN TRUSTED CERTIFICATE", Kind::TrustedCertificate),
    ("BEGIN X509 CERTIFICATE", Kind::OldCertificate),
    ("BEGIN X509 CRL", Kind::RevocationList),
    ("BEGIN ENCRYPTED PRIVATE KEY", Kind::EncryptedKey),
    ("BEGIN OPENSSH PRIVATE KEY", Kind::SshPrivateKey),
    ("BEGIN PUBLIC KEY", Kind::PublicKey),
    ("BEGIN RSA PUBLIC KEY", Kind::Pkcs1PublicKey),
    ("BEGIN SSH2 PUBLIC KEY", Kind::SshPublicKey),
    ("BEGIN PKCS7", Kind::Pkcs7),
    ("PRIVATE KEY-----", Kind::PrivateKey),
];

/// How much of a file is looked at.
const LOOKED_AT: usize = 1 << 20;

impl KeyFile {
    /// Judges what a file holds.
    pub fn of(content: &[u8]) -> Self {
        if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) {
            return Self(Kind::Utf16);
        }
        let content = Self::without_mark(content);
        let content = content.get(..LOOKED_AT).unwrap_or(content);
        let holds = |text: &str| content.windows(text.len()).any(|part| part == text.as_bytes());
        if holds("-----BEGIN ") || holds("---- BEGIN ") {
            // The old form encrypts under the ordinary label (RFC 1421, section 4.6.1.1).
            if holds("Proc-Type: 4,ENCRYPTED") {
                return Self(Kind::EncryptedKey);
            }
            let label = LABELS.iter().find(|(label, _)| holds(label));
            return Self(label.map_or(Kind::Other, |(_, kind)| *kind));
        }
        Self(match content {
            [0xfe, 0xed, 0xfe, 0xed, ..] => Kind::JavaKeyStore,
            [0x30, rest @ ..] => der(rest),
            _ if ["ssh-", "ecdsa-sha2-"].iter().any(|name| content.starts_with(name.as_bytes())) => {
                Kind::SshPublicKey
            }
            _ if content.trim_ascii().is_empty() => Kind::Nothing,
            // A sequence of 256 bytes or more in DER (X.690).
            _ if content.trim_ascii_start().starts_with(b"MII") => Kind::BareBase64,
            _ => Kind::Other,
        })
    }

    /// Says why a file has no such part that can be read, in a sentence that begins with the file's name, and how to mend
    /// it. The sentence holds nothing of the contents, which may be those of a key.
    pub fn why_not(content: &[u8], wanted: KeyFilePart, file: &str) -> String {
        let found = Self::of(content);
        let damage = || Damage::of(Self::without_mark(content), wanted);
        let mut message = match wanted {
            KeyFilePart::PrivateKey if found.is_encrypted_key() => {
                format!("the private key in {file} is encrypted; store it without a passphrase")
            }
            _ if found.is_empty() => return format!("{file} is empty, and is to hold a {wanted}"),
            _ => match damage() {
                Some(damage) => return format!("{file}{damage}"),
                None if found.is(wanted) => {
                    return format!("the {wanted} in {file} is no valid PEM: copy it anew");
                }
                None => format!("{file} holds no {wanted}, but {found}"),
            },
        };
        if let Some(command) = found.remedy(wanted, file) {
            message = format!("{message}: {command}");
        }
        message
    }

    /// Whether an END line and the BEGIN line of the next part are one line, as `cat` makes it of a file without a line
    /// break at its end. Readers of PEM pass over the next part without a word.
    pub fn has_joined_lines(content: &[u8]) -> bool {
        const JOINED: &[u8] = b"----------BEGIN ";
        content.windows(JOINED.len()).any(|part| part == JOINED)
    }

    fn is(self, wanted: KeyFilePart) -> bool {
        match wanted {
            KeyFilePart::Certificate => self.0 == Kind::Certificate,
            KeyFilePart::PrivateKey => self.0 == Kind::PrivateKey,
            KeyFilePart::PublicKey => self.0 == Kind::PublicKey,
            KeyFilePart::RevocationList => self.0 == Kind::RevocationList,
        }
    }

    /// A text without the byte order mark that some editors put before it.
    pub fn without_mark(text: &[u8]) -> &[u8] {
        text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
    }

    /// Whether it is a private key that needs a passphrase.
    pub fn is_encrypted_key(self) -> bool {
        matches!(self.0, Kind::EncryptedKey | Kind::DerEncryptedKey)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(self) -> bool {
        self.0 == Kind::Nothing
    }

    /// Whether it is a private key, as it should be.
    pub fn is_private_key(self) -> bool {
        self.0 == Kind::PrivateKey
    }

    /// Whether it is a certificate, as it should be.
    pub fn is_certificate(self) -> bool {
        self.0 == Kind::Certificate
    }

    /// The command that makes what is wanted of the file, in backquotes; `None` when none does.
    pub fn remedy(self, wanted: KeyFilePart, file: &str) -> Option<String> {
        use KeyFilePart::{Certificate, PrivateKey, PublicKey, RevocationList};
        let command = match (wanted, self.0) {
            (Certificate, Kind::TrustedCertificate | Kind::OldCertificate) => {
                "openssl x509 -in FILE -out CERT.pem"
            }
            (Certificate, Kind::DerCertificate) => "openssl x509 -inform DER -in FILE -out CERT.pem",
            (Certificate, Kind::Pkcs7) => "openssl pkcs7 -print_certs -in FILE -out CERT.pem",
            (Certificate, Kind::DerPkcs7) => "openssl pkcs7 -inform DER -print_certs -in FILE -out CERT.pem",
            (Certificate, Kind::Pkcs12) => "openssl pkcs12 -in FILE -nokeys -out CERT.pem",
            (PrivateKey, Kind::Pkcs12) => "openssl pkcs12 -in FILE -nocerts -nodes -out KEY.pem",
            (_, Kind::JavaKeyStore) => {
                "keytool -importkeystore -srckeystore FILE -destkeystore STORE.p12 -deststoretype pkcs12"
            }
            (PrivateKey, Kind::DerPrivateKey) => "openssl pkey -inform DER -in FILE -out KEY.pem",
            (PrivateKey, Kind::EncryptedKey) => "openssl pkey -in FILE -out PLAIN.key",
            (PrivateKey, Kind::DerEncryptedKey) => "openssl pkey -inform DER -in FILE -out PLAIN.key",
            (PrivateKey, Kind::SshPrivateKey) => "ssh-keygen -p -N '' -m PKCS8 -f FILE",
            (PublicKey, Kind::Certificate | Kind::TrustedCertificate | Kind::OldCertificate) => {
                "openssl x509 -in FILE -pubkey -noout"
            }
            (PublicKey, Kind::DerCertificate) => "openssl x509 -inform DER -in FILE -pubkey -noout",
            (PublicKey, Kind::PrivateKey | Kind::EncryptedKey) => "openssl pkey -in FILE -pubout",
            (PublicKey, Kind::DerPrivateKey) => "openssl pkey -inform DER -in FILE -pubout",
            (PublicKey, Kind::DerPublicKey) => "openssl pkey -pubin -inform DER -in FILE -pubout",
            (PublicKey, Kind::Pkcs1PublicKey) => "openssl rsa -RSAPublicKey_in -in FILE -pubout",
            (PublicKey, Kind::SshPublicKey) => "ssh-keygen -e -m PKCS8 -f FILE",
            (RevocationList, Kind::DerRevocationList) => "openssl crl -inform DER -in FILE -out LIST.pem",
            (_, Kind::Utf16) => "iconv -f UTF-16 -t UTF-8 FILE",
            _ => return None,
        };
        Some(format!("`{}`", command.replace("FILE", file)))
    }
}

impl fmt::Display for KeyFilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::PrivateKey => "private key",
            Self::PublicKey => "public key",
            Self::RevocationList => "revocation list",
        })
    }
}

/// What DER holds, after the octet that begins a sequence: by what stands first in it.
fn der(rest: &[u8]) -> Kind {
    let Some(body) = contents(rest) else { return Kind::Other };
    match body {
        // Version 3 and a sequence (RFC 7292, section 4).
        [0x02, 0x01, 0x03, 0x30, ..] => Kind::Pkcs12,
        // The object identifier of signed data (RFC 5652, section 5.1).
        [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02, ..] => Kind::DerPkcs7,
        // A version and an algorithm (RFC 5958), or a version and numbers (RFC 8017, RFC 5915).
        [0x02, 0x01, 0x00 | 0x01, 0x30 | 0x02 | 0x04, ..] => Kind::DerPrivateKey,
        [0x30, inner @ ..] => match contents(inner) {
            // A version, or a serial number, of a certificate (RFC 5280, section 4.1).
            Some([0xa0, 0x03, 0x02, 0x01, ..]) => Kind::DerCertificate,
            // A version and the algorithm of a signature (RFC 5280, section 5.1).
            Some([0x02, 0x01, 0x01, 0x30, ..]) => Kind::DerRevocationList,
            // PBES2 (RFC 8018, appendix A.4), and its elders.
            Some([0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, ..]) => Kind::DerEncryptedKey,
            Some([0x06, ..]) => Kind::DerPublicKey,
            _ => Kind::Der,
        },
        _ => Kind::Der,
    }
}

/// What follows a length (X.690, section 8.1.3), as much of it as there is.
fn contents(rest: &[u8]) -> Option<&[u8]> {
    let (length, rest) = rest.split_first()?;
    match length {
        0x80 | 0x85.. => None,
        0x81..=0x84 => rest.get(usize::from(length & 0x7f)..),
        _ => Some(rest),
    }
}

impl fmt::Display for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Nothing => "nothing",
            Kind::Certificate => "a certificate",
            Kind::TrustedCertificate => "a TRUSTED CERTIFICATE, which only OpenSSL reads",
            Kind::OldCertificate => "an X509 CERTIFICATE, as old tools label it",
            Kind::Request => "a request for a certificate",
            Kind::RevocationList => "a revocation list",
            Kind::PrivateKey => "a private key",
            Kind::EncryptedKey => "an encrypted private key",
            Kind::PublicKey => "a public key",
            Kind::Pkcs1PublicKey => "a public key in PKCS#1",
            Kind::SshPublicKey => "a public key of SSH",
            Kind::SshPrivateKey => "a private key of SSH",
            Kind::Pkcs7 => "certificates in PKCS#7",
            Kind::DerPkcs7 => "certificates in PKCS#7 in DER",
            Kind::Pkcs12 => "a PKCS#12 store (.p12, .pfx)",
            Kind::JavaKeyStore => "a Java key store (.jks)",
            Kind::DerCertificate => "a certificate in DER, not in PEM",
            Kind::DerRevocationList => "a revocation list in DER, not in PEM",
            Kind::DerPrivateKey => "a private key in DER, not in PEM",
            Kind::DerEncryptedKey => "an encrypted private key in DER",
            Kind::DerPublicKey => "a public key in DER, not in PEM",
            Kind::Der => "DER, not PEM",
            Kind::Utf16 => "text in UTF-16, not in UTF-8",
            Kind::BareBase64 => "base64 without its BEGIN and END lines",
            Kind::Other => "something else",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_holds_is_called_by_its_name() {
        let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes();
        for (content, expected) in [
            (pem("CERTIFICATE"), "a certificate"),
            (pem("TRUSTED CERTIFICATE"), "a TRUSTED CERTIFICATE, which only OpenSSL reads"),
            (pem("X509 CERTIFICATE"), "an X509 CERTIFICATE, as old tools label it"),
            (b"MIIBAAAA\n".to_vec(), "base64 without its BEGIN and END lines"),
            (pem("CERTIFICATE REQUEST"), "a request for a certificate"),
            (pem("PRIVATE KEY"), "a private key"),
            (pem("EC PRIVATE KEY"), "a private key"),
            (pem("RSA PRIVATE KEY"), "a private key"),
            (pem("ENCRYPTED PRIVATE KEY"), "an encrypted private key"),
            (pem("OPENSSH PRIVATE KEY"), "a private key of SSH"),
            (pem("PUBLIC KEY"), "a public key"),
            (pem("RSA PUBLIC KEY"), "a public key in PKCS#1"),
            (pem("X509 CRL"), "a revocation list"),
            (pem("PKCS7"), "certificates in PKCS#7"),
            (pem("DH PARAMETERS"), "something else"),
            ([b"\xef\xbb\xbf", &*pem("CERTIFICATE")].concat(), "a certificate"),
            (b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n".to_vec(), "an encrypted private key"),
            (b"ssh-rsa AAAA a@b".to_vec(), "a public key of SSH"),
            (b"\xff\xfe-\0-\0".to_vec(), "text in UTF-16, not in UTF-8"),
            (vec![0xfe, 0xed, 0xfe, 0xed, 0, 0], "a Java key store (.jks)"),
            (vec![0x30, 0x82, 9, 9, 2, 1, 3, 0x30, 0x82], "a PKCS#12 store (.p12, .pfx)"),
            (
                b"\x30\x82\x03\x09\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x82".to_vec(),
                "certificates in PKCS#7 in DER",
            ),
            (vec![0x30, 0x82, 3, 9, 0x30, 0x82, 2, 9, 0xa0, 3, 2, 1, 2], "a certificate in DER, not in PEM"),
            (vec![0x30, 0x82, 3, 9, 0x30, 0x81, 9, 2, 1, 1, 0x30], "a revocation list in DER, not in PEM"),
            (vec![0x30, 0x2e, 2, 1, 0, 0x30, 5], "a private key in DER, not in PEM"),
            (vec![0x30, 0x2a, 0x30, 5, 6, 3, 0x2b], "a public key in DER, not in PEM"),
            (vec![0x30], "something else"),
            (vec![0x30, 0x84, 1], "something else"),
            (b" \n".to_vec(), "nothing"),
            (Vec::new(), "nothing"),
            (b"secret".to_vec(), "something else"),
        ] {
            assert_eq!(KeyFile::of(&content).to_string(), expected, "{}", content.escape_ascii());
        }
    }

    #[test]
    fn a_command_is_told_where_one_helps() {
        let of = |content: &[u8], wanted| KeyFile::of(content).remedy(wanted, "a.pem").unwrap_or_default();
        let certificate = b"-----BEGIN CERTIFICATE-----";
        assert_eq!(of(certificate, KeyFilePart::PublicKey), "`openssl x509 -in a.pem -pubkey -noout`");
        assert_eq!(of(certificate, KeyFilePart::PrivateKey), "");
        assert_eq!(of(certificate, KeyFilePart::Certificate), "");
        assert!(of(&[0x30, 0x0a, 2, 1, 3, 0x30], KeyFilePart::PrivateKey).contains("-nocerts"));
        assert!(of(&[0x30, 0x0a, 2, 1, 3, 0x30], KeyFilePart::Certificate).contains("-nokeys"));
    }
}
