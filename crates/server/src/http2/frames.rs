//! Walking over HTTP/2 frames without reading their payloads (RFC 9113, section 4.1).

const HEAD: usize = 9;
/// The length of the client's preface.
const PREFACE: usize = 24;

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;

/// Follows the frames of one direction, however they are split over reads and writes.
#[derive(Debug)]
pub(super) struct Walker {
    preface: usize,
    head: [u8; HEAD],
    have: usize,
    payload: usize,
    kind: u8,
}

impl Walker {
    /// For the bytes of a client, which begin with the preface.
    pub(super) fn of_client() -> Self {
        Self { preface: PREFACE, head: [0; HEAD], have: 0, payload: 0, kind: DATA }
    }

    /// For the bytes of a server.
    pub(super) fn of_server() -> Self {
        Self { preface: 0, ..Self::of_client() }
    }

    /// Walks over `bytes`, and gives the head of each frame once it is whole.
    pub(super) fn walk(&mut self, mut bytes: &[u8], mut on_frame: impl FnMut(FrameHead)) {
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        bytes = &bytes[preface..];
        while !bytes.is_empty() {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let copied = (HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + copied].copy_from_slice(&bytes[..copied]);
            self.have += copied;
            bytes = &bytes[copied..];
            if self.have == HEAD {
                let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = self.head;
                let length = usize::from(l0) << 16 | usize::from(l1) << 8 | usize::from(l2);
                let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
                self.have = 0;
                self.payload = length;
                self.kind = kind;
                on_frame(FrameHead { length, kind, flags, stream });
            }
        }
    }

    /// Whether the next byte begins a frame.
    pub(super) fn at_boundary(&self) -> bool {
        self.preface == 0 && self.have == 0 && self.payload == 0
    }

    /// Whether the next byte is within the payload of a DATA frame.
    pub(super) fn in_data(&self) -> bool {
        self.payload > 0 && self.kind == DATA
    }
}

/// A GOAWAY frame (RFC 9113, section 6.8).
pub(super) fn goaway(last_stream: u32, code: u32) -> [u8; 17] {
    let mut frame = [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    frame[9..13].copy_from_slice(&last_stream.to_be_bytes());
    frame[13..].copy_from_slice(&code.to_be_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(length: usize, kind: u8, stream: u32) -> Vec<u8> {
        let size = u32::try_from(length).expect("small").to_be_bytes();
        let mut frame = vec![size[1], size[2], size[3], kind, 0];
        frame.extend(stream.to_be_bytes());
        frame.extend(std::iter::repeat_n(0xff, length));
        frame
    }

    proptest! {
        #[test]
        fn frames_are_seen_however_they_are_split(
            frames in prop::collection::vec((0..40_usize, 0..12_u8, 0..9_u32), 0..10),
            cuts in prop::collection::vec(1..30_usize, 1..40),
        ) {
            let mut bytes = vec![b'P'; PREFACE];
            bytes.extend(frames.iter().flat_map(|&(length, kind, stream)| frame(length, kind, stream)));
            let (mut walker, mut seen, mut rest) = (Walker::of_client(), Vec::new(), &bytes[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                walker.walk(now, |head| seen.push((head.length, head.kind, head.stream)));
                rest = later;
            }
            prop_assert_eq!(seen, frames);
            prop_assert!(walker.at_boundary());
        }
    }
}
