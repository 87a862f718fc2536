//! Threads that verify passwords, so that the runtime's own threads keep serving.
//!
//! Invariants:
//!
//! 1. At most `threads` jobs run, and at most `waiting` more are queued or about to run. `submit` refuses any
//!    further job.
//! 2. A queued job has a thread: `submit` starts one if the idle threads are fewer than the jobs and the limit
//!    allows it. A job is refused if no thread exists and none can be started.
//! 3. Jobs begin in the order of submission. A job that nobody waits for is dropped: at the latest when its turn
//!    comes, and earlier if its place is needed.
//! 4. `running`, `threads` and `idle` are changed under the lock only. A job runs outside the lock.
//! 5. A panic in a job ends neither its thread nor the count of running jobs.
//! 6. A thread ends after `LINGER` without work, or when `Workers` is dropped and the queue is empty. Jobs that
//!    were accepted before the drop are done.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// The time after which an idle thread ends.
const LINGER: Duration = Duration::from_secs(30);

/// The work of a thread.
pub(super) trait Job: Send + 'static {
    /// Whether someone still waits for the result.
    fn is_wanted(&self) -> bool;

    /// Runs the job.
    fn run(self);
}

/// A few threads and a short queue. They limit the processors and the memory that a flood of jobs can use. Threads
/// start with the work and end without it.
pub(super) struct Workers<J: Job>(Arc<Shared<J>>);

struct Shared<J> {
    queue: Mutex<Queue<J>>,
    changed: Condvar,
    threads: usize,
    waiting: usize,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    /// The number of jobs that run.
    running: usize,
    threads: usize,
    idle: usize,
    closed: bool,
}

/// The queue is full.
#[derive(Debug)]
pub(super) struct QueueFull;

impl<J: Job> Workers<J> {
    /// At most this many threads run, and at most this many jobs wait.
    pub(super) fn new(threads: usize, waiting: usize) -> Self {
        let queue = Queue { jobs: VecDeque::new(), running: 0, threads: 0, idle: 0, closed: false };
        let threads = threads.max(1);
        Self(Arc::new(Shared { queue: Mutex::new(queue), changed: Condvar::new(), threads, waiting }))
    }

    /// Queues a job. Jobs begin in the order of submission.
    pub(super) fn submit(&self, job: J) -> Result<(), QueueFull> {
        let mut queue = self.0.lock();
        let most = self.0.threads + self.0.waiting;
        if queue.running + queue.jobs.len() >= most {
            // Jobs of clients that have gone away make room.
            queue.jobs.retain(Job::is_wanted);
        }
        if queue.running + queue.jobs.len() >= most {
            return Err(QueueFull);
        }
        if queue.idle <= queue.jobs.len() && queue.threads < self.0.threads {
            let shared = Arc::clone(&self.0);
            let started =
                thread::Builder::new().name("gatewright-passwords".into()).spawn(move || shared.work());
            match started {
                Ok(_) => queue.threads += 1,
                Err(error) if queue.threads == 0 => {
                    tracing::warn!(%error, "no thread can be started to verify passwords");
                    return Err(QueueFull);
                }
                // The other threads do the work.
                Err(_) => {}
            }
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl<J: Job> Shared<J> {
    fn lock(&self) -> MutexGuard<'_, Queue<J>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs jobs, until there are none for a while or `Workers` is dropped.
    fn work(&self) {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                queue.running += 1;
                drop(queue);
                // The waiting request learns of a panic, because the job's sender is dropped. The next job still
                // has to run.
                let done = catch_unwind(AssertUnwindSafe(|| {
                    if job.is_wanted() {
                        job.run();
                    }
                }));
                if done.is_err() {
                    tracing::error!("verifying a password panicked");
                }
                queue = self.lock();
                queue.running -= 1;
                continue;
            }
            if queue.closed {
                break;
            }
            queue.idle += 1;
            let idle = |queue: &mut Queue<J>| queue.jobs.is_empty() && !queue.closed;
            let (woken, waited) =
                self.changed.wait_timeout_while(queue, LINGER, idle).unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            queue.idle -= 1;
            if waited.timed_out() && queue.jobs.is_empty() {
                break;
            }
        }
        queue.threads -= 1;
    }
}

/// Jobs that run or wait are still done, because someone waits for them.
impl<J: Job> Drop for Workers<J> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

impl<J: Job> fmt::Debug for Workers<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers")
            .field("threads", &self.0.threads)
            .field("waiting", &self.0.waiting)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Says that it begins, and ends when it is told to.
    struct Held {
        begun: mpsc::Sender<usize>,
        number: usize,
        wanted: Arc<AtomicBool>,
        end: mpsc::Receiver<()>,
    }

    impl Job for Held {
        fn is_wanted(&self) -> bool {
            self.wanted.load(Ordering::Relaxed)
        }

        fn run(self) {
            self.begun.send(self.number).expect("the test listens");
            let _ = self.end.recv();
            assert!(self.number != 13, "told to panic");
        }
    }

    struct Jobs {
        begun: mpsc::Sender<usize>,
        begins: mpsc::Receiver<usize>,
        wanted: Arc<AtomicBool>,
    }

    impl Jobs {
        fn new() -> Self {
            let (begun, begins) = mpsc::channel();
            Self { begun, begins, wanted: Arc::new(AtomicBool::new(true)) }
        }

        /// A job, and what ends it.
        fn job(&self, number: usize) -> (Held, mpsc::Sender<()>) {
            let (end, ended) = mpsc::channel();
            (Held { begun: self.begun.clone(), number, wanted: Arc::clone(&self.wanted), end: ended }, end)
        }

        /// The numbers of the next that begin, in order.
        fn begin<const N: usize>(&self) -> [usize; N] {
            let mut numbers = [0; N].map(|_: usize| self.begins.recv_timeout(PATIENCE).expect("it begins"));
            numbers.sort_unstable();
            numbers
        }
    }

    #[test]
    fn more_than_the_threads_and_the_queue_hold_is_refused() {
        let workers = Workers::new(2, 3);
        let jobs = Jobs::new();
        let mut ends = Vec::new();
        for number in 0..5 {
            let (job, end) = jobs.job(number);
            workers.submit(job).expect("there is room");
            ends.push(end);
        }
        assert!(workers.submit(jobs.job(5).0).is_err());
        assert_eq!(jobs.begin(), [0, 1]);
        assert!(workers.submit(jobs.job(5).0).is_err());
        // One ends, one that waited begins, and there is room for another.
        ends.remove(0).send(()).expect("it runs");
        assert_eq!(jobs.begin(), [2]);
        assert!(jobs.begins.try_recv().is_err(), "two at a time");
        workers.submit(jobs.job(6).0).expect("there is room");
        assert!(workers.submit(jobs.job(7).0).is_err());
        // Nobody can ask any more, and what was taken on is done.
        drop((workers, ends));
        assert_eq!(jobs.begin(), [3, 4, 6]);
    }

    #[test]
    fn what_nobody_waits_for_makes_room_and_is_not_done() {
        let workers = Workers::new(1, 2);
        let (gone, here) = (Jobs::new(), Jobs::new());
        let (first, end) = here.job(0);
        workers.submit(first).expect("there is room");
        assert_eq!(here.begin(), [0]);
        for number in [1, 2] {
            workers.submit(gone.job(number).0).expect("there is room");
        }
        assert!(workers.submit(here.job(3).0).is_err());
        gone.wanted.store(false, Ordering::Relaxed);
        workers.submit(here.job(3).0).expect("there is room");
        drop(end);
        assert_eq!(here.begin(), [3]);
        assert!(gone.begins.try_recv().is_err());
    }

    #[test]
    fn a_panic_ends_neither_the_thread_nor_the_work() {
        let workers = Workers::new(1, 10);
        let jobs = Jobs::new();
        for number in [13, 14] {
            workers.submit(jobs.job(number).0).expect("there is room");
        }
        assert_eq!(jobs.begin(), [13, 14]);
    }

    #[test]
    fn the_threads_go_when_nobody_is_left_to_ask() {
        let workers = Workers::new(1, 1);
        let jobs = Jobs::new();
        let (job, end) = jobs.job(0);
        workers.submit(job).expect("there is room");
        assert_eq!(jobs.begin(), [0]);
        drop(end);
        let (shared, begun) = (Arc::downgrade(&workers.0), std::time::Instant::now());
        drop(workers);
        while shared.strong_count() > 0 {
            assert!(begun.elapsed() < PATIENCE, "a thread lingers, as it does for further work");
            thread::yield_now();
        }
    }
}
