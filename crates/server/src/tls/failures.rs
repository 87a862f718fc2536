//! Failed handshakes, counted and logged by their reason.

use std::{
    borrow::Cow,
    io,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::client_verifier::is_authority;

/// The reason of a failed handshake. Each kind is counted and logged separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    NoCertificate,
    UnknownAuthority,
    OwnAuthority,
    Expired,
    NotYetValid,
    WrongPurpose,
    Revoked,
    ListExpired,
    ListMissing,
    ListUnusable,
    Version1,
    BadCertificate,
    NothingInCommon,
    RefusedByClient,
    PlainHttp,
    NotTls,
    Slow,
    Other,
}

impl Kind {
    const ALL: [Self; 18] = [
        Self::NoCertificate,
        Self::UnknownAuthority,
        Self::OwnAuthority,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongPurpose,
        Self::Revoked,
        Self::ListExpired,
        Self::ListMissing,
        Self::ListUnusable,
        Self::Version1,
        Self::BadCertificate,
        Self::NothingInCommon,
        Self::RefusedByClient,
        Self::PlainHttp,
        Self::NotTls,
        Self::Slow,
        Self::Other,
    ];

    /// The kind of a handshake error.
    pub(crate) fn of(error: &io::Error) -> Self {
        let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
            return Self::Other;
        };
        match error {
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(_) if is_authority(error) => Self::OwnAuthority,
            Error::InvalidCertificate(cause) => Self::of_certificate(cause),
            Error::InvalidCertRevocationList(_) => Self::ListUnusable,
            Error::AlertReceived(AlertDescription::CloseNotify | AlertDescription::UserCanceled) => Self::Other,
            Error::AlertReceived(_) => Self::RefusedByClient,
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Self::NothingInCommon,
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls,
            _ => Self::Other,
        }
    }

    fn of_certificate(cause: &CertificateError) -> Self {
        match cause {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::Revoked => Self::Revoked,
            CertificateError::UnknownIssuer => Self::UnknownAuthority,
            CertificateError::UnknownRevocationStatus => Self::ListMissing,
            CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
                Self::ListExpired
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::WrongPurpose
            }
            // An error of webpki that rustls has no variant for.
            CertificateError::Other(cause) if cause.0.to_string() == "UnsupportedCertVersion" => Self::Version1,
            _ => Self::BadCertificate,
        }
    }

    /// A short stable word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::UnknownAuthority => "unknown_authority",
            Self::OwnAuthority => "authority_certificate",
            Self::Expired => "certificate_expired",
            Self::NotYetValid => "certificate_not_yet_valid",
            Self::WrongPurpose => "certificate_wrong_purpose",
            Self::Revoked => "certificate_revoked",
            Self::ListExpired => "revocation_list_expired",
            Self::ListMissing => "revocation_list_missing",
            Self::ListUnusable => "revocation_list_unusable",
            Self::Version1 => "certificate_version_1",
            Self::BadCertificate => "bad_certificate",
            Self::NothingInCommon => "nothing_in_common",
            Self::RefusedByClient => "refused_by_client",
            Self::PlainHttp => "plain_http",
            Self::NotTls => "not_tls",
            Self::Slow => "slow_handshake",
            Self::Other => "handshake",
        }
    }

    /// A sentence for the log, with the remedy if the operator can apply one.
    fn sentence(self) -> &'static str {
        match self {
            Self::NoCertificate => "the client shows no certificate, and one is required here",
            Self::UnknownAuthority => {
                "the client's certificate is of no authority that is named here (`client_ca`)"
            }
            Self::OwnAuthority => {
                "the client's certificate is an authority's own (CA:TRUE) and not named in `client_ca` itself: name it there, or make \
                 one with `-addext basicConstraints=critical,CA:FALSE`"
            }
            Self::Expired => "the client's certificate has expired (or the clock here is wrong)",
            Self::NotYetValid => "the client's certificate is not valid yet (or the clock here is wrong)",
            Self::WrongPurpose => "the client's certificate is not made for clients (key usage)",
            Self::Revoked => "the client's certificate has been revoked",
            Self::ListExpired => {
                "the revocation list (`crl`) has expired, so that no client of its authority is served: renew it"
            }
            Self::ListMissing => {
                "there is no revocation list (`crl`) of an authority in the client's chain, so that its clients are not served: add it"
            }
            Self::ListUnusable => "the revocation list (`crl`) cannot be used",
            Self::Version1 => {
                "the client's certificate is of X.509 version 1, without extensions: make it anew with a file of them, `openssl x509 -req \
                 -extfile FILE` (`basicConstraints=critical,CA:FALSE` and `extendedKeyUsage=clientAuth`)"
            }
            Self::BadCertificate => "the client's certificate cannot be verified",
            Self::NothingInCommon => {
                "the client and this listener have no protocol version, cipher, signature or application protocol in common"
            }
            Self::RefusedByClient => {
                "the client broke off: it may not trust the certificate of this listener, or not find the name in it that it asked for \
                 (`subjectAltName`)"
            }
            Self::PlainHttp => "the client sent plain HTTP to a port for HTTPS",
            Self::NotTls => "the client sent bytes that are not TLS",
            Self::Slow => "the client took too long for its handshake",
            Self::Other => "the handshake failed",
        }
    }
}

/// How long a kind of failure is only counted after it was logged.
const QUIET: Duration = Duration::from_secs(60);

/// The failures of a listener.
#[derive(Debug)]
pub(crate) struct Failures {
    since: Instant,
    kinds: [Count; Kind::ALL.len()],
}

#[derive(Debug, Default)]
struct Count {
    all: AtomicU64,
    /// The count at the last log line.
    told: AtomicU64,
    /// The time of the next possible log line, in milliseconds since the listener was made.
    next: AtomicU64,
}

impl Default for Failures {
    fn default() -> Self {
        Self { since: Instant::now(), kinds: Default::default() }
    }
}

impl Failures {
    /// Counts a failure, and logs it unless one of its kind was logged in the last minute.
    pub(crate) fn note(&self, kind: Kind, listener: &str, peer: SocketAddr, error: Option<&io::Error>) {
        let Some(count) = self.kinds.get(kind as usize) else { return };
        let all = count.all.fetch_add(1, Ordering::Relaxed) + 1;
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let next = count.next.load(Ordering::Relaxed);
        let later = now.saturating_add(QUIET.as_millis() as u64);
        // Of several threads at once, one logs.
        if now < next || count.next.compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return;
        }
        let since_last = all - count.told.swap(all, Ordering::Relaxed).min(all);
        let cause = error.map_or(Cow::Borrowed(""), |error| Cow::Owned(error.to_string()));
        tracing::warn!(
            listener,
            %peer,
            reason = kind.word(),
            cause = &*cause,
            since_last,
            "a TLS handshake failed: {}",
            kind.sentence()
        );
    }

    /// The number of failures of each kind that has occurred.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |(kind, count): (Kind, &Count)| (kind.word(), count.all.load(Ordering::Relaxed));
        Kind::ALL.into_iter().zip(&self.kinds).map(count).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_place_and_a_word_of_its_own() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert!(Kind::ALL.iter().skip(index + 1).all(|other| other.word() != kind.word()), "{kind:?}");
            assert!(!kind.sentence().is_empty());
        }
    }

    #[test]
    fn errors_are_told_apart() {
        let of = |error: Error| Kind::of(&io::Error::new(io::ErrorKind::InvalidData, error));
        for (error, kind) in [
            (Error::NoCertificatesPresented, Kind::NoCertificate),
            (CertificateError::Expired.into(), Kind::Expired),
            (CertificateError::NotValidYet.into(), Kind::NotYetValid),
            (CertificateError::Revoked.into(), Kind::Revoked),
            (CertificateError::UnknownIssuer.into(), Kind::UnknownAuthority),
            (CertificateError::ExpiredRevocationList.into(), Kind::ListExpired),
            (CertificateError::UnknownRevocationStatus.into(), Kind::ListMissing),
            (CertificateError::BadSignature.into(), Kind::BadCertificate),
            (Error::AlertReceived(AlertDescription::UnknownCA), Kind::RefusedByClient),
            (Error::NoApplicationProtocol, Kind::NothingInCommon),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), Kind::NotTls),
            (Error::DecryptError, Kind::Other),
        ] {
            assert_eq!(of(error.clone()), kind, "{error}");
        }
        assert_eq!(Kind::of(&io::Error::other("x")), Kind::Other);
    }

    #[test]
    fn a_kind_is_counted_each_time_and_told_once_a_minute() {
        let failures = Failures::default();
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        for _ in 0..3 {
            failures.note(Kind::Expired, "a", peer, None);
        }
        failures.note(Kind::Slow, "a", peer, None);
        let counts: Vec<_> = failures.counts().collect();
        assert_eq!(counts, [("certificate_expired", 3), ("slow_handshake", 1)]);
        let told = |kind: Kind| failures.kinds[kind as usize].told.load(Ordering::Relaxed);
        assert_eq!((told(Kind::Expired), told(Kind::Slow), told(Kind::Other)), (1, 1, 0));
    }
}
