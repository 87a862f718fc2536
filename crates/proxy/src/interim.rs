//! Interim responses (103, RFC 8297) on their way to the client.

use std::sync::{Arc, Mutex, PoisonError};

use gatewright_core::{InterimResponder, RequestRecord};
use http::{Request, StatusCode, Version};

/// Relays the upstream's 103 responses while it is held; none may follow the final response.
pub(crate) struct Relay(Arc<Mutex<Option<InterimResponder>>>);

impl Relay {
    /// The responder of the client's connection, when there is one and the client's version knows interim responses.
    pub(crate) fn responder(record: Option<&RequestRecord>, version: Version) -> Option<InterimResponder> {
        if version != Version::HTTP_11 {
            return None;
        }
        record?.connection()?.interim().cloned()
    }

    pub(crate) fn attach<B>(responder: InterimResponder, request: &mut Request<B>) -> Self {
        let slot = Arc::new(Mutex::new(Some(responder)));
        let relay = Self(Arc::clone(&slot));
        hyper::ext::on_informational(request, move |response| {
            if response.status() == StatusCode::EARLY_HINTS
                && let Some(responder) = &*slot.lock().unwrap_or_else(PoisonError::into_inner)
            {
                let mut headers = response.headers().clone();
                gatewright_core::hop_by_hop::remove(&mut headers);
                responder.send(response.status(), &headers);
            }
        });
        relay
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
