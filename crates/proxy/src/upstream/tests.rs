use super::*;

fn upstream(targets: &[&str]) -> Upstream {
    let builder = targets.iter().fold(Upstream::builder("u"), |builder, target| builder.target(*target));
    builder.build().expect("builds")
}

fn targets(targets: &[(&str, u32)]) -> Vec<(Target, u32)> {
    targets.iter().map(|(target, weight)| (target.parse().expect("a target"), *weight)).collect()
}

/// The labels and the ids of the endpoints.
fn endpoints(upstream: &Upstream) -> Vec<(String, EndpointId)> {
    let set = upstream.inner.endpoints.load();
    set.endpoints().iter().map(|endpoint| (endpoint.label.to_string(), endpoint.id())).collect()
}

fn picked(upstream: &Upstream, failed: Option<EndpointId>) -> EndpointId {
    upstream.pick(failed, Instant::now()).expect("there is one").endpoint().id()
}

#[test]
fn a_failed_target_is_passed_over() {
    let two = upstream(&["a:1", "b:1"]);
    let [(_, first), (_, second)] = &endpoints(&two)[..] else { panic!("two endpoints") };
    for _ in 0..4 {
        assert_eq!(picked(&two, Some(*first)), *second);
    }
    let alone = upstream(&["a:1"]);
    let only = endpoints(&alone)[0].1;
    assert_eq!(picked(&alone, Some(only)), only);
}

#[test]
fn an_upstream_tells_its_name_and_its_targets() {
    let upstream = Upstream::builder("orders").target("a:1").weighted_target("b:2", 3).build().expect("builds");
    assert_eq!(&**upstream.name(), "orders");
    let targets: Vec<String> = upstream.targets().iter().map(ToString::to_string).collect();
    assert_eq!(targets, ["a:1", "b:2"]);
    let proxy = crate::ProxyService::builder().upstream(upstream).build().expect("builds");
    assert_eq!(proxy.upstream().targets().len(), 2);
    let said = format!("{proxy:?}");
    assert!(said.contains("orders") && said.contains("b:2"), "{said}");
}

#[test]
fn a_target_that_stays_keeps_its_endpoint() {
    let upstream = upstream(&["a:1", "b:1", "b:1"]);
    let before = endpoints(&upstream);
    upstream.set_targets(targets(&[("b:1", 5), ("c:1", 1), ("b:1", 1), ("b:1", 1)])).expect("is right");
    let after = endpoints(&upstream);
    assert_eq!(after.iter().map(|(label, _)| &**label).collect::<Vec<_>>(), ["b:1", "c:1", "b:1", "b:1"]);
    assert_eq!((after[0].1, after[2].1), (before[1].1, before[2].1));
    assert!(before.iter().all(|(_, known)| *known != after[1].1 && *known != after[3].1));
    let turns = (0..8).filter(|_| picked(&upstream, None) == after[0].1).count();
    assert_eq!(turns, 5, "its weight is the new one");
}

#[test]
fn a_change_that_is_wrong_changes_nothing() {
    let upstream = upstream(&["a:1"]);
    let before = endpoints(&upstream);
    for weight in [0, 101] {
        let error = upstream.set_targets(targets(&[("b:1", 1), ("c:1", weight)])).expect_err("is refused");
        assert!(error.to_string().contains("from 1 to 100"), "{error}");
        assert_eq!(endpoints(&upstream), before);
    }
}

#[test]
fn without_an_endpoint_nothing_is_picked() {
    let upstream = upstream(&["a:1"]);
    upstream.set_targets([]).expect("is right");
    let error = upstream.pick(None, Instant::now()).expect_err("there is none");
    assert_eq!(error.kind(), ErrorKind::NoEndpoint);
    assert!(error.is_connect() && error.is_unsent());
    let empty = Upstream::builder("u").without_targets().build().expect("builds");
    assert!(empty.targets().is_empty() && empty.pick(None, Instant::now()).is_err());
    empty.set_targets(targets(&[("a:1", 1)])).expect("is right");
    assert_eq!(empty.pick(None, Instant::now()).expect("there is one").endpoint().label.as_str(), "a:1");
}

#[test]
fn an_endpoint_is_there_until_its_last_pick_is_gone() {
    let upstream = upstream(&["a:1"]);
    let pick = upstream.pick(None, Instant::now()).expect("there is one");
    let endpoint = Arc::downgrade(&upstream.inner.endpoints.load().endpoints()[0]);
    upstream.set_targets([]).expect("is right");
    assert!(endpoint.upgrade().is_some());
    drop(pick);
    assert!(endpoint.upgrade().is_none());
}
