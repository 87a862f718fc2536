use crate::{ClaimPath, Clock, bearer::TokenPlaces, claim_headers::ClaimHeaders};

/// The requirements on an answer, and the settings of requests.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) issuer: Option<Box<str>>,
    pub(super) audiences: Vec<Box<str>>,
    pub(super) subject: ClaimPath,
    pub(super) scopes: ClaimPath,
    pub(super) headers: ClaimHeaders,
    pub(super) places: TokenPlaces,
    pub(super) realm: Option<Box<str>>,
    pub(super) max_size: usize,
    /// In seconds.
    pub(super) max_cache: u64,
    pub(super) capacity: usize,
    pub(super) clock: Clock,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: None,
            audiences: Vec::new(),
            subject: ClaimPath::new("sub"),
            scopes: ClaimPath::new("scope"),
            headers: ClaimHeaders::default(),
            places: TokenPlaces::default(),
            realm: None,
            max_size: 8 * 1024,
            max_cache: 60,
            capacity: 8192,
            clock: Clock::system(),
        }
    }
}
