use std::{fmt, io};

use crate::content::KEY_PREFIX;

/// The number of characters that hold 256 random bits.
const CHARACTERS: usize = 43;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key in clear. Its owner gets it once, and it is stored nowhere.
pub(super) struct Secret(String);

impl Secret {
    /// Makes a new key: `gw_` and 43 characters of `[0-9A-Za-z]`, which are 256 bits from the operating system.
    pub(super) fn generate() -> io::Result<Self> {
        let mut secret = String::with_capacity(KEY_PREFIX.len() + CHARACTERS);
        secret.push_str(KEY_PREFIX);
        let mut random = [0; 64];
        while secret.len() < KEY_PREFIX.len() + CHARACTERS {
            aws_lc_rs::rand::fill(&mut random).map_err(io::Error::other)?;
            // 248 = 4 * 62: larger bytes would make some characters likelier than others.
            let fair = random.iter().filter(|byte| **byte < 248);
            let characters = fair.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
            secret.extend(characters.take(KEY_PREFIX.len() + CHARACTERS - secret.len()));
        }
        Ok(Self(secret))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn secrets_are_recognisable_and_differ() {
        let secrets: HashSet<_> = (0..1000).map(|_| Secret::generate().expect("random bytes").0).collect();
        assert_eq!(secrets.len(), 1000);
        let mut used = HashSet::new();
        for secret in &secrets {
            let rest = secret.strip_prefix("gw_").expect("the prefix");
            assert_eq!(rest.len(), 43);
            used.extend(rest.bytes());
        }
        assert!(used.iter().all(u8::is_ascii_alphanumeric) && used.len() == 62);
    }

    #[test]
    fn a_secret_does_not_show() {
        let secret = Secret::generate().expect("random bytes");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert!(crate::content::may_hold_key(secret.as_str()));
    }
}
