//! Buffers that connections of one thread share, so that an idle connection holds none.

use std::cell::RefCell;

use bytes::BytesMut;

/// The size of the first read; most heads fit.
pub(super) const INPUT: usize = 8 * 1024;
const OUTPUT: usize = 2 * 1024;
/// Larger buffers are not kept.
const MAX_OUTPUT: usize = 32 * 1024;
/// The number of pairs that a thread keeps.
const MAX_KEPT: usize = 32;

thread_local! {
    static KEPT: RefCell<Vec<(BytesMut, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
}

/// A buffer to read into and one to write from, both empty.
pub(super) fn take() -> (BytesMut, Vec<u8>) {
    let kept = KEPT.try_with(|kept| kept.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_else(|| (BytesMut::with_capacity(INPUT), Vec::with_capacity(OUTPUT)))
}

/// Takes a pair back and clears it.
pub(super) fn give_back(mut input: BytesMut, mut output: Vec<u8>) {
    input.clear();
    output.clear();
    // A service may still hold a piece of the buffer; the next read then takes a new buffer.
    if input.capacity() > 2 * INPUT || !input.try_reclaim(INPUT) {
        input = BytesMut::new();
    }
    if output.capacity() > MAX_OUTPUT {
        output = Vec::new();
    }
    let _ = KEPT.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() < MAX_KEPT {
            kept.push((input, output));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pairs are kept, and none from now on.
    fn empty() -> usize {
        KEPT.with_borrow_mut(|kept| std::mem::take(kept).len())
    }

    #[test]
    fn new_buffers_have_room_for_a_head() {
        empty();
        let (input, output) = take();
        assert!(input.is_empty() && output.is_empty());
        assert!(input.capacity() >= 8 << 10 && output.capacity() >= 2 << 10);
        // So much is what an exchange takes up, and no more.
        assert!(input.capacity() + output.capacity() <= 16 << 10);
    }

    #[test]
    fn buffers_that_are_given_back_are_taken_again_and_hold_nothing() {
        empty();
        let (mut input, mut output) = take();
        input.extend_from_slice(b"a secret");
        output.extend_from_slice(b"another one");
        let places = (input.as_ptr(), output.as_ptr());
        give_back(input, output);
        let (input, output) = take();
        assert!(input.is_empty() && output.is_empty());
        assert_eq!((input.as_ptr(), output.as_ptr()), places, "they are new ones");
        assert_eq!(empty(), 0, "they are kept twice");
    }

    #[test]
    fn what_has_been_taken_off_the_front_is_room_again() {
        empty();
        let (mut input, output) = take();
        input.extend_from_slice(&[b'x'; INPUT]);
        drop(input.split_to(INPUT - 10));
        give_back(input, output);
        let (input, _) = take();
        assert!(input.is_empty() && input.capacity() >= INPUT, "{} bytes", input.capacity());
    }

    #[test]
    fn a_buffer_of_which_somebody_holds_a_piece_is_not_kept() {
        empty();
        let (mut input, output) = take();
        input.extend_from_slice(b"held, and left");
        let held = input.split_to(4).freeze();
        give_back(input, output);
        let (mut input, output) = take();
        assert_eq!(input.capacity(), 0);
        // The other one of the pair is as good as before.
        assert!(output.capacity() >= OUTPUT);
        input.extend_from_slice(b"new!");
        assert_eq!(held, "held");
    }

    #[test]
    fn large_buffers_are_not_kept() {
        for (size, is_kept) in [(2 * INPUT, true), (2 * INPUT + 1, false), (64 << 10, false)] {
            empty();
            give_back(BytesMut::with_capacity(size), Vec::new());
            assert_eq!(take().0.capacity() > 0, is_kept, "{size} bytes to read into");
        }
        for (size, is_kept) in [(32 << 10, true), ((32 << 10) + 1, false), (1 << 20, false)] {
            empty();
            give_back(BytesMut::new(), Vec::with_capacity(size));
            assert_eq!(take().1.capacity() > 0, is_kept, "{size} bytes to write from");
        }
    }

    #[test]
    fn no_more_than_a_few_are_kept() {
        empty();
        let pairs: Vec<_> = (0..100).map(|_| take()).collect();
        for (input, output) in pairs {
            give_back(input, output);
        }
        assert_eq!(empty(), 32);
    }
}
