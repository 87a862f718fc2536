//! What follows from the answer to an attempt.

use gatewright_client::{PoolBody, SendError};
use gatewright_core::Error;
use http::{Request, Response};

use super::{attempt::Sent, exchange::Exchange, retry_state::RetryState, trace};
use crate::{replay::Replay, request_body::RequestBody, settings::Settings, upstream::Pick};

/// What became of an attempt: the response's head, or why there is none.
type Outcome = Result<Response<PoolBody<RequestBody>>, SendError<RequestBody>>;

/// What follows from an outcome.
pub(super) enum Verdict {
    /// This is the response, of this endpoint.
    Final(Response<PoolBody<RequestBody>>, Pick),
    Again(Request<RequestBody>),
}

impl Exchange {
    /// Judges the answer to an attempt.
    pub(super) fn judge(
        &self,
        outcome: Result<Outcome, Error>,
        sent: Sent,
        retry_state: &mut RetryState,
    ) -> Result<Verdict, Error> {
        match outcome {
            Ok(Ok(response)) => Ok(self.judge_response(response, sent, retry_state)),
            Ok(Err(failure)) => self.judge_failure(failure, sent, retry_state),
            Err(timeout) => self.judge_error(timeout, sent, retry_state),
        }
    }

    fn judge_response(
        &self,
        response: Response<PoolBody<RequestBody>>,
        sent: Sent,
        retry_state: &mut RetryState,
    ) -> Verdict {
        let Sent { mut pick, copy, .. } = sent;
        pick.answer(response.status());
        self.note_time();
        if let Some(record) = self.traced() {
            trace::answer(record, response.status());
        }
        if let Some(copy) = copy
            && self.settings.retries.cover_status(response.status())
            && self.pays(retry_state)
            && let Some(again) = self.renew(*copy)
        {
            retry_state.resent += 1;
            retry_state.failed = Some(pick.endpoint().id());
            pick.complete();
            if let Some(record) = self.traced() {
                trace::give_up(record);
            }
            return Verdict::Again(again);
        }
        if let Some(replay) = &self.replay {
            replay.forget();
        }
        Verdict::Final(response, pick)
    }

    fn judge_failure(
        &self,
        failure: SendError<RequestBody>,
        mut sent: Sent,
        retry_state: &mut RetryState,
    ) -> Result<Verdict, Error> {
        let (error, given_back) = failure.into_replay();
        let endpoint = sent.pick.endpoint().id();
        let whole = match given_back {
            Some((mut whole, taken)) => {
                retry_state.goes_again(&error, whole.method(), sent.reused, endpoint).then(|| {
                    whole.body_mut().rewind(taken);
                    whole
                })
            }
            // Some of the body is gone, and kept.
            None => match sent.copy.take_if(|_| self.replay.as_ref().is_some_and(Replay::is_whole)) {
                Some(copy) if retry_state.goes_again(&error, copy.method(), sent.reused, endpoint) => {
                    self.renew(*copy)
                }
                copy => {
                    sent.copy = copy;
                    None
                }
            },
        };
        let Some(whole) = whole else { return self.judge_error(error, sent, retry_state) };
        if error.is_unanswered() {
            // It goes again without a budget too, but retries and these together are to stay within it.
            self.settings.upstream.budget().pay();
        }
        if let Some(record) = self.traced() {
            trace::fail(record, &error);
        }
        sent.pick.retract(&error);
        Ok(Verdict::Again(whole))
    }

    fn judge_error(&self, error: Error, sent: Sent, retry_state: &mut RetryState) -> Result<Verdict, Error> {
        let Settings { retries, .. } = &*self.settings;
        let Sent { pick, copy, .. } = sent;
        let endpoint = pick.endpoint().id();
        if let Some(record) = self.traced() {
            trace::fail(record, &error);
        }
        pick.fail(&error);
        if let Some(copy) = copy
            && retries.cover_error(&error)
            && self.pays(retry_state)
            && let Some(again) = self.renew(*copy)
        {
            retry_state.resent += 1;
            retry_state.failed = Some(endpoint);
            return Ok(Verdict::Again(again));
        }
        Err(error)
    }
}
