use std::sync::Arc;

/// Whether a connection may carry requests for this host; given the authority, with its port or without.
pub(crate) type HostCheck = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;
