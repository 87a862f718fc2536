//! Where the lines go.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long a target that would block is given between two tries, and until the lines at hand are given up.
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(5);

/// A file or a stream, and the rest of a line that it has taken half of.
pub(super) struct Target {
    output: Output,
    torn: Vec<u8>,
}

enum Output {
    File { path: PathBuf, file: File },
    Stream(Box<dyn Write + Send>),
}

/// Lines that the target did not take.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) lines: u64,
    pub(super) error: io::Error,
}

impl Target {
    pub(super) fn file(path: PathBuf) -> io::Result<Self> {
        Ok(Self { output: Output::File { file: open(&path)?, path }, torn: Vec::new() })
    }

    pub(super) fn stream(stream: impl Write + Send + 'static) -> Self {
        Self { output: Output::Stream(Box::new(stream)), torn: Vec::new() }
    }

    /// Opens the file anew under its path. The one that is open stays when that fails.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Output::File { path, file } = &mut self.output {
            *file = open(path)?;
            self.torn.clear();
        }
        Ok(())
    }

    /// Writes whole lines. When the target fails within one, its rest is kept and written first the next time, so
    /// that every line of the target stays whole even after a full disk.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), Lost> {
        let Self { output, torn } = self;
        let output: &mut dyn Write = match output {
            Output::File { file, .. } => file,
            Output::Stream(stream) => stream,
        };
        let (written, outcome) = write_out(output, torn);
        torn.drain(..written);
        if let Err(error) = outcome {
            return Err(Lost { lines: count(lines), error });
        }
        let (written, outcome) = write_out(output, lines);
        let Err(error) = outcome.and_then(|()| output.flush()) else { return Ok(()) };
        let mut rest = &lines[written..];
        if written > 0 && lines[written - 1] != b'\n' {
            let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |newline| newline + 1);
            torn.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
        }
        Err(Lost { lines: count(rest), error })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Like `write_all`, but says how far it came, and waits for a pipe that somebody has made non-blocking.
#[allow(clippy::disallowed_methods, reason = "this is the log's own thread, on which nobody waits")]
fn write_out(output: &mut dyn Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let (mut written, mut moved) = (0, Instant::now());
    while written < bytes.len() {
        match output.write(&bytes[written..]) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(more) => (written, moved) = (written + more, Instant::now()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && moved.elapsed() < PATIENCE => {
                thread::sleep(PAUSE);
            }
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes `room` bytes, a few at a time, then is a full disk.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

    impl Disk {
        fn make_room(&self, bytes: usize) {
            self.0.lock().expect("no panic").0 = bytes;
        }

        fn content(&self) -> String {
            String::from_utf8(self.0.lock().expect("no panic").1.clone()).expect("text")
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (room, content) = &mut *self.0.lock().expect("no panic");
            let taken = bytes.len().min(*room).min(3);
            if taken == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            *room -= taken;
            content.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_lines_but_tears_none() {
        let disk = Disk::default();
        let mut target = Target::stream(disk.clone());
        disk.make_room(8);
        let lost = target.write(b"one\ntwo-two\nthree\nfour\n").expect_err("the disk is full");
        assert_eq!((lost.lines, lost.error.kind()), (2, ErrorKind::StorageFull));
        assert_eq!(target.write(b"five\n").expect_err("the disk is still full").lines, 1);
        disk.make_room(2);
        assert_eq!(target.write(b"six\n").expect_err("no room for the torn line").lines, 1);
        disk.make_room(100);
        target.write(b"seven\n").expect("there is room");
        assert_eq!(disk.content(), "one\ntwo-two\nseven\n");
    }

    #[test]
    fn a_disk_that_is_full_between_two_lines_keeps_nothing_back() {
        let disk = Disk::default();
        let mut target = Target::stream(disk.clone());
        disk.make_room(4);
        assert_eq!(target.write(b"one\ntwo\n").expect_err("the disk is full").lines, 1);
        disk.make_room(100);
        target.write(b"three\n").expect("there is room");
        assert_eq!(disk.content(), "one\nthree\n");
    }
}
