//! What lines hold when more is asked for than the usual fields, and which requests leave one.

use gatewright_core::redact::Redaction;
use gatewright_trace::{LogFields, LogTemplate};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, SET_COOKIE, USER_AGENT};
use proptest::prelude::*;

use super::*;

impl Log {
    fn with_fields(self, fields: LogFields) -> Self {
        Self(self.0, self.1.with_fields(fields))
    }
}

const PARTNER: HeaderName = HeaderName::from_static("x-partner");

/// All that can be asked for.
fn everything() -> LogFields {
    LogFields::new()
        .request_header(USER_AGENT)
        .request_header(AUTHORIZATION)
        .request_header(PARTNER)
        .response_header(CONTENT_TYPE)
        .response_header(SET_COOKIE)
        .query(true)
        .redaction(Redaction::default().hide("card"))
        .start_lines(true)
}

async fn events(_: Request<Body>) -> Result<Response<Frames>, BoxError> {
    let response = Response::builder().header(CONTENT_TYPE, "text/event-stream; charset=utf-8");
    Ok(response.header(SET_COOKIE, "id=s3cr3t").body(Frames::of(["data: 1\n\n"]))?)
}

async fn drain<B: http_body::Body<Error: std::fmt::Debug>>(response: Response<B>) {
    response.into_body().collect().await.unwrap();
}

#[tokio::test]
async fn a_line_names_its_span_and_who_closed_the_exchange() {
    let log = Log::start();
    drain(send(&log, request("/"), service_fn(echo_ids)).await).await;
    let line = log.line();
    assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
    assert!(line.get("closed_by").is_none(), "{line}");

    let log = Log::start();
    let hangs = service_fn(async |_| Ok::<_, BoxError>(Response::new(Frames::of(["a"]).then_hangs())));
    drop(send(&log, request("/"), hangs).await);
    assert_eq!(log.line()["closed_by"], "client");

    for (kind, by) in
        [(ErrorKind::Closed, "upstream"), (ErrorKind::Timeout, "server"), (ErrorKind::RequestBody, "client")]
    {
        let log = Log::start();
        let fails = service_fn(async |_| Ok::<_, BoxError>(Response::new(Frames::of(["a"]).then_fails(kind))));
        let response = send(&log, request("/"), fails).await;
        assert!(response.into_body().collect().await.is_err());
        assert_eq!(log.line()["closed_by"], by, "{kind:?}");
    }
}

#[tokio::test]
async fn only_the_headers_that_are_named_are_kept_and_no_credential_is_shown() {
    let log = Log::start().with_fields(everything());
    let mut asked = request("/a?page=2&token=s3cr3t&card=s3cr3t");
    for (name, value) in [
        ("user-agent", "curl/8"),
        ("authorization", "Bearer s3cr3t"),
        ("x-partner", "one"),
        ("x-partner", "two"),
        ("cookie", "s3cr3t"),
        ("x-other", "other"),
    ] {
        asked.headers_mut().append(name, HeaderValue::from_static(value));
    }
    drain(send(&log, asked, service_fn(events)).await).await;
    let lines = log.lines();
    for line in &lines {
        assert_eq!(line["query"], "page=2&token=REDACTED&card=REDACTED");
        let request =
            serde_json::json!({"user-agent": "curl/8", "authorization": "REDACTED", "x-partner": "one, two"});
        assert_eq!(line["request_headers"], request);
        let response =
            serde_json::json!({"content-type": "text/event-stream; charset=utf-8", "set-cookie": "REDACTED"});
        assert_eq!(line["response_headers"], response);
    }
    assert!(!log.text().contains("s3cr3t") && !log.text().contains("other"), "{}", log.text());
}

#[tokio::test]
async fn a_stream_leaves_a_line_at_its_start_when_that_is_asked_for() {
    let log = Log::start().with_fields(everything());
    let response = send(&log, request("/events"), service_fn(events)).await;
    let start = log.line();
    assert_eq!((&start["event"], &start["status"]), (&"start".into(), &200.into()));
    assert!(start.get("duration_ms").is_none() && start.get("bytes_out").is_none(), "{start}");
    drain(response).await;
    let lines = log.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].get("event").is_none() && lines[1]["bytes_out"] == 9, "{}", lines[1]);
    assert_eq!(lines[0]["span_id"], lines[1]["span_id"]);

    let log = Log::start().with_fields(everything());
    drain(send(&log, request("/"), service_fn(echo_ids)).await).await;
    assert_eq!(log.lines().len(), 1, "no stream");
    let log = Log::start();
    drain(send(&log, request("/events"), service_fn(events)).await).await;
    assert_eq!(log.lines().len(), 1, "nobody asked");
}

#[tokio::test]
async fn a_share_of_a_route_leaves_lines_and_what_went_wrong_always_does() {
    let label = |name| Label::new(LabelKind::Route, name);
    let (sampled, silent, usual) = (label("sampled"), label("silent"), label("usual"));
    let fields = LogFields::new().sample(&sampled, 0.25).silence(&silent);
    let log = Log::start().with_fields(fields);
    for (route, status) in [(&sampled, 200), (&sampled, 404), (&silent, 200), (&silent, 500), (&usual, 200)] {
        let answers = service_fn(async |request: Request<Body>| {
            let record = request.extensions().get::<RequestRecord>().unwrap();
            record.with(|known| known.route = Some(route.clone()));
            Ok::<_, BoxError>(Response::builder().status(status).body(Body::empty()).unwrap())
        });
        for _ in 0..400 {
            drain(send(&log, request("/"), answers).await).await;
        }
    }
    let lines = log.lines();
    let count = |route: &str, status: u16| {
        lines.iter().filter(|line| line["route"] == route && line["status"] == status).count()
    };
    assert!((50..150).contains(&count("sampled", 200)), "{}", count("sampled", 200));
    assert_eq!((count("sampled", 404), count("usual", 200)), (400, 400));
    assert_eq!((count("silent", 200), count("silent", 500)), (0, 0));
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever stands in a path, a query, a header or the name of a principal: a line is one object, or one line of as many
    /// words as its template has.
    #[test]
    fn whatever_is_written_a_line_is_one_line(
        path in "/[!-~é\u{2028}]{0,20}",
        query in "[!-~é\u{85}]{0,20}",
        header in proptest::collection::vec(any::<u8>(), 0..30),
        principal in any::<String>(),
    ) {
        let Ok(uri) = format!("{path}?{query}").parse::<http::Uri>() else { return Ok(()) };
        let Ok(header) = HeaderValue::from_bytes(&header) else { return Ok(()) };
        let template = "{ts} {path} {query} \"{request_headers.x-partner}\" {principal}";
        for template in [None, Some(LogTemplate::parse(template).unwrap())] {
            let by_template = template.is_some();
            let fields = template.into_iter().fold(everything(), LogFields::template);
            let log = Log::start().with_fields(fields);
            let mut asked = Request::builder().uri(uri.clone()).body(Body::empty()).unwrap();
            asked.headers_mut().insert(PARTNER, header.clone());
            let answers = service_fn(async |request: Request<Body>| {
                let record = request.extensions().get::<RequestRecord>().unwrap();
                record.with(|known| known.principal = Some(Principal::builder(&*principal, "test").build()));
                events(request).await
            });
            run(async { drain(send(&log, asked, answers).await).await });
            let text = log.text();
            prop_assert_eq!(text.matches('\n').count(), 2, "{:?}", text);
            for line in text.lines() {
                prop_assert!(!line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{:?}", line);
                if by_template {
                    prop_assert_eq!(line.matches('"').count(), 2, "{:?}", line);
                    let outside: String = line.split('"').step_by(2).collect();
                    prop_assert_eq!(outside.matches(' ').count(), 4, "{:?}", line);
                } else {
                    let line: Value = serde_json::from_str(line).unwrap();
                    prop_assert_eq!(&line["principal"], &principal);
                    prop_assert_eq!(&line["request_headers"]["x-partner"], &*String::from_utf8_lossy(header.as_bytes()));
                }
            }
        }
    }
}
