//! Checks of the registered claims (RFC 7519, section 4.1).

use serde_json::{Map, Value};

use super::fault::Fault;

/// The time in which a token may be used, in seconds since 1970. The leeway is included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub(crate) not_before: u64,
    pub(crate) expires: u64,
}

impl Lifetime {
    /// Reads the lifetime, and checks that `now` is within it.
    pub(super) fn of(
        claims: &Map<String, Value>,
        now: u64,
        leeway: u64,
        max_age: Option<u64>,
    ) -> Result<Self, Fault> {
        let expires = time(claims, "exp")?.ok_or(Fault::NoExpiry)?.saturating_add(leeway);
        let not_before = time(claims, "nbf")?.unwrap_or(0).saturating_sub(leeway);
        let issued = time(claims, "iat")?;
        if issued.is_some_and(|issued| issued > now.saturating_add(leeway)) {
            return Err(Fault::IssuedAhead);
        }
        let expires = match (max_age, issued) {
            (None, _) => expires,
            (Some(_), None) => return Err(Fault::TooOld),
            (Some(age), Some(issued)) => {
                let oldest = issued.saturating_add(age).saturating_add(leeway);
                if now >= oldest {
                    return Err(Fault::TooOld);
                }
                expires.min(oldest)
            }
        };
        let lifetime = Self { not_before, expires };
        if now >= expires {
            Err(Fault::Expired)
        } else if now < not_before {
            Err(Fault::NotYet)
        } else {
            Ok(lifetime)
        }
    }

    pub(crate) fn holds(&self, now: u64) -> bool {
        self.not_before <= now && now < self.expires
    }
}

/// A NumericDate (RFC 7519, section 2), rounded in the strict direction. A time before 1970 counts as 1970.
pub(crate) fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Fault> {
    let whole = if name == "nbf" { f64::ceil } else { f64::floor };
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => Ok(Some(seconds)),
            // A cast saturates at both ends.
            (None, Some(seconds)) if seconds.is_finite() => Ok(Some(whole(seconds) as u64)),
            _ => Err(Fault::Time),
        },
        Some(_) => Err(Fault::Time),
    }
}

/// Checks that one of the accepted audiences is in `aud` (RFC 7519, section 4.1.3).
pub(crate) fn check_audience(claims: &Map<String, Value>, accepted: &[Box<str>]) -> Result<(), Fault> {
    let is_accepted = |audience: &str| accepted.iter().any(|accepted| **accepted == *audience);
    let fits = match claims.get("aud") {
        None => return Err(Fault::NoAudience),
        Some(Value::String(audience)) => is_accepted(audience),
        Some(Value::Array(audiences)) => {
            let texts: Option<Vec<&str>> = audiences.iter().map(Value::as_str).collect();
            texts.ok_or(Fault::WrongAudience)?.into_iter().any(is_accepted)
        }
        Some(_) => false,
    };
    if fits { Ok(()) } else { Err(Fault::WrongAudience) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lifetime(claims: Value, max_age: Option<u64>) -> Result<(u64, u64), Fault> {
        let claims = claims.as_object().expect("an object");
        Lifetime::of(claims, 1000, 5, max_age).map(|lifetime| (lifetime.not_before, lifetime.expires))
    }

    #[test]
    fn a_token_holds_between_its_times_and_a_little_leeway() {
        for (claims, expected) in [
            (json!({"exp": 1001}), Ok((0, 1006))),
            (json!({"exp": 996}), Ok((0, 1001))),
            (json!({"exp": 995}), Err(Fault::Expired)),
            (json!({"exp": 995.9}), Err(Fault::Expired)),
            (json!({"exp": 996.1}), Ok((0, 1001))),
            (json!({"exp": 2000, "nbf": 1005}), Ok((1000, 2005))),
            (json!({"exp": 2000, "nbf": 1005.5}), Err(Fault::NotYet)),
            (json!({"exp": 2000, "nbf": 1006}), Err(Fault::NotYet)),
            (json!({"exp": 2000, "iat": 1005}), Ok((0, 2005))),
            (json!({"exp": 2000, "iat": 1006}), Err(Fault::IssuedAhead)),
            (json!({"exp": 1e300}), Ok((0, u64::MAX))),
            (json!({"exp": u64::MAX}), Ok((0, u64::MAX))),
            (json!({"exp": -1}), Err(Fault::Expired)),
            (json!({"exp": -1e300}), Err(Fault::Expired)),
            (json!({}), Err(Fault::NoExpiry)),
            (json!({"exp": "2000"}), Err(Fault::Time)),
            (json!({"exp": null}), Err(Fault::Time)),
            (json!({"exp": [2000]}), Err(Fault::Time)),
            (json!({"exp": 2000, "nbf": "0"}), Err(Fault::Time)),
            (json!({"exp": 2000, "iat": true}), Err(Fault::Time)),
        ] {
            assert_eq!(lifetime(claims.clone(), None), expected, "{claims}");
        }
    }

    #[test]
    fn an_age_bounds_the_lifetime_and_needs_to_be_known() {
        assert_eq!(lifetime(json!({"exp": 5000, "iat": 950}), Some(60)), Ok((0, 1015)));
        assert_eq!(lifetime(json!({"exp": 5000, "iat": 900}), Some(60)), Err(Fault::TooOld));
        assert_eq!(lifetime(json!({"exp": 5000}), Some(60)), Err(Fault::TooOld));
    }

    #[test]
    fn a_token_is_for_one_of_its_audiences() {
        let accepted: [Box<str>; 2] = ["orders".into(), "billing".into()];
        for (audience, expected) in [
            (json!({"aud": "orders"}), Ok(())),
            (json!({"aud": ["users", "billing"]}), Ok(())),
            (json!({"aud": "users"}), Err(Fault::WrongAudience)),
            (json!({"aud": "Orders"}), Err(Fault::WrongAudience)),
            (json!({"aud": "orders billing"}), Err(Fault::WrongAudience)),
            (json!({"aud": []}), Err(Fault::WrongAudience)),
            (json!({"aud": [["orders"]]}), Err(Fault::WrongAudience)),
            (json!({"aud": ["orders", 1]}), Err(Fault::WrongAudience)),
            (json!({"aud": {"orders": true}}), Err(Fault::WrongAudience)),
            (json!({"aud": null}), Err(Fault::WrongAudience)),
            (json!({}), Err(Fault::NoAudience)),
        ] {
            let claims = audience.as_object().expect("an object");
            assert_eq!(check_audience(claims, &accepted), expected, "{audience}");
        }
    }
}
