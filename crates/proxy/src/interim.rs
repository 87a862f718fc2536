//! Interim responses (103, RFC 8297) on their way to the client.

use gatewright_core::{InterimResponder, RequestRecord};
use http::Version;

/// Where the upstream's 103 responses go: to the client's connection, when it has a way to send them and the client's
/// version knows interim responses.
pub(crate) fn responder(record: Option<&RequestRecord>, version: Version) -> Option<InterimResponder> {
    if version != Version::HTTP_11 {
        return None;
    }
    record?.connection()?.interim()
}
