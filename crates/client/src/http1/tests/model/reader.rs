//! A strict reader of requests, as an endpoint has one. It shares no code with the crate.

/// One request that an endpoint has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) line: String,
    /// Names in lower case, and values.
    pub(super) fields: Vec<(String, String)>,
    pub(super) framing: Framing,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Vec<(String, String)>,
    pub(super) is_whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(usize),
    Chunked,
}

/// Reads the next request; `None` when its head has not come. Gives what follows it as well.
pub(super) fn request(bytes: &[u8]) -> Result<Option<(Got, &[u8])>, String> {
    let Some((head, rest)) = cut(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(head).map_err(|_| "a head that is no text")?;
    let (line, lines) = head.split_once("\r\n").unwrap_or((head, ""));
    let fields = fields(lines)?;
    let values = |name: &str| {
        fields.iter().filter(|(of, _)| of == name).map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    let framing = match (&values("content-length")[..], &values("transfer-encoding")[..]) {
        ([], []) => Framing::None,
        ([length], []) => Framing::Length(length.parse().map_err(|_| format!("a length {length:?}"))?),
        ([], ["chunked"]) => Framing::Chunked,
        other => return Err(format!("framed by {other:?}")),
    };
    let (body, trailers, is_whole) = (Vec::new(), Vec::new(), true);
    let mut got = Got { line: line.to_owned(), fields, framing, body, trailers, is_whole };
    let rest = match framing {
        Framing::None => rest,
        Framing::Length(length) => {
            got.is_whole = rest.len() >= length;
            let (body, rest) = rest.split_at(length.min(rest.len()));
            got.body = body.to_vec();
            rest
        }
        Framing::Chunked => chunks(rest, &mut got)?,
    };
    Ok(Some((got, rest)))
}

fn cut<'a>(bytes: &'a [u8], end: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(end.len()).position(|window| window == end)?;
    Some((&bytes[..at], &bytes[at + end.len()..]))
}

fn fields(lines: &str) -> Result<Vec<(String, String)>, String> {
    let lines = lines.split("\r\n").filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once(": ") {
            Some((name, value)) if !value.contains(['\r', '\n']) => {
                Ok((name.to_ascii_lowercase(), value.to_owned()))
            }
            _ => Err(format!("a field line {line:?}")),
        })
        .collect()
}

fn chunks<'a>(mut rest: &'a [u8], got: &mut Got) -> Result<&'a [u8], String> {
    got.is_whole = false;
    loop {
        let Some((size, after)) = cut(rest, b"\r\n") else {
            let is_start = rest.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'\r');
            return if is_start {
                Ok(&[])
            } else {
                Err(format!("a chunk begins {:?}", rest.escape_ascii().to_string()))
            };
        };
        let size = std::str::from_utf8(size).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or_else(|| {
            format!("a chunk begins {:?}", rest[..rest.len().min(40)].escape_ascii().to_string())
        })?;
        if size == 0 {
            let trailers = match after.strip_prefix(b"\r\n") {
                Some(rest) => Some((&[][..], rest)),
                None => cut(after, b"\r\n\r\n"),
            };
            let Some((trailers, rest)) = trailers else { return Ok(&[]) };
            got.trailers = fields(std::str::from_utf8(trailers).map_err(|_| "trailers that are no text")?)?;
            got.is_whole = true;
            return Ok(rest);
        }
        got.body.extend_from_slice(&after[..size.min(after.len())]);
        let Some(end) = after.get(size..size + 2) else { return Ok(&[]) };
        if end != b"\r\n" {
            return Err(format!("a chunk of {size} bytes ends {:?}", end.escape_ascii().to_string()));
        }
        rest = &after[size + 2..];
    }
}
