//! Bodies that anyone who knows their seed can tell, at any offset.

/// A body of `length` bytes, which follow from its seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) seed: u64,
    pub(crate) length: usize,
}

impl Content {
    /// The whole body.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        self.fill(0, &mut bytes);
        bytes
    }

    /// Its hash, as [`Check`] would come to.
    pub(crate) fn hash(self) -> u64 {
        let mut check = Check::of(self);
        check.take(&self.bytes());
        check.hash()
    }

    /// The bytes from `offset` on, also beyond the length.
    fn fill(self, offset: usize, out: &mut [u8]) {
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let word = mix(self.seed.wrapping_add((at / 8) as u64)).to_le_bytes();
            let word = &word[at % 8..];
            let taken = word.len().min(rest.len());
            rest[..taken].copy_from_slice(&word[..taken]);
            at += taken;
            rest = &mut rest[taken..];
        }
    }
}

/// A body as it comes in, compared with what it should be.
#[derive(Debug)]
pub(crate) struct Check {
    content: Content,
    received: usize,
    differs_at: Option<usize>,
    hash: u64,
    /// Bytes that do not fill a word of the hash yet.
    pending: Vec<u8>,
    expected: Vec<u8>,
}

impl Check {
    pub(crate) fn of(content: Content) -> Self {
        let (pending, expected) = (Vec::with_capacity(8), Vec::new());
        Self { content, received: 0, differs_at: None, hash: 0xcbf2_9ce4_8422_2325, pending, expected }
    }

    /// Takes the bytes that come next.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.expected.resize(bytes.len(), 0);
        self.content.fill(self.received, &mut self.expected);
        if self.differs_at.is_none() && self.expected != bytes {
            let equal = bytes.iter().zip(&self.expected).take_while(|(got, expected)| got == expected).count();
            self.differs_at = Some(self.received + equal);
        }
        self.received += bytes.len();
        self.fold(bytes);
    }

    pub(crate) fn received(&self) -> usize {
        self.received
    }

    pub(crate) fn content(&self) -> Content {
        self.content
    }

    /// The offset of the first byte that is not the body's, also of one beyond its end.
    pub(crate) fn differs_at(&self) -> Option<usize> {
        let beyond = (self.received > self.content.length).then_some(self.content.length);
        self.differs_at.into_iter().chain(beyond).min()
    }

    /// Whether the whole body has come, and nothing else.
    pub(crate) fn is_exact(&self) -> bool {
        self.received == self.content.length && self.differs_at.is_none()
    }

    /// The hash of what has come, however it was cut.
    pub(crate) fn hash(&self) -> u64 {
        let last = self.pending.iter().fold(1, |word, byte| word << 8 | u64::from(*byte));
        fold(self.hash, last)
    }

    fn fold(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(8 - self.pending.len()));
            self.pending.extend_from_slice(taken);
            bytes = rest;
            if let Ok(word) = <[u8; 8]>::try_from(self.pending.as_slice()) {
                self.hash = fold(self.hash, u64::from_le_bytes(word));
                self.pending.clear();
            }
        }
    }
}

/// FNV-1a over words instead of bytes, with the high bits folded back.
fn fold(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    product ^ product >> 29
}

/// The output of SplitMix64 at a state.
pub(crate) fn mix(state: u64) -> u64 {
    let mut word = state.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[test]
fn a_body_is_told_from_another_at_its_first_other_byte() {
    let content = Content { seed: 7, length: 1000 };
    let mut bytes = content.bytes();
    let mut check = Check::of(content);
    for piece in bytes.chunks(13) {
        check.take(piece);
    }
    assert!(check.is_exact() && check.differs_at().is_none());
    assert_eq!(check.hash(), content.hash());
    bytes[777] ^= 1;
    let mut check = Check::of(content);
    check.take(&bytes);
    assert_eq!((check.is_exact(), check.differs_at()), (false, Some(777)));
    assert_ne!(check.hash(), content.hash());
    let mut check = Check::of(content);
    check.take(&Content { length: 1001, ..content }.bytes());
    assert_eq!((check.is_exact(), check.differs_at()), (false, Some(1000)));
}
