use proptest::prelude::*;

use super::*;

/// What is done with a queue.
#[derive(Debug, Clone)]
enum Turn {
    Put(usize),
    Push(usize),
    /// An encoder puts bytes at the end.
    Encode(usize),
    /// A write takes so many bytes, or none now.
    Write(usize),
    /// A write takes so many bytes, and fails then.
    Break(usize),
    TakeMoved,
    Flushed,
    Clear,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let size = || prop_oneof![0..40_usize, (COPIED - 2)..(COPIED + 3), 0..30_000_usize];
    let turn = prop_oneof![
        3 => size().prop_map(Turn::Put),
        6 => size().prop_map(Turn::Push),
        2 => size().prop_map(Turn::Encode),
        6 => size().prop_map(Turn::Write),
        1 => size().prop_map(Turn::Break),
        1 => Just(Turn::TakeMoved),
        1 => Just(Turn::Flushed),
        1 => Just(Turn::Clear),
    ];
    prop::collection::vec(turn, 0..60)
}

/// Bytes that no other piece has in this order.
fn piece(count: &mut usize, size: usize) -> Vec<u8> {
    let start = *count;
    *count += size;
    (start..*count).map(|at| (at ^ (at >> 8).wrapping_mul(31)) as u8).collect()
}

/// Writes into `out` while there is room, then gives `full`.
fn write_until(
    queue: &mut WriteBuffer,
    mut room: usize,
    out: &mut Vec<u8>,
    full: impl Fn() -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    queue.poll_write(|slices| {
        assert!(!slices.is_empty() && slices.len() <= SLICES, "{} slices", slices.len());
        assert!(slices.iter().all(|slice| !slice.is_empty()));
        let mut taken = 0;
        for slice in slices {
            let part = slice.len().min(room - taken);
            out.extend_from_slice(&slice[..part]);
            taken += part;
        }
        room -= taken;
        if taken == 0 { full() } else { Poll::Ready(Ok(taken)) }
    })
}

fn write(queue: &mut WriteBuffer, room: usize, out: &mut Vec<u8>) {
    let _ = write_until(queue, room, out, || Poll::Pending);
}

proptest! {
    #[test]
    fn a_queue_is_a_list_of_bytes_that_leave_in_their_order(turns in turns()) {
        let (mut queue, mut count) = (WriteBuffer::default(), 0);
        // What the queue is to be, as plainly as it can be said.
        let (mut expected, mut moved, mut unflushed) = (Vec::<u8>::new(), false, false);
        for turn in turns {
            match turn {
                Turn::Put(size) => {
                    let bytes = piece(&mut count, size);
                    queue.put(&bytes);
                    expected.extend(bytes);
                }
                Turn::Push(size) => {
                    let bytes = piece(&mut count, size);
                    queue.push(bytes.clone().into());
                    expected.extend(bytes);
                }
                Turn::Encode(size) => {
                    let bytes = piece(&mut count, size);
                    queue.end().extend_from_slice(&bytes);
                    expected.extend(bytes);
                }
                Turn::Write(room) | Turn::Break(room) => {
                    let fails = matches!(turn, Turn::Break(_));
                    let full = || match fails {
                        true => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                        false => Poll::Pending,
                    };
                    let mut out = Vec::new();
                    let result = write_until(&mut queue, room, &mut out, full);
                    let taken = room.min(expected.len());
                    prop_assert!(out == expected[..taken], "other bytes");
                    match result {
                        Poll::Ready(Ok(())) => prop_assert_eq!(taken, expected.len()),
                        Poll::Ready(Err(error)) => {
                            prop_assert!(fails && taken < expected.len());
                            prop_assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
                        }
                        Poll::Pending => prop_assert!(!fails && taken < expected.len()),
                    }
                    expected.drain(..taken);
                    moved |= taken > 0;
                    unflushed |= taken > 0;
                }
                Turn::TakeMoved => {
                    prop_assert_eq!(queue.take_moved(), moved);
                    moved = false;
                }
                Turn::Flushed => {
                    queue.flushed();
                    unflushed = false;
                }
                Turn::Clear => {
                    queue.clear();
                    expected.clear();
                    (moved, unflushed) = (false, false);
                }
            }
            prop_assert_eq!(queue.len(), expected.len());
            prop_assert_eq!(queue.is_empty(), expected.is_empty());
            prop_assert_eq!(queue.is_full(), expected.len() >= 16_384);
            prop_assert_eq!((queue.has_moved(), queue.is_unflushed()), (moved, unflushed));
            prop_assert!(queue.to_vec() == expected, "another order");
        }
        let mut out = Vec::new();
        write(&mut queue, usize::MAX, &mut out);
        prop_assert!(queue.is_empty() && out == expected, "other bytes");
    }
}

#[test]
fn what_left_is_noted_until_it_is_asked_for_and_flushed() {
    let mut queue = WriteBuffer::default();
    assert!(!queue.has_moved() && !queue.take_moved() && !queue.is_unflushed());
    queue.put(b"abc");
    assert!(!queue.has_moved() && !queue.is_unflushed(), "nothing has left");
    write(&mut queue, 1, &mut Vec::new());
    assert!(queue.has_moved() && queue.is_unflushed());
    assert!(queue.take_moved() && !queue.take_moved() && !queue.has_moved());
    assert!(queue.is_unflushed());
    queue.flushed();
    assert!(!queue.is_unflushed());
    write(&mut queue, 1, &mut Vec::new());
    queue.clear();
    assert!(queue.is_empty() && !queue.has_moved() && !queue.is_unflushed());
    assert_eq!(queue.to_vec(), b"");
}

/// The lengths of the slices that the next write is given.
fn next_write(queue: &mut WriteBuffer) -> Vec<usize> {
    let mut lengths = Vec::new();
    let _ = queue.poll_write(|slices| {
        lengths = slices.iter().map(|slice| slice.len()).collect();
        Poll::Pending
    });
    lengths
}

#[test]
fn a_piece_of_four_kibibytes_shares_a_slice_with_its_head_and_a_longer_one_stays_where_it_is() {
    let mut queue = WriteBuffer::default();
    queue.put(b"head");
    queue.push(vec![b'x'; 4096].into());
    queue.put(b"end");
    assert_eq!(next_write(&mut queue), [4103]);
    queue.clear();

    let large = Bytes::from(vec![b'x'; 4097]);
    queue.put(b"head");
    queue.push(large.clone());
    queue.put(b"end");
    assert_eq!(next_write(&mut queue), [4, 4097, 3]);
    let _ = queue.poll_write(|slices| {
        assert_eq!(slices[1].as_ptr(), large.as_ptr(), "it was copied");
        Poll::Pending
    });
}

#[test]
fn sixteen_slices_are_written_at_once_and_the_others_after_them() {
    let mut queue = WriteBuffer::default();
    for _ in 0..20 {
        queue.put(b"ab");
        queue.push(vec![b'x'; 5000].into());
    }
    queue.put(b"abc");
    assert_eq!(next_write(&mut queue), [2, 5000].repeat(8));
    write(&mut queue, 12 * 5002 + 1, &mut Vec::new());
    assert_eq!(next_write(&mut queue), [&[1, 5000], &[2, 5000].repeat(7)[..]].concat());
    write(&mut queue, 5001, &mut Vec::new());
    assert_eq!(next_write(&mut queue), [&[2, 5000].repeat(7)[..], &[3]].concat());
    queue.clear();

    // As many large pieces as slices leave no room for what is behind them.
    for _ in 0..16 {
        queue.push(vec![b'x'; 5000].into());
    }
    queue.put(b"abc");
    assert_eq!(next_write(&mut queue), [5000; 16]);
    write(&mut queue, 5000, &mut Vec::new());
    assert_eq!(next_write(&mut queue), [&[5000; 15][..], &[3]].concat());
}

#[test]
fn a_queue_is_full_at_sixteen_kibibytes() {
    let mut queue = WriteBuffer::default();
    queue.push(vec![b'x'; 10_000].into());
    queue.put(&[b'x'; 6383]);
    assert_eq!((queue.len(), queue.is_full()), (16_383, false));
    queue.put(b"x");
    assert_eq!((queue.len(), queue.is_full()), (16_384, true));
    write(&mut queue, 1, &mut Vec::new());
    assert!(!queue.is_full());
}

#[test]
fn bytes_that_have_left_are_taken_out_when_they_are_thirty_two_kibibytes() {
    let mut queue = WriteBuffer::default();
    queue.put(&[b'a'; 40_000]);
    queue.push(vec![b'b'; 5000].into());
    queue.put(b"c");
    write(&mut queue, 32_767, &mut Vec::new());
    assert_eq!((queue.copied.len(), queue.sent), (40_001, 32_767));
    write(&mut queue, 1, &mut Vec::new());
    assert_eq!((queue.copied.len(), queue.sent), (7233, 0));
    assert_eq!(queue.to_vec(), [&[b'a'; 7232][..], &[b'b'; 5000], b"c"].concat());
    let mut out = Vec::new();
    write(&mut queue, usize::MAX, &mut out);
    assert_eq!(out, [&[b'a'; 7232][..], &[b'b'; 5000], b"c"].concat());
    assert_eq!((queue.copied.len(), queue.sent), (0, 0), "an empty queue begins anew");
}

#[test]
fn the_memory_of_a_queue_is_given_and_taken_and_shrunk_while_it_is_empty() {
    let mut queue = WriteBuffer::default();
    let memory = [&b"stale"[..], &[0; 5000]].concat();
    let place = memory.as_ptr();
    queue.give_memory(memory);
    assert!(queue.is_empty() && queue.to_vec().is_empty());
    queue.put(b"new");
    assert_eq!((queue.to_vec(), queue.copied.as_ptr()), (b"new".to_vec(), place));
    queue.give_memory(Vec::with_capacity(9000));
    assert_eq!(queue.to_vec(), b"new", "what waits is not lost");

    write(&mut queue, usize::MAX, &mut Vec::new());
    let capacity = queue.copied.capacity();
    queue.shrink_to(capacity + 1);
    assert_eq!(queue.copied.capacity(), capacity);
    queue.shrink_to(100);
    assert!((100..capacity).contains(&queue.copied.capacity()), "{}", queue.copied.capacity());

    queue.put(b"lost");
    let memory = queue.take_memory();
    assert!(memory.is_empty() && memory.capacity() >= 100, "{}", memory.capacity());
    assert!(queue.is_empty() && queue.to_vec().is_empty() && queue.copied.capacity() == 0);
}

#[test]
fn what_ends_a_large_piece_leaves_behind_it() {
    let mut queue = WriteBuffer::default();
    queue.put(b"1001\r\n");
    queue.push(vec![b'x'; COPIED + 1].into());
    queue.put(b"\r\n0\r\n\r\n");
    let mut out = Vec::new();
    write(&mut queue, usize::MAX, &mut out);
    assert!(out.ends_with(b"xx\r\n0\r\n\r\n") && out.starts_with(b"1001\r\nxx"));
}

#[test]
fn a_queue_that_never_becomes_empty_gives_back_the_room_of_what_has_left() {
    let (mut queue, mut out) = (WriteBuffer::default(), Vec::new());
    queue.put(b"x");
    for _ in 0..1000 {
        queue.put(&[b'x'; 1000]);
        write(&mut queue, 1000, &mut out);
    }
    assert_eq!((queue.len(), out.len()), (1, 1_000_000));
    assert!(queue.copied.capacity() <= 4 * COMPACTED, "{}", queue.copied.capacity());
}

#[test]
fn a_write_that_takes_nothing_is_an_error() {
    let mut queue = WriteBuffer::default();
    queue.put(b"x");
    let written = queue.poll_write(|_| Poll::Ready(Ok(0)));
    assert!(matches!(written, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::WriteZero));
}

#[test]
fn a_write_that_waits_or_fails_leaves_the_bytes_in_place() {
    let mut queue = WriteBuffer::default();
    queue.put(b"abc");
    assert!(queue.poll_write(|_| Poll::Pending).is_pending());
    let failed = queue.poll_write(|_| Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())));
    assert!(matches!(failed, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe));
    assert_eq!((queue.to_vec(), queue.has_moved()), (b"abc".to_vec(), false));
    let mut asked = 0;
    let written = queue.poll_write(|slices| {
        asked += 1;
        assert_eq!(&*slices[0], &b"abc"[asked - 1..]);
        Poll::Ready(Ok(1))
    });
    assert!(matches!(written, Poll::Ready(Ok(()))) && queue.is_empty());
    assert_eq!(asked, 3);
    assert!(matches!(queue.poll_write(|_| unreachable!("it is empty")), Poll::Ready(Ok(()))));
}
