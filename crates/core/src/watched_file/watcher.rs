//! The one thread that looks at all watched files.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::{Duration, Instant},
};

/// A file that wants to be looked at from time to time.
pub(super) trait Look: Send + Sync {
    /// Looks, and reads what has changed.
    fn look(&self);
}

static WATCHER: Watcher =
    Watcher { watched: Mutex::new(Watched { files: Vec::new(), running: false }), changed: Condvar::new() };

struct Watcher {
    watched: Mutex<Watched>,
    changed: Condvar,
}

struct Watched {
    files: Vec<File>,
    running: bool,
}

struct File {
    file: Weak<dyn Look>,
    every: Duration,
    due: Instant,
}

/// Looks at the file every so often from now on, for as long as it lives.
pub(super) fn watch(file: Weak<dyn Look>, every: Duration) -> io::Result<()> {
    let mut watched = WATCHER.lock();
    if !watched.running {
        thread::Builder::new().name("gatewright-files".into()).spawn(|| WATCHER.run())?;
        watched.running = true;
    }
    watched.files.push(File { file, every, due: Instant::now() + every });
    WATCHER.changed.notify_all();
    Ok(())
}

/// Wakes the thread: a file has been dropped, perhaps the last one.
pub(super) fn wake() {
    WATCHER.changed.notify_all();
}

impl Watcher {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what is due, until there is no file left.
    fn run(&self) {
        let mut watched = self.lock();
        loop {
            watched.files.retain(|file| file.file.strong_count() > 0);
            let Some(next) = watched.files.iter().map(|file| file.due).min() else {
                watched.running = false;
                return;
            };
            let now = Instant::now();
            if now < next {
                let woken = self.changed.wait_timeout(watched, next - now);
                watched = woken.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let mut due = Vec::new();
            for file in watched.files.iter_mut().filter(|file| file.due <= now) {
                file.due = now + file.every;
                due.extend(file.file.upgrade());
            }
            drop(watched);
            due.into_iter().for_each(look);
            watched = self.lock();
        }
    }
}

/// A parser that panics is not to end the looks at the other files.
fn look(file: Arc<dyn Look>) {
    if catch_unwind(AssertUnwindSafe(|| file.look())).is_err() {
        tracing::error!("reading a watched file panicked");
    }
}
