//! Finding the end of a line or of a name, and forbidden bytes, eight bytes at a time.

const LANES: usize = 8;
/// The number of bytes that the compiler can check as vectors.
const WIDE: usize = 32;
const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES * 0x80;

/// The position of the first control character (0x00 to 0x1f, and 0x7f).
///
/// A well-formed head holds control characters only at the end of lines, so this both finds the lines and checks their bytes.
#[inline]
pub(crate) fn find_control(bytes: &[u8]) -> Option<usize> {
    let (wide, _) = bytes.as_chunks::<WIDE>();
    let passed = wide.iter().take_while(|chunk| !holds_control(chunk)).count() * WIDE;
    find_control_near(&bytes[passed..]).map(|at| passed + at)
}

/// Whether a chunk holds a control character. The loop has no early exit, so that the compiler can use vectors.
#[inline]
fn holds_control(chunk: &[u8; WIDE]) -> bool {
    chunk.iter().fold(false, |holds, byte| holds | (*byte < 0x20) | (*byte == 0x7f))
}

#[inline]
fn find_control_near(bytes: &[u8]) -> Option<usize> {
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

/// The number of leading bytes that are ASCII letters, digits or `-`: the length of a field name.
#[inline]
pub(crate) fn name_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(lane) = bytes[at..].first_chunk::<LANES>() {
        let word = u64::from_le_bytes(*lane);
        // The sums are right for ASCII; a byte beyond it is a hit itself, and spoils only what stands above it.
        let at_least = |word: u64, byte: u8| word.wrapping_add(ONES * u64::from(0x80 - byte));
        let lower = word | (ONES * 0x20);
        let letter = at_least(lower, b'a') & !at_least(lower, b'z' + 1);
        let digit = at_least(word, b'0') & !at_least(word, b'9' + 1);
        let hyphen = !at_least(word ^ (ONES * u64::from(b'-')), 1);
        let hits = (!(letter | digit | hyphen) | word) & HIGH;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += LANES;
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let rest = &bytes[at..];
    at + rest.iter().position(|byte| !is_name(byte)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fast_search_finds_what_the_plain_one_finds(bytes in prop::collection::vec(prop_oneof![9 => b' '..b'~', 1 => any::<u8>()], 0..200)) {
            prop_assert_eq!(find_control(&bytes), bytes.iter().position(u8::is_ascii_control));
        }
    }

    fn plain_name_length(bytes: &[u8]) -> usize {
        bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count()
    }

    proptest! {
        #[test]
        fn a_name_is_as_long_as_it_is(name in "[a-zA-Z0-9-]{0,30}", rest in prop::collection::vec(any::<u8>(), 0..20)) {
            let bytes = [name.as_bytes(), &rest].concat();
            prop_assert_eq!(name_length(&bytes), plain_name_length(&bytes));
        }
    }

    #[test]
    fn each_byte_is_part_of_a_name_or_not_in_each_lane() {
        for byte in 0..=u8::MAX {
            for lane in 0..20 {
                for other in [b'a', b'Z', b'0', b'-'] {
                    let mut bytes = [other; 20];
                    bytes[lane] = byte;
                    assert_eq!(name_length(&bytes), plain_name_length(&bytes), "{byte:#x} at {lane}");
                }
            }
        }
    }

    #[test]
    fn each_byte_is_judged_alone_in_each_lane() {
        for byte in 0..=u8::MAX {
            for lane in 0..80 {
                for other in [b'a', b' ', b'~', 0xff] {
                    let mut bytes = [other; 80];
                    bytes[lane] = byte;
                    let expected = byte.is_ascii_control().then_some(lane);
                    assert_eq!(find_control(&bytes), expected, "{byte:#x} at {lane} in {other:#x}");
                }
            }
        }
    }

    #[test]
    fn a_run_of_one_byte_is_controls_or_none() {
        for byte in 0..=u8::MAX {
            for length in 1..80 {
                let expected = byte.is_ascii_control().then_some(0);
                assert_eq!(find_control(&vec![byte; length]), expected, "{byte:#x} {length} times");
            }
        }
    }

    #[test]
    fn of_two_control_characters_the_first_is_found() {
        for first in 0..80 {
            for second in first + 1..80 {
                for (one, other) in [(b'\r', b'\n'), (0, 0x7f), (0x7f, b'\t')] {
                    let mut bytes = [b'a'; 80];
                    (bytes[first], bytes[second]) = (one, other);
                    assert_eq!(
                        find_control(&bytes),
                        Some(first),
                        "{one:#x} at {first}, {other:#x} at {second}"
                    );
                }
            }
        }
    }
}
