//! The account of a request whose connection leaves HTTP: it is open until the tunnel ends.

use std::sync::{Arc, Mutex, PoisonError};

use gatewright_core::Lease;
use http::Extensions;

use crate::{StreamKind, account::Account};

/// A place for an account, which the tunnel drops when it ends. It stays empty when no tunnel comes about.
#[derive(Debug)]
pub(crate) struct Tunnel(Arc<Mutex<Option<Account>>>);

impl Tunnel {
    /// The place in the tunnel that a request asks for, if it asks for one.
    pub(crate) fn of(request: &mut Extensions) -> Option<Self> {
        if !Lease::may_become_tunnel(request) {
            return None;
        }
        let place = Arc::new(Mutex::new(None));
        Lease::new(Arc::clone(&place)).lend_to_tunnel(request);
        Some(Self(place))
    }

    /// Takes the account over when its request has become a tunnel, and gives it back when it has not.
    pub(crate) fn take_over(self, mut account: Account) -> Option<Account> {
        // With nobody but us there is no tunnel that could drop it.
        if account.stream() != Some(StreamKind::Upgraded) || Arc::strong_count(&self.0) == 1 {
            return Some(account);
        }
        // Whoever closes a tunnel closes it as its parties want.
        account.complete();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(account);
        None
    }
}
