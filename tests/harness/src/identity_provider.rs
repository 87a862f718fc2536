//! An identity provider over TLS: discovery, keys that rotate, introspection, and all that can go wrong with it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};

use crate::{Ca, Origin, Reply, Request, Script, Step};

/// An identity provider at `https://localhost:PORT`, which closes each connection after one answer. It goes when
/// dropped.
#[derive(Debug)]
pub struct IdentityProvider {
    origin: Origin,
    state: Arc<State>,
}

/// How an identity provider is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It answers.
    #[default]
    Well,
    /// It answers 503.
    Failing,
    /// It answers 200 and a page.
    Confused,
    /// It takes questions, and says nothing.
    Silent,
    /// It closes connections before the handshake.
    Closed,
}

#[derive(Debug, Default)]
struct State {
    address: Mutex<Option<SocketAddr>>,
    condition: Mutex<Condition>,
    keys: Mutex<Vec<Value>>,
    cache_control: Mutex<Option<String>>,
    tokens: Mutex<HashMap<String, Value>>,
    fetches: AtomicUsize,
    discoveries: AtomicUsize,
    questions: AtomicUsize,
}

impl IdentityProvider {
    /// A provider without keys, whose certificate this authority issues.
    pub async fn start(ca: &Ca) -> Self {
        let state = Arc::new(State::default());
        let tls = ca.server(&["localhost", "127.0.0.1"]).server_config(&["http/1.1"]);
        let script = {
            let state = Arc::clone(&state);
            move |_| state.script()
        };
        let origin = Origin::start_tls(tls, script).await;
        *state.address.lock().unwrap() = Some(origin.address());
        Self { origin, state }
    }

    /// What its tokens name as their issuer.
    pub fn issuer(&self) -> String {
        self.state.issuer()
    }

    /// Where its keys are.
    pub fn jwks_url(&self) -> String {
        format!("{}keys", self.issuer())
    }

    /// Where it is asked about tokens, by `gateway` with the secret `s3cret`.
    pub fn introspection_url(&self) -> String {
        format!("{}introspect", self.issuer())
    }

    /// Publishes these keys, and no others any more.
    pub fn publish(&self, keys: impl IntoIterator<Item = Value>) {
        *self.state.keys.lock().unwrap() = keys.into_iter().collect();
    }

    /// Sends this `Cache-Control` with its keys.
    pub fn cache_control(&self, value: &str) {
        *self.state.cache_control.lock().unwrap() = Some(value.to_owned());
    }

    /// What it says of an opaque token; of others it says that they are not active.
    pub fn knows(&self, token: &str, answer: Value) {
        self.state.tokens.lock().unwrap().insert(token.to_owned(), answer);
    }

    /// Forgets an opaque token.
    pub fn revoke(&self, token: &str) {
        self.state.tokens.lock().unwrap().remove(token);
    }

    /// From the next connection on, it is so.
    pub fn becomes(&self, condition: Condition) {
        *self.state.condition.lock().unwrap() = condition;
    }

    /// How often its keys were asked for.
    pub fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::SeqCst)
    }

    /// How often its configuration was asked for.
    pub fn discoveries(&self) -> usize {
        self.state.discoveries.load(Ordering::SeqCst)
    }

    /// How often it was asked about a token.
    pub fn questions(&self) -> usize {
        self.state.questions.load(Ordering::SeqCst)
    }

    /// How many connections it has taken.
    pub fn connections(&self) -> usize {
        self.origin.accepted()
    }
}

impl State {
    fn issuer(&self) -> String {
        let address = self.address.lock().unwrap().expect("it listens before it is asked");
        format!("https://localhost:{}/", address.port())
    }

    fn script(self: &Arc<Self>) -> Script {
        let condition = *self.condition.lock().unwrap();
        let state = Arc::clone(self);
        let answer = move |request: &Request| state.answer(request, condition).to_h1();
        match condition {
            Condition::Closed => vec![Step::Reset],
            Condition::Silent => vec![Step::Head, Step::Hang],
            _ => vec![Step::Head, Step::Body, Step::Answer(Arc::new(answer))],
        }
    }

    fn answer(&self, request: &Request, condition: Condition) -> Reply {
        let reply = match request.target() {
            "/.well-known/openid-configuration" => {
                self.discoveries.fetch_add(1, Ordering::SeqCst);
                let issuer = self.issuer();
                json(&json!({"issuer": issuer, "jwks_uri": format!("{issuer}keys")}))
            }
            "/keys" => {
                self.fetches.fetch_add(1, Ordering::SeqCst);
                let reply = json(&json!({"keys": *self.keys.lock().unwrap()}));
                match &*self.cache_control.lock().unwrap() {
                    Some(value) => reply.field("cache-control", value),
                    None => reply,
                }
            }
            "/introspect" => {
                self.questions.fetch_add(1, Ordering::SeqCst);
                self.introspect(request)
            }
            _ => Reply::new(404),
        };
        match condition {
            Condition::Failing => Reply::new(503),
            Condition::Confused => Reply::text("<html>").field("content-type", "text/html"),
            _ => reply,
        }
        .field("connection", "close")
    }

    fn introspect(&self, request: &Request) -> Reply {
        // `gateway:s3cret`
        if request.header("authorization") != Some("Basic Z2F0ZXdheTpzM2NyZXQ=") {
            return Reply::new(401);
        }
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let token = body.split('&').find_map(|pair| pair.strip_prefix("token="));
        let tokens = self.tokens.lock().unwrap();
        let known = token.and_then(|token| tokens.get(token)).cloned();
        json(&known.unwrap_or(json!({"active": false})))
    }
}

fn json(value: &Value) -> Reply {
    Reply::text(value.to_string()).field("content-type", "application/json")
}
