use std::{future::Future, pin::Pin};

use super::{
    discovery::Discovery,
    fetch::{Fetch, Fetched, get_keys},
};
use crate::provider::{Endpoint, NoAnswer};

/// The place of a provider's key set.
#[derive(Debug)]
pub(super) enum KeysAddress {
    /// The settings name the URL of the key set.
    Url(Endpoint),
    /// The provider's configuration names it.
    Discovered(Discovery),
}

impl Fetch for KeysAddress {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<Fetched, NoAnswer>> + Send + '_>> {
        Box::pin(async move {
            match self {
                Self::Url(endpoint) => get_keys(endpoint).await,
                Self::Discovered(discovery) => discovery.keys().await,
            }
        })
    }
}
