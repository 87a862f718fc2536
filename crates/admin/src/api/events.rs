//! `/api/events`.
//!
//! 1. A follower gets an event when it comes, and then one a second.
//! 2. An event is made when the server asks for it, so one who reads slowly misses events and nothing waits for them in memory. The
//!    server drops one who does not read at all, at its limit for writing.
//! 3. The number of followers is bounded.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use http_body::Frame;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Interval, MissedTickBehavior, interval},
};

use super::summary::last_second;
use crate::{Admin, answer};

/// Server-sent events (WHATWG HTML, section 9.2): the column of the last second, and what is of the moment.
pub(crate) async fn events(State(admin): State<Admin>) -> Response {
    let Ok(place) = admin.followers().clone().try_acquire_owned() else {
        let response =
            answer::problem(StatusCode::SERVICE_UNAVAILABLE, "Too many clients follow the events already.");
        let mut response = response.map(Body::new);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
        return response;
    };
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    answer::text("text/event-stream", Body::new(Events { admin, tick, _place: place }))
}

/// The body of one follower.
struct Events {
    admin: Admin,
    tick: Interval,
    _place: OwnedSemaphorePermit,
}

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.tick.poll_tick(cx));
        // JSON of one line: no text in it can end the event.
        let event = format!("data: {}\n\n", last_second(&self.admin));
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}
