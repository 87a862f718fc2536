//! What a listener and a worker have counted so far.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// TLS handshakes that succeeded, by version and by whether a session was resumed.
#[derive(Debug, Default)]
pub(crate) struct Handshakes([AtomicU64; 4]);

impl Handshakes {
    pub(crate) fn note(&self, is_version_1_2: bool, is_resumed: bool) {
        self.0[usize::from(is_version_1_2) * 2 + usize::from(is_resumed)].fetch_add(1, Relaxed);
    }

    /// The version, whether the session was resumed, and their number.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, bool, u64)> {
        let kinds = [("TLSv1.3", false), ("TLSv1.3", true), ("TLSv1.2", false), ("TLSv1.2", true)];
        kinds
            .into_iter()
            .zip(&self.0)
            .map(|((version, resumed), count)| (version, resumed, count.load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_are_told_apart() {
        let handshakes = Handshakes::default();
        handshakes.note(false, false);
        handshakes.note(false, true);
        handshakes.note(false, true);
        handshakes.note(true, false);
        let counts: Vec<_> =
            handshakes.counts().map(|(version, resumed, count)| (&version[3..], resumed, count)).collect();
        assert_eq!(counts, [("v1.3", false, 1), ("v1.3", true, 2), ("v1.2", false, 1), ("v1.2", true, 0)]);
    }
}
