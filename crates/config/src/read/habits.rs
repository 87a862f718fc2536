//! Keys of other gateways that another name alone does not mend.

use crate::syntax::Node;

/// Keys of others in a section, and how the same is said here.
struct Habit {
    section: &'static str,
    keys: &'static [&'static str],
    /// The key that was meant.
    meant: Option<&'static str>,
    /// With `VALUE` for what was written.
    help: &'static str,
}

const HABITS: &[Habit] = &[
    Habit { section: "file", keys: &["port"], meant: Some("listen"), help: "write `listen: 0.0.0.0:VALUE`" },
    Habit {
        section: "file",
        keys: &["health_check", "health_checks", "healthcheck"],
        meant: None,
        help: "it belongs to an upstream, where this version does not support it: remove it",
    },
    Habit {
        section: "file",
        keys: &["max_body", "max_body_size", "client_max_body_size"],
        meant: Some("defaults"),
        help: "write `defaults: {max_body: VALUE}`, or give it to single routes",
    },
    Habit {
        section: "client_limits",
        keys: &["max_body", "max_body_size", "client_max_body_size"],
        meant: None,
        help: "it belongs to a route, or to `defaults`: `defaults: {max_body: VALUE}`",
    },
    Habit {
        section: "listener",
        keys: &["port"],
        meant: Some("address"),
        help: "write `address: 0.0.0.0:VALUE`",
    },
    Habit {
        section: "listener",
        keys: &["cert", "certificate", "ssl_certificate", "tls_cert"],
        meant: Some("tls"),
        help: "write `tls: {cert: VALUE, key: …}`",
    },
    Habit {
        section: "listener",
        keys: &["key", "private_key", "ssl_certificate_key", "tls_key"],
        meant: Some("tls"),
        help: "write `tls: {cert: …, key: VALUE}`",
    },
    Habit {
        section: "route",
        keys: &["strip_path", "strip_prefix", "stripPrefix", "StripPrefix"],
        meant: Some("rewrite"),
        help: "write `rewrite: {prefix: /}`: the prefix is what stands in place of `path_prefix`",
    },
    Habit {
        section: "route",
        keys: &["headers"],
        meant: None,
        help: "write `match: {headers: …}` for headers that have to be there, `rewrite: {request_headers: …}` for a change of them",
    },
    Habit {
        section: "route",
        keys: &["health", "health_check", "health_checks", "healthcheck"],
        meant: None,
        help: "it belongs to an upstream, where this version does not support it: remove it",
    },
];

/// How to mend a key, and which one was meant.
pub(super) fn find(section: &str, key: &str, value: &Node) -> Option<(String, Option<&'static str>)> {
    let habit = HABITS.iter().find(|habit| habit.section == section && habit.keys.contains(&key))?;
    if value.plain_word().is_some_and(|word| matches!(word, "false" | "off" | "no")) && key.starts_with("strip")
    {
        return Some(("remove it: the path goes on as it came".to_owned(), habit.meant));
    }
    Some((habit.help.replace("VALUE", value.plain_word().unwrap_or("…")), habit.meant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::sections;

    #[test]
    fn each_habit_is_of_a_section_that_lacks_the_key_and_has_the_one_that_was_meant() {
        for habit in HABITS {
            let section = sections().into_iter().find(|section| section.name == habit.section);
            let section = section.unwrap_or_else(|| panic!("there is a section `{}`", habit.section));
            assert!(habit.meant.is_none_or(|meant| section.known(meant).is_some()), "{}", habit.help);
            for key in habit.keys {
                let is_alias = section.alias(key).is_some();
                assert!(section.known(key).is_none() && !is_alias, "`{key}` in {}", section.title);
                assert!(!section.later.contains(key), "`{key}` in {}", section.title);
            }
        }
    }
}
