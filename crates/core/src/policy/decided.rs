//! Decisions: those that are there at once, and how each is written down.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    marker::PhantomData,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Extensions;

use super::Policy;
use crate::{Label, LabelKind, PolicyDecision, PolicyVerdict, Rejection, RequestRecord};

/// The future of a policy that decides at once. There is no value of it, so nothing ever waits.
pub struct Immediate<G = ()> {
    never: Infallible,
    grant: PhantomData<fn() -> G>,
}

impl<G> Future for Immediate<G> {
    type Output = Result<G, Rejection>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        match self.never {}
    }
}

impl<G> fmt::Debug for Immediate<G> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.never {}
    }
}

/// A decision that can take the inner service along while it waits.
///
/// The service that was polled ready has to be the one that is called, so a request that waits takes it along and leaves a
/// clone in its place. A policy that decides at once takes nothing along, and asks no `Clone` of the
/// service: that is the difference which this trait makes. The future of a policy of your own implements it in three lines,
/// as the example shows; a boxed future implements it already.
///
/// ```
/// use std::{future::Future, mem, pin::Pin, task::{Context, Poll}};
///
/// use gatewright_core::{Rejection, TakeReady};
///
/// struct Lookup(Pin<Box<dyn Future<Output = Result<(), Rejection>> + Send>>);
///
/// impl Future for Lookup {
///     type Output = Result<(), Rejection>;
///
///     fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
///         self.0.as_mut().poll(cx)
///     }
/// }
///
/// impl<S: Clone> TakeReady<S> for Lookup {
///     fn take_ready(&self, service: &mut S) -> S {
///         let clone = service.clone();
///         mem::replace(service, clone)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the decision `{Self}` cannot wait in front of the service `{S}`",
    note = "a policy that may wait asks `Clone` of the inner service; the future of a policy implements `TakeReady`"
)]
pub trait TakeReady<S> {
    /// Takes the service that was polled ready, and leaves a clone in its place.
    fn take_ready(&self, service: &mut S) -> S;
}

impl<S, G> TakeReady<S> for Immediate<G> {
    fn take_ready(&self, _: &mut S) -> S {
        match self.never {}
    }
}

impl<S: Clone, F: ?Sized> TakeReady<S> for Pin<Box<F>> {
    fn take_ready(&self, service: &mut S) -> S {
        let clone = service.clone();
        mem::replace(service, clone)
    }
}

/// A policy with the label that stands for it in records.
pub(crate) struct Named<P> {
    pub(crate) policy: P,
    pub(crate) label: Label,
}

impl<P> Named<P> {
    pub(crate) fn new(policy: P, name: &str) -> Self {
        Self { policy, label: Label::new(LabelKind::Policy, name) }
    }
}

impl<P: Policy> From<P> for Named<P> {
    fn from(policy: P) -> Self {
        let name = policy.name();
        Self::new(policy, name)
    }
}

/// Writes a decision into the record of the request, when somebody watches decisions.
#[inline]
pub(crate) fn note(label: &Label, verdict: PolicyVerdict, waited: Option<Duration>, request: &Extensions) {
    if let Some(record) = RequestRecord::watched(request, waited.is_some()) {
        write(record, PolicyDecision { policy: label.clone(), verdict, waited });
    }
}

#[cold]
fn write(record: &RequestRecord, decision: PolicyDecision) {
    record.with_layers(|_, layers| layers.add_decision(decision));
}
