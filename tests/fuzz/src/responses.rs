//! A plain reader of what a server wrote.

/// A final response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub number: Option<String>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, Vec<u8>)>,
    /// Whether it says that the connection closes after it.
    pub closes: bool,
}

/// Reads all of them; `is_head` says of each whether its request was a HEAD. Panics on what is no HTTP/1, and on a
/// message that is cut short.
pub fn read(mut bytes: &[u8], is_head: impl Fn(usize) -> bool) -> Vec<Response> {
    let mut responses = Vec::new();
    while !bytes.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut fields);
        let length = match head.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            other => panic!("{other:?}: {}", bytes[..bytes.len().min(200)].escape_ascii()),
        };
        bytes = &bytes[length..];
        let status = head.code.expect("a whole head");
        if status < 200 {
            continue;
        }
        let value = |name: &str| {
            let mut found = head.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
            let value = found.next().map(|field| String::from_utf8(field.value.to_vec()).expect("text"));
            assert!(found.next().is_none(), "{name} comes twice");
            value
        };
        let mut response = Response {
            status,
            number: value("x-number"),
            body: Vec::new(),
            trailers: Vec::new(),
            closes: value("connection").as_deref() == Some("close"),
        };
        if !is_head(responses.len()) && status != 204 && status != 304 {
            bytes = match (value("content-length"), value("transfer-encoding").as_deref()) {
                (Some(length), None) => {
                    let (body, rest) = bytes.split_at(length.parse().expect("a length"));
                    response.body = body.to_vec();
                    rest
                }
                (None, Some("chunked")) => chunks(bytes, &mut response),
                (None, None) => {
                    response.body = bytes.to_vec();
                    &[]
                }
                other => panic!("framed in two ways: {other:?}"),
            };
        }
        responses.push(response);
    }
    responses
}

fn chunks<'a>(mut bytes: &'a [u8], response: &mut Response) -> &'a [u8] {
    loop {
        let (size, rest) = line(bytes);
        let size = usize::from_str_radix(std::str::from_utf8(size).expect("text"), 16).expect("a size");
        bytes = rest;
        if size == 0 {
            break;
        }
        response.body.extend_from_slice(&bytes[..size]);
        bytes = bytes[size..].strip_prefix(b"\r\n").expect("a chunk's end");
    }
    loop {
        let (field, rest) = line(bytes);
        bytes = rest;
        if field.is_empty() {
            return bytes;
        }
        let colon = field.iter().position(|byte| *byte == b':').expect("a field");
        let name = String::from_utf8(field[..colon].to_ascii_lowercase()).expect("text");
        response.trailers.push((name, field[colon + 1..].trim_ascii().to_vec()));
    }
}

fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a line's end");
    (&bytes[..end], &bytes[end + 2..])
}
