//! Lower-case hexadecimal of fixed length, on the stack.

use std::str;

/// `N` hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Hex<N> {
    /// The low `4 * N` bits of `value`, most significant digit first.
    pub fn new(value: u128) -> Self {
        let mut digits = [0; N];
        for (eight, half) in digits.rchunks_mut(8).zip([value, value >> 32, value >> 64, value >> 96]) {
            let all = eight_digits(half as u32);
            eight.copy_from_slice(&all[8 - eight.len()..]);
        }
        Self(digits)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Eight digits at once: each gets a byte of its own, to which that of `0` is added, or of `a` where it is above nine.
const fn eight_digits(value: u32) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut digits = value as u64;
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let above_nine = ((digits + 6 * EACH) >> 4) & EACH;
    let letters = (b'a' - b'0' - 10) as u64;
    (digits + b'0' as u64 * EACH + above_nine * letters).to_be_bytes()
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
