//! An HTTP/1 client: pipelined requests in any pieces, responses read byte by byte in their order.

use std::{io, pin::pin, sync::Arc};

use harness::{PATIENCE, Socket};
use tokio::{
    io::{AsyncWriteExt, ReadHalf, WriteHalf},
    sync::{Semaphore, watch},
};

use crate::{
    content::Check,
    exchange::{Exchange, Route, When},
    judge::{Seen, judge},
    pieces::Message,
    reader::{Fault, Length, Reader},
    visit::{Abort, Point, Protocol, Visit},
    world::World,
};

/// How a visit ended.
enum End {
    /// Every response has come.
    Answered,
    /// The gateway said that it closes, and has.
    Announced,
    /// The client left.
    Left(Abort),
    /// It did not come to its end.
    Broken,
}

/// Makes the visit over `socket`.
pub(crate) async fn visit(world: Arc<World>, visit: Visit, socket: Socket) {
    let (reading, mut writing) = tokio::io::split(socket);
    let mut reader = Reader::new(reading, visit.read_size, visit.reads_slowly);
    let (heard, hears) = watch::channel(0);
    let all = async {
        let end = exchanges(&world, &visit, &mut reader, &mut writing, &heard, hears).await;
        match end {
            End::Answered | End::Announced => {
                let _ = writing.shutdown().await;
                if let Err(fault @ Fault::Malformed(_)) = reader.end().await {
                    world.differs("bytes follow the last response", None, &format!("{fault:?} {visit:?}"));
                }
                false
            }
            End::Left(abort) => {
                world.count("HTTP/1 clients that left");
                abort.resets
            }
            End::Broken => true,
        }
    };
    match tokio::time::timeout(PATIENCE * 2, all).await {
        Ok(false) => {}
        Ok(true) => reader.into_inner().unsplit(writing).reset(),
        Err(_) => {
            let number = *heard.borrow();
            let exchange = (number > 0).then(|| world.exchange(number - 1));
            world.differs("an HTTP/1 visit hangs", exchange.as_ref(), &format!("{visit:?}"));
        }
    }
}

/// Writes requests and reads responses, until all has been said or nothing more can be.
async fn exchanges(
    world: &World,
    visit: &Visit,
    reader: &mut Reader<ReadHalf<Socket>>,
    writing: &mut WriteHalf<Socket>,
    heard: &watch::Sender<u64>,
    hears: watch::Receiver<u64>,
) -> End {
    let permits = Semaphore::new(visit.depth);
    let mut reading = pin!(read(world, visit, reader, &permits, heard));
    let mut writing = pin!(write(world, visit, writing, &permits, hears));
    let mut written = false;
    let end = loop {
        tokio::select! {
            end = &mut reading => break end,
            abort = &mut writing, if !written => match abort {
                Some(abort) => return End::Left(abort),
                None => written = true,
            },
        }
    };
    // An early response does not end the upload.
    if !written && matches!(end, End::Answered) {
        writing.await;
    }
    end
}

/// Writes the requests, no more at once than may be, until the client leaves, if it does.
async fn write(
    world: &World,
    visit: &Visit,
    to: &mut WriteHalf<Socket>,
    permits: &Semaphore,
    mut heard: watch::Receiver<u64>,
) -> Option<Abort> {
    for number in visit.exchanges() {
        permits.acquire().await.ok()?.forget();
        let exchange = world.exchange(number);
        let message = request(visit, &exchange);
        let abort = visit.abort_in(number);
        let mut rng = exchange.rng(3);
        let length = message.bytes.len();
        let pieces = exchange.upload.as_ref().map_or(exchange.answer.pieces, |upload| upload.pieces);
        let until = match abort {
            Some(Abort { point: Point::InRequest, .. }) => rng.usize(..length),
            _ => length,
        };
        let mut start = 0;
        let written: io::Result<()> = async {
            if exchange.upload.as_ref().is_some_and(|upload| upload.expects_continue) && until > message.head {
                start = message.head;
                pieces.write(to, &message, 0..start, &mut rng).await?;
                // The number of the exchange, and one more.
                let _ = heard.wait_for(|heard| *heard > number).await;
            }
            pieces.write(to, &message, start..until, &mut rng).await
        }
        .await;
        match abort {
            Some(abort) if !matches!(abort.point, Point::InResponse(_)) => return Some(abort),
            _ => {}
        }
        if exchange.route == Route::Failing {
            // The gateway ends the connection after a broken response. What a client sends after that makes the end a
            // reset, which takes along what the client has not read yet (RFC 9112, section 9.6).
            let _ = heard.wait_for(|heard| *heard > number).await;
        }
        if written.is_err() {
            // What the gateway has answered is there to be read.
            break;
        }
    }
    None
}

async fn read(
    world: &World,
    visit: &Visit,
    reader: &mut Reader<ReadHalf<Socket>>,
    permits: &Semaphore,
    heard: &watch::Sender<u64>,
) -> End {
    // Whether the connection may end without a word, since the rest of an upload was not wanted (RFC 9112, section 9.3).
    let mut may_end = false;
    for number in visit.exchanges() {
        let exchange = world.exchange(number);
        let abort = visit.abort_in(number);
        let Some(seen) = response(world, visit, &exchange, abort, may_end, reader, heard).await else {
            return match abort {
                Some(abort) => End::Left(abort),
                None => End::Broken,
            };
        };
        judge(world, visit, &exchange, &seen);
        heard.send_replace(number + 1);
        if seen.end.is_err() {
            return End::Broken;
        }
        let left = visit.exchanges().end - number - 1;
        let keeps = seen.head.has_option("connection", "keep-alive") || visit.protocol != Protocol::Http10;
        if seen.head.has_option("connection", "close") || !keeps {
            if left > 0 {
                world.count("connections whose end was announced");
            }
            return End::Announced;
        }
        let is_early = exchange.answer.when != When::AfterAll || seen.head.get("x-soak").is_none();
        may_end = exchange.upload.is_some() && is_early;
        permits.add_permits(1);
    }
    End::Answered
}

/// The response to an exchange; `None` when there is none to judge.
async fn response(
    world: &World,
    visit: &Visit,
    exchange: &Exchange,
    abort: Option<Abort>,
    may_end: bool,
    reader: &mut Reader<ReadHalf<Socket>>,
    heard: &watch::Sender<u64>,
) -> Option<Seen> {
    let mut interim = Vec::new();
    let differs = |kind: &str, details: &str| {
        // Of a client that leaves the rest may be lost.
        if exchange.route == Route::Failing {
            world.count("broken responses of which nothing arrived");
        } else if abort.is_none() {
            world.differs(kind, Some(exchange), &format!("{details} {visit:?}"));
        }
        None
    };
    let (status, head) = loop {
        let head = match reader.head().await {
            Ok(Some(head)) => head,
            Ok(None) if may_end => {
                world.count("connections that ended after an early response");
                return None;
            }
            Ok(None) => return differs("the connection ended before a response", ""),
            Err(Fault::Ended(_)) if may_end => {
                world.count("connections that ended after an early response");
                return None;
            }
            Err(Fault::Ended(error)) => {
                return differs("the connection broke before a response", &format!("{error:?}"));
            }
            Err(Fault::Malformed(what)) => {
                world.differs("a response's head is malformed", Some(exchange), &format!("{what} {visit:?}"));
                return None;
            }
        };
        let version = if visit.protocol == Protocol::Http10 { "HTTP/1.0 " } else { "HTTP/1.1 " };
        let status = head.line.strip_prefix(version).and_then(|rest| rest.split_once(' '));
        let Some(status) = status.and_then(|(status, _)| status.parse::<u16>().ok()) else {
            return differs("a response's line is malformed", &head.line);
        };
        match status {
            100 if exchange.upload.as_ref().is_some_and(|upload| upload.expects_continue) => {
                heard.send_replace(exchange.number + 1);
            }
            101..200 => interim.push(status),
            ..200 => return differs("100 that nobody asked for", &head.line),
            _ => break (status, head),
        }
    };
    heard.send_replace(exchange.number + 1);
    let mut check = Check::of(exchange.answer.content);
    let length = match head.length() {
        _ if exchange.method == "HEAD" || matches!(status, 204 | 304) => Ok(Length::Known(0)),
        Ok(None) if head.has_option("connection", "close") && !head.has_option("connection", "keep-alive") => {
            Ok(Length::UntilClose)
        }
        Ok(None) => return differs("a response without a framing", &format!("{head:?}")),
        Ok(Some(length)) => Ok(length),
        Err(fault) => Err(fault),
    };
    let end = match (length, abort.map(|abort| abort.point)) {
        (Err(fault), _) => Err(fault),
        (Ok(length), Some(Point::InResponse(until))) => {
            let (left, leaves) = tokio::sync::oneshot::channel();
            let mut left = Some(left);
            let reading = reader.body(length, &mut check, |check| {
                if check.received() >= until {
                    left.take().map(|left| left.send(()));
                }
            });
            tokio::select! {
                biased;
                Ok(()) = leaves => return None,
                end = reading => end,
            }
        }
        (Ok(length), _) => reader.body(length, &mut check, |_| {}).await,
    };
    Some(Seen { status, head, check, interim, end })
}

fn request(visit: &Visit, exchange: &Exchange) -> Message {
    let version = if visit.protocol == Protocol::Http10 { "1.0" } else { "1.1" };
    let mut head = format!(
        "{} {} HTTP/{version}\r\nHost: soak.example\r\nX-Soak: {}\r\n",
        exchange.method,
        exchange.path(),
        exchange.number
    );
    if visit.takes_trailers && visit.protocol == Protocol::Http11 {
        head += "TE: trailers\r\nConnection: TE\r\n";
    }
    if visit.asks_to_keep {
        head += "Connection: keep-alive\r\n";
    }
    let mut rng = exchange.rng(4);
    let mut message = Message::default();
    let Some(upload) = &exchange.upload else {
        message.bytes = (head + "\r\n").into_bytes();
        (message.head, message.end) = (message.bytes.len(), message.bytes.len() - 1);
        return message;
    };
    head += &match upload.chunks {
        Some(_) if upload.trailers => "Trailer: X-Soak-Trailer\r\nTransfer-Encoding: chunked\r\n".to_owned(),
        Some(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
        None => format!("Content-Length: {}\r\n", upload.content.length),
    };
    if upload.expects_continue {
        head += "Expect: 100-continue\r\n";
    }
    message.bytes = (head + "\r\n").into_bytes();
    message.head = message.bytes.len();
    let body = upload.content.bytes();
    match upload.chunks {
        Some(chunks) => {
            chunks.encode(&mut rng, &body, &mut message.bytes);
            message.end = message.bytes.len();
            message.bytes.extend_from_slice(b"0\r\n");
            if let Some(trailer) = exchange.upload_trailer() {
                message.bytes.extend_from_slice(format!("X-Soak-Trailer: {trailer}\r\n").as_bytes());
            }
            message.bytes.extend_from_slice(b"\r\n");
        }
        None => {
            message.bytes.extend_from_slice(&body);
            message.end = message.bytes.len() - 1;
        }
    }
    message
}
