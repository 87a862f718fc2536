//! The `tracestate` header (W3C Trace Context, section 3.3). It is sent on as it came, without the members that are too
//! much, or not at all.

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const MAX_MEMBERS: usize = 32;
/// Of a key without a vendor, and of a value.
const MAX_LENGTH: usize = 256;
/// Of the two parts of a key with a vendor, `tenant@vendor`.
const MAX_TENANT: usize = 241;
const MAX_VENDOR: usize = 14;
/// Of the list that is sent on: everybody carries so much, and nobody has to carry more (section 3.3.1.5).
const MAX_LIST: usize = 512;
/// When a list is too long, members longer than this go first.
const LARGE_MEMBER: usize = 128;

/// Leaves what may be sent on: the list as it came, a list without the members that are too much, or none. All lines of the
/// header together are one list. A list with an invalid member, with a key twice or with more than 32 members is dropped.
pub(crate) fn settle(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(TRACESTATE).iter();
    let mut members: [&[u8]; MAX_MEMBERS] = [b""; MAX_MEMBERS];
    let mut count = 0;
    let valid = lines.all(|line| {
        line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).all(|member| {
            if member.is_empty() {
                return true;
            }
            let Some(key) = key_of(member) else { return false };
            let twice = members[..count].iter().any(|before| key_of(before) == Some(key));
            match members.get_mut(count) {
                Some(free) if !twice => *free = member,
                _ => return false,
            }
            count += 1;
            true
        })
    });
    if !valid || count == 0 {
        headers.remove(TRACESTATE);
        return;
    }
    if length(&members[..count]) <= MAX_LIST {
        return;
    }
    let mut kept = members[..count].to_vec();
    while length(&kept) > MAX_LIST {
        let large = kept.iter().rposition(|member| member.len() > LARGE_MEMBER);
        match large.or(kept.len().checked_sub(1)) {
            Some(index) => drop(kept.remove(index)),
            None => break,
        }
    }
    let list = HeaderValue::from_bytes(&kept.join(&b","[..]));
    match list {
        Ok(list) if !kept.is_empty() => drop(headers.insert(TRACESTATE, list)),
        _ => drop(headers.remove(TRACESTATE)),
    }
}

/// The members with a comma between each two.
fn length(members: &[&[u8]]) -> usize {
    members.iter().map(|member| member.len() + 1).sum::<usize>().saturating_sub(1)
}

/// The key of a valid member.
fn key_of(member: &[u8]) -> Option<&[u8]> {
    let equals = member.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    (is_key(key) && is_value(value)).then_some(key)
}

/// Level 2 lets a key begin with a digit, and does not say where an `@` may stand. Level 1 does say it, and its rule is kept,
/// since a service of level 1 would drop the whole list.
fn is_key(key: &[u8]) -> bool {
    match key.iter().position(|byte| *byte == b'@') {
        None => is_part(key, MAX_LENGTH),
        Some(at) => is_part(&key[..at], MAX_TENANT) && is_part(&key[at + 1..], MAX_VENDOR),
    }
}

fn is_part(part: &[u8], most: usize) -> bool {
    let simple = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    part.len() <= most
        && part.first().is_some_and(simple)
        && part.iter().all(|byte| simple(byte) || b"_-*/".contains(byte))
}

fn is_value(value: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&value.len())
        && value.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'=')
}
