//! Finding the bytes that end a line or must not be there.

const LANES: usize = 8;
const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES * 0x80;

/// The place of the first control character (0x00 to 0x1f, and 0x7f).
///
/// A well-formed head holds one at the end of each line only, so this both finds the lines and proves their bytes.
/// Eight bytes are looked at in one step.
#[inline]
pub(super) fn find_control(bytes: &[u8]) -> Option<usize> {
    let (lanes, rest) = bytes.as_chunks::<LANES>();
    for (index, lane) in lanes.iter().enumerate() {
        let word = u64::from_le_bytes(*lane);
        // A borrow may mark bytes above a true hit, never below it, and only the lowest mark is read.
        let below_space = word.wrapping_sub(ONES * 0x20) & !word;
        let delete = word ^ (ONES * 0x7f);
        let is_delete = delete.wrapping_sub(ONES) & !delete;
        let hits = (below_space | is_delete) & HIGH;
        if hits != 0 {
            return Some(index * LANES + (hits.trailing_zeros() / 8) as usize);
        }
    }
    let at = rest.iter().position(u8::is_ascii_control)?;
    Some(lanes.len() * LANES + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fast_search_finds_what_the_plain_one_finds(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(find_control(&bytes), bytes.iter().position(u8::is_ascii_control));
        }
    }

    #[test]
    fn each_byte_is_judged_alone_in_each_lane() {
        for byte in 0..=u8::MAX {
            for lane in 0..20 {
                let mut bytes = [b'a'; 20];
                bytes[lane] = byte;
                assert_eq!(
                    find_control(&bytes),
                    byte.is_ascii_control().then_some(lane),
                    "{byte:#x} at {lane}"
                );
            }
        }
    }
}
