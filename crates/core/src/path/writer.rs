use std::borrow::Cow;

use super::{DotSegment, EmptySegments, PathError};

/// Writes a canonical path, piece by piece. A piece is what stands between slashes, raw or encoded.
pub(super) struct Writer<'a> {
    input: &'a str,
    /// What is written, once it differs from the input; till then it is the input's first `len` bytes.
    owned: Option<String>,
    len: usize,
    piece: usize,
    after_encoded_slash: bool,
    empty_segments: EmptySegments,
    dots: DotSegment,
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl<'a> Writer<'a> {
    pub(super) fn new(input: &'a str, empty_segments: EmptySegments, dots: DotSegment) -> Self {
        Self { input, owned: None, len: 0, piece: 0, after_encoded_slash: false, empty_segments, dots }
    }

    fn written(&self) -> &str {
        self.owned.as_deref().unwrap_or(&self.input[..self.len])
    }

    pub(super) fn push(&mut self, text: &str) {
        if let Some(owned) = &mut self.owned {
            owned.push_str(text);
        } else if self.input.as_bytes()[self.len..].starts_with(text.as_bytes()) {
            self.len += text.len();
        } else {
            let mut owned = String::with_capacity(self.input.len() + text.len());
            owned.push_str(&self.input[..self.len]);
            owned.push_str(text);
            self.owned = Some(owned);
        }
    }

    pub(super) fn push_byte(&mut self, byte: u8) {
        self.push(char::from(byte).encode_utf8(&mut [0; 4]));
    }

    pub(super) fn push_escape(&mut self, byte: u8) {
        self.push("%");
        self.push_byte(HEX[usize::from(byte >> 4)]);
        self.push_byte(HEX[usize::from(byte & 0xf)]);
    }

    pub(super) fn slash(&mut self) -> Result<(), PathError> {
        // The slash before a dot segment that is gone stands for the one after it.
        let is_gone = self.end_piece(false)?;
        let merges = self.empty_segments == EmptySegments::Merge;
        if !(is_gone || merges && self.written().ends_with('/')) {
            self.push("/");
        }
        self.start_piece(false);
        Ok(())
    }

    pub(super) fn encoded_slash(&mut self) -> Result<(), PathError> {
        self.end_piece(true)?;
        self.push("%2F");
        self.start_piece(true);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Cow<'a, str>, PathError> {
        self.end_piece(false)?;
        Ok(match self.owned {
            Some(owned) => Cow::Owned(owned),
            None => Cow::Borrowed(&self.input[..self.len]),
        })
    }

    fn start_piece(&mut self, after_encoded_slash: bool) {
        self.piece = self.written().len();
        self.after_encoded_slash = after_encoded_slash;
    }

    /// Whether the piece was a dot segment, which is gone now.
    fn end_piece(&mut self, before_encoded_slash: bool) -> Result<bool, PathError> {
        let piece = &self.written()[self.piece..];
        let parametrised = |rest: &str| rest.starts_with(';') || rest.starts_with("%3B");
        if parametrised(piece) {
            return Err(PathError::DotSegment);
        }
        let Some(rest) = piece.strip_prefix('.') else { return Ok(false) };
        let (rest, climbs) = match rest.strip_prefix('.') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        if !rest.is_empty() {
            return if parametrised(rest) { Err(PathError::DotSegment) } else { Ok(false) };
        }
        if before_encoded_slash || self.after_encoded_slash || self.dots == DotSegment::Refuse {
            return Err(PathError::DotSegment);
        }
        // No encoded slash stands before this piece, so it is a whole segment, and a raw slash stands before it.
        let here = self.piece;
        let parent = self.written()[..here.saturating_sub(1)].rfind('/').map_or(here, |slash| slash + 1);
        self.truncate(if climbs { parent } else { here });
        Ok(true)
    }

    fn truncate(&mut self, len: usize) {
        match &mut self.owned {
            Some(owned) => owned.truncate(len),
            None => self.len = len,
        }
        self.piece = len;
    }
}
