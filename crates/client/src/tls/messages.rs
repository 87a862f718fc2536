//! Messages for operators: why a handshake with an endpoint failed.

use std::{borrow::Cow, io};

use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible, pki_types::ServerName,
};

use super::verifier::is_authority;

/// The message of a failed handshake.
pub(super) fn message(error: &io::Error) -> Cow<'static, str> {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(error) => of_tls(error),
        None => error.to_string().into(),
    }
}

/// Gives an error of an open connection its message, when the error is an alert. In TLS 1.3 an endpoint judges our
/// certificate only after our side of the handshake has ended.
pub(crate) fn with_message(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(alert @ Error::AlertReceived(_)) => io::Error::new(error.kind(), of_tls(alert).into_owned()),
        _ => error,
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
            "it asks for a certificate: set `tls: {cert, key}`"
        }
        Error::AlertReceived(AlertDescription::UnknownCA) => {
            "it does not know the authority of our certificate (`cert`): name that authority to it, or put the intermediate certificates \
             into `cert`, after our own"
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "it speaks neither TLS 1.2 nor 1.3: renew it, or turn these on"
        }
        Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity) => {
            "it has no cipher, curve or signature in common with us, or it asks for a certificate (`tls: {cert, key}`); its own log says which"
        }
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied,
        ) => {
            return format!(
                "it does not take our certificate, or asks for one (`tls: {{cert, key}}`): it says {}",
                alert(error)
            )
            .into();
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "it has no certificate for the name that was asked for: set `server_name`"
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS on this port: check the port, or leave `tls` out"
        }
        other => return other.to_string().into(),
    })
}

/// The name of an alert that it sent.
fn alert(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => format!("{alert:?}"),
        other => other.to_string(),
    }
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
            "its certificate is of no authority that is trusted here: name its authority in `ca`. If it is named, the service leaves out \
             an intermediate certificate, which it has to send after its own"
        }
        CertificateError::NotValidForNameContext { presented, expected } if presented.is_empty() => {
            let kind = if matches!(expected, ServerName::IpAddress(_)) { "IP" } else { "DNS" };
            return format!(
                "its certificate has no subjectAltName, and no client takes it: make it anew with `-addext subjectAltName={kind}:{}`",
                expected.to_str()
            )
            .into();
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
