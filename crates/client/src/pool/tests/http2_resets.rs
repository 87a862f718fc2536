//! Streams that are given up, and what their resets cost.

use super::*;

#[tokio::test]
async fn a_reset_that_nothing_pays_for_waits_for_its_turn() {
    // It answers nothing, and tells when a stream was reset.
    let (told, mut resets) = tokio::sync::mpsc::unbounded_channel();
    let (builder, _) = http2_origin(100, move |mut respond: h2::server::SendResponse<Bytes>| {
        let told = told.clone();
        async move {
            let reset = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            let _ = told.send((reset.ok(), std::time::Instant::now()));
        }
    })
    .await;
    let pool: Pool<Body> = builder.max_connections(1).build();
    let mut start = std::time::Instant::now();
    for index in 0..5_u32 {
        let connection = pool.checkout(Require::Any).await.expect("connects");
        let request = Request::get("http://origin/").body(Body::empty()).expect("a request");
        // Given up before it is answered. The first three are paid for.
        if index == 3 {
            start = std::time::Instant::now();
        }
        let given_up = tokio::time::timeout(Duration::from_millis(20), connection.send(request)).await;
        assert!(given_up.is_err());
    }
    for index in 0..5_u32 {
        let (reset, at) = resets.recv().await.expect("it is told");
        assert_eq!(reset, Some(h2::Reason::CANCEL));
        if let Some(turn @ 1..) = index.checked_sub(2) {
            let turn = Duration::from_millis(100) * turn;
            assert!(at >= start + turn, "reset {index} came after {:?}", at - start);
        }
    }
}

#[tokio::test]
async fn a_short_response_to_a_stream_that_was_given_up_spares_its_reset() {
    const HELD: usize = 90;
    // It answers as many requests as it is told to, and tells of each reset.
    let (told, answers) = tokio::sync::watch::channel(0);
    let (tell, mut resets) = tokio::sync::mpsc::unbounded_channel();
    let (requests, answered) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (requests, counter) = (Arc::new(requests), Arc::clone(&answered));
    let (builder, _) = http2_origin(100, move |mut respond: h2::server::SendResponse<Bytes>| {
        let (mut answers, tell, counter) = (answers.clone(), tell.clone(), Arc::clone(&counter));
        let number = requests.fetch_add(1, Ordering::SeqCst);
        async move {
            tokio::select! {
                _ = std::future::poll_fn(|cx| respond.poll_reset(cx)) => drop(tell.send(number)),
                _ = answers.wait_for(|answers| number < *answers) => {
                    if let Ok(mut body) = respond.send_response(Response::new(()), false) {
                        let _ = body.send_data(Bytes::from_static(b"short"), false);
                        let _ = body.send_data(Bytes::from_static(b"enough"), true);
                    }
                    counter.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    })
    .await;
    let pool: Pool<Body> = builder.max_connections(1).build();
    let give_up = async || {
        let connection = pool.checkout(Require::Any).await.expect("connects");
        let request = Request::get("http://origin/").body(Body::empty()).expect("a request");
        let given_up = tokio::time::timeout(Duration::from_millis(5), connection.send(request)).await;
        assert!(given_up.is_err());
    };
    // The first three are paid for. The last of the others would have its turn after nine seconds.
    for _ in 0..3 + HELD {
        give_up().await;
    }
    told.send_replace(3 + HELD);
    let start = std::time::Instant::now();
    while answered.load(Ordering::SeqCst) < HELD / 2 && start.elapsed() < Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    // What has ended well pays for the next one.
    let start = std::time::Instant::now();
    give_up().await;
    while resets.recv().await.expect("it is told") < 3 + HELD {}
    assert!(start.elapsed() < Duration::from_secs(8), "after {:?}", start.elapsed());
}
