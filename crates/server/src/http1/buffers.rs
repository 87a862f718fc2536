//! Buffers that go from one connection to another, so that an idle one holds none.

use std::cell::RefCell;

use bytes::BytesMut;

/// What is read at once at first; most heads fit.
pub(super) const INPUT: usize = 8 * 1024;
const OUTPUT: usize = 2 * 1024;
/// Larger ones are not kept.
const MAX_OUTPUT: usize = 32 * 1024;
/// How many pairs a thread keeps.
const MAX_KEPT: usize = 32;

thread_local! {
    static KEPT: RefCell<Vec<(BytesMut, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
}

/// A buffer to read into and one to write from, both empty.
pub(super) fn take() -> (BytesMut, Vec<u8>) {
    let kept = KEPT.try_with(|kept| kept.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_else(|| (BytesMut::with_capacity(INPUT), Vec::with_capacity(OUTPUT)))
}

/// Takes them back, whatever they hold.
pub(super) fn give_back(mut input: BytesMut, mut output: Vec<u8>) {
    input.clear();
    output.clear();
    // Somebody may still hold a piece of what was read; the next read then takes a new buffer.
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
