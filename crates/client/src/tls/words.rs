//! Why a handshake with an endpoint failed, as an operator can use it.

use std::{borrow::Cow, io};

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::verifier::is_authority;

/// Says it in words.
pub(super) fn words(error: &io::Error) -> Cow<'static, str> {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(error) => of_tls(error),
        None => error.to_string().into(),
    }
}

fn of_tls(error: &Error) -> Cow<'static, str> {
    Cow::Borrowed(match error {
        Error::InvalidCertificate(_) if is_authority(error) => {
            "its certificate is an authority's own (CA:TRUE): list that very certificate in `ca`, or give the endpoint one made with \
             `-addext basicConstraints=critical,CA:FALSE`"
        }
        Error::InvalidCertificate(cause) => return of_certificate(cause),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it asks for a client certificate: set `cert` and `key`"
        }
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => return format!("it does not take our certificate ({error})").into(),
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "it has no certificate for the name that was asked for: set `server_name`"
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS on this port: check the port, or leave `tls` out"
        }
        other => return other.to_string().into(),
    })
}

fn of_certificate(cause: &CertificateError) -> Cow<'static, str> {
    Cow::Borrowed(match cause {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired (or the clock here is wrong)"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet (or the clock here is wrong)"
        }
        CertificateError::UnknownIssuer => {
            "its certificate is of no authority that is trusted here: name its authority in `ca`"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            return format!("its certificate is for another name: set `server_name`, or renew it ({cause})")
                .into();
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not made for servers (key usage)"
        }
        other => return format!("its certificate cannot be verified ({other})").into(),
    })
}
