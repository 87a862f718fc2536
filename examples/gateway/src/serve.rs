//! Workers, each a thread with a runtime of its own.

use std::{io, thread, time::Duration};

use gatewright::{
    config::GatewayService,
    server::{Server, ServerHandle},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
};
use tracing::Level;

use crate::{failure::Failure, say::log, shutdown::Shutdown};

/// Serves on threads of its own.
pub(crate) struct Serving {
    threads: Vec<thread::JoinHandle<io::Result<usize>>>,
    ended: mpsc::UnboundedReceiver<()>,
    handle: ServerHandle,
}

/// Starts a thread for each worker.
///
/// A connection stays with the worker that accepted it, and so do the idle connections to upstreams: no work
/// moves between cores, and no lock is shared by them.
pub(crate) fn start(server: Server, service: &GatewayService) -> Result<Serving, Failure> {
    let handle = server.handle();
    let (alive, ended) = mpsc::unbounded_channel();
    let mut threads = Vec::new();
    for (index, worker) in server.into_workers().into_iter().enumerate() {
        let (service, runtime, alive) = (service.clone(), runtime()?, Alive(alive.clone()));
        let serve = move || {
            let _alive = alive;
            let drained = runtime.block_on(worker.serve(service));
            // A name that is still being looked up is not waited for.
            runtime.shutdown_background();
            drained.map(|drained| drained.cut())
        };
        let thread = thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(serve)
            .map_err(|error| Failure::new(format!("error: a worker's thread cannot be started: {error}")))?;
        threads.push(thread);
    }
    Ok(Serving { threads, ended, handle })
}

/// Tells that its worker has ended, also by a panic.
struct Alive(mpsc::UnboundedSender<()>);

impl Drop for Alive {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A runtime for the thread that calls.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("error: a runtime cannot be started: {error}")))
}

impl Serving {
    /// Waits until the program is told to stop, or a worker ends by itself, and says which.
    pub(crate) async fn stopped(&mut self, shutdown: &mut Shutdown) -> String {
        tokio::select! {
            signal = shutdown.requested() => signal.to_owned(),
            // It takes its share of the connections with it.
            _ = self.ended.recv() => "a worker has ended".to_owned(),
        }
    }

    /// Ends within `deadline`; told to stop again, at once. `why` is for the operator.
    ///
    /// Gives how many connections were cut.
    pub(crate) async fn drain(
        mut self,
        why: &str,
        mut shutdown: Shutdown,
        deadline: Duration,
    ) -> Result<usize, Failure> {
        let open = self.handle.connections();
        log(Level::INFO, format_args!("{why}: draining {open} connections, for at most {deadline:?}"));
        self.handle.drain(deadline);
        loop {
            tokio::select! {
                signal = shutdown.requested() => {
                    log(Level::INFO, format_args!("{signal} again: what is left is cut"));
                    self.handle.drain(Duration::ZERO);
                }
                ended = self.ended.recv() => if ended.is_none() { break },
            }
        }
        let mut cut = 0;
        for thread in self.threads {
            match thread.join() {
                Ok(Ok(connections)) => cut += connections,
                Ok(Err(error)) => return Err(Failure::new(format!("error: a worker cannot serve: {error}"))),
                Err(_) => return Err(Failure::new("error: a worker panicked")),
            }
        }
        Ok(cut)
    }
}
