//! How a request ends, and what its line says of the end.

use super::*;

#[tokio::test]
async fn a_client_that_leaves_before_the_response_is_a_499() {
    let log = Log::start();
    let service = log.layer().layer(service_fn(|_: Request<Body>| async {
        std::future::pending::<Result<Response<Body>, BoxError>>().await
    }));
    let response = tokio::time::timeout(Duration::from_millis(10), service.oneshot(request("/slow"))).await;
    assert!(response.is_err());
    let line = log.line();
    assert_eq!((&line["status"], &line["rejection"]), (&499.into(), &"client:gone".into()));
    assert_eq!(line["path"], "/slow");
}

#[tokio::test]
async fn what_the_server_cuts_is_not_said_to_be_its_clients_doing() {
    for begun in [false, true] {
        let log = Log::start();
        let request = from_peer(request("/"), "192.0.2.1:1");
        let record = RequestRecord::of(request.extensions()).unwrap().clone();
        let service = service_fn(move |_| async move {
            if !begun {
                std::future::pending::<()>().await;
            }
            Ok::<_, BoxError>(Response::new(Frames::of(["one"]).then_hangs()))
        });
        let response =
            tokio::time::timeout(Duration::from_millis(10), log.layer().layer(service).oneshot(request)).await;
        assert_eq!((response.is_ok(), log.lines().len()), (begun, usize::from(!begun)));
        record.connection().unwrap().set_cut();
        drop(response);
        let line = log.line();
        let expected = if begun { (200, "server:cut") } else { (499, "client:gone") };
        assert_eq!((&line["status"], &line["rejection"]), (&expected.0.into(), &expected.1.into()));
    }
}

#[tokio::test]
async fn a_future_that_is_never_polled_leaves_a_line() {
    let log = Log::start();
    let mut service = log.layer().layer(service_fn(echo_ids));
    drop(service.ready().await.unwrap().call(request("/")));
    assert_eq!(log.line()["status"], 499);
}

#[tokio::test]
async fn a_client_that_leaves_within_the_body_keeps_the_status() {
    let log = Log::start();
    let inner = service_fn(|_| async { Ok::<_, BoxError>(Response::new(Frames::of(["one"]).then_hangs())) });
    let mut body = send(&log, request("/"), inner).await.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(log.lines().len(), 0, "the request is not over");
    drop(body);
    let line = log.line();
    assert_eq!((&line["status"], &line["rejection"]), (&200.into(), &"client:gone".into()));
    assert_eq!(line["bytes_out"], 3);
}

#[tokio::test]
async fn a_body_that_the_server_needs_not_read_to_its_end_is_complete() {
    let known_length = || Response::new(Body::once("four"));
    let declared_length = || {
        let body = Body::new(Frames::of(["four"]).then_hangs());
        Response::builder().header("content-length", "4").body(body).unwrap()
    };
    let unread = |status: u16| {
        let body = Body::new(Frames::of([]).then_hangs());
        Response::builder().status(status).body(body).unwrap()
    };
    for (method, response, frames) in [
        (Method::GET, known_length(), 1),
        (Method::GET, declared_length(), 1),
        (Method::GET, Response::new(Body::empty()), 0),
        (Method::GET, unread(204), 0),
        (Method::GET, unread(304), 0),
        (Method::GET, unread(101), 0),
        (Method::HEAD, known_length(), 0),
    ] {
        let log = Log::start();
        let mut request = request("/");
        *request.method_mut() = method;
        let mut response = Some(response);
        let inner = service_fn(move |_| ready(Ok::<_, BoxError>(response.take().unwrap())));
        let mut body = send(&log, request, inner).await.into_body();
        for _ in 0..frames {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        assert_eq!(log.line().get("rejection"), None);
    }
}

#[tokio::test]
async fn a_body_that_fails_says_which_way() {
    let log = Log::start();
    let inner = service_fn(|_| async {
        Ok::<_, BoxError>(Response::new(Frames::of(["one"]).then_fails(ErrorKind::Closed)))
    });
    assert!(send(&log, request("/"), inner).await.into_body().collect().await.is_err());
    let line = log.line();
    assert_eq!((&line["status"], &line["rejection"]), (&200.into(), &"error:closed".into()));
}

#[tokio::test]
async fn a_services_error_passes_through_and_has_no_status() {
    let log = Log::start();
    let failing = |kind| service_fn(move |_| ready(Err::<Response<Body>, _>(Error::new(kind, "on purpose"))));
    let error = log.layer().layer(failing(ErrorKind::ConnectTimeout)).oneshot(request("/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
    let line = log.line();
    assert_eq!(line["rejection"], "error:connect_timeout");
    assert_eq!(line.get("status"), None);
}

#[tokio::test]
async fn a_refusal_is_labelled_whether_it_stands_in_the_record_or_in_the_response() {
    let refusal = || Rejection::new(StatusCode::TOO_MANY_REQUESTS, "rate-limit", "over_limit");
    let in_record = Log::start();
    let inner = service_fn(|request: Request<Body>| async move {
        RequestRecord::of(request.extensions()).unwrap().with(|known| known.rejection = Some(refusal()));
        Ok::<_, BoxError>(Response::builder().status(429).body(Body::empty()).unwrap())
    });
    drop(send(&in_record, request("/"), inner).await);
    let in_response = Log::start();
    let inner = service_fn(|_| async {
        Ok::<_, BoxError>(refusal().into_response(ReplyFormat::Problem, None).map(Body::from))
    });
    drop(send(&in_response, request("/"), inner).await.into_body().collect().await.unwrap());
    for log in [in_record, in_response] {
        let line = log.line();
        assert_eq!((&line["status"], &line["rejection"]), (&429.into(), &"rate-limit:over_limit".into()));
    }
}

#[tokio::test]
async fn a_panic_inside_leaves_a_line_that_blames_no_client() {
    let log = Log::start();
    let service = log.layer().layer(service_fn(|_: Request<Body>| async {
        panic!("on purpose");
        #[allow(unreachable_code, reason = "gives the closure its type")]
        Ok::<_, BoxError>(Response::new(Body::empty()))
    }));
    assert!(tokio::spawn(service.oneshot(request("/"))).await.unwrap_err().is_panic());
    assert_eq!(log.line()["rejection"], "error:internal");
}
