//! The thread that gives each record its place in the chain and writes it.

use std::{
    io, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    AuditSigner,
    chain::AuditCheckpoint,
    journal::{Found, Journal},
    queue::Queue,
    record::Event,
    trouble::{AuditTrouble, Report},
};

/// The most that is written, and put on the disk, at once.
const BATCH: usize = 256 << 10;

/// How long a file that fails is left alone.
const RETRY: Duration = Duration::from_millis(250);

/// How often the operator is told at least that the file still fails, and at most that records are lost.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// How a log is written.
pub(super) struct Settings {
    pub(super) chained: bool,
    pub(super) sync: bool,
    pub(super) signer: Option<AuditSigner>,
    pub(super) every: u64,
    pub(super) interval: Duration,
    pub(super) on_checkpoint: Option<OnCheckpoint>,
    pub(super) report: Report,
}

pub(super) type OnCheckpoint = Arc<dyn Fn(AuditCheckpoint) + Send + Sync>;

pub(super) struct Writer {
    queue: Arc<Queue>,
    journal: Journal,
    settings: Settings,
    /// The last line that was made.
    place: AuditCheckpoint,
    /// Records that were taken from the queue, and how many bytes of them are in lines.
    records: Vec<u8>,
    used: usize,
    /// Lines that are not in the file yet, and the bytes of records in them.
    lines: Vec<u8>,
    of_records: usize,
    unsynced: bool,
    /// Lines since the last checkpoint, and when it was.
    since: u64,
    last: Instant,
    /// A checkpoint that is to be told, and the last one that was.
    due: bool,
    told: u64,
    next_report: Instant,
    reported_lost: u64,
}

impl Writer {
    pub(super) fn new(
        queue: Arc<Queue>,
        journal: Journal,
        place: AuditCheckpoint,
        found: Found,
        settings: Settings,
    ) -> Self {
        let mut writer = Self {
            queue,
            journal,
            settings,
            place,
            records: Vec::new(),
            used: 0,
            lines: Vec::new(),
            of_records: 0,
            unsynced: false,
            since: 0,
            last: Instant::now(),
            due: false,
            told: place.seq,
            next_report: Instant::now(),
            reported_lost: 0,
        };
        writer.tell(found);
        // What came before this process is under a signature soon, and each process begins with one.
        writer.checkpoint();
        writer
    }

    pub(super) fn run(mut self) {
        let mut works = self.write_out();
        loop {
            let due = if works { self.checkpoint_due() } else { Some(Instant::now() + RETRY) };
            let work = self.queue.wait(due, !works);
            if work.reopen && !self.journal.is_within_a_line() {
                // What was decided before the file was moved stands in the file that was moved, when it still takes it.
                self.write_out();
                self.reopen();
            }
            works = self.write_out();
            if work.closing {
                if works {
                    self.append(&Event { event: "close", ..Event::default() });
                    self.checkpoint();
                    works = self.write_out();
                }
                return self.end(works.then_some(work.asked));
            }
            if works {
                self.queue.done(work.asked);
            }
            self.report_lost();
        }
    }

    /// `done` is the last flush that was asked for, when all is written.
    fn end(self, done: Option<u64>) {
        let unwritten = self.records[self.used..].iter().chain(&self.lines).filter(|byte| **byte == b'\n');
        let unwritten = unwritten.count() as u64;
        // Whoever waits for the end may open the file again, so its lock is gone before they hear of it.
        drop(self.journal);
        if let Some(asked) = done {
            self.queue.done(asked);
        }
        self.queue.close(unwritten);
        if self.queue.lost() > self.reported_lost {
            (self.settings.report)(&AuditTrouble::lost(self.queue.lost()));
        }
    }

    /// Writes all that is there to be written. False when the file does not take it.
    fn write_out(&mut self) -> bool {
        // What comes meanwhile waits for the next time, so that other work is not put off for ever.
        let mut may_take = true;
        loop {
            if self.lines.is_empty() {
                let outcome = self.make_lines(mem::take(&mut may_take));
                if !self.check(outcome) {
                    return false;
                }
            }
            let is_last = self.lines.is_empty();
            if is_last && !self.unsynced && !self.due && !self.queue.is_failing() {
                return true;
            }
            let outcome = self.write();
            if !self.check(outcome) {
                return false;
            }
            if self.queue.is_failing() {
                self.queue.set_failing(false);
                (self.settings.report)(&AuditTrouble::over());
            }
            if is_last {
                return true;
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if !self.lines.is_empty() {
            self.journal.append(&self.lines)?;
            self.lines.clear();
            self.queue.written(mem::take(&mut self.of_records));
            self.unsynced = true;
        }
        self.journal.note(self.place)?;
        if self.settings.sync {
            self.journal.sync()?;
        }
        self.unsynced = false;
        if mem::take(&mut self.due)
            && self.place.seq > self.told
            && let Some(on_checkpoint) = &self.settings.on_checkpoint
        {
            self.told = self.place.seq;
            on_checkpoint(self.place);
        }
        Ok(())
    }

    /// Whether it went well; else the operator hears of it.
    fn check(&mut self, outcome: io::Result<()>) -> bool {
        let Err(error) = outcome else { return true };
        let is_new = !self.queue.is_failing();
        self.queue.set_failing(true);
        if is_new || self.next_report <= Instant::now() {
            self.next_report = Instant::now() + REPORT_INTERVAL;
            (self.settings.report)(&AuditTrouble::failing(error, self.queue.refused(), self.queue.lost()));
        }
        false
    }

    fn report_lost(&mut self) {
        let lost = self.queue.lost();
        if lost > self.reported_lost && self.next_report <= Instant::now() {
            self.next_report = Instant::now() + REPORT_INTERVAL;
            self.reported_lost = lost;
            (self.settings.report)(&AuditTrouble::lost(lost));
        }
    }

    /// Makes lines of the records that wait, as many as are written at once. `may_take` is for those in the queue.
    fn make_lines(&mut self, may_take: bool) -> io::Result<()> {
        if self.checkpoint_due().is_some_and(|due| due <= Instant::now()) {
            self.checkpoint();
        }
        if self.used == self.records.len() && may_take {
            self.records.clear();
            self.used = 0;
            let untold = self.queue.take(&mut self.records);
            if untold.lost + untold.refused > 0 {
                let (records, requests) = (Some(untold.lost), Some(untold.refused));
                self.append(&Event { event: "failure", records, requests, ..Event::default() });
            }
        }
        if (self.used < self.records.len() || !self.lines.is_empty())
            && let Some(found) = self.journal.inspect()?
        {
            self.tell(found);
        }
        while self.used < self.records.len() && self.lines.len() < BATCH {
            let records = mem::take(&mut self.records);
            let record = &records[self.used..];
            let end = record.iter().position(|byte| *byte == b'\n').unwrap_or(record.len());
            self.add(&record[..end]);
            let taken = (end + 1).min(record.len());
            self.records = records;
            self.used += taken;
            self.of_records += taken;
        }
        Ok(())
    }

    fn reopen(&mut self) {
        match self.journal.reopen("reopened") {
            Ok(Some(found)) => {
                // Lines that the file before did not take begin the new one.
                self.tell(found);
                self.checkpoint();
            }
            Ok(None) => {}
            Err(error) => {
                let outcome = Err(error);
                self.check(outcome);
            }
        }
    }

    fn tell(&mut self, found: Found) {
        for event in found.events {
            self.add(&event);
        }
        if let Some(alarm) = found.alarm {
            (self.settings.report)(&AuditTrouble::altered(alarm));
        }
    }

    fn append(&mut self, event: &Event<'_>) {
        self.add(&event.members());
    }

    fn add(&mut self, members: &[u8]) {
        self.place.append(members, self.settings.chained, &mut self.lines);
        self.since += 1;
        if self.since >= self.settings.every {
            self.checkpoint();
        }
    }

    /// When the next checkpoint is due, by the time.
    fn checkpoint_due(&self) -> Option<Instant> {
        let anything_new = self.settings.on_checkpoint.is_some() && self.place.seq > self.told;
        let wanted = self.settings.chained && (self.settings.signer.is_some() || anything_new);
        wanted.then(|| self.last + self.settings.interval)
    }

    fn checkpoint(&mut self) {
        (self.since, self.last, self.due) = (0, Instant::now(), true);
        if let (Some(signer), true) = (&self.settings.signer, self.settings.chained) {
            let (sig, key) = (signer.sign(self.place), signer.public().id());
            let (sig, key, every) = (Some(&*sig), Some(&*key), Some(self.settings.every));
            let event = Event { event: "checkpoint", every, key, sig, ..Event::default() };
            self.place.append(&event.members(), true, &mut self.lines);
        }
    }
}
