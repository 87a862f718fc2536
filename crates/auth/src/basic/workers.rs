//! Threads that work through passwords, so that the runtime's own go on serving.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How long a thread that has nothing to do is kept.
const LINGER: Duration = Duration::from_secs(30);

/// What the threads work through.
pub(super) trait Job: Send + 'static {
    /// Whether somebody still waits for it.
    fn is_wanted(&self) -> bool;

    /// Does it.
    fn run(self);
}

/// A few threads and a short queue: whatever the flood, this many processors and this much memory are the most that
/// it gets. The threads come with the work, and go without it.
pub(super) struct Workers<J: Job>(Arc<Shared<J>>);

struct Shared<J> {
    queue: Mutex<Queue<J>>,
    changed: Condvar,
    threads: usize,
    waiting: usize,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    /// Jobs under way.
    running: usize,
    threads: usize,
    idle: usize,
    closed: bool,
}

/// The queue is full.
#[derive(Debug)]
pub(super) struct Busy;

impl<J: Job> Workers<J> {
    /// So many threads at most, and so many jobs that wait for one.
    pub(super) fn new(threads: usize, waiting: usize) -> Self {
        let queue = Queue { jobs: VecDeque::new(), running: 0, threads: 0, idle: 0, closed: false };
        let threads = threads.max(1);
        Self(Arc::new(Shared { queue: Mutex::new(queue), changed: Condvar::new(), threads, waiting }))
    }

    /// Has a job done, in the order of submission.
    pub(super) fn submit(&self, job: J) -> Result<(), Busy> {
        let mut queue = self.0.lock();
        let most = self.0.threads + self.0.waiting;
        if queue.running + queue.jobs.len() >= most {
            // Clients that have gone away make room for others.
            queue.jobs.retain(Job::is_wanted);
        }
        if queue.running + queue.jobs.len() >= most {
            return Err(Busy);
        }
        if queue.idle <= queue.jobs.len() && queue.threads < self.0.threads {
            let shared = Arc::clone(&self.0);
            let started =
                thread::Builder::new().name("gatewright-passwords".into()).spawn(move || shared.work());
            match started {
                Ok(_) => queue.threads += 1,
                Err(error) if queue.threads == 0 => {
                    tracing::warn!(%error, "no thread can be started to verify passwords");
                    return Err(Busy);
                }
                // The others do it.
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

    /// Does what there is to do, until there has been nothing for a while or nobody is left to ask.
    fn work(&self) {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                queue.running += 1;
                drop(queue);
                // Whoever waits for it learns of a panic by the job's end; the next one is to be done all the same.
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

/// What is under way and what waits is done: somebody waits for it.
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
