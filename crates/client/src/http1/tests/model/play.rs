//! Plays a case: polls the exchange, moves the socket, lets the endpoint answer, until nothing moves any more.

use std::{
    collections::VecDeque,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use gatewright_core::InterimResponder;
use http::{HeaderMap, Version};
use http_body_util::BodyExt;

use super::{
    plan::{Body, Case, Planned},
    socket::{self, Peer},
};
use crate::{
    http1::{Connection, Exchange, Incoming},
    stream::Stream,
};

/// What came of a case.
pub(super) struct Played {
    pub(super) outcomes: Vec<Outcome>,
    /// Whether the connection's place in the pool is held although nobody has the connection.
    pub(super) is_held: bool,
}

/// What came of an exchange.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Whether the caller waits for nothing any more.
    pub(super) is_over: bool,
    /// What the endpoint got.
    pub(super) received: Vec<u8>,
    pub(super) interims: Vec<usize>,
    pub(super) head: Option<(u16, Version, HeaderMap)>,
    pub(super) data: Vec<u8>,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) error: Option<String>,
    pub(super) is_reusable: bool,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

pub(super) fn play(case: &Case) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(all(case))
}

/// So often something may happen without a byte going either way.
const PATIENCE: usize = 1000;

/// All around the exchange.
struct World<'a> {
    case: &'a Case,
    peer: Peer,
    flag: Arc<Flag>,
    choice: usize,
    polls: u16,
    /// What the endpoint has yet to send, and whether it closes then.
    script: VecDeque<Vec<u8>>,
    closes: bool,
    /// Where in what it has received the request begins that it answers.
    begins_at: usize,
    answers_early: bool,
    /// How often the exchange was polled for nothing since anything happened.
    idle_polls: u8,
}

type ConnectionPermit = Arc<()>;

async fn all(case: &Case) -> Played {
    let (socket, peer) = socket::pair(case.reads.clone(), case.writes.clone());
    let place = Arc::new(());
    let held = Arc::downgrade(&place);
    let connection = Connection::new(Stream::Other(Box::new(socket)), place);
    let mut connection =
        Some(connection.reading(gatewright_http1::Rules::for_responses(), case.remembers_heads));
    let mut world = World {
        case,
        peer,
        flag: Arc::default(),
        choice: 0,
        polls: 0,
        script: VecDeque::new(),
        closes: false,
        begins_at: 0,
        answers_early: false,
        idle_polls: 0,
    };
    let mut outcomes = Vec::new();
    for (number, planned) in case.exchanges.iter().enumerate() {
        let Some(mut taken) = connection.take() else { break };
        if planned.is_trimmed {
            taken.trim();
        }
        world.prepare(planned, number);
        let mut outcome = Outcome::default();
        connection = world.exchange(taken, planned, number, &mut outcome).await;
        outcome.is_reusable = connection.is_some();
        if connection.is_none() {
            world.settle().await;
        }
        outcome.received = world.peer.received().split_off(world.begins_at);
        outcomes.push(outcome);
        // What follows a response is found before the next exchange, or when it is too late to tell.
        if !planned.response.junk.is_empty() || planned.response.cut.is_some() {
            break;
        }
    }
    drop(connection);
    world.settle().await;
    Played { outcomes, is_held: held.upgrade().is_some() }
}

impl World<'_> {
    fn prepare(&mut self, planned: &Planned, number: usize) {
        let (mut bytes, _) = planned.response.encode(planned.request.method, number);
        if let Some(cut) = planned.response.cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let mut pauses: Vec<_> = planned.response.pauses.iter().map(|at| at.index(bytes.len() + 1)).collect();
        pauses.sort_unstable();
        for pause in pauses.iter().rev() {
            self.script.push_front(bytes.split_off(*pause));
        }
        self.script.push_front(bytes);
        self.script.retain(|piece| !piece.is_empty());
        let ends_with_connection = matches!(planned.response.body, Body::UntilClose(_));
        self.closes = ends_with_connection || planned.response.cut.is_some();
        self.begins_at = self.peer.has_received();
        self.answers_early = planned.is_early;
    }

    /// One exchange; gives the connection when it can be used again.
    async fn exchange(
        &mut self,
        connection: Box<Connection<ConnectionPermit>>,
        planned: &Planned,
        number: usize,
        outcome: &mut Outcome,
    ) -> Option<Box<Connection<ConnectionPermit>>> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let interims = Arc::clone(&heard);
        let responder = InterimResponder::new(move |_, headers| {
            interims.lock().expect("not poisoned").push(headers["link"].len());
        });
        let exchange = Exchange::new(connection, planned.request.build(number), Some(responder));
        let response = self.drive(pin!(exchange)).await;
        outcome.interims = std::mem::take(&mut heard.lock().expect("not poisoned"));
        let response = match response? {
            Ok(response) => response,
            Err(error) => {
                outcome.error = Some(error.into_parts().0.to_string());
                outcome.is_over = true;
                return None;
            }
        };
        let (head, mut body) = response.into_parts();
        outcome.head = Some((head.status.as_u16(), head.version, head.headers));
        self.drive(pin!(read(&mut body, outcome))).await?;
        outcome.is_over = true;
        let mut connection = body.take_spent()?;
        connection.rest();
        Some(connection)
    }

    /// Polls a future to its end, and lets everything else happen meanwhile. `None` when nothing can happen any more,
    /// or when the caller loses patience.
    async fn drive<F: Future>(&mut self, mut future: Pin<&mut F>) -> Option<F::Output> {
        let waker = Waker::from(Arc::clone(&self.flag));
        loop {
            if self.case.dropped_after.is_some_and(|after| self.polls >= after) {
                return None;
            }
            self.polls = self.polls.saturating_add(1);
            self.flag.0.store(false, Ordering::Release);
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(output);
            }
            if !self.go_on().await {
                return None;
            }
        }
    }

    /// Lets things happen until the exchange has been woken, or is polled for nothing. An exchange that nobody wakes is
    /// not polled: it would hide that it has asked nobody to.
    async fn go_on(&mut self) -> bool {
        let (mut calm, mut received) = (0, self.peer.has_received());
        while calm < PATIENCE {
            calm = if self.peer.has_received() > received { 0 } else { calm + 1 };
            received = self.peer.has_received();
            // Other tasks run.
            tokio::task::yield_now().await;
            let choice = self.choose();
            let is_woken = self.flag.0.load(Ordering::Acquire);
            if is_woken && choice & 0b11 != 0 {
                return true;
            }
            if choice & 0b1100 == 0b1100 && self.idle_polls < 2 {
                self.idle_polls += 1;
                return true;
            }
            if self.answers_early && self.peer.has_received() > self.begins_at {
                self.answers_early = false;
                self.answer();
                continue;
            }
            if self.unblock(choice) {
                self.idle_polls = 0;
                continue;
            }
            if is_woken {
                return true;
            }
            tokio::task::yield_now().await;
            if self.flag.0.load(Ordering::Acquire) {
                return true;
            }
            if !self.answer() {
                return false;
            }
        }
        panic!("it spins");
    }

    fn unblock(&self, choice: u8) -> bool {
        match choice & 0b10000 {
            0 => self.peer.unblock_reads() || self.peer.unblock_writes(),
            _ => self.peer.unblock_writes() || self.peer.unblock_reads(),
        }
    }

    /// The endpoint sends the next piece, or closes. False when it has nothing to do.
    fn answer(&mut self) -> bool {
        if let Some(piece) = self.script.pop_front() {
            self.peer.send(&piece);
            return true;
        }
        let closes = std::mem::take(&mut self.closes);
        if closes {
            self.peer.close();
        }
        closes
    }

    /// Lets what goes on by itself come to its end.
    async fn settle(&mut self) {
        let mut calm = 0;
        while calm < 10 {
            tokio::task::yield_now().await;
            let moves = self.peer.unblock_writes() || self.peer.unblock_reads();
            calm = if moves { 0 } else { calm + 1 };
        }
    }

    fn choose(&mut self) -> u8 {
        self.choice += 1;
        self.case.choices[self.choice % self.case.choices.len()]
    }
}

/// Reads a response's body to its end.
async fn read(body: &mut Incoming<ConnectionPermit>, outcome: &mut Outcome) {
    let hint = http_body::Body::size_hint(body).exact();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => match frame.into_data() {
                Ok(data) => outcome.data.extend_from_slice(&data),
                Err(frame) => outcome.trailers = frame.into_trailers().ok(),
            },
            Err(error) => {
                outcome.error = Some(error.to_string());
                return;
            }
        }
    }
    assert!(hint.is_none_or(|length| length == outcome.data.len() as u64), "{hint:?}");
}
