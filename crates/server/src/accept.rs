//! The accept loop of one socket.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::{connection::Shared, drain::Phase, listener::Entry, opening, service::Application};

/// How long the loop rests when the process has no file descriptor left: the first time, and at most.
const REST: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_millis(500);

/// Accepts connections until the server is drained, each served in a task of its own.
pub(crate) async fn run<S>(
    listener: TcpListener,
    entry: Arc<Entry>,
    service: S,
    shared: Arc<Shared>,
    permits: Option<Arc<Semaphore>>,
) where
    S: Application,
{
    let (own_entry, own_shared) = (Arc::clone(&entry), Arc::clone(&shared));
    // The closure owns the service, which need not be `Sync`.
    let serve = move |stream: TcpStream, peer, permit: Option<OwnedSemaphorePermit>| {
        let (entry, shared) = (Arc::clone(&own_entry), Arc::clone(&own_shared));
        let (counted, open) = (entry.count(), Open::new(&shared));
        let guards = (counted, permit, open);
        tokio::spawn(opening::serve(stream, peer, entry, service.clone(), shared, guards));
    };
    let mut rest = REST;
    loop {
        let changed = shared.connections.phase_changed.notified();
        if shared.connections.phase() != Phase::Serving {
            break;
        }
        let next = async {
            // The semaphore is never closed, so `acquire_owned` does not fail.
            let permit = match &permits {
                Some(permits) => Arc::clone(permits).acquire_owned().await.ok(),
                None => None,
            };
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            next = next => next,
            () = changed => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                rest = REST;
                serve(stream, peer, permit);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if rest == REST {
                    tracing::error!(listener = %entry.name(), %error, "cannot accept connections, trying again");
                }
                tokio::time::sleep(rest).await;
                rest = (rest * 2).min(LONGEST_REST);
            }
        }
    }
    // Connections that the kernel has accepted already are served: closing the socket would reset them.
    while let Some(Ok((stream, peer))) = accept_now(&listener).await {
        serve(stream, peer, None);
    }
}

/// The next connection that the kernel has accepted already, if there is one.
async fn accept_now(listener: &TcpListener) -> Option<io::Result<(TcpStream, std::net::SocketAddr)>> {
    std::future::poll_fn(|cx| match listener.poll_accept(cx) {
        std::task::Poll::Ready(accepted) => std::task::Poll::Ready(Some(accepted)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Whether the error belongs to the connection, not to the listening socket (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
    )
}

/// Counts a connection as open until its task ends, in whatever way it ends.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.connections.opened();
        Self(Arc::clone(shared))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.closed();
    }
}
