//! From an address to the length of the longest prefix that holds it.
//!
//! Networks are laid out flat: wherever the answer changes, there is a boundary, and a lookup finds the last boundary
//! at or before the address. A binary search would cost more with every doubling of the list. Instead, an index with
//! about one slot a boundary says where the address would stand if the boundaries were spread evenly, and the lookup
//! reads the few boundaries of that slot. A slot with many boundaries has an index of its own.

use std::ops::{Shr, Sub};

/// An address as a number.
pub(crate) trait Bits: Copy + Ord + Sub<Output = Self> + Shr<u32, Output = Self> {
    const LENGTH: u32;

    /// The last address of the network that begins here.
    fn last(self, prefix: u8) -> Self;

    /// The address after this one, if there is one.
    fn next(self) -> Option<Self>;

    /// The number as an index; the caller knows that the number is small.
    fn small(self) -> usize;

    fn leading_zeros(self) -> u32;
}

/// Disjoint ranges of addresses, each with the length of the longest prefix that holds it.
#[derive(Debug)]
pub(crate) struct Table<A> {
    /// Where each range begins, in order.
    starts: Vec<A>,
    /// The answer for each range.
    lengths: Vec<Option<u8>>,
    indexes: Vec<Index<A>>,
    slots: Vec<Slot>,
}

/// Boundaries that are searched together, by slots of equal width.
#[derive(Debug)]
struct Index<A> {
    origin: A,
    /// The width of a slot, as a power of two.
    shift: u32,
    last_slot: A,
    /// The position of the first slot. One more slot follows the last, to end it.
    slots: usize,
    first_boundary: u32,
}

/// The first boundary of a slot, or the slot's own index.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Boundary(u32),
    Index(u32),
}

/// A slot with more boundaries than this gets an index of its own.
const CROWD: usize = 6;

impl<A: Bits> Table<A> {
    /// Builds the table from networks, given as first address and length of the prefix.
    pub(crate) fn new(mut networks: Vec<(A, u8)>) -> Self {
        networks.sort_unstable();
        networks.dedup();
        let mut table =
            Self { starts: Vec::new(), lengths: Vec::new(), indexes: Vec::new(), slots: Vec::new() };
        table.lay_out(&networks);
        if !table.starts.is_empty() {
            table.index(0, table.starts.len());
        }
        table
    }

    /// The length of the longest prefix that holds an address.
    pub(crate) fn longest(&self, address: A) -> Option<u8> {
        let boundary = self.search(address)?;
        self.lengths[boundary]
    }

    /// Networks are disjoint or nested, so the networks around the current address form a stack.
    fn lay_out(&mut self, networks: &[(A, u8)]) {
        let mut around: Vec<(A, u8)> = Vec::new();
        for &(start, length) in networks {
            while let Some((last, _)) = around.pop_if(|(last, _)| *last < start) {
                self.close(last, &around);
            }
            self.boundary(start, Some(length));
            around.push((start.last(length), length));
        }
        while let Some((last, _)) = around.pop() {
            self.close(last, &around);
        }
    }

    /// Ends a network; the network around it goes on.
    fn close(&mut self, last: A, around: &[(A, u8)]) {
        if let Some(next) = last.next() {
            self.boundary(next, around.last().map(|(_, length)| *length));
        }
    }

    fn boundary(&mut self, start: A, length: Option<u8>) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.lengths.pop();
        }
        if self.lengths.last().copied().flatten() != length || self.starts.is_empty() {
            self.starts.push(start);
            self.lengths.push(length);
        }
    }

    /// Makes the index of some boundaries, and the indexes of its crowded slots.
    fn index(&mut self, from: usize, to: usize) -> usize {
        let (origin, span) = (self.starts[from], self.starts[to - 1] - self.starts[from]);
        // There are between one and two slots a boundary.
        let bits = A::LENGTH - span.leading_zeros();
        let wanted = usize::BITS - (to - from).leading_zeros();
        let shift = bits.saturating_sub(wanted);
        let last_slot = span >> shift;
        let last = last_slot.small();
        let slots = self.slots.len();
        let this = self.indexes.len();
        self.indexes.push(Index { origin, shift, last_slot, slots, first_boundary: from as u32 });
        self.slots.resize(slots + last + 2, Slot::Boundary(to as u32));
        let mut boundary = from;
        for slot in 0..=last {
            let first = boundary;
            while boundary < to && ((self.starts[boundary] - origin) >> shift).small() == slot {
                boundary += 1;
            }
            let crowded = boundary - first > CROWD;
            self.slots[slots + slot] = match crowded {
                true => Slot::Index(self.index(first, boundary) as u32),
                false => Slot::Boundary(first as u32),
            };
        }
        this
    }

    /// The last boundary at or before the address.
    fn search(&self, address: A) -> Option<usize> {
        let mut index = self.indexes.first()?;
        loop {
            if address < index.origin {
                return (index.first_boundary as usize).checked_sub(1);
            }
            // No boundary lies beyond the last slot.
            let slot = ((address - index.origin) >> index.shift).min(index.last_slot);
            let place = index.slots + slot.small();
            match self.slots[place] {
                Slot::Index(inner) => index = &self.indexes[inner as usize],
                Slot::Boundary(first) => {
                    let (first, end) = (first as usize, self.first_of(self.slots[place + 1]));
                    let passed = self.starts[first..end].iter().take_while(|start| **start <= address).count();
                    return (first + passed).checked_sub(1);
                }
            }
        }
    }

    fn first_of(&self, slot: Slot) -> usize {
        match slot {
            Slot::Boundary(first) => first as usize,
            Slot::Index(index) => self.indexes[index as usize].first_boundary as usize,
        }
    }
}

macro_rules! bits {
    ($number:ty) => {
        impl Bits for $number {
            const LENGTH: u32 = <$number>::BITS;

            fn last(self, prefix: u8) -> Self {
                // `checked_shr` gives `None` for a shift by all bits of the number.
                self | <$number>::MAX.checked_shr(u32::from(prefix)).unwrap_or(0)
            }

            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn small(self) -> usize {
                self as usize
            }

            fn leading_zeros(self) -> u32 {
                <$number>::leading_zeros(self)
            }
        }
    };
}

bits!(u32);
bits!(u128);

#[cfg(test)]
mod tests;
