//! Interim responses (103, RFC 8297) on their way to the client.

use gatewright_core::{InterimResponder, RequestRecord};
use http::Version;

/// Sends the upstream's 103 responses to the client. `None` when the client's connection cannot send them, or when the
/// client's version does not know interim responses.
pub(crate) fn responder(record: Option<&RequestRecord>, version: Version) -> Option<InterimResponder> {
    if version != Version::HTTP_11 {
        return None;
    }
    record?.connection()?.interim()
}
