use std::time::Duration;

use bytes::Bytes;
use http::{Response, request, response};
use smallvec::SmallVec;

use crate::{
    PolicyVerdict,
    policy::{Decision, Lease, Named, Policy, note, note_refusal},
};

/// How far a request has come in a list of policies: the grants of the policies that have admitted it, outermost first.
pub(super) struct Progress<G> {
    grants: SmallVec<[G; 4]>,
    lease: Option<Lease>,
}

/// What becomes of a request next.
pub(super) enum Next<F> {
    /// All policies have admitted it.
    Admitted,
    /// A policy refused or answered it. The policies outside that one have touched the response.
    Answered(Response<Bytes>),
    /// The next policy has to wait.
    Wait(F),
}

impl<G> Progress<G> {
    pub(super) fn new() -> Self {
        Self { grants: SmallVec::new(), lease: None }
    }

    /// Asks the policies that have not been asked yet.
    pub(super) fn advance<P: Policy<Grant = G>>(
        &mut self,
        policies: &[Named<P>],
        request: &mut request::Parts,
    ) -> Next<P::Future> {
        while let Some(Named { policy, label }) = policies.get(self.grants.len()) {
            match policy.decide(request) {
                Decision::Allow(grant) => {
                    note(label, PolicyVerdict::Admitted, None, &request.extensions);
                    self.admit(policy, grant, request);
                }
                Decision::Refuse(rejection) => {
                    note_refusal(label, &rejection, None, &request.extensions);
                    return Next::Answered(self.answer(policies, rejection.answer(request)));
                }
                Decision::Answer(response) => {
                    note(label, PolicyVerdict::Answered, None, &request.extensions);
                    return Next::Answered(self.answer(policies, response));
                }
                Decision::Later(decision) => return Next::Wait(decision),
            }
        }
        Next::Admitted
    }

    /// Goes on after the policy that waited has decided.
    pub(super) fn resume<P: Policy<Grant = G>>(
        &mut self,
        decided: Result<G, crate::Rejection>,
        waited: Duration,
        policies: &[Named<P>],
        request: &mut request::Parts,
    ) -> Next<P::Future> {
        let Some(Named { policy, label }) = policies.get(self.grants.len()) else { return Next::Admitted };
        match decided {
            Ok(grant) => {
                note(label, PolicyVerdict::Admitted, Some(waited), &request.extensions);
                self.admit(policy, grant, request);
                self.advance(policies, request)
            }
            Err(rejection) => {
                note_refusal(label, &rejection, Some(waited), &request.extensions);
                Next::Answered(self.answer(policies, rejection.answer(request)))
            }
        }
    }

    fn admit<P: Policy<Grant = G>>(&mut self, policy: &P, mut grant: G, request: &mut request::Parts) {
        policy.granted(&mut grant, request);
        if let Some(lease) = policy.lease(&mut grant) {
            lease.extend_to_tunnel(&mut request.extensions);
            self.lease = Some(lease.and(self.lease.take()));
        }
        self.grants.push(grant);
    }

    /// A policy's own response, after the policies outside that one have touched it. Nothing is under way any more.
    fn answer<P: Policy<Grant = G>>(
        &mut self,
        policies: &[Named<P>],
        response: Response<Bytes>,
    ) -> Response<Bytes> {
        self.lease = None;
        let (mut head, body) = response.into_parts();
        self.respond(policies, &mut head);
        Response::from_parts(head, body)
    }

    /// Has the policies touch the head of a response, innermost first.
    pub(super) fn respond<P: Policy<Grant = G>>(
        &mut self,
        policies: &[Named<P>],
        response: &mut response::Parts,
    ) {
        while let Some(grant) = self.grants.pop() {
            if let Some(named) = policies.get(self.grants.len()) {
                named.policy.respond(grant, response);
            }
        }
    }

    /// What is to live until the response's body has ended.
    pub(super) fn take_lease(&mut self) -> Option<Lease> {
        self.lease.take()
    }
}
