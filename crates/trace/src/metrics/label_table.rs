//! A table that is indexed by the numbers of labels.

use std::sync::OnceLock;

use gatewright_core::Label;

const CHUNK: usize = 64;

type Chunk<T> = [OnceLock<Box<(Label, T)>>; CHUNK];

/// A value for each label of one kind, made at its first use. A look-up is two loads. Labels past the table's end share
/// one value.
pub(super) struct LabelTable<T> {
    chunks: Box<[OnceLock<Box<Chunk<T>>>]>,
    other: T,
}

impl<T: Default> LabelTable<T> {
    /// A table for this many labels.
    pub(super) fn new(labels: usize) -> Self {
        let chunks = (0..labels.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect();
        Self { chunks, other: T::default() }
    }

    /// The value of this label, and whether it is the label's own.
    #[inline]
    pub(super) fn of(&self, label: &Label) -> (&T, bool) {
        let index = label.index();
        let Some(chunk) = self.chunks.get(index / CHUNK) else { return (&self.other, false) };
        let chunk = chunk.get_or_init(|| Box::new(std::array::from_fn(|_| OnceLock::new())));
        // The clone keeps the number from being given to another label.
        let (_, value) = &**chunk[index % CHUNK].get_or_init(|| Box::new((label.clone(), T::default())));
        (value, true)
    }

    /// The labels that have been used, with their values, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Label, &T)> {
        let chunks = self.chunks.iter().filter_map(OnceLock::get);
        let entries = chunks.flat_map(|chunk| chunk.iter()).filter_map(OnceLock::get);
        entries.map(|entry| (&entry.0, &entry.1))
    }

    /// What the labels share that found no place.
    pub(super) fn other(&self) -> &T {
        &self.other
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use gatewright_core::LabelKind;

    use super::*;

    #[test]
    fn each_label_has_its_own_value_until_the_table_is_full() {
        let table = LabelTable::<AtomicU64>::new(CHUNK);
        let labels: Vec<_> =
            (0..CHUNK * 4).map(|number| Label::new(LabelKind::Part, &format!("table {number}"))).collect();
        for label in labels.iter().chain(&labels) {
            table.of(label).0.fetch_add(1, Ordering::Relaxed);
        }
        let own: Vec<_> = table.iter().map(|(_, count)| count.load(Ordering::Relaxed)).collect();
        // Labels of other tests may have taken some of the first numbers.
        assert!(own.len() > CHUNK / 2 && own.len() <= CHUNK, "{}", own.len());
        assert!(own.iter().all(|count| *count == 2));
        let others = table.other().load(Ordering::Relaxed) as usize;
        assert_eq!(others + 2 * own.len(), 2 * labels.len());
    }
}
