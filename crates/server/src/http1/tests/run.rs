//! Plays a case: polls the engine, moves the socket, runs the other tasks, until nothing moves any more.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use gatewright_core::ConnectionInfo;

use super::{
    plan::{Case, Ending},
    service::{self, Elsewhere, Flag, Seen, Stage},
    socket::{self, Peer},
};
use crate::{
    Limits,
    connection::{Accepted, Shared},
    drain::Connections,
    http1::connection::{Connection, End},
    refused::OnRefused,
    service::Application,
    transport::Activity,
};

/// What is left when all is over.
pub(super) struct Played {
    pub(super) end: Ended,
    pub(super) received: Vec<u8>,
    pub(super) requests: u64,
    pub(super) seen: Vec<Seen>,
    /// What the engine has not read, and what it has read beyond a request that was granted an upgrade.
    pub(super) unread: Vec<u8>,
    /// Tasks that nobody has told that the body they read is over.
    pub(super) forgotten: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Cleanly,
    Uncleanly,
    Refused,
    Upgraded,
    /// It waits for the client.
    Open,
    Dropped,
    /// A limit of time; there is no timer here.
    Other,
}

/// What is to be done with the engine.
enum Next {
    Poll,
    /// Nothing moved any more, and now something new comes: it may have lain idle for a while.
    Park,
    /// Nothing can happen any more.
    Nothing,
}

/// So often something may happen without a byte going either way.
const PATIENCE: usize = 1000;

pub(super) fn play(case: &Case) -> Played {
    let (socket, peer) =
        socket::pair(case.segments(), case.reads.clone(), case.writes.clone(), case.is_vectored);
    if let Ending::CutAt(_) = case.ending {
        peer.close();
    }
    let stage = Stage::new(case.exchanges.iter().map(|exchange| exchange.service.clone()).collect());
    let service = {
        let stage = Arc::clone(&stage);
        tower::service_fn(move |request| service::serve(Arc::clone(&stage), request))
    };
    let mut connection = connection(socket, service);
    let mut world = World { case, peer: &peer, stage: &stage, tasks: Vec::new(), choice: 0, calm: (0, 0) };
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    let mut polls = 0;
    let end = loop {
        if matches!(case.ending, Ending::Dropped(after) if polls >= after) {
            break Ended::Dropped;
        }
        polls = polls.saturating_add(1);
        flag.take();
        if let Poll::Ready(end) = connection.poll(&mut Context::from_waker(&waker)) {
            break ended(&end);
        }
        match world.go_on(&flag) {
            Next::Poll => {}
            Next::Park if connection.can_park() => connection.park(),
            Next::Park => {}
            Next::Nothing => break Ended::Open,
        }
    };
    let requests = connection.requests();
    let read_ahead = if end == Ended::Upgraded { connection.take_input().to_vec() } else { Vec::new() };
    drop(connection);
    while world.run_one_task() {}
    let forgotten = world.tasks.len();
    drop(world);
    let seen = std::mem::take(&mut *stage.seen.lock().expect("not poisoned"));
    let unread = [read_ahead, peer.unread()].concat();
    Played { end, received: peer.received(), requests, seen, unread, forgotten }
}

/// A connection with the usual limits.
pub(super) fn connection<S: Application, T>(socket: T, service: S) -> Connection<S, T> {
    let shared = Shared {
        limits: Limits::default(),
        connections: Arc::new(Connections::new()),
        on_refused: OnRefused::default(),
    };
    let address = ([127, 0, 0, 1], 1).into();
    let accepted = Accepted { info: ConnectionInfo::new(address, address), host_check: None };
    Connection::new(socket, Arc::new(Activity::new()), service, accepted, Arc::new(shared))
}

fn ended(end: &End) -> Ended {
    match end {
        End::Done { cleanly: true } => Ended::Cleanly,
        End::Done { cleanly: false } | End::CutShort { .. } => Ended::Uncleanly,
        End::Refused(..) => Ended::Refused,
        End::Upgraded => Ended::Upgraded,
        _ => Ended::Other,
    }
}

/// All around the engine.
struct World<'a> {
    case: &'a Case,
    peer: &'a Peer,
    stage: &'a Stage,
    tasks: Vec<Elsewhere>,
    choice: usize,
    /// How far bytes have gone, and how often the engine was polled since.
    calm: (usize, usize),
}

impl World<'_> {
    /// Lets things happen until the engine has been woken, or is polled for nothing. An engine that nobody wakes is
    /// not polled: it would hide that it has asked nobody to.
    fn go_on(&mut self, flag: &Flag) -> Next {
        let mut lies_idle = false;
        loop {
            let progress = self.peer.progress();
            self.calm = if progress == self.calm.0 { (progress, self.calm.1 + 1) } else { (progress, 0) };
            assert!(self.calm.1 < PATIENCE, "it spins");
            let choice = self.choose();
            if flag.is_set() && choice & 0b11 != 0 || choice & 0b1100 == 0b1100 && self.calm.1 < 2 {
                return if lies_idle { Next::Park } else { Next::Poll };
            }
            let happened = match choice >> 4 & 0b11 {
                0 => self.peer.unblock_reads() || self.peer.unblock_writes() || self.run_one_task(),
                1 => self.peer.unblock_writes() || self.peer.unblock_reads() || self.run_one_task(),
                2 => self.run_one_task() || self.peer.unblock_reads() || self.peer.unblock_writes(),
                _ => self.run_one_task() || self.peer.unblock_writes() || self.peer.unblock_reads(),
            };
            if happened {
                continue;
            }
            if flag.is_set() {
                return if lies_idle { Next::Park } else { Next::Poll };
            }
            let comes = self.peer.send_next() || (self.closes() && self.peer.close());
            if !comes {
                return Next::Nothing;
            }
            lies_idle = choice & 0b100_0000 != 0;
        }
    }

    fn closes(&self) -> bool {
        matches!(self.case.ending, Ending::Close | Ending::Broken(..))
    }

    fn choose(&mut self) -> u8 {
        self.choice += 1;
        self.case.choices[self.choice % self.case.choices.len()]
    }

    fn run_one_task(&mut self) -> bool {
        self.tasks.append(&mut self.stage.elsewhere.lock().expect("not poisoned"));
        let Some(at) = self.tasks.iter().position(Elsewhere::is_woken) else { return false };
        if self.tasks[at].poll() {
            self.tasks.swap_remove(at);
        }
        true
    }
}
