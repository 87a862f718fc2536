//! Limits, each built once and shared by its routes.

use std::{collections::HashMap, fmt::Write};

use gatewright_core::Clock;
use gatewright_rate_limit::{
    ConcurrencyLimitLayer, Key, LocalStore, RateLimit, RateLimitLayer, RedisStore, Store,
};

use http::HeaderName;

use super::keeper::{Keeper, Kept};
use crate::{
    read::Reader,
    settings::{
        CallerLimit, KeyPart, LimitHeaders, LimitRef, Matcher, Missing, PathMatch, RedisSettings, ValueMatch,
    },
};

/// The limits of a file. One that says the same as before goes on with its counts.
pub(super) struct Limits {
    built: Keeper<Identity, Built>,
    named: HashMap<String, Option<Counted>>,
    local: Keeper<Place, LocalStore>,
    /// One a setting, so that limits on the same server share its connections.
    redis: Keeper<RedisSettings, RedisStore>,
    clock: Clock,
}

/// All that makes a limit what it is.
#[derive(PartialEq, Eq, Hash)]
struct Identity {
    settings: CallerLimit,
    /// The requests of the route that wrote it: two routes that write the same do not share its counts.
    of: Option<Matcher>,
}

/// Where a limit stands, and the size of its store. As long as these stay, so do the counts: those of its rates that are
/// no longer what they were begin anew, each by itself.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    name: String,
    route: Option<Matcher>,
    max_keys: Option<usize>,
}

#[derive(Clone)]
struct Built {
    rate: Option<RateLimitLayer>,
    concurrency: Option<ConcurrencyLimitLayer>,
}

/// A limit and what it counts.
type Counted = Kept<Identity, Built>;

/// A limit as a route uses it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Limit {
    counted: Counted,
    cost: u32,
}

impl Limit {
    /// Whether it is known only behind the authentication by what it counts.
    fn has_to_know(&self, told: &[HeaderName]) -> bool {
        let settings = &self.counted.identity.settings;
        let is_told = |part: &KeyPart| matches!(part, KeyPart::Header(name) if told.contains(name));
        settings.is_by_principal() || settings.key.iter().any(is_told)
    }

    /// Whether limits that callers have of their own hold in the place of this one.
    pub(super) fn gives_way(&self) -> bool {
        self.counted.built.rate.is_some() && self.counted.identity.settings.is_by_principal()
    }
}

impl Limits {
    /// Replaces these limits; nothing has been built yet.
    pub(super) fn following(before: Option<&Self>, clock: &Clock) -> Self {
        Self {
            built: Keeper::following(before.map(|before| &before.built)),
            named: HashMap::new(),
            local: Keeper::following(before.map(|before| &before.local)),
            redis: Keeper::following(before.map(|before| &before.redis)),
            clock: clock.clone(),
        }
    }

    /// Builds `limits:`.
    pub(super) fn build(&mut self, limits: &[CallerLimit], reader: &mut Reader<'_>) {
        for limit in limits {
            let counted = self.one(limit, None, reader);
            self.named.insert(limit.name.clone(), counted);
        }
    }

    /// The limits of a route; those that cannot be built are reported and left out.
    pub(super) fn of(&mut self, uses: &[LimitRef], route: &Matcher, reader: &mut Reader<'_>) -> Vec<Limit> {
        let limit = |used: &LimitRef| match used {
            LimitRef::Named(name, cost) => {
                let counted = self.named.get(&name.value).cloned().flatten()?;
                Some(Limit { counted, cost: *cost })
            }
            LimitRef::Own(settings) => {
                Some(Limit { counted: self.one(settings, Some(route), reader)?, cost: 1 })
            }
        };
        uses.iter().filter_map(limit).collect()
    }

    fn one(
        &mut self,
        settings: &CallerLimit,
        route: Option<&Matcher>,
        reader: &mut Reader<'_>,
    ) -> Option<Counted> {
        let Self { built, local, redis, clock, .. } = self;
        let identity = Identity { settings: settings.clone(), of: route.cloned() };
        let counted = built.get(identity, |identity| identity.build(local, redis, clock, reader))?;
        // A limit that goes on goes on with its stores.
        let _ = local.get(counted.identity.place(), |_| None);
        let _ = settings.store.as_ref().and_then(|store| redis.get(store.clone(), |_| None));
        Some(counted)
    }

    /// Where the limits of this process keep their counts.
    pub(super) fn stores(&self) -> impl Iterator<Item = &LocalStore> {
        self.local.values()
    }

    /// Forgets the limits of before, and the connections that no limit uses any more.
    pub(super) fn settle(&mut self) {
        self.built.settle();
        self.local.settle();
        self.redis.settle();
    }
}

impl Identity {
    fn place(&self) -> Place {
        let Self { settings, of } = self;
        Place { name: settings.name.clone(), route: of.clone(), max_keys: settings.max_keys }
    }

    fn build(
        &self,
        local: &mut Keeper<Place, LocalStore>,
        redis: &mut Keeper<RedisSettings, RedisStore>,
        clock: &Clock,
        reader: &mut Reader<'_>,
    ) -> Option<Built> {
        let (settings, route) = (&self.settings, self.of.as_ref());
        let concurrency = settings.concurrent.map(|most| {
            let layer = ConcurrencyLimitLayer::new(most).key(key(settings));
            if settings.dry_run { layer.dry_run() } else { layer }
        });
        let [first, others @ ..] = &*settings.quotas else { return Some(Built { rate: None, concurrency }) };
        let store: Store = match &settings.store {
            Some(settings) => redis.get(settings.clone(), |settings| connect(settings, reader))?.built.into(),
            None => local.get(self.place(), |place| Some(place.open(clock)))?.built.into(),
        };
        let mut rate = RateLimitLayer::new(*first).key(key(settings)).store(store);
        rate = others.iter().fold(rate, |rate, quota| rate.and(*quota));
        rate = settings
            .consumers
            .iter()
            .fold(rate, |rate, (id, quotas)| rate.consumer(id.as_str(), quotas.iter().copied()));
        if !settings.name.is_empty() {
            rate = rate.name(settings.name.as_str());
        }
        if let Some(route) = route {
            rate = rate.scope(scope(route));
        }
        rate = match settings.headers {
            LimitHeaders::Standard => rate,
            LimitHeaders::Legacy => rate.legacy_headers(),
            LimitHeaders::Off => rate.without_headers(),
        };
        if settings.dry_run {
            rate = rate.dry_run();
        }
        Some(Built { rate: Some(rate), concurrency })
    }
}

impl Place {
    fn open(&self, clock: &Clock) -> LocalStore {
        let store = LocalStore::new().clock(clock.clone());
        match self.max_keys {
            Some(most) => store.max_keys(most),
            None => store,
        }
    }
}

fn connect(settings: &RedisSettings, reader: &mut Reader<'_>) -> Option<RedisStore> {
    let urls = settings.redis.iter().map(|url| url.expose().to_owned());
    let mut builder = match settings.is_cluster() {
        true => RedisStore::cluster(urls),
        false => RedisStore::builder(urls.collect::<String>()),
    };
    if let Some(timeout) = settings.timeout {
        builder = builder.timeout(timeout);
    }
    if let Some(prefix) = &settings.prefix {
        builder = builder.prefix(prefix.as_str());
    }
    if settings.when_down {
        builder = builder.fail_closed();
    }
    if !settings.local_check {
        builder = builder.without_local_check();
    }
    let unusable = |error| {
        reader
            .error(settings.at.0, "the store's URL cannot be used")
            .help(format!("{error}; a password in it is percent-encoded"));
    };
    builder.build().map_err(unusable).ok()
}

/// A route, in words that are the same on every node: all that its requests have to be. No two routes have the same.
fn scope(route: &Matcher) -> String {
    let mut words = match &route.path.value {
        PathMatch::Exact(path) => format!("path {path}"),
        PathMatch::Prefix(prefix) => format!("path_prefix {prefix}"),
        PathMatch::Regex(regex) => format!("path_regex {regex}"),
    };
    // Writing to a string does not fail.
    for host in &route.hosts {
        let _ = write!(words, " host {}", host.value);
    }
    for method in &route.methods {
        let _ = write!(words, " method {}", method.value);
    }
    let mut values = |what: &str, name: &str, value: &ValueMatch| {
        let _ = match value {
            ValueMatch::Exact(value) => write!(words, " {what} {name} is {value}"),
            ValueMatch::Regex(regex) => write!(words, " {what} {name} like {regex}"),
        };
    };
    for (name, value) in &route.values.headers {
        values("header", name.as_str(), value);
    }
    for (name, value) in &route.values.query {
        values("query", name, value);
    }
    words
}

/// What requests are counted by.
fn key(settings: &CallerLimit) -> Key {
    let parts = settings.key.iter().map(|part| {
        let key = match part {
            // It is never missing.
            KeyPart::PrincipalOrIp => return Key::principal_or_ip(),
            KeyPart::Principal => Key::principal(),
            KeyPart::ClientIp => Key::client_ip(),
            KeyPart::Route => Key::route(),
            KeyPart::All => Key::everything(),
            KeyPart::Header(name) => Key::header(name.clone()),
        };
        match settings.missing {
            Some(Missing::ClientIp) => key.or_client_ip(),
            Some(Missing::Refuse) => key.or_refuse(),
            None => key,
        }
    });
    parts.reduce(Key::and).unwrap_or_else(Key::principal_or_ip)
}

/// The limits of a route, put together as its stack needs them.
#[derive(Default)]
pub(super) struct Together {
    /// Those that can be asked before it is known who calls.
    pub(super) before_auth: Option<RateLimit>,
    pub(super) after_auth: Option<RateLimit>,
    pub(super) concurrency: Vec<ConcurrencyLimitLayer>,
}

impl Together {
    /// Services are told who calls in the headers `told`: what a client writes into them is removed by the authentication.
    pub(super) fn of(limits: &[Limit], told: &[HeaderName]) -> Self {
        let rates = |after_auth: bool| {
            let rates = limits.iter().filter(|limit| limit.has_to_know(told) == after_auth);
            let rates = rates.filter_map(|limit| Some(limit.counted.built.rate.clone()?.cost(limit.cost)));
            rates.reduce(RateLimitLayer::beside).map(RateLimitLayer::into_policy)
        };
        Self {
            before_auth: rates(false),
            after_auth: rates(true),
            concurrency: limits.iter().filter_map(|limit| limit.counted.built.concurrency.clone()).collect(),
        }
    }
}
