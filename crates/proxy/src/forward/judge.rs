//! What follows from the answer to an attempt.

use gatewright_client::SendError;
use gatewright_core::Error;
use http::{Request, StatusCode};

use super::{attempt::Sent, exchange::Exchange, retry_state::RetryState, trace};
use crate::{replay::Replay, request_body::RequestBody, settings::Settings};

impl Exchange {
    /// Judges a response by its status: `None` when it is the answer, or else the request that goes again.
    // It does not take the response, so that the usual one is moved only once, to the client's.
    pub(super) fn judge_response(
        &self,
        status: StatusCode,
        sent: &mut Sent,
        retry_state: &mut RetryState,
    ) -> Option<Request<RequestBody>> {
        sent.pick.answer(status);
        self.note_time();
        if let Some(record) = self.traced() {
            trace::answer(record, status);
        }
        if let Some(copy) = sent.copy.take()
            && self.settings.retries.cover_status(status)
            && self.pays(retry_state)
            && let Some(again) = self.renew(*copy)
        {
            retry_state.resent += 1;
            retry_state.failed = Some(sent.pick.endpoint().id());
            if let Some(record) = self.traced() {
                trace::give_up(record);
            }
            return Some(again);
        }
        if let Some(replay) = &self.replay {
            replay.forget();
        }
        None
    }

    /// Judges an attempt that the pool could not carry out. Gives the request that goes again.
    pub(super) fn judge_failure(
        &self,
        failure: SendError<RequestBody>,
        mut sent: Sent,
        retry_state: &mut RetryState,
    ) -> Result<Request<RequestBody>, Error> {
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
        Ok(whole)
    }

    /// Judges an attempt that has failed. Gives the request that goes again.
    pub(super) fn judge_error(
        &self,
        error: Error,
        sent: Sent,
        retry_state: &mut RetryState,
    ) -> Result<Request<RequestBody>, Error> {
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
            return Ok(again);
        }
        Err(error)
    }
}
