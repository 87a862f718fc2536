//! The lines on their way from the threads that serve to the thread that writes.

use std::{
    cell::Cell,
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{line::Line, template::LogTemplate};

/// One buffer a thread, as far as there are cores: a thread finds its own lock free and its own cache line warm. The
/// thread that writes takes a buffer's content by swapping an empty one in.
pub(super) struct Buffers {
    buffers: Box<[Buffer]>,
    capacity: usize,
}

/// On cache lines of its own; processors fetch them in pairs.
#[repr(align(128))]
#[derive(Default)]
struct Buffer(Mutex<Vec<u8>>);

/// What came of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// It is the first in its buffer.
    First,
    /// It has made its buffer more than half full.
    HalfFull,
    /// It has its place.
    Done,
    /// There was no room for it.
    Dropped,
}

impl Buffers {
    /// Buffers of at most `capacity` bytes each.
    pub(super) fn new(capacity: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { buffers: (0..cores.next_power_of_two()).map(|_| Buffer::default()).collect(), capacity }
    }

    pub(super) fn append(&self, line: &Line<'_>, template: Option<&LogTemplate>) -> Appended {
        let buffer = &self.buffers[thread_number() & (self.buffers.len() - 1)];
        let mut buffer = buffer.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = buffer.len();
        let written = match template {
            None => line.append_to(&mut buffer).is_ok(),
            Some(template) => template.append(line, &mut buffer).is_ok(),
        };
        if !written || buffer.len() > self.capacity {
            buffer.truncate(before);
            return Appended::Dropped;
        }
        let half = self.capacity / 2;
        match (before, buffer.len()) {
            (0, _) => Appended::First,
            (before, after) if before <= half && after > half => Appended::HalfFull,
            _ => Appended::Done,
        }
    }

    pub(super) fn are_empty(&self) -> bool {
        self.buffers.iter().all(|buffer| buffer.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty())
    }

    /// Hands each buffer's lines to `write`; `spare` is what they are swapped with.
    pub(super) fn drain(&self, spare: &mut Vec<u8>, mut write: impl FnMut(&[u8])) {
        for buffer in &self.buffers {
            spare.clear();
            mem::swap(&mut *buffer.0.lock().unwrap_or_else(PoisonError::into_inner), spare);
            if !spare.is_empty() {
                write(spare);
            }
        }
    }
}

/// Numbers the threads in the order of their first line.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: Cell<Option<usize>> = const { Cell::new(None) });
    NUMBER.get().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(Some(number));
        number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_buffer_drops_and_takes_lines_again_when_it_was_drained() {
        let line = Line { path: Some("/"), ..Line::default() };
        let length = {
            let mut text = Vec::new();
            line.append_to(&mut text).expect("written");
            text.len()
        };
        let buffers = Buffers::new(3 * length);
        assert!(buffers.are_empty());
        for expected in
            [Appended::First, Appended::HalfFull, Appended::Done, Appended::Dropped, Appended::Dropped]
        {
            assert_eq!(buffers.append(&line, None), expected);
        }
        let (mut spare, mut drained) = (Vec::new(), 0);
        buffers.drain(&mut spare, |lines| drained += lines.len());
        assert_eq!(drained, 3 * length);
        assert!(buffers.are_empty());
        assert_eq!(buffers.append(&line, None), Appended::First);
    }
}
