//! Limits, each built once and shared by its routes.

use std::{
    collections::HashMap,
    fmt::Write,
    hash::{Hash, Hasher},
    sync::Arc,
};

use gatewright_rate_limit::{
    ConcurrencyLimitLayer, Key, LocalStore, RateLimit, RateLimitLayer, RedisStore, Store,
};

use http::HeaderName;

use crate::{
    read::Reader,
    settings::{
        CallerLimit, KeyPart, LimitHeaders, LimitRef, Matcher, Missing, PathMatch, RedisSettings, ValueMatch,
    },
};

/// The limits of a file. One that says the same as before goes on with its counts.
#[derive(Default)]
pub(super) struct Limits {
    built: HashMap<Arc<Identity>, Built>,
    before: HashMap<Arc<Identity>, Built>,
    named: HashMap<String, Option<Counted>>,
    local: HashMap<Place, LocalStore>,
    local_before: HashMap<Place, LocalStore>,
    /// One a setting, so that limits on the same server share its connections.
    redis: HashMap<RedisSettings, RedisStore>,
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

/// A limit and what it counts. Two are equal when they are built of the same.
#[derive(Clone)]
struct Counted {
    identity: Arc<Identity>,
    built: Built,
}

/// A limit as a route uses it.
#[derive(Clone)]
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

impl PartialEq for Limit {
    fn eq(&self, other: &Self) -> bool {
        self.cost == other.cost && self.counted.identity == other.counted.identity
    }
}

impl Eq for Limit {}

impl Hash for Limit {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.cost, &self.counted.identity).hash(state);
    }
}

impl Limits {
    /// Limits in the place of these, of which nothing is built yet.
    pub(super) fn following(before: Option<&Self>) -> Self {
        Self {
            before: before.map(|before| before.built.clone()).unwrap_or_default(),
            local_before: before.map(|before| before.local.clone()).unwrap_or_default(),
            redis: before.map(|before| before.redis.clone()).unwrap_or_default(),
            ..Self::default()
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
        let identity = Identity { settings: settings.clone(), of: route.cloned() };
        if let Some((identity, built)) = self.before.get_key_value(&identity) {
            let counted = Counted { identity: Arc::clone(identity), built: built.clone() };
            let place = Place::of(settings, route);
            if let Some(store) = self.local_before.get(&place) {
                self.local.insert(place, store.clone());
            }
            self.built.insert(Arc::clone(identity), built.clone());
            return Some(counted);
        }
        let built = self.new_one(settings, route, reader)?;
        let identity = Arc::new(identity);
        self.built.insert(Arc::clone(&identity), built.clone());
        Some(Counted { identity, built })
    }

    fn new_one(
        &mut self,
        settings: &CallerLimit,
        route: Option<&Matcher>,
        reader: &mut Reader<'_>,
    ) -> Option<Built> {
        let concurrency = settings.concurrent.map(|most| {
            let layer = ConcurrencyLimitLayer::new(most).key(key(settings));
            if settings.dry_run { layer.dry_run() } else { layer }
        });
        let [first, others @ ..] = &*settings.quotas else { return Some(Built { rate: None, concurrency }) };
        let store: Store = match &settings.store {
            Some(redis) => self.redis(redis, reader)?.into(),
            None => self.local(Place::of(settings, route)).into(),
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

    /// The counts that were there before, or none.
    fn local(&mut self, place: Place) -> LocalStore {
        let known = self.local.get(&place).or_else(|| self.local_before.get(&place)).cloned();
        let store = known.unwrap_or_else(|| match place.max_keys {
            Some(most) => LocalStore::new().max_keys(most),
            None => LocalStore::new(),
        });
        self.local.insert(place, store.clone());
        store
    }

    fn redis(&mut self, settings: &RedisSettings, reader: &mut Reader<'_>) -> Option<RedisStore> {
        if let Some(store) = self.redis.get(settings) {
            return Some(store.clone());
        }
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
        match builder.build() {
            Ok(store) => {
                self.redis.insert(settings.clone(), store.clone());
                Some(store)
            }
            Err(error) => {
                reader
                    .error(settings.at.0, "the store's URL cannot be used")
                    .help(format!("{error}; a password in it is percent-encoded"));
                None
            }
        }
    }

    /// Forgets those of before, and the connections that no limit uses any more.
    pub(super) fn settle(&mut self) {
        self.before = HashMap::new();
        self.local_before = HashMap::new();
        let built = &self.built;
        let is_used = |redis: &RedisSettings| {
            built.keys().any(|identity| identity.settings.store.as_ref() == Some(redis))
        };
        self.redis.retain(|redis, _| is_used(redis));
    }
}

impl Place {
    fn of(settings: &CallerLimit, route: Option<&Matcher>) -> Self {
        Self { name: settings.name.clone(), route: route.cloned(), max_keys: settings.max_keys }
    }
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
