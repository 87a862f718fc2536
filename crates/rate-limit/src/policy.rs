//! What is asked of each request.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use gatewright_core::{Decision, Policy, Rejection, RequestRecord, TakeReady};
use http::{HeaderMap, StatusCode, header, request, response};
use smallvec::SmallVec;

use crate::{
    gcra::Reading,
    headers::{self, Fields},
    key::{Caller, Key, KeyBytes, NoKey},
    limits::Limits,
    own_limits::OwnLimits,
    store::{Kind, Store},
    verdict::Verdict,
};

pub(crate) const NAME: &str = "rate-limit";

/// The policy that [`RateLimitLayer`](crate::RateLimitLayer) makes a layer of: one limit, or several together.
#[derive(Clone)]
pub struct RateLimit(pub(crate) Arc<[Arc<Settings>]>);

pub(crate) struct Settings {
    pub(crate) limits: Arc<Limits>,
    pub(crate) consumers: HashMap<Box<str>, Arc<Limits>>,
    pub(crate) own: OwnLimits,
    pub(crate) key: Key,
    pub(crate) cost: Cost,
    pub(crate) store: Store,
    pub(crate) fields: Fields,
    pub(crate) dry_run: bool,
    pub(crate) counts: Arc<Counters>,
}

/// How many units a request takes.
#[derive(Clone)]
pub(crate) enum Cost {
    Fixed(u32),
    Of(Arc<dyn Fn(&request::Parts) -> u32 + Send + Sync>),
}

/// What a layer has counted, all its services together.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    refused: AtomicU64,
    would_refuse: AtomicU64,
    undecided: AtomicU64,
}

/// How often a layer refused, and the like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    refused: u64,
    would_refuse: u64,
    undecided: u64,
}

impl Counts {
    /// Requests that were refused.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Requests that would have been refused, were it not for the dry run.
    pub fn would_refuse(&self) -> u64 {
        self.would_refuse
    }

    /// Requests for which the store had no answer in time, and which were admitted or refused as it is set to do.
    pub fn undecided(&self) -> u64 {
        self.undecided
    }
}

impl Counters {
    pub(crate) fn read(&self) -> Counts {
        Counts {
            refused: self.refused.load(Ordering::Relaxed),
            would_refuse: self.would_refuse.load(Ordering::Relaxed),
            undecided: self.undecided.load(Ordering::Relaxed),
        }
    }
}

/// What an admitted request carries until its response is there.
#[derive(Default)]
pub struct Admission(SmallVec<[Admitted; 1]>);

struct Admitted {
    fields: Fields,
    limits: Arc<Limits>,
    readings: SmallVec<[Reading; 2]>,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|admitted| &admitted.readings)).finish()
    }
}

/// What a request asks of one limit.
struct Question {
    settings: Arc<Settings>,
    key: KeyBytes,
    limits: Arc<Limits>,
    cost: u32,
}

impl Policy for RateLimit {
    type Grant = Admission;
    type Future = RateLimitFuture;

    fn name(&self) -> &'static str {
        NAME
    }

    fn decide(&self, request: &mut request::Parts) -> Decision<Admission, RateLimitFuture> {
        let record = RequestRecord::of(&request.extensions);
        let mut round = Round::default();
        for settings in self.0.iter() {
            let asked = match settings.question(request) {
                Ok(question) => round.ask(question, record),
                Err(NoKey) => settings.refuse(Rejection::new(StatusCode::FORBIDDEN, NAME, "no_key"), record),
            };
            if let Err(refusal) = asked {
                round.give_back();
                return Decision::Refuse(refusal);
            }
        }
        round.end(record)
    }

    fn respond(&self, admission: Admission, response: &mut response::Parts) {
        for admitted in admission.0 {
            admitted.fields.write(&mut response.headers, &admitted.limits, &admitted.readings);
        }
    }
}

/// One request's way through the limits: those in this process first, so that nothing is asked elsewhere for a request
/// that is refused here.
#[derive(Default)]
struct Round {
    admission: Admission,
    /// What was taken here, to be given back when another limit refuses.
    taken: SmallVec<[Question; 1]>,
    #[cfg(feature = "redis")]
    remote: Vec<(crate::redis::RedisStore, Question)>,
}

impl Round {
    fn ask(&mut self, question: Question, record: Option<&RequestRecord>) -> Result<(), Rejection> {
        match &question.settings.store.0 {
            Kind::Local(store) => {
                let verdict = store.decide(&question.key, &question.limits, question.cost);
                let admitted = verdict.admitted;
                self.conclude(&question, verdict, record)?;
                if admitted {
                    self.taken.push(question);
                }
            }
            #[cfg(feature = "redis")]
            Kind::Redis(store) => match store.decide_here(&question.key, &question.limits, question.cost) {
                Some(verdict) => self.conclude(&question, verdict, record)?,
                None => self.remote.push((store.clone(), question)),
            },
        }
        Ok(())
    }

    /// Takes down what a store has said.
    fn conclude(
        &mut self,
        question: &Question,
        verdict: Verdict,
        record: Option<&RequestRecord>,
    ) -> Result<(), Rejection> {
        let settings = &question.settings;
        if !verdict.admitted {
            return settings.refuse(settings.refusal(&question.limits, &verdict), record);
        }
        // On trial, no client shall see a difference.
        if !settings.dry_run {
            let limits = Arc::clone(&question.limits);
            self.admission.0.push(Admitted { fields: settings.fields, limits, readings: verdict.readings });
        }
        Ok(())
    }

    fn give_back(self) {
        for question in self.taken {
            match &question.settings.store.0 {
                Kind::Local(store) => store.give_back(&question.key, &question.limits, question.cost),
                #[cfg(feature = "redis")]
                Kind::Redis(_) => {}
            }
        }
    }

    #[cfg(not(feature = "redis"))]
    fn end(self, _: Option<&RequestRecord>) -> Decision<Admission, RateLimitFuture> {
        Decision::Allow(self.admission)
    }

    #[cfg(feature = "redis")]
    fn end(mut self, record: Option<&RequestRecord>) -> Decision<Admission, RateLimitFuture> {
        if self.remote.is_empty() {
            return Decision::Allow(self.admission);
        }
        let record = record.cloned();
        Decision::Later(RateLimitFuture::new(async move {
            for (store, question) in std::mem::take(&mut self.remote) {
                let answer = store.decide(&question.key, &question.limits, question.cost).await;
                let concluded = match answer {
                    Ok(verdict) => self.conclude(&question, verdict, record.as_ref()),
                    Err(undecided) => question.settings.without_answer(undecided, record.as_ref()),
                };
                if let Err(refusal) = concluded {
                    self.give_back();
                    return Err(refusal);
                }
            }
            Ok(self.admission)
        }))
    }
}

impl Settings {
    fn question(self: &Arc<Self>, request: &request::Parts) -> Result<Question, NoKey> {
        let (key, caller) = self.key.of(request)?;
        let limits = self.limits_of(&caller);
        let cost = match &self.cost {
            Cost::Fixed(cost) => *cost,
            Cost::Of(function) => function(request),
        };
        Ok(Question { settings: Arc::clone(self), key, limits, cost })
    }

    /// A caller's own limits, else those that the table has for it, else everybody's.
    fn limits_of(&self, caller: &Caller) -> Arc<Limits> {
        if let Some(principal) = caller.principal.as_ref().filter(|_| self.key.is_by_principal()) {
            if !principal.quotas().is_empty() {
                return self.own.of(principal.quotas());
            }
            if let Some(limits) = self.consumers.get(principal.id()) {
                return Arc::clone(limits);
            }
        }
        Arc::clone(&self.limits)
    }

    fn refusal(&self, limits: &Limits, verdict: &Verdict) -> Rejection {
        let mut fields = HeaderMap::new();
        self.fields.write(&mut fields, limits, &verdict.readings);
        let reason = if verdict.wait.is_some() { "over_limit" } else { "cost_over_burst" };
        let mut refusal = Rejection::new(StatusCode::TOO_MANY_REQUESTS, NAME, reason)
            .detail("Too many requests. Slow down, and try again later.");
        if let Some(wait) = verdict.wait {
            let seconds = headers::seconds(Duration::from_nanos(wait)).max(1);
            refusal = refusal.header(header::RETRY_AFTER, seconds.into());
        }
        for (name, value) in &fields {
            refusal = refusal.header(name.clone(), value.clone());
        }
        refusal
    }

    /// Refuses, or only counts when on trial.
    fn refuse(&self, refusal: Rejection, record: Option<&RequestRecord>) -> Result<(), Rejection> {
        if !self.dry_run {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
            return Err(refusal);
        }
        self.counts.would_refuse.fetch_add(1, Ordering::Relaxed);
        if let Some(record) = record {
            record.with(|summary| summary.would_reject = Some(refusal));
        }
        Ok(())
    }

    /// The store has not answered: the request goes on, or is refused with 503, as the store is set to do.
    #[cfg(feature = "redis")]
    fn without_answer(
        &self,
        undecided: crate::redis::Undecided,
        record: Option<&RequestRecord>,
    ) -> Result<(), Rejection> {
        self.counts.undecided.fetch_add(1, Ordering::Relaxed);
        if undecided.is_admitted() {
            return Ok(());
        }
        let refusal = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, NAME, "store_unavailable")
            .detail("The service is not available just now. Try again later.")
            .header(header::RETRY_AFTER, 1.into());
        self.refuse(refusal, record)
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|settings| &settings.key)).finish()
    }
}

/// The decision of a store that is not in this process.
pub struct RateLimitFuture(Pin<Box<dyn Future<Output = Result<Admission, Rejection>> + Send>>);

impl RateLimitFuture {
    #[cfg(feature = "redis")]
    fn new(decision: impl Future<Output = Result<Admission, Rejection>> + Send + 'static) -> Self {
        Self(Box::pin(decision))
    }
}

impl Future for RateLimitFuture {
    type Output = Result<Admission, Rejection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<S: Clone> TakeReady<S> for RateLimitFuture {
    fn take_ready(&self, service: &mut S) -> S {
        self.0.take_ready(service)
    }
}

impl fmt::Debug for RateLimitFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFuture").finish_non_exhaustive()
    }
}

impl fmt::Debug for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(units) => write!(f, "{units}"),
            Self::Of(_) => f.write_str("a function"),
        }
    }
}
