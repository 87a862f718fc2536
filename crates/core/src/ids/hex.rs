//! Lower-case hexadecimal of fixed length, on the stack.

use std::str;

/// `N` hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Hex<N> {
    /// The low `4 * N` bits of `value`, most significant digit first.
    pub fn new(value: u128) -> Self {
        let mut all = [0; 32];
        for (pair, byte) in all.as_chunks_mut().0.iter_mut().zip(value.to_be_bytes()) {
            *pair = [byte >> 4, byte & 0xf];
        }
        // Without a table, so that the compiler does it for all digits at once.
        let all = all.map(|digit| digit + if digit < 10 { b'0' } else { b'a' - 10 });
        let mut digits = [0; N];
        digits.copy_from_slice(&all[32 - N..]);
        Self(digits)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl<const N: usize> AsRef<[u8]> for Hex<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Reads lower-case hex digits; upper case is refused (W3C Trace Context, section 3.2.2).
pub fn parse(digits: &[u8]) -> Option<u128> {
    debug_assert!(digits.len() <= 32, "a u128 has 32 hex digits");
    digits.iter().try_fold(0, |value: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for value in [0, 1, 0xdead_beef, u128::MAX] {
            assert_eq!(parse(Hex::<32>::new(value).as_ref()), Some(value));
        }
        assert_eq!(Hex::<4>::new(0xa1).as_str(), "00a1");
        assert_eq!(parse(b"0A"), None);
    }
}
