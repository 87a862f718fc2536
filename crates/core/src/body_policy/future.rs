use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    BodyPolicy, BufferedBody, RequestBody,
    buffered::{Buffering, Refused},
    layer::Shared,
    no_room, too_large,
};
use crate::{
    BoxError, Decision, Error, PolicyVerdict, ReplyFormat, RequestRecord, ResponseBody,
    policy::{Named, note, note_refusal},
    problem,
};

pin_project! {
    /// The future of [`BodyPolicyService`](super::BodyPolicyService).
    pub struct BodyPolicyFuture<P, S, B>
    where
        P: BodyPolicy,
        S: Service<Request<RequestBody<B>>>,
    {
        #[pin]
        state: State<P, P::Future, S, S::Future, B>,
    }
}

pin_project! {
    // 1. A body is read to its end before the policy decides, and the decision before the service is called.
    // 2. The service that was polled ready goes along with the request, and is called once.
    // 3. The bytes that were read count towards the budget until the service has taken them.
    #[project = StateProjection]
    enum State<P, D, S, F, B>
    where
        P: BodyPolicy,
    {
        Answered { response: Option<Response<Bytes>> },
        Reading { #[pin] body: B, buffering: Option<Buffering>, waiting: Option<Waiting<P, S>> },
        Undecided { #[pin] decision: D, buffered: Option<BufferedBody>, waiting: Option<Waiting<P, S>> },
        Admitted { #[pin] response: F, granted: Option<(Arc<Shared<P>>, P::Grant)> },
    }
}

/// A request that waits, with the service that was polled ready for it.
struct Waiting<P, S> {
    shared: Arc<Shared<P>>,
    head: request::Parts,
    ready: S,
    since: Instant,
}

const POLLED_AFTER_COMPLETION: &str = "a future is not polled after it has completed";

impl<P, S, B> BodyPolicyFuture<P, S, B>
where
    P: BodyPolicy,
    S: Service<Request<RequestBody<B>>>,
{
    pub(super) fn answered(response: Response<Bytes>) -> Self {
        Self { state: State::Answered { response: Some(response) } }
    }

    pub(super) fn passed(response: S::Future) -> Self {
        Self { state: State::Admitted { response, granted: None } }
    }

    pub(super) fn reading(
        shared: Arc<Shared<P>>,
        head: request::Parts,
        body: B,
        buffering: Buffering,
        ready: S,
    ) -> Self {
        let waiting = Some(Waiting { shared, head, ready, since: Instant::now() });
        Self { state: State::Reading { body, buffering: Some(buffering), waiting } }
    }
}

/// Reads what there is of a body; `None` at its end.
fn poll_body<B>(
    body: Pin<&mut B>,
    buffering: &mut Buffering,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<(), Failed>>>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    Poll::Ready(match ready!(body.poll_frame(cx)) {
        None => None,
        Some(Err(error)) => Some(Err(Failed::Body(Error::from_body(error)))),
        Some(Ok(frame)) => match frame.into_data() {
            Ok(data) => Some(buffering.push(data).map_err(Failed::Refused)),
            Err(other) => {
                if let Ok(trailers) = other.into_trailers() {
                    buffering.trailers(trailers);
                }
                Some(Ok(()))
            }
        },
    })
}

/// Why there is no whole body.
enum Failed {
    Refused(Refused),
    Body(Error),
}

impl<P: BodyPolicy, S> Waiting<P, S> {
    /// Answers a request whose body cannot be had whole.
    fn fail(self, failed: Failed) -> Response<Bytes> {
        let Named { policy, label } = &self.shared.named;
        let rejection = match failed {
            Failed::Refused(Refused::TooLarge) => too_large(policy.name()),
            Failed::Refused(Refused::NoRoom) => no_room(policy.name()),
            Failed::Body(error) => match error.rejection() {
                Some(rejection) => rejection.clone(),
                None => return self.answer_error(&error),
            },
        };
        note_refusal(label, &rejection, Some(self.since.elapsed()), &self.head.extensions);
        rejection.answer(&self.head)
    }

    fn answer_error(&self, error: &Error) -> Response<Bytes> {
        let request_id = RequestRecord::of(&self.head.extensions).and_then(|record| {
            record.with(|summary| {
                summary.error = Some(error.kind());
                summary.request_id.clone()
            })
        });
        problem::from_error(error, ReplyFormat::of(&self.head), request_id.as_ref())
    }
}

impl<P, S, B, ResBody> Future for BodyPolicyFuture<P, S, B>
where
    P: BodyPolicy,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
    S: Service<Request<RequestBody<B>>, Response = Response<ResBody>>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let (decided, mut waiting, buffered) = match state.as_mut().project() {
                StateProjection::Answered { response } => {
                    let response = response.take().expect(POLLED_AFTER_COMPLETION);
                    return Poll::Ready(Ok(response.map(ResponseBody::own)));
                }
                StateProjection::Admitted { response, granted } => {
                    let response = ready!(response.poll(cx))?;
                    let (mut head, body) = response.into_parts();
                    if let Some((shared, grant)) = granted.take() {
                        shared.named.policy.respond(grant, &mut head);
                    }
                    return Poll::Ready(Ok(Response::from_parts(head, ResponseBody::inner(body))));
                }
                StateProjection::Reading { body, buffering, waiting } => {
                    let reading = buffering.as_mut().expect(POLLED_AFTER_COMPLETION);
                    let polled = ready!(poll_body(body, reading, cx));
                    if let Some(Ok(())) = polled {
                        continue;
                    }
                    let mut waiting = waiting.take().expect(POLLED_AFTER_COMPLETION);
                    if let Some(Err(failed)) = polled {
                        // Nothing of the body is held any longer.
                        drop(buffering.take());
                        state.set(State::Answered { response: Some(waiting.fail(failed)) });
                        continue;
                    }
                    let buffered = buffering.take().expect(POLLED_AFTER_COMPLETION).finish();
                    let decided = waiting.shared.named.policy.decide(&mut waiting.head, &buffered);
                    (decided, waiting, buffered)
                }
                StateProjection::Undecided { decision, buffered, waiting } => {
                    let decided = match ready!(decision.poll(cx)) {
                        Ok(grant) => Decision::Allow(grant),
                        Err(rejection) => Decision::Refuse(rejection),
                    };
                    let waiting = waiting.take().expect(POLLED_AFTER_COMPLETION);
                    (decided, waiting, buffered.take().expect(POLLED_AFTER_COMPLETION))
                }
            };
            let (label, request) = (&waiting.shared.named.label, &waiting.head.extensions);
            let waited = Some(waiting.since.elapsed());
            match &decided {
                Decision::Allow(_) => note(label, PolicyVerdict::Admitted, waited, request),
                Decision::Refuse(rejection) => note_refusal(label, rejection, waited, request),
                Decision::Answer(_) => note(label, PolicyVerdict::Answered, waited, request),
                Decision::Later(_) => {}
            }
            state.set(match decided {
                Decision::Allow(grant) => {
                    let body = RequestBody::buffered(buffered);
                    let response = waiting.ready.call(Request::from_parts(waiting.head, body));
                    State::Admitted { response, granted: Some((waiting.shared, grant)) }
                }
                Decision::Refuse(rejection) => {
                    State::Answered { response: Some(rejection.answer(&waiting.head)) }
                }
                Decision::Answer(response) => State::Answered { response: Some(response) },
                Decision::Later(decision) => {
                    State::Undecided { decision, buffered: Some(buffered), waiting: Some(waiting) }
                }
            });
        }
    }
}

impl<P, S, B> fmt::Debug for BodyPolicyFuture<P, S, B>
where
    P: BodyPolicy,
    S: Service<Request<RequestBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyPolicyFuture").finish_non_exhaustive()
    }
}
