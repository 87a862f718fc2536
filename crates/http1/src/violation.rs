//! The rules that a peer can break.

/// A rule that a peer broke: the status of the answer, a stable word for logs, and a sentence for people.
///
/// A client that breaks a rule gets a status from 400 to 505. If an endpoint breaks a rule, the client gets 502.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Violation {
    status: u16,
    reason: &'static str,
    detail: &'static str,
}

impl Violation {
    const fn new(status: u16, reason: &'static str, detail: &'static str) -> Self {
        Self { status, reason, detail }
    }

    /// The status of the answer.
    pub fn status(self) -> u16 {
        self.status
    }

    /// A stable word for logs: `bare_lf`, `chunk_size`, …
    pub fn reason(self) -> &'static str {
        self.reason
    }

    /// A sentence for people.
    pub fn detail(self) -> &'static str {
        self.detail
    }
}

macro_rules! violations {
    ($($name:ident = $status:literal, $reason:literal, $detail:literal;)*) => {
        impl Violation {
            $(
                #[doc = $detail]
                pub const $name: Self = Self::new($status, $reason, $detail);
            )*
        }
    };
}

violations! {
    BARE_LF = 400, "bare_lf", "A line ends in LF without CR.";
    BARE_CR = 400, "bare_cr", "A CR is not followed by LF.";
    CONTROL = 400, "control_character", "The head holds a control character.";
    REQUEST_LINE = 400, "bad_request_line", "The request line is malformed.";
    METHOD = 400, "bad_method", "The method is malformed.";
    TARGET = 400, "bad_target", "The request target is malformed.";
    FRAGMENT = 400, "fragment_in_target", "The request target holds a fragment.";
    VERSION = 505, "http_version", "The HTTP version is not supported.";
    CONNECT = 405, "connect", "CONNECT is not allowed.";
    OBS_FOLD = 400, "obs_fold", "A header field is folded over lines.";
    FIELD_LINE = 400, "bad_field_line", "A header line holds no colon.";
    FIELD_NAME = 400, "bad_field_name", "A header name is malformed.";
    FIELD_NAME_REFUSED = 400, "unusual_field_name",
        "A header name holds other characters than letters, digits and hyphens (header_names: refuse).";
    FIELD_NAME_ALIAS = 400, "field_name_alias", "A header name reads like one that frames the message.";
    FIELD_VALUE = 400, "bad_field_value", "A header value is malformed, or begins or ends with white space.";
    HOST_MISSING = 400, "host_missing", "The Host header is missing.";
    HOST_DUPLICATE = 400, "host_duplicate", "There is more than one Host header.";
    HOST_MALFORMED = 400, "host_malformed", "The Host header is malformed.";
    HOST_MISMATCH = 400, "host_mismatch", "The Host header differs from the request target.";
    LENGTH = 400, "bad_content_length", "The Content-Length header is malformed.";
    LENGTH_DUPLICATE = 400, "content_length_duplicate", "There is more than one Content-Length header.";
    LENGTH_WITH_CODING = 400, "content_length_with_transfer_encoding",
        "Content-Length and Transfer-Encoding exclude each other.";
    CODING = 400, "bad_transfer_encoding", "The transfer coding is not exactly chunked.";
    CODING_DUPLICATE = 400, "transfer_encoding_duplicate", "There is more than one Transfer-Encoding header.";
    CODING_IN_1_0 = 400, "transfer_encoding_in_http_1_0", "HTTP/1.0 knows no Transfer-Encoding.";
    EXPECTATION = 417, "expectation", "Only 100-continue may be expected.";
    TOO_MANY_FIELDS = 431, "too_many_headers", "There are too many headers.";
    HEAD_TOO_LARGE = 431, "head_too_large", "The headers are too large.";
    TARGET_TOO_LONG = 414, "target_too_long", "The request target is too long.";
    CHUNK_SIZE = 400, "bad_chunk_size", "A chunk's size is malformed.";
    CHUNK_LINE_TOO_LONG = 400, "chunk_line_too_long", "A chunk's size line is too long.";
    CHUNK_EXTENSION = 400, "bad_chunk_extension", "A chunk's extension is malformed.";
    CHUNK_END = 400, "bad_chunk_end", "A chunk is not followed by CRLF.";
    TRAILER = 400, "bad_trailer", "A trailer field is not allowed in trailers.";
    TRAILERS_TOO_LARGE = 400, "trailers_too_large", "The trailer fields are too large.";
    SLOW_HEAD = 408, "slow_head", "The headers took too long to arrive.";
    SLOW_BODY = 408, "slow_body", "The request body took too long to arrive.";
    CHUNK_EXTENSIONS_TOO_LONG = 400, "chunk_extensions_too_long", "The chunk extensions are too long altogether.";
    MISDIRECTED = 421, "misdirected", "The TLS server name is not that of the Host header.";
    STATUS_LINE = 502, "bad_status_line", "The response's status line is malformed.";
    RESPONSE_HEAD_TOO_LARGE = 502, "response_head_too_large", "The response's head is too large (max_response_head).";
    RESPONSE_TOO_MANY_FIELDS = 502, "response_too_many_headers", "The response has too many header lines (max_response_headers).";
    NOT_HTTP1 = 502, "not_http1", "The response is no HTTP/1.";
    SPEAKS_HTTP2 = 502, "speaks_http2", "The endpoint speaks HTTP/2 and not HTTP/1 (protocol: http2).";
    SPEAKS_TLS = 502, "speaks_tls", "The endpoint speaks TLS (tls: on).";
    RESPONSE_LENGTH = 502, "bad_content_length", "The response's Content-Length is no number.";
    RESPONSE_LENGTHS_DIFFER = 502, "content_length_differs", "The response's lengths contradict each other.";
    RESPONSE_CODING = 502, "bad_transfer_encoding", "The response's Transfer-Encoding is not chunked.";
    RESPONSE_LENGTH_WITH_CODING = 502, "content_length_with_transfer_encoding",
        "The response has both Content-Length and Transfer-Encoding.";
    RESPONSE_CODING_IN_1_0 = 502, "transfer_encoding_in_http_1_0", "The response is HTTP/1.0, which knows no Transfer-Encoding.";
    SWITCHING_IN_1_0 = 502, "switching_in_http_1_0", "The response is HTTP/1.0, which knows no 101.";
}
