//! The bodies of these tests, and their hashes.

use std::fmt::Write as _;

use aws_lc_rs::digest;

/// So many bytes that count from 0 to 250 again and again. No power of two is a multiple of 251, so a block that is lost,
/// doubled or swapped shows in the hash.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    // Unoptimised, a copy of blocks is a hundred times as fast as an iterator over bytes.
    let block: Vec<u8> = (0..=250).collect();
    let mut body = block.repeat(length.div_ceil(block.len()));
    body.truncate(length);
    body
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
