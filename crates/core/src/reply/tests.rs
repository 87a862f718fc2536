use bytes::Bytes;
use http::{HeaderValue, header::RETRY_AFTER};

use super::*;
use crate::{Error, ErrorKind, Rejection, RequestRecord, problem};

fn parts(method: Method, content_type: Option<&str>) -> Parts {
    let mut request = Request::new(());
    *request.method_mut() = method;
    if let Some(content_type) = content_type {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(content_type).expect("a value"));
    }
    request.into_parts().0
}

fn call() -> Parts {
    parts(Method::POST, Some("application/grpc"))
}

fn grpc_of<B>(response: &Response<B>) -> (&str, &str) {
    let field = |name| response.headers()[name].to_str().expect("text");
    (field("grpc-status"), field("grpc-message"))
}

#[test]
fn a_post_of_grpcs_content_type_is_a_grpc_call_and_nothing_else_is() {
    for (content_type, expected) in [
        ("application/grpc", ReplyFormat::Grpc),
        ("application/grpc+proto", ReplyFormat::Grpc),
        ("application/grpc+json", ReplyFormat::Grpc),
        ("application/grpc;charset=utf-8", ReplyFormat::Grpc),
        ("application/grpc ; v=1", ReplyFormat::Grpc),
        ("Application/GRPC+Proto", ReplyFormat::Grpc),
        ("application/grpc-web", ReplyFormat::Problem),
        ("application/grpc-web+proto", ReplyFormat::Problem),
        ("application/grpc-web-text", ReplyFormat::Problem),
        ("application/grpcx", ReplyFormat::Problem),
        ("application/grp", ReplyFormat::Problem),
        ("application/json", ReplyFormat::Problem),
        ("text/plain, application/grpc", ReplyFormat::Problem),
        ("", ReplyFormat::Problem),
    ] {
        assert_eq!(ReplyFormat::of(&parts(Method::POST, Some(content_type))), expected, "{content_type}");
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::OPTIONS] {
            let request = parts(method, Some(content_type));
            assert_eq!(ReplyFormat::of(&request), ReplyFormat::Problem, "{content_type}");
        }
    }
    assert_eq!(ReplyFormat::of(&parts(Method::POST, None)), ReplyFormat::Problem);
}

#[test]
fn each_status_has_its_code() {
    for (status, code) in [
        (400, "13"),
        (401, "16"),
        (403, "7"),
        (404, "12"),
        (405, "2"),
        (408, "2"),
        (413, "8"),
        (429, "8"),
        (500, "2"),
        (502, "14"),
        (503, "14"),
        (504, "4"),
    ] {
        let status = StatusCode::from_u16(status).expect("a status");
        let response = Rejection::new(status, "test", "told_to").answer(&call());
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert_eq!(response.headers()["grpc-status"], code, "{status}");
        assert_eq!(response.body(), &Bytes::new());
        assert_eq!(status_meant(&response), status);
    }
}

#[test]
fn a_refusal_keeps_its_fields_and_its_id_whatever_its_form() {
    let refusal = Rejection::new(StatusCode::TOO_MANY_REQUESTS, "test", "over_limit")
        .detail("Slow down.")
        .header(RETRY_AFTER, 7.into())
        .header(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    let record = RequestRecord::new(None);
    record.with(|known| known.request_id = Some(HeaderValue::from_static("id-1")));
    for (mut request, status, content_types) in
        [(call(), 200, "application/grpc"), (parts(Method::GET, None), 429, "application/problem+json")]
    {
        request.extensions.insert(record.clone());
        let response = refusal.clone().answer(&request);
        assert_eq!((response.status().as_u16(), status_meant(&response).as_u16()), (status, 429));
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["x-request-id"], "id-1");
        assert_eq!(response.headers().get_all("content-type").iter().collect::<Vec<_>>(), [content_types]);
        assert_eq!(response.extensions().get::<Rejection>().map(Rejection::reason), Some("over_limit"));
        assert_eq!(
            record.with(|known| known.rejection.take()).map(|refusal| refusal.status().as_u16()),
            Some(429)
        );
    }
}

#[test]
fn a_message_is_printable_ascii() {
    for (detail, message) in [
        ("plain text, of ASCII: ~!", "plain text, of ASCII: ~!"),
        ("100%", "100%25"),
        ("zwölf", "zw%C3%B6lf"),
        ("a\r\nb\tc\0d\x7f", "a%0D%0Ab%09c%00d%7F"),
        ("\u{1f600}", "%F0%9F%98%80"),
        ("", ""),
    ] {
        let refusal = Rejection::new(StatusCode::FORBIDDEN, "test", "told_to").detail(detail);
        assert_eq!(grpc_of(&refusal.answer(&call())), ("7", message));
    }
    let without = Rejection::new(StatusCode::FORBIDDEN, "test", "told_to").answer(&call());
    assert_eq!(grpc_of(&without), ("7", "Forbidden"));
}

#[test]
fn a_failure_is_told_in_grpc_without_its_cause() {
    for (kind, code, message) in [
        (ErrorKind::Connect, "14", "The service is not available."),
        (ErrorKind::Overloaded, "14", "The service is at its limit of connections."),
        (ErrorKind::ResponseTimeout, "4", "The service did not answer in time."),
        (ErrorKind::RequestBody, "13", "The request body ended early or is not valid."),
        (ErrorKind::RequestBodyTooLarge, "8", "The request body is too large."),
        (ErrorKind::Internal, "2", "Internal Server Error"),
    ] {
        let error = Error::new(kind, "10.0.0.7:5432 refused, password hunter2");
        let response = problem::from_error(&error, ReplyFormat::of(&call()), None);
        assert_eq!(grpc_of(&response), (code, message), "{kind:?}");
        assert_eq!(status_meant(&response), problem::status(kind));
    }
}
