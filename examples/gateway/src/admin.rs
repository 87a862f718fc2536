//! The admin, on a thread of its own: it answers whatever the workers are busy with, and until the end of a drain.

use std::{io, net::SocketAddr, thread, time::Duration};

use gatewright::{admin::Admin, config::Gateway, server::ServerHandle};
use tracing::Level;

use crate::{failure::Failure, say::log, serve};

/// The thread that serves the admin, if there is one.
pub(crate) struct AdminThread(Option<Running>);

struct Running {
    admin: Admin,
    address: SocketAddr,
    handle: ServerHandle,
    thread: thread::JoinHandle<io::Result<()>>,
}

/// Serves the admin of a gateway, if its file asks for one.
pub(crate) fn start(gateway: &Gateway) -> Result<AdminThread, Failure> {
    let bound = gateway
        .bind_admin()
        .map_err(|error| Failure::bind(&error, "write another address for `admin` into the file"))?;
    let (Some(server), Some(admin)) = (bound, gateway.admin()) else { return Ok(AdminThread(None)) };
    let Some(address) = server.local_addrs().first().copied() else { return Ok(AdminThread(None)) };
    let (handle, runtime, service) = (server.handle(), serve::runtime()?, admin.clone().into_service());
    let serve = move || {
        let served = runtime.block_on(server.serve(service));
        runtime.shutdown_background();
        served.map(drop)
    };
    let thread = thread::Builder::new()
        .name("admin".to_owned())
        .spawn(serve)
        .map_err(|error| Failure::new(format!("error: the admin's thread cannot be started: {error}")))?;
    Ok(AdminThread(Some(Running { admin: admin.clone(), address, handle, thread })))
}

impl AdminThread {
    /// Where it is.
    pub(crate) fn url(&self) -> Option<String> {
        self.0.as_ref().map(|running| format!("http://{}/", running.address))
    }

    /// Says that the gateway drains.
    pub(crate) fn drain(&self) {
        if let Some(running) = &self.0 {
            running.admin.drain();
        }
    }

    /// Ends, and cuts what is open.
    pub(crate) fn end(self) {
        let Some(Running { handle, thread, .. }) = self.0 else { return };
        handle.drain(Duration::ZERO);
        if let Ok(Err(error)) = thread.join() {
            log(Level::ERROR, format_args!("the admin has ended: {error}"));
        }
    }
}
