//! The lines of a head or a trailer section, found as they come in.

use super::{MAX_FIELDS, Malformed};

/// Where the lines end that have been found so far.
pub(super) struct Lines {
    /// The line feeds. Sections are of 64 KiB at most.
    feeds: [u16; MAX_FIELDS + 1],
    count: usize,
    scanned: usize,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { feeds: [0; MAX_FIELDS + 1], count: 0, scanned: 0 }
    }

    /// Begins with another section.
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.scanned = 0;
    }

    /// Whether nothing of a section has been looked at.
    pub(super) fn is_clear(&self) -> bool {
        self.scanned == 0
    }

    /// Goes on with a section of which `bytes` are there. Gives its length, the empty line at its end included, when
    /// all of it is.
    pub(super) fn find_end(&mut self, bytes: &[u8], limit: usize) -> Result<Option<usize>, Malformed> {
        let new = &bytes[self.scanned..bytes.len().min(limit)];
        for offset in memchr::memchr_iter(b'\n', new) {
            let feed = self.scanned + offset;
            let start = self.start(self.count);
            if feed == start || bytes[feed - 1] != b'\r' {
                return Err(Malformed("a line ends in a bare line feed"));
            }
            if feed == start + 1 {
                return Ok(Some(feed + 1));
            }
            let Some(place) = self.feeds.get_mut(self.count) else {
                return Err(Malformed("there are too many fields"));
            };
            *place = u16::try_from(feed).map_err(|_| Malformed("the head is too long"))?;
            self.count += 1;
        }
        self.scanned += new.len();
        if self.scanned >= limit {
            return Err(Malformed("the head is too long"));
        }
        Ok(None)
    }

    fn start(&self, line: usize) -> usize {
        if line == 0 { 0 } else { usize::from(self.feeds[line - 1]) + 1 }
    }

    /// How many lines there are before the empty one.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Where each line begins, and where its line end does.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut start = 0;
        self.feeds[..self.count].iter().map(move |feed| {
            let feed = usize::from(*feed);
            (std::mem::replace(&mut start, feed + 1), feed - 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_however_the_bytes_are_split() {
        let section = b"one\r\ntwo\r\n\r\nrest";
        for split in 0..section.len() {
            let mut lines = Lines::new();
            let early = lines.find_end(&section[..split], 100).expect("is sound");
            let end = early.or_else(|| lines.find_end(section, 100).expect("is sound"));
            assert_eq!(end, Some(12));
            assert_eq!(lines.iter().map(|(from, to)| &section[from..to]).collect::<Vec<_>>(), [b"one", b"two"]);
        }
    }

    #[test]
    fn sections_are_bounded() {
        let find = |section: &[u8], limit| Lines::new().find_end(section, limit);
        assert_eq!(find(b"\r\n", 2), Ok(Some(2)));
        assert_eq!(find(b"one\r\n\r\n", 7), Ok(Some(7)));
        assert!(find(b"one\r\n\r\n", 6).is_err());
        assert!(find(b"one\ntwo\r\n\r\n", 100).is_err());
        assert!(find(b"\n", 100).is_err());
        let fields = |count| [&b"a:b\r\n".repeat(count)[..], b"\r\n"].concat();
        assert!(find(&fields(MAX_FIELDS + 1), 4096).is_ok());
        assert!(find(&fields(MAX_FIELDS + 2), 4096).is_err());
    }
}
