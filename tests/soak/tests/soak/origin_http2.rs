//! An HTTP/2 origin that answers each request as its number says.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use fastrand::Rng;
use h2::{RecvStream, server::SendResponse};
use http::{Request, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::{
    content::{Check, Content},
    exchange::{Exchange, Framing, When},
    frames,
    pieces::Chunks,
    upload::{Received, received},
    world::World,
};

/// Starts an origin, which lives as long as the runtime. One that leaves ends each connection after some requests.
pub(crate) async fn start(world: Arc<World>, leaves: bool) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let mut rng = Rng::with_seed(world.seed);
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, world.clone(), leaves, rng.fork()));
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, world: Arc<World>, leaves: bool, mut rng: Rng) {
    let _ = stream.set_nodelay(true);
    let mut builder = h2::server::Builder::new();
    // Clients send small chunks, which are no flood.
    builder.data_frame_budget(usize::MAX);
    if rng.bool() {
        builder.initial_window_size(rng.u32(1000..200_000)).max_concurrent_streams(rng.u32(5..200));
    }
    let mut left = if leaves { Some(rng.u32(1..200)) } else { None };
    let Ok(mut connection) = builder.handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(world.clone(), request, respond));
        if let Some(left) = &mut left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                connection.graceful_shutdown();
            }
        }
    }
}

async fn answer(world: Arc<World>, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
    let (parts, body) = request.into_parts();
    let told = parts.headers.get("x-soak").and_then(|told| told.to_str().ok()?.parse().ok());
    let number = Exchange::number_in(parts.uri.path());
    let Some(exchange) = number.map(|number| world.exchange(number)) else {
        return world.differs("a request asks for what nobody asked for", None, &format!("{parts:?}"));
    };
    let is_sent = parts.method.as_str() == exchange.method && parts.uri.path() == exchange.path();
    if !is_sent || told != number {
        return world.differs("a request is not the one that was sent", Some(&exchange), &format!("{parts:?}"));
    }
    if world.arrives(exchange.number) > 0 && !exchange.may_be_repeated() {
        world.differs("a request with a body was sent twice", Some(&exchange), "over HTTP/2");
    }
    let early = match exchange.answer.when {
        When::After(count) if exchange.upload.is_some() => Some(count),
        _ => None,
    };
    let (begin, begun) = oneshot::channel();
    let reading = receive(&world, &exchange, body, early, begin);
    let writing = async {
        // Dropped, the stream is reset.
        let told = begun.await.unwrap_or(None);
        if told.is_some() || early.is_some() {
            send(&exchange, told, respond).await;
        }
    };
    tokio::join!(reading, writing);
}

/// Reads the upload. Tells `begin` when it is time to answer.
async fn receive(
    world: &World,
    exchange: &Exchange,
    mut body: RecvStream,
    early: Option<usize>,
    begin: oneshot::Sender<Option<Received>>,
) {
    let nothing = Content { seed: 0, length: 0 };
    let mut check = Check::of(exchange.upload.as_ref().map_or(nothing, |upload| upload.content));
    let mut begin = Some(begin);
    let ended = loop {
        if early.is_some_and(|count| check.received() >= count) {
            begin.take().map(|begin| begin.send(None));
        }
        match body.data().await {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(data)) => {
                check.take(&data);
                let _ = body.flow_control().release_capacity(data.len());
            }
        }
    };
    let trailers = if ended { body.trailers().await.ok() } else { None };
    let whole = trailers.is_some();
    begin.take().map(|begin| begin.send(whole.then(|| Received::of(&check))));
    if check.is_exact() && whole {
        if exchange.upload.is_some() {
            received(world, exchange, &frames::fields(trailers.flatten()));
        }
    } else if whole || check.differs_at().is_some() {
        let details = format!(
            "{} of {} bytes, first difference at {:?}",
            check.received(),
            check.content().length,
            check.differs_at()
        );
        world.differs("an upload arrived as other bytes", Some(exchange), &details);
    } else {
        world.count("uploads that arrived cut short");
    }
}

async fn send(exchange: &Exchange, received: Option<Received>, mut respond: SendResponse<Bytes>) -> Option<()> {
    let answer = &exchange.answer;
    let mut rng = exchange.rng(1);
    let mut response = Response::builder().status(answer.status).header("x-soak", exchange.number);
    if let Some(received) = received {
        response = response.header("x-soak-received", received.to_string());
    }
    let has_length = matches!(answer.framing, Framing::Length | Framing::Old { length: true });
    if has_length && answer.status != 204 {
        response = response.header("content-length", answer.content.length);
    }
    let trailer = exchange.trailer();
    if trailer.is_some() {
        response = response.header("trailer", "x-soak-trailer");
    }
    let bare = exchange.is_bodiless() || (answer.content.length == 0 && trailer.is_none() && rng.bool());
    let mut stream = respond.send_response(response.body(()).ok()?, bare).ok()?;
    if bare {
        return Some(());
    }
    let chunks = match answer.framing {
        Framing::Chunked(chunks) => chunks,
        _ => Chunks::One,
    };
    let body = Bytes::from(answer.content.bytes());
    frames::send(&mut stream, body, chunks, trailer.is_none(), &mut rng).await?;
    frames::end(&mut stream, trailer)
}
