//! An HTTP/1 origin that answers each request as its number says.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::{
    content::{Check, Content},
    exchange::{Ending, Exchange, Failure, Framing, When},
    pieces::Message,
    reader::{Fault, Head, Length, Reader},
    upload::{Received, received},
    world::World,
};

/// Starts an origin, which lives as long as the runtime.
pub(crate) async fn start(world: Arc<World>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, world.clone()));
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, world: Arc<World>) {
    let _ = stream.set_nodelay(true);
    let (reading, mut writing) = tokio::io::split(stream);
    let mut reader = Reader::new(reading, 16 << 10, false);
    loop {
        match reader.head().await {
            Ok(None) | Err(Fault::Ended(_)) => return,
            Ok(Some(head)) => {
                let Some((exchange, length)) = asked(&world, &head) else { return };
                match answer(&world, &exchange, &head, length, &mut reader, &mut writing).await {
                    After::GoOn => {}
                    After::Close => break,
                    After::Drop => return,
                    After::Reset => {
                        let stream = reader.into_inner().unsplit(writing);
                        let _ = stream.set_zero_linger();
                        return;
                    }
                }
            }
            Err(Fault::Malformed(what)) => {
                world.differs("a request is malformed", None, &what);
                return;
            }
        }
    }
    // Closed at once, what the gateway still sends would turn the response into a reset.
    let _ = writing.shutdown().await;
    let mut rest = [0; 4096];
    let mut reading = reader.into_inner();
    let _ = tokio::time::timeout(Duration::from_secs(5), async {
        while matches!(reading.read(&mut rest).await, Ok(1..)) {}
    })
    .await;
}

enum After {
    GoOn,
    Close,
    /// Without another read.
    Drop,
    Reset,
}

/// The exchange that a head is of, and the length of the request's body.
fn asked(world: &World, head: &Head) -> Option<(Exchange, Length)> {
    let mut words = head.line.split(' ');
    let (method, path, version) = (words.next()?, words.next()?, words.next()?);
    let number = Exchange::number_in(path);
    let Some(exchange) = number.map(|number| world.exchange(number)) else {
        world.differs("a request asks for what nobody asked for", None, &head.line);
        return None;
    };
    let told = head.get("x-soak").and_then(|told| told.parse().ok());
    if method != exchange.method || path != exchange.path() || version != "HTTP/1.1" || told != number {
        world.differs("a request is not the one that was sent", Some(&exchange), &format!("{head:?}"));
        return None;
    }
    match head.length() {
        Ok(length) => Some((exchange, length.unwrap_or(Length::Known(0)))),
        Err(fault) => {
            world.differs("a request is framed badly", Some(&exchange), &format!("{fault:?}"));
            None
        }
    }
}

async fn answer(
    world: &World,
    exchange: &Exchange,
    head: &Head,
    length: Length,
    reader: &mut Reader<ReadHalf<TcpStream>>,
    writing: &mut WriteHalf<TcpStream>,
) -> After {
    let before = world.arrives(exchange.number);
    if before > 0 && !exchange.may_be_repeated() {
        world.differs("a request with a body was sent twice", Some(exchange), "");
    }
    let failure = exchange.answer.failure.filter(|failure| {
        let always =
            matches!(failure, Failure::CutShort { .. }) || exchange.route == crate::exchange::Route::Failing;
        always || before == 0
    });
    let expects = head.has_option("expect", "100-continue");
    let nothing = Content { seed: 0, length: 0 };
    let mut check = Check::of(exchange.upload.as_ref().map_or(nothing, |upload| upload.content));
    let early = match exchange.answer.when {
        When::After(count) if exchange.upload.is_some() => Some(count),
        _ => None,
    };
    let (begin, begun) = oneshot::channel();
    let mut begin = Some(begin);
    let reading = async {
        let told = reader.body(length, &mut check, |check| {
            if early.is_some_and(|count| check.received() >= count) {
                begin.take().map(|begin| begin.send(None));
            }
        });
        let read = told.await;
        let received = Received::of(&check);
        begin.take().map(|begin| begin.send(read.is_ok().then_some(received)));
        read
    };
    let writing = async {
        if expects && early != Some(0) {
            writing.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let received = if early == Some(0) { None } else { begun.await.unwrap_or(None) };
        if received.is_none() && early.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if failure == Some(Failure::NoResponse) {
            return Ok(());
        }
        let mut message = response(exchange, received, failure);
        let mut until = message.bytes.len();
        if let Some(Failure::CutShort { missing, .. }) = failure {
            until = until.saturating_sub(missing).max(message.head.min(until - 1));
        }
        message.end = message.end.min(until);
        let mut rng = exchange.rng(2);
        exchange.answer.pieces.write(writing, &message, 0..until, &mut rng).await?;
        if ends_connection(exchange, failure) {
            writing.shutdown().await?;
        }
        io::Result::Ok(())
    };
    let (read, written) = tokio::join!(reading, writing);
    match read {
        Ok(trailers) if check.is_exact() => {
            if exchange.upload.is_some() {
                received(world, exchange, &trailers);
            }
        }
        Err(Fault::Ended(_)) if check.differs_at().is_none() => {
            world.count("uploads that arrived cut short");
            return After::Close;
        }
        read @ (Ok(_) | Err(_)) => {
            let details = format!(
                "{read:?}, {} of {} bytes, first difference at {:?}",
                check.received(),
                check.content().length,
                check.differs_at()
            );
            world.differs("an upload arrived as other bytes", Some(exchange), &details);
            return After::Close;
        }
    }
    match (failure, written.is_err()) {
        (Some(Failure::CutShort { resets: true, .. }), _) => return After::Reset,
        (Some(Failure::CutShort { .. } | Failure::NoResponse), _) | (_, true) => return After::Close,
        _ => {}
    }
    match exchange.answer.ending {
        Ending::Announced => After::Close,
        Ending::Silent(pause) => {
            if pause > 0 {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            // What comes meanwhile is answered with a reset, or is never read.
            if exchange.rng(6).bool() { After::Close } else { After::Drop }
        }
        Ending::Kept if ends_connection(exchange, failure) => After::Close,
        Ending::Kept => After::GoOn,
    }
}

/// Whether the response's end is the connection's.
fn ends_connection(exchange: &Exchange, failure: Option<Failure>) -> bool {
    let own = matches!(exchange.answer.framing, Framing::UntilClose | Framing::Old { .. });
    own && failure != Some(Failure::Unavailable)
}

fn response(exchange: &Exchange, received: Option<Received>, failure: Option<Failure>) -> Message {
    let answer = &exchange.answer;
    let mut rng = exchange.rng(1);
    let mut message = Message::default();
    let out = &mut message.bytes;
    let unavailable = failure == Some(Failure::Unavailable);
    let is_old = matches!(answer.framing, Framing::Old { .. }) && !unavailable;
    if !is_old && !unavailable {
        for status in &answer.interim {
            let line = format!("HTTP/1.1 {status} Wait\r\nLink: </{}>; rel=preload\r\n\r\n", exchange.number);
            out.extend_from_slice(line.as_bytes());
        }
    }
    let status = if unavailable { 503 } else { answer.status };
    let version = if is_old { "1.0" } else { "1.1" };
    let mut head = format!("HTTP/{version} {status} Answer\r\nX-Soak: {}\r\n", exchange.number);
    if let Some(received) = received {
        head += &format!("X-Soak-Received: {received}\r\n");
    }
    // Where the response has no body, its end would tell nothing of the connection's.
    let ends_unsaid = matches!(answer.framing, Framing::UntilClose) && exchange.is_bodiless() && !unavailable;
    if matches!(answer.ending, Ending::Announced) || ends_unsaid {
        head += "Connection: close\r\n";
    }
    let body = answer.content.bytes();
    let framing = if unavailable { Framing::Length } else { answer.framing };
    let length = if unavailable { 0 } else { body.len() };
    // 204 has no length (RFC 9110, section 8.6).
    match framing {
        _ if status == 204 => {}
        Framing::Length | Framing::Old { length: true } => head += &format!("Content-Length: {length}\r\n"),
        Framing::Chunked(_) => head += "Transfer-Encoding: chunked\r\n",
        Framing::UntilClose | Framing::Old { length: false } => {}
    }
    if !unavailable && exchange.trailer().is_some() {
        head += "Trailer: X-Soak-Trailer\r\n";
    }
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(b"\r\n");
    message.head = out.len();
    message.end = out.len();
    if unavailable || exchange.is_bodiless() {
        return message;
    }
    if let Framing::Chunked(chunks) = framing {
        chunks.encode(&mut rng, &body, out);
        message.end = out.len();
        out.extend_from_slice(b"0\r\n");
        if let Some(trailer) = exchange.trailer() {
            out.extend_from_slice(format!("X-Soak-Trailer: {trailer}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    } else {
        out.extend_from_slice(&body);
        message.end = out.len().saturating_sub(1).max(message.head);
    }
    message
}
