//! A service that does what it is told, and notes what it sees.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, InterimResponder, OnUpgrade, RequestRecord};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body::{Body as _, Frame, SizeHint};

use super::plan::{self, Amount, Answer, BodyStep, Service, Step, pattern};

/// What the service saw of a request.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) data: Vec<u8>,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) end: Option<SeenEnd>,
    /// What the body said of itself that is not so.
    pub(super) contradiction: Option<String>,
}

/// How the body of a request ended for whoever read it; `None` when it was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeenEnd {
    Whole,
    Failed,
}

/// What all calls share.
pub(super) struct Stage {
    pub(super) scripts: Vec<Service>,
    pub(super) seen: Mutex<Vec<Seen>>,
    pub(super) elsewhere: Mutex<Vec<Elsewhere>>,
    interims: Mutex<Vec<InterimResponder>>,
    /// The upgrades that requests brought, since one that is dropped cannot be granted.
    upgrades: Mutex<Vec<OnUpgrade>>,
}

impl Stage {
    pub(super) fn new(scripts: Vec<Service>) -> Arc<Self> {
        let (seen, elsewhere, interims, upgrades) = Default::default();
        Arc::new(Self { scripts, seen, elsewhere, interims, upgrades })
    }
}

/// Whether a task has been woken.
#[derive(Debug, Default)]
pub(super) struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Flag {
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The body of a request that is read in another task, and who waits for the end of that.
pub(super) struct Elsewhere {
    reader: Reader,
    amount: Amount,
    flag: Arc<Flag>,
    over: Arc<Over>,
}

#[derive(Debug, Default)]
struct Over {
    is_over: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Elsewhere {
    pub(super) fn is_woken(&self) -> bool {
        self.flag.is_set()
    }

    /// One poll of the task; true when it is over.
    pub(super) fn poll(&mut self) -> bool {
        self.flag.take();
        let waker = Waker::from(Arc::clone(&self.flag));
        let is_over = self.reader.poll(&mut self.amount, &mut Context::from_waker(&waker)).is_ready();
        if is_over {
            self.over.is_over.store(true, Ordering::Release);
            if let Some(waker) = self.over.waker.lock().expect("not poisoned").take() {
                waker.wake();
            }
        }
        is_over
    }
}

/// Reads the body of a request, and notes it.
struct Reader {
    body: Option<Body>,
    number: usize,
    length: Option<usize>,
    stage: Arc<Stage>,
}

impl Reader {
    /// Reads so much; ready when that is done or there is no more.
    fn poll(&mut self, amount: &mut Amount, cx: &mut Context<'_>) -> Poll<()> {
        while *amount != Amount::Frames(0)
            && let Some(body) = &mut self.body
        {
            let said_over = body.is_end_stream();
            let hint = body.size_hint().exact();
            let frame = std::task::ready!(Pin::new(body).poll_frame(cx));
            let mut seen = self.stage.seen.lock().expect("not poisoned");
            let seen = &mut seen[self.number];
            if said_over && frame.is_some() {
                seen.contradiction = Some(format!("it was over before {frame:?}"));
            }
            if let (Some(hint), Some(length)) = (hint, self.length)
                && hint as usize + seen.data.len() != length
            {
                seen.contradiction = Some(format!("{hint} bytes left after {} of {length}", seen.data.len()));
            }
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => seen.data.extend_from_slice(&data),
                    Err(frame) => seen.trailers = frame.into_trailers().ok(),
                },
                Some(Err(_)) => seen.end = Some(SeenEnd::Failed),
                None => seen.end = Some(SeenEnd::Whole),
            }
            if seen.end.is_some() {
                self.body = None;
            }
            if let Amount::Frames(left) = amount {
                *left -= 1;
            }
        }
        Poll::Ready(())
    }
}

/// What [`Connection`](super::Connection) calls.
pub(super) async fn serve(
    stage: Arc<Stage>,
    request: Request<Body>,
) -> Result<http::Response<Scripted>, BoxError> {
    let (mut head, body) = request.into_parts();
    let fields = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().escape_ascii().to_string()));
    let seen = Seen {
        head: format!("{} {} {:?}", head.method, head.uri, head.version),
        fields: fields.collect(),
        ..Seen::default()
    };
    let number = {
        let mut all = stage.seen.lock().expect("not poisoned");
        all.push(seen);
        all.len() - 1
    };
    // A request too many is found when all is over.
    let Some(script) = stage.scripts.get(number) else { return Err("a request too many".into()) };
    stage.upgrades.lock().expect("not poisoned").extend(head.extensions.remove::<OnUpgrade>());
    let length = head.headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    let record = RequestRecord::of(&head.extensions).expect("a record").clone();
    let interim = record.connection().and_then(|connection| connection.interim()).expect("a way").clone();
    stage.interims.lock().expect("not poisoned").push(interim.clone());
    let mut reader = Some(Reader { body: Some(body), number, length, stage: Arc::clone(&stage) });
    for step in &script.before {
        match *step {
            Step::Wait(times) => wait(times).await,
            Step::Read(mut amount) => {
                if let Some(reader) = &mut reader {
                    poll_fn(|cx| reader.poll(&mut amount, cx)).await;
                }
            }
            Step::ReadElsewhere { amount, waits } => {
                let Some(reader) = reader.take() else { continue };
                let (flag, over) = (Arc::new(Flag::default()), Arc::new(Over::default()));
                Waker::from(Arc::clone(&flag)).wake();
                let task = Elsewhere { reader, amount, flag, over: Arc::clone(&over) };
                stage.elsewhere.lock().expect("not poisoned").push(task);
                if waits {
                    poll_fn(|cx| {
                        *over.waker.lock().expect("not poisoned") = Some(cx.waker().clone());
                        if over.is_over.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
                    })
                    .await;
                }
            }
            Step::DropBody => reader = None,
            Step::Interim(size) => interim.send(StatusCode::EARLY_HINTS, &interim_fields(size)),
            Step::InterimOfLast => {
                let last = number
                    .checked_sub(1)
                    .map(|last| stage.interims.lock().expect("not poisoned")[last].clone());
                if let Some(last) = last {
                    last.send(StatusCode::EARLY_HINTS, &interim_fields(3));
                }
            }
        }
    }
    match &script.answer {
        Answer::Error => Err("it fails".into()),
        // Without the message of a panic.
        Answer::Panic => std::panic::resume_unwind(Box::new("it panics")),
        Answer::Switch => {
            let response = http::Response::builder()
                .status(101)
                .header("connection", "upgrade")
                .header("upgrade", "websocket");
            Ok(response.body(Scripted::default()).expect("a response"))
        }
        Answer::Response(response) => Ok(respond(response, number, reader, interim)),
    }
}

pub(super) fn interim_fields(size: usize) -> HeaderMap {
    let value = HeaderValue::try_from("l".repeat(size)).expect("a value");
    HeaderMap::from_iter([(HeaderName::from_static("link"), value)])
}

async fn wait(mut times: u8) {
    poll_fn(|cx| poll_wait(&mut times, cx)).await;
}

fn poll_wait(times: &mut u8, cx: &Context<'_>) -> Poll<()> {
    if *times == 0 {
        return Poll::Ready(());
    }
    *times -= 1;
    cx.waker().wake_by_ref();
    Poll::Pending
}

fn respond(
    plan: &plan::Response,
    number: usize,
    reader: Option<Reader>,
    interim: InterimResponder,
) -> http::Response<Scripted> {
    let mut response = http::Response::builder().status(plan.status).header("x-exchange", number);
    for (name, value) in &plan.fields {
        response = response.header(name, value);
    }
    if plan.closes {
        response = response.header("connection", "close");
    }
    if let Some(length) = plan.declared_length() {
        response = response.header("content-length", length);
    }
    let mut trailers = None;
    if let Some(plan) = &plan.trailers {
        if plan.announced {
            let names: Vec<_> = plan.fields.iter().map(|(name, _)| name.as_str()).collect();
            response = response.header("trailer", names.join(", "));
        }
        trailers = Some(header_map(&plan.fields));
    }
    let data = Bytes::from(pattern(number * 2 + 1, plan.total()));
    let steps = plan.body.iter().copied().collect();
    let body = Scripted {
        steps,
        data,
        trailers,
        has_exact_hint: plan.has_exact_hint,
        ends_early: plan.ends_early,
        reader,
        interim: Some(interim),
    };
    response.body(body).expect("a response")
}

pub(super) fn header_map(fields: &[(String, String)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::try_from(name).expect("a name"), HeaderValue::try_from(value).expect("a value"));
    }
    map
}

/// The body of a response.
#[derive(Default)]
pub(super) struct Scripted {
    steps: VecDeque<BodyStep>,
    data: Bytes,
    trailers: Option<HeaderMap>,
    has_exact_hint: bool,
    ends_early: bool,
    reader: Option<Reader>,
    interim: Option<InterimResponder>,
}

impl http_body::Body for Scripted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        while let Some(step) = this.steps.front_mut() {
            match step {
                BodyStep::Data(size) => {
                    let size = *size;
                    this.steps.pop_front();
                    return Poll::Ready(Some(Ok(Frame::data(this.data.split_to(size)))));
                }
                BodyStep::Wait(times) => std::task::ready!(poll_wait(times, cx)),
                BodyStep::Read(amount) => {
                    if let Some(reader) = &mut this.reader {
                        std::task::ready!(reader.poll(amount, cx));
                    }
                }
                BodyStep::DropUpload => this.reader = None,
                BodyStep::Interim => {
                    let interim = this.interim.as_ref().expect("a way");
                    interim.send(StatusCode::EARLY_HINTS, &interim_fields(7));
                }
                BodyStep::Panic => std::panic::resume_unwind(Box::new("the body panics")),
                // It fails each time it is asked.
                BodyStep::Fail => return Poll::Ready(Some(Err("the body fails".into()))),
            }
            this.steps.pop_front();
        }
        Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ends_early && self.steps.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.has_exact_hint { SizeHint::with_exact(self.data.len() as u64) } else { SizeHint::new() }
    }
}
