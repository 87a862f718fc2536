//! What buckets are called in Redis: `PREFIX:{KEY}:LIMIT`.
//!
//! The braces make all buckets of a key fall into one slot of a cluster. Keys hold whatever a client may have sent, so
//! all but letters, digits and a few signs is escaped, and what is long is known by its hash.

use std::fmt::Write;

use crate::{key::KeyBytes, limits::Limits};

/// Bytes of a key that is written out.
const LONGEST: usize = 96;

pub(super) fn names(prefix: &str, key: &KeyBytes, limits: &Limits) -> Vec<String> {
    let mut start = String::with_capacity(prefix.len() + key.as_slice().len() + 8);
    start.push_str(prefix);
    start.push_str(":{");
    let key = key.as_slice();
    if key.len() <= LONGEST {
        escape(key, &mut start);
    } else {
        // To shorten, not to keep secret: whoever finds two texts of one hash shares a bucket with himself.
        start.push_str("sha1:");
        start.push_str(&sha1_smol::Sha1::from(key).hexdigest());
    }
    start.push_str("}:");
    limits.iter().map(|limit| format!("{start}{}", limit.text)).collect()
}

pub(crate) fn escape(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' | b'/' | b'@' => {
                text.push(char::from(*byte));
            }
            // Writing to a string does not fail.
            _ => drop(write!(text, "%{byte:02x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use gatewright_core::Quota;

    use super::*;

    fn name(key: &[u8]) -> String {
        let mut bytes = KeyBytes::default();
        bytes.write(key);
        names("gw", &bytes, &Limits::new("", "", &[Quota::per_second(5).burst(9)])).remove(0)
    }

    #[test]
    fn no_key_can_name_anothers_bucket_or_slot() {
        assert_eq!(name(b"p:u1"), "gw:{p:u1}:/5/1000ms/9");
        assert_eq!(name(b"p:}x{ \r\n%"), "gw:{p:%7dx%7b%20%0d%0a%25}:/5/1000ms/9");
        let long = name(&[b'a'; 5000]);
        assert_eq!(long.len(), "gw:{sha1:}:/5/1000ms/9".len() + 40);
        assert_ne!(long, name(&[b'a'; 5001]));
    }

    #[test]
    fn all_buckets_of_a_key_fall_into_one_slot() {
        let mut bytes = KeyBytes::default();
        bytes.write(b"p:u1");
        let limits = Limits::new("a}{b", "", &[Quota::per_second(5), Quota::per_day(9)]);
        let names = names("gw", &bytes, &limits);
        assert_eq!(names, ["gw:{p:u1}:a%7d%7bb/5/1000ms/5", "gw:{p:u1}:a%7d%7bb/9/86400000ms/9"]);
    }
}
