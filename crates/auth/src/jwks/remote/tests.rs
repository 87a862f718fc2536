//! The refresher against a provider that is made up, and a clock that is wound.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, advance, sleep};

use super::{
    fetch::{Fetch, Fetched},
    refresher::Remote,
};
use crate::{
    jwks::{Allowed, Jwks},
    jwt::Algorithm,
    provider::NoAnswer,
};

/// A provider that answers as it is told, after a while.
#[derive(Clone, Default)]
struct Provider(Arc<State>);

#[derive(Default)]
struct State {
    fetches: AtomicUsize,
    answer: Mutex<Option<Fetched>>,
    takes: Mutex<Duration>,
}

impl Provider {
    fn answers(&self, kids: &[&str], fresh: u64) {
        let key = |kid: &&str| {
            format!(
                r#"{{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"{kid}"}}"#
            )
        };
        let keys: Vec<String> = kids.iter().map(key).collect();
        let text = format!(r#"{{"keys":[{}]}}"#, keys.join(",")).into();
        *self.0.answer.lock().expect("sound") = Some(Fetched { text, fresh: Duration::from_secs(fresh) });
    }

    fn answers_nonsense(&self) {
        let fetched = Fetched { text: "<html>".into(), fresh: Duration::ZERO };
        *self.0.answer.lock().expect("sound") = Some(fetched);
    }

    fn is_away(&self) {
        *self.0.answer.lock().expect("sound") = None;
    }

    fn takes(&self, time: Duration) {
        *self.0.takes.lock().expect("sound") = time;
    }

    fn fetches(&self) -> usize {
        self.0.fetches.load(Ordering::SeqCst)
    }

    fn keys(&self) -> Remote {
        Remote::new("a test", self.clone())
    }
}

impl Fetch for Provider {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<Fetched, NoAnswer>> + Send + '_>> {
        Box::pin(async move {
            self.0.fetches.fetch_add(1, Ordering::SeqCst);
            let takes = *self.0.takes.lock().expect("sound");
            sleep(takes).await;
            let answer = self.0.answer.lock().expect("sound").clone();
            answer.ok_or(NoAnswer::because("away"))
        })
    }
}

fn has(keys: &Remote, kid: &str) -> bool {
    keys.load().is_some_and(|(keys, _)| keys.candidates(Some(kid), Algorithm::EdDsa, Allowed::Unlisted).is_ok())
}

/// As a token of a key that is not known does.
async fn ask(keys: &Remote) -> bool {
    match keys.newer() {
        Some(fetching) => {
            fetching.ended().await;
            true
        }
        None => false,
    }
}

/// Lets the task run, without much time going by.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_who_needs_keys_waits_for_them_and_all_others_with_it() {
    let provider = Provider::default();
    provider.answers(&["a"], 600);
    provider.takes(Duration::from_secs(1));
    let keys = Arc::new(provider.keys());
    assert_eq!(provider.fetches(), 0);
    let waiting: Vec<_> = (0..1000)
        .map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { ask(&keys).await && has(&keys, "a") })
        })
        .collect();
    for waiting in waiting {
        assert!(waiting.await.expect("no panic"));
    }
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_cause_one_fetch_in_30_seconds_however_many_they_are() {
    let provider = Provider::default();
    provider.answers(&["a"], 3600);
    let keys = provider.keys();
    keys.keep_running();
    settle().await;
    assert_eq!(provider.fetches(), 1);
    let begun = Instant::now();
    assert!(ask(&keys).await);
    for _ in 0..10_000 {
        assert!(!ask(&keys).await);
        advance(Duration::from_micros(2900)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(provider.fetches(), 2);
    advance(Duration::from_secs(1)).await;
    provider.answers(&["a", "b"], 3600);
    assert!(ask(&keys).await);
    assert!(has(&keys, "b"));
    for _ in 0..10_000 {
        assert!(!ask(&keys).await);
    }
    assert_eq!(provider.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn whatever_a_fetch_was_for_there_is_no_other_for_30_seconds() {
    let provider = Provider::default();
    provider.answers(&["a"], 60);
    let keys = provider.keys();
    keys.keep_running();
    sleep(Duration::from_secs(61)).await;
    assert_eq!(provider.fetches(), 2, "they had aged");
    for _ in 0..29 {
        assert!(!ask(&keys).await);
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(provider.fetches(), 2);
    // Nor while the provider is away: then those that are due are those of the tokens too.
    provider.is_away();
    let (begun, before) = (Instant::now(), provider.fetches());
    while begun.elapsed() < Duration::from_secs(600) {
        ask(&keys).await;
        sleep(Duration::from_millis(100)).await;
    }
    assert!(provider.fetches() - before <= 600 / 30 + 1, "{}", provider.fetches() - before);
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_found_at_once_by_the_first_token_of_it() {
    let provider = Provider::default();
    provider.answers(&["a"], 3600);
    let keys = provider.keys();
    // The first fetch is nobody's turn, even when somebody asks for it.
    assert!(ask(&keys).await);
    assert!(has(&keys, "a"));
    provider.answers(&["b"], 3600);
    assert!(ask(&keys).await);
    assert!(has(&keys, "b") && !has(&keys, "a"));
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_again_when_they_have_aged_within_bounds() {
    for (fresh, expected) in [(0, 60), (300, 300), (1_000_000, 3600)] {
        let provider = Provider::default();
        provider.answers(&["a"], fresh);
        let keys = provider.keys();
        keys.keep_running();
        settle().await;
        assert_eq!(provider.fetches(), 1);
        sleep(Duration::from_secs(expected - 1)).await;
        assert_eq!(provider.fetches(), 1, "{fresh}");
        sleep(Duration::from_secs(2)).await;
        assert_eq!(provider.fetches(), 2, "{fresh}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_go_on_while_the_provider_is_away_and_when_it_answers_nonsense() {
    let provider = Provider::default();
    provider.answers(&["a"], 60);
    let keys = provider.keys();
    keys.keep_running();
    settle().await;
    let generation = keys.generation();
    provider.is_away();
    sleep(Duration::from_secs(24 * 60 * 60)).await;
    assert!(has(&keys, "a"));
    provider.answers_nonsense();
    sleep(Duration::from_secs(3600)).await;
    assert!(has(&keys, "a"));
    assert_eq!(keys.generation(), generation);
    // Every 30 seconds, no more.
    assert!(provider.fetches() <= 25 * 120 + 1, "{}", provider.fetches());
    provider.answers(&["b"], 60);
    sleep(Duration::from_secs(31)).await;
    assert!(has(&keys, "b"));
    assert_eq!(keys.generation(), generation + 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_comes_late_is_found_soon() {
    let provider = Provider::default();
    let keys = provider.keys();
    keys.keep_running();
    settle().await;
    assert_eq!((provider.fetches(), keys.load().is_some()), (1, false));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(provider.fetches(), 2);
    provider.answers(&["a"], 60);
    sleep(Duration::from_secs(2)).await;
    assert!(has(&keys, "a"));
}

/// The warnings of the log.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("sound"))
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(String);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().expect("sound").push(message.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn keys_that_fit_no_allowed_algorithm_are_told_of_at_each_fetch() {
    const WHY: &str = "no key verifies RS256: there are keys for EdDSA; every token is refused: list the algorithm that the \
                       issuer signs with under `algorithms`";
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let provider = Provider::default();
    provider.answers(&["a"], 60);
    let keys = provider.keys();
    let wrong: Arc<[Algorithm]> = Arc::new([Algorithm::Rs256]);
    let right: Arc<[Algorithm]> = Arc::new([Algorithm::Rs256, Algorithm::EdDsa]);
    keys.expect(&wrong);
    keys.expect(&wrong);
    keys.expect(&right);
    keys.keep_running();
    settle().await;
    assert_eq!(warnings.take(), [WHY]);
    // They come again as they were.
    sleep(Duration::from_secs(61)).await;
    assert_eq!((provider.fetches(), warnings.take()), (2, vec![WHY.to_owned()]));
    // Whoever asked for it is gone.
    drop(wrong);
    sleep(Duration::from_secs(61)).await;
    assert_eq!((provider.fetches(), warnings.take()), (3, Vec::new()));
    // The keys are there already.
    let wrong: Arc<[Algorithm]> = Arc::new([Algorithm::Rs256]);
    keys.expect(&wrong);
    assert_eq!(warnings.take(), [WHY]);
}

#[tokio::test(start_paused = true)]
async fn the_same_keys_again_are_no_change() {
    let provider = Provider::default();
    provider.answers(&["a"], 60);
    let keys = provider.keys();
    keys.keep_running();
    settle().await;
    let generation = keys.generation();
    sleep(Duration::from_secs(600)).await;
    assert!(provider.fetches() > 5);
    assert_eq!(keys.generation(), generation);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_once_the_keys_are_dropped() {
    let provider = Provider::default();
    provider.answers(&["a"], 60);
    let keys = provider.keys();
    keys.keep_running();
    settle().await;
    drop(keys);
    // What was under way has let go of the provider: this is the last one who holds it.
    settle().await;
    assert_eq!(Arc::strong_count(&provider.0), 1);
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_fetch_that_is_dropped() {
    let provider = Provider::default();
    provider.takes(Duration::from_secs(3600));
    let keys = provider.keys();
    let fetching = keys.newer().expect("a fetch");
    settle().await;
    drop(keys);
    let begun = Instant::now();
    fetching.ended().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[test]
fn another_runtime_goes_on_when_the_first_has_ended() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let provider = Provider::default();
    provider.answers(&["a"], 60);
    let keys = provider.keys();
    // Without a runtime there is nobody to wait for.
    assert!(keys.newer().is_none());
    let first = runtime();
    first.block_on(async { assert!(ask(&keys).await) });
    drop(first);
    provider.answers(&["b"], 60);
    runtime().block_on(async {
        keys.keep_running();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(has(&keys, "b"));
    });
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_from_afar_say_nothing_until_they_are_fetched_and_can_be_asked_for() {
    let provider = Provider::default();
    provider.answers(&["a"], 600);
    let keys = Jwks::of_remote(provider.keys());
    assert_eq!(keys.algorithms(None), None);
    keys.newer().expect("a fetch").ended().await;
    assert_eq!(keys.algorithms(None), Some(vec![Algorithm::EdDsa]));
    let fixed = Jwks::secret(Algorithm::Hs256, &[7; 32]).expect("is long enough");
    assert!(fixed.newer().is_none());
}
