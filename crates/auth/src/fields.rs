//! Header fields that tell a service about the caller.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Sets these fields. They replace the client's fields with these names.
pub(crate) fn set(headers: &mut HeaderMap, fields: &[(HeaderName, HeaderValue)]) {
    for (name, _) in fields {
        remove(headers, name);
    }
    for (name, value) in fields {
        headers.append(name, value.clone());
    }
}

/// Removes a field and its aliases. CGI and similar interfaces read `X_User` as `X-User`.
pub(crate) fn remove(headers: &mut HeaderMap, name: &HeaderName) {
    headers.remove(name);
    // Nearly every request has no alias, and then nothing is allocated.
    while let Some(alias) = headers.keys().find(|key| is_alias(key.as_str(), name.as_str())).cloned() {
        headers.remove(alias);
    }
}

/// Removes the values of a field for which `ours` is true. The other values stay.
pub(crate) fn remove_values(headers: &mut HeaderMap, name: HeaderName, ours: impl Fn(&HeaderValue) -> bool) {
    let values = headers.get_all(&name);
    if !values.iter().any(&ours) {
        return;
    }
    let others: Vec<_> = values.iter().filter(|value| !ours(value)).cloned().collect();
    headers.remove(&name);
    for other in others {
        headers.append(name.clone(), other);
    }
}

fn is_alias(key: &str, name: &str) -> bool {
    let fold = |byte: u8| if matches!(byte, b'_' | b'.') { b'-' } else { byte };
    key.len() == name.len() && key.bytes().zip(name.bytes()).all(|(key, name)| fold(key) == fold(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_under_any_alias_gives_way() {
        let mut headers = HeaderMap::new();
        for name in ["x-user-id", "x_user_id", "x.user-id", "x-user-idx"] {
            headers.append(name, HeaderValue::from_static("forged"));
        }
        let name = HeaderName::from_static("x-user-id");
        let fields = [(name.clone(), HeaderValue::from_static("a")), (name, HeaderValue::from_static("b"))];
        set(&mut headers, &fields);
        assert_eq!(headers.get_all("x-user-id").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-user-idx", "x-user-id"]);
    }
}
