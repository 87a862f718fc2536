//! An HTTP/2 client: many streams on a connection, with windows of any size.

use std::{future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client::SendRequest};
use harness::{PATIENCE, Socket};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    content::Check,
    exchange::{Exchange, Route},
    frames,
    judge::{Seen, judge},
    reader::{Fault, Head},
    visit::{Abort, Point, Visit},
    world::World,
};

/// Makes the visit over `socket`.
pub(crate) async fn visit(world: Arc<World>, visit: Visit, socket: Socket) {
    let mut builder = h2::client::Builder::new();
    // A client that reads slowly must not take small frames for a flood: origins send them, one a chunk.
    builder.data_frame_budget(usize::MAX);
    if let Some(window) = visit.window {
        builder.initial_window_size(window);
    }
    let (send, connection) = match builder.handshake::<_, Bytes>(socket).await {
        Ok(both) => both,
        Err(error) => return world.differs("no HTTP/2 connection", None, &format!("{error:?} {visit:?}")),
    };
    let driver = tokio::spawn(connection);
    let permits = Arc::new(Semaphore::new(visit.depth));
    let mut streams = JoinSet::new();
    for number in visit.exchanges() {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        let (world, visit, send) = (world.clone(), visit.clone(), send.clone());
        streams.spawn(async move {
            let exchange = world.exchange(number);
            let exchanged = exchanged(&world, &visit, &exchange, send);
            if tokio::time::timeout(PATIENCE * 2, exchanged).await.is_err() {
                world.differs("an HTTP/2 stream hangs", Some(&exchange), &format!("{visit:?}"));
            }
            drop(permit);
        });
    }
    while let Some(ended) = streams.join_next().await {
        if let Err(error) = ended {
            world.differs("a client failed", None, &error.to_string());
        }
        // The last of them to leave takes the connection with it.
        if streams.is_empty() && visit.abort.is_some_and(|abort| abort.resets) {
            driver.abort();
        }
    }
    drop(send);
    if tokio::time::timeout(PATIENCE, driver).await.is_err() {
        world.differs("an HTTP/2 connection does not end", None, &format!("{visit:?}"));
    }
}

async fn exchanged(world: &World, visit: &Visit, exchange: &Exchange, send: SendRequest<Bytes>) {
    let abort = visit.abort_in(exchange.number);
    let mut check = Check::of(exchange.answer.content);
    let failed = |error: h2::Error| {
        if exchange.route == Route::Failing && error.is_reset() {
            world.count("broken responses of which nothing arrived");
        } else if abort.is_none() {
            world.differs("an HTTP/2 stream failed", Some(exchange), &format!("{error:?} {visit:?}"));
        }
    };
    let mut send = match send.ready().await {
        Ok(send) => send,
        Err(error) => return failed(error),
    };
    let request = http::Request::builder()
        .method(exchange.method)
        .uri(format!("http://soak.example{}", exchange.path()))
        .header("x-soak", exchange.number);
    let request = match &exchange.upload {
        Some(upload) if upload.chunks.is_none() => request.header("content-length", upload.content.length),
        _ => request,
    };
    let request = request.body(()).expect("a request of fixed parts");
    let (response, stream) = match send.send_request(request, exchange.upload.is_none()) {
        Ok(both) => both,
        Err(error) => return failed(error),
    };
    drop(send);
    let upload = upload(exchange, stream, abort);
    let download = async {
        let response = response.await?;
        let (parts, body) = response.into_parts();
        let end = download(visit, body, &mut check, abort).await;
        Ok(end.map(|end| (parts, end)))
    };
    let (parts, end) = match abort.map(|abort| abort.point) {
        Some(Point::InRequest | Point::BeforeResponse) => {
            upload.await;
            return world.count("HTTP/2 streams that their client left");
        }
        _ => match tokio::join!(download, upload).0 {
            Ok(Some(both)) => both,
            Ok(None) => return world.count("HTTP/2 streams that their client left"),
            Err(error) => return failed(error),
        },
    };
    let value = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let fields = parts.headers.iter().map(|(name, told)| (name.as_str().to_owned(), value(told))).collect();
    let head = Head { line: String::new(), fields };
    let seen = Seen { status: parts.status.as_u16(), head, check, interim: Vec::new(), end };
    judge(world, visit, exchange, &seen);
}

/// Sends the body, or a part of it when the client leaves in it.
async fn upload(exchange: &Exchange, mut stream: SendStream<Bytes>, abort: Option<Abort>) {
    let Some(upload) = &exchange.upload else { return };
    let mut rng = exchange.rng(5);
    let mut body = Bytes::from(upload.content.bytes());
    let leaves = abort.is_some_and(|abort| abort.point == Point::InRequest);
    if leaves {
        body.truncate(rng.usize(..=body.len()));
    }
    let chunks = upload.chunks.unwrap_or(crate::pieces::Chunks::One);
    // An origin may answer before it has all of it: then the rest is not wanted.
    let trailer = exchange.upload_trailer().filter(|_| !leaves);
    let sent = frames::send(&mut stream, body, chunks, !leaves && trailer.is_none(), &mut rng).await;
    if leaves && sent.is_some() {
        stream.send_reset(Reason::CANCEL);
    } else if sent.is_some() {
        frames::end(&mut stream, trailer);
    }
}

/// The body's end; `None` when the client leaves before it.
async fn download(
    visit: &Visit,
    mut body: RecvStream,
    check: &mut Check,
    abort: Option<Abort>,
) -> Option<Result<Vec<(String, String)>, Fault>> {
    let until = match abort.map(|abort| abort.point) {
        Some(Point::InResponse(until)) => Some(until),
        _ => None,
    };
    let mut reads: u32 = 0;
    loop {
        if until.is_some_and(|until| check.received() >= until) {
            return None;
        }
        let data = match body.data().await {
            None => break,
            Some(Ok(data)) => data,
            Some(Err(error)) => return Some(Err(Fault::Ended(Some(std::io::Error::other(error))))),
        };
        check.take(&data);
        reads += 1;
        if visit.reads_slowly && reads.is_multiple_of(8) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = body.flow_control().release_capacity(data.len());
    }
    let trailers = poll_fn(|cx| body.poll_trailers(cx)).await;
    Some(match trailers {
        Ok(trailers) => Ok(frames::fields(trailers)),
        Err(error) => Err(Fault::Ended(Some(std::io::Error::other(error)))),
    })
}
