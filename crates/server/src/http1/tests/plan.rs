//! What happens on a connection: what the client sends, what the service does, how the socket behaves.

use proptest::sample::Index;

use super::socket::Move;

/// All of one connection.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) exchanges: Vec<Exchange>,
    pub(super) ending: Ending,
    pub(super) reads: Vec<Move>,
    pub(super) writes: Vec<Move>,
    pub(super) is_vectored: bool,
    /// What happens first wherever several things can happen. The choices repeat.
    pub(super) choices: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) request: Request,
    pub(super) service: Service,
}

/// What follows the last request.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    /// Nothing: the connection stays open.
    Silence,
    /// The client closes once nothing moves any more.
    Close,
    /// A head without a host.
    BadHead,
    /// The client closes after this place in what it sends, and does not wait.
    CutAt(Index),
    /// This byte of what the client sends is another one.
    Broken(Index, u8),
    /// The engine is dropped after so many polls.
    Dropped(u16),
}

impl Ending {
    /// Whether all that the client sends arrives, and all that is sent to it.
    pub(super) fn is_sound(&self) -> bool {
        matches!(self, Self::Silence | Self::Close | Self::BadHead)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) is_old: bool,
    pub(super) connection: Option<&'static str>,
    pub(super) takes_trailers: bool,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: RequestBody,
    pub(super) expects: bool,
    /// Whether a blank line stands before it (RFC 9112, section 2.2).
    pub(super) after_blank: bool,
    /// Whether the client begins it only when nothing moves any more.
    pub(super) comes_late: bool,
    /// Whether the client sends the body only when nothing moves any more.
    pub(super) holds_body: bool,
    pub(super) upgrades: bool,
}

#[derive(Debug, Clone)]
pub(super) enum RequestBody {
    None,
    Length(usize),
    Chunked { chunks: Vec<usize>, extension: &'static str, trailers: Vec<(String, String)> },
}

#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) before: Vec<Step>,
    pub(super) answer: Answer,
}

/// A step of the service before it answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Lets its task wait so often.
    Wait(u8),
    /// Reads of the request's body.
    Read(Amount),
    /// Gives the request's body to another task to be read, and may wait for that.
    ReadElsewhere {
        amount: Amount,
        waits: bool,
    },
    DropBody,
    /// Sends an interim response with a field of so many bytes.
    Interim(usize),
    /// Sends an interim response in the name of the request before, which has been answered.
    InterimOfLast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    Frames(u8),
    All,
}

#[derive(Debug, Clone)]
pub(super) enum Answer {
    Response(Response),
    Error,
    Panic,
    /// `101`, whether or not it was asked for.
    Switch,
}

#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) closes: bool,
    pub(super) fields: Vec<(String, String)>,
    pub(super) declared: Declared,
    /// Whether the body tells its exact size.
    pub(super) has_exact_hint: bool,
    /// Whether the body says that it is over as soon as it is.
    pub(super) ends_early: bool,
    pub(super) body: Vec<BodyStep>,
    pub(super) trailers: Option<Trailers>,
}

/// What `Content-Length` says of a response's body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Declared {
    Nothing,
    Right,
    TooLittle,
    TooMuch,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum BodyStep {
    /// A frame of so many bytes.
    Data(usize),
    Wait(u8),
    /// Reads of the request's body.
    Read(Amount),
    DropUpload,
    /// Sends an interim response, which is too late.
    Interim,
    /// The body fails; what comes after is never asked for.
    Fail,
    Panic,
}

#[derive(Debug, Clone)]
pub(super) struct Trailers {
    pub(super) announced: bool,
    pub(super) fields: Vec<(String, String)>,
}

impl Response {
    pub(super) fn plain(body: Vec<BodyStep>) -> Self {
        Self {
            status: 200,
            closes: false,
            fields: Vec::new(),
            declared: Declared::Nothing,
            has_exact_hint: false,
            ends_early: false,
            body,
            trailers: None,
        }
    }

    /// The bytes of all frames, those after a failure included.
    pub(super) fn total(&self) -> usize {
        self.body.iter().map(|step| if let BodyStep::Data(size) = step { *size } else { 0 }).sum()
    }

    pub(super) fn declared_length(&self) -> Option<usize> {
        match self.declared {
            Declared::Nothing => None,
            Declared::Right => Some(self.total()),
            Declared::TooLittle => Some(self.total().saturating_sub(1)),
            Declared::TooMuch => Some(self.total() + 1),
        }
    }
}

impl Request {
    pub(super) const GET: Self = Self {
        method: "GET",
        is_old: false,
        connection: None,
        takes_trailers: false,
        fields: Vec::new(),
        body: RequestBody::None,
        expects: false,
        after_blank: false,
        comes_late: false,
        holds_body: false,
        upgrades: false,
    };

    pub(super) fn target(number: usize) -> String {
        format!("/{number}?q={number}")
    }

    /// The data of its body.
    pub(super) fn data(&self, number: usize) -> Vec<u8> {
        match &self.body {
            RequestBody::None => Vec::new(),
            RequestBody::Length(length) => pattern(number * 2, *length),
            RequestBody::Chunked { chunks, .. } => pattern(number * 2, chunks.iter().sum()),
        }
    }

    /// Its head and its body as bytes.
    pub(super) fn encode(&self, number: usize) -> (Vec<u8>, Vec<u8>) {
        let version = if self.is_old { "1.0" } else { "1.1" };
        let blank = if self.after_blank { "\r\n" } else { "" };
        let target = Self::target(number);
        let mut head = format!("{blank}{} {target} HTTP/{version}\r\nHost: a.example\r\n", self.method);
        let mut add = |name: &str, value: &str| head += &format!("{name}: {value}\r\n");
        self.fields.iter().for_each(|(name, value)| add(name, value));
        match (self.connection, self.upgrades) {
            (None, false) => {}
            (None, true) => add("Connection", "upgrade"),
            (Some(option), false) => add("Connection", option),
            (Some(option), true) => add("Connection", &format!("{option}, Upgrade")),
        }
        if self.upgrades {
            add("Upgrade", "websocket");
        }
        if self.takes_trailers {
            add("TE", "trailers");
        }
        if self.expects {
            add("Expect", "100-continue");
        }
        let data = self.data(number);
        let mut body = Vec::new();
        match &self.body {
            RequestBody::None => {}
            RequestBody::Length(length) => {
                add("Content-Length", &length.to_string());
                body = data;
            }
            RequestBody::Chunked { chunks, extension, trailers } => {
                add("Transfer-Encoding", "chunked");
                let mut rest = &data[..];
                for size in chunks {
                    let (chunk, after) = rest.split_at(*size);
                    body.extend(format!("{size:x}{extension}\r\n").into_bytes());
                    body.extend_from_slice(chunk);
                    body.extend_from_slice(b"\r\n");
                    rest = after;
                }
                body.extend(format!("0{extension}\r\n").into_bytes());
                trailers
                    .iter()
                    .for_each(|(name, value)| body.extend(format!("{name}: {value}\r\n").into_bytes()));
                body.extend_from_slice(b"\r\n");
            }
        }
        (format!("{head}\r\n").into_bytes(), body)
    }
}

impl Case {
    /// What is read and written at once, one exchange after another.
    pub(super) fn plain(exchanges: Vec<Exchange>) -> Self {
        let (reads, writes) = (vec![Move::WHOLE], vec![Move::WHOLE]);
        Self { exchanges, ending: Ending::Silence, reads, writes, is_vectored: true, choices: vec![0] }
    }

    /// What the client sends after a request.
    pub(super) fn after(&self, number: usize) -> Vec<u8> {
        let later = self.exchanges.iter().enumerate().skip(number + 1);
        let mut bytes: Vec<u8> = later
            .flat_map(|(number, exchange)| {
                let (head, body) = exchange.request.encode(number);
                [head, body].concat()
            })
            .collect();
        if let Ending::BadHead = self.ending {
            bytes.extend_from_slice(BAD_HEAD);
        }
        bytes
    }

    /// The pieces that the client sends.
    pub(super) fn segments(&self) -> Vec<Vec<u8>> {
        let mut segments = vec![Vec::new()];
        let add = |segments: &mut Vec<Vec<u8>>, bytes: Vec<u8>| {
            segments.last_mut().expect("one at least").extend(bytes);
        };
        for (number, exchange) in self.exchanges.iter().enumerate() {
            let (mut head, body) = exchange.request.encode(number);
            if exchange.request.comes_late {
                // A blank line belongs to the request before, as old clients have it.
                let rest = head.split_off(if exchange.request.after_blank { 2 } else { 0 });
                add(&mut segments, head);
                segments.push(Vec::new());
                head = rest;
            }
            add(&mut segments, head);
            if exchange.request.holds_body && !body.is_empty() {
                segments.push(Vec::new());
            }
            add(&mut segments, body);
        }
        match &self.ending {
            Ending::BadHead => add(&mut segments, BAD_HEAD.to_vec()),
            Ending::CutAt(at) => {
                let mut whole = segments.concat();
                whole.truncate(at.index(whole.len()));
                segments = vec![whole];
            }
            Ending::Broken(at, byte) => {
                let mut whole = segments.concat();
                let at = at.index(whole.len());
                whole[at] = *byte;
                segments = vec![whole];
            }
            Ending::Silence | Ending::Close | Ending::Dropped(_) => {}
        }
        segments
    }
}

/// No request may look like this.
const BAD_HEAD: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// Bytes that tell where they stand, and of what they are part.
pub(super) fn pattern(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(0x9e37_79b1) >> 11) as u8 ^ (seed as u8).wrapping_mul(37)).collect()
}
