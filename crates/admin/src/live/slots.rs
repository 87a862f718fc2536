//! Series by the numbers of their labels.
//!
//! 1. A place is found by two indexes, without a lock and without a look at the name. Places are made in blocks, each twice
//!    as large as the last, and a block that is there stays where it is.
//! 2. The number of a label that is gone may be another label's, so a place is held against the label itself.
//! 3. What no label of the running configuration stands for is forgotten when the configuration changes.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use gatewright_core::Label;

use super::series::Series;

/// The size of the first block.
const FIRST: usize = 64;
/// Blocks of 64, 128 and so on: for four million labels.
const BLOCKS: usize = 16;

type Block = Box<[ArcSwapOption<Series>]>;

/// A series for each label of one kind.
#[derive(Debug)]
pub(super) struct Slots([OnceLock<Block>; BLOCKS]);

impl Default for Slots {
    fn default() -> Self {
        Self([const { OnceLock::new() }; BLOCKS])
    }
}

impl Slots {
    /// Has this done with the series of a label, which is made when there is none. Labels beyond the last block have none.
    #[inline]
    pub(super) fn with(&self, label: &Label, then: impl FnOnce(&Series)) {
        let Some(place) = self.place(label.index()) else { return };
        let known = place.load();
        match &*known {
            Some(series) if series.label() == label => then(series),
            _ => then(&Self::make(place, label)),
        }
    }

    /// The series of a label, if it has one.
    pub(super) fn get(&self, label: &Label) -> Option<Arc<Series>> {
        self.place(label.index())?.load_full().filter(|series| series.label() == label)
    }

    #[cold]
    fn make(place: &ArcSwapOption<Series>, label: &Label) -> Arc<Series> {
        let made = Arc::new(Series::new(label.clone()));
        // Of two threads that meet here, the first one's stays.
        place.rcu(|known| match known {
            Some(known) if known.label() == label => Arc::clone(known),
            _ => Arc::clone(&made),
        });
        place.load_full().filter(|series| series.label() == label).unwrap_or(made)
    }

    fn place(&self, index: usize) -> Option<&ArcSwapOption<Series>> {
        let (block, offset) = position(index);
        let block =
            self.0.get(block)?.get_or_init(|| (0..FIRST << block).map(|_| ArcSwapOption::empty()).collect());
        block.get(offset)
    }

    /// Forgets the series of labels that are not wanted.
    pub(super) fn retain(&self, mut is_wanted: impl FnMut(&Label) -> bool) {
        for place in self.0.iter().filter_map(OnceLock::get).flatten() {
            if place.load().as_ref().is_some_and(|series| !is_wanted(series.label())) {
                place.store(None);
            }
        }
    }
}

/// The block of a number, and its place there.
fn position(index: usize) -> (usize, usize) {
    let block = (index / FIRST + 1).ilog2() as usize;
    (block, index - FIRST * ((1 << block) - 1))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use gatewright_core::LabelKind;

    use super::*;
    use crate::live::window::Class;

    #[test]
    fn each_number_has_a_place_of_its_own_within_its_block() {
        let places: HashSet<_> = (0..100_000).map(position).collect();
        assert_eq!(places.len(), 100_000);
        assert!(places.iter().all(|(block, offset)| *offset < FIRST << block));
        assert_eq!(position(0), (0, 0));
        assert_eq!(position(64), (1, 0));
    }

    #[test]
    fn a_series_is_that_of_its_label_and_of_no_later_one_of_the_same_number() {
        let slots = Slots::default();
        let labels: Vec<_> =
            (0..300).map(|number| Label::new(LabelKind::Part, &format!("slot {number}"))).collect();
        for (times, label) in labels.iter().enumerate() {
            (0..times).for_each(|_| slots.with(label, |series| series.add(0, Class::Success, Some(1))));
        }
        for (times, label) in labels.iter().enumerate().skip(1) {
            assert_eq!(slots.get(label).expect("was made").totals()[0], times as u64);
        }
        slots.retain(|label| *label == labels[7]);
        assert!(slots.get(&labels[7]).is_some() && slots.get(&labels[8]).is_none());
    }
}
