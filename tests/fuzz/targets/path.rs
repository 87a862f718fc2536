//! The canonical form of a path: whatever comes in, what comes out is canonical, and holds nothing that a server behind
//! the gateway could read as another path.

#![no_main]

use gatewright::core::path::{EncodedSlash, canonical, rewritten};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for slash in [EncodedSlash::Refuse, EncodedSlash::Keep] {
        let Ok(once) = canonical(text, slash) else { continue };
        assert_eq!(canonical(&once, slash).as_deref(), Ok(&*once), "the canonical form is its own");
        assert_eq!(rewritten(&once, slash).as_deref(), Ok(&*once), "and no rewrite is refused for it");
        assert!(once.starts_with('/') && !once.contains("//"), "{once}");
        assert!(
            once.bytes().all(|byte| matches!(byte, b'!'..=b'~') && !b"\\#?\"<>^`{|}".contains(&byte)),
            "{once}"
        );
        let is_dot = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
        assert!(!once.split('/').any(is_dot), "{once}");
        let lower = once.to_ascii_lowercase();
        for escape in ["%00", "%0a", "%0d", "%2e", "%5c", "%61", "%7e", "%7f"] {
            assert!(!lower.contains(escape), "{once}");
        }
        assert!(matches!(slash, EncodedSlash::Keep) || !lower.contains("%2f"), "{once}");
    }
});
