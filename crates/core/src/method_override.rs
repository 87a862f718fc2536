//! Fields that ask a service to take a request for one of another method.
//!
//! A rule on methods, of a route or of a policy, judges the method of the request line. Where the service acts by another
//! one, the rule is undercut.

use http::HeaderMap;

use crate::claims::is_read_as_hyphen;

const NAMES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Whether a field of this name, in lower case, overrides the method. `_`, `.` and the like count as `-`, because CGI and
/// its heirs read `X_HTTP_Method_Override` as `X-HTTP-Method-Override`.
pub fn is_one(name: &str) -> bool {
    let fold = |byte: u8| if is_read_as_hyphen(byte) { b'-' } else { byte };
    // Most names are too long or too short, and are not looked at.
    name.starts_with('x')
        && matches!(name.len(), 13 | 17 | 22)
        && NAMES.iter().any(|known| name.len() == known.len() && name.bytes().map(fold).eq(known.bytes()))
}

/// Removes all of them.
pub fn remove(headers: &mut HeaderMap) {
    while let Some(name) = headers.keys().find(|name| is_one(name.as_str())).cloned() {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn they_go_under_every_alias_and_others_stay() {
        let overriding = NAMES.iter().flat_map(|name| {
            [(*name).to_owned(), name.replace('-', "_"), name.replace('-', "."), name.replacen('-', "_", 1)]
        });
        let kept = [
            "x-http-methods",
            "x-method-overrides",
            "authorization",
            "x-http-method-overrid3",
            "xxhttp-method",
        ];
        let mut headers = HeaderMap::new();
        for name in overriding.chain(kept.map(str::to_owned)) {
            assert_eq!(is_one(&name), !kept.contains(&name.as_str()), "{name}");
            headers.append(name.parse::<HeaderName>().expect("a name"), HeaderValue::from_static("DELETE"));
        }
        remove(&mut headers);
        assert_eq!(headers.len(), kept.len());
        assert!(kept.iter().all(|name| headers.contains_key(*name)));
    }
}
