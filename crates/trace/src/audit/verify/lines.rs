//! The lines of a file, each in bounded memory.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    thread,
    time::Duration,
};

use crate::audit::{chain::Line, journal::LONGEST_LINE};

/// A line that has no end may be one that is being written.
const PATIENCE: usize = 25;
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
}

/// What was read next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Line,
    /// A line without its end.
    Torn,
    /// A line that is longer than any of a log; what was read is its begin.
    TooLong,
    End,
}

impl Lines {
    pub(super) fn of(file: &Path) -> io::Result<Self> {
        Ok(Self { reader: BufReader::with_capacity(1 << 16, File::open(file)?), line: Vec::new() })
    }

    /// The number of the first line that has one, which tells the place of the file in its log.
    pub(super) fn first_seq(file: &Path) -> io::Result<u64> {
        let mut lines = Self::of(file)?;
        for _ in 0..100 {
            if lines.next(false)? == Next::End {
                break;
            }
            if let Some(line) = Line::read(lines.line()) {
                return Ok(line.seq);
            }
        }
        Ok(u64::MAX)
    }

    /// The line that was read, without its end.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Reads the next line. `is_live` says that its end may be written just now.
    pub(super) fn next(&mut self, is_live: bool) -> io::Result<Next> {
        self.line.clear();
        let mut tries = 0;
        loop {
            let room = LONGEST_LINE.saturating_sub(self.line.len() as u64);
            self.reader.by_ref().take(room).read_until(b'\n', &mut self.line)?;
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
                return Ok(Next::Line);
            }
            if self.line.len() as u64 >= LONGEST_LINE {
                self.skip_line()?;
                return Ok(Next::TooLong);
            }
            if self.line.is_empty() {
                return Ok(Next::End);
            }
            if !is_live || tries == PATIENCE {
                return Ok(Next::Torn);
            }
            tries += 1;
            pause();
        }
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.reader.fill_buf()?;
            let newline = bytes.iter().position(|byte| *byte == b'\n');
            let (skipped, is_over) =
                (newline.map_or(bytes.len(), |at| at + 1), newline.is_some() || bytes.is_empty());
            self.reader.consume(skipped);
            if is_over {
                return Ok(());
            }
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a verification is no task of a runtime")]
fn pause() {
    thread::sleep(PAUSE);
}
