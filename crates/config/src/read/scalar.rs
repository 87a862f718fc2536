//! Values that are one word or one number.

use std::{fmt::Display, ops::RangeInclusive, path::PathBuf, time::Duration};

use http::HeaderName;

use super::{Reader, listed, nearest, units};
use crate::{
    diagnostics::{Diagnostic, Span, Spanned},
    syntax::{Kind, Node, shorten},
};

/// The bounds that are usual, in bytes, and what comes of others.
pub(crate) struct Usual {
    pub(crate) least: usize,
    pub(crate) most: usize,
    pub(crate) if_less: &'static str,
    pub(crate) if_more: &'static str,
}

impl<'a> Reader<'a> {
    /// A text, with the values of the environment variables that it names. `what` says what it is, for errors: "a host
    /// name".
    pub(crate) fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = self.written(node, what)?;
        if !text.contains("${") {
            return Some(text);
        }
        let filled = self.fill(node, text, false)?;
        Some(node.filled.get_or_init(|| filled))
    }

    /// A text just as it is written.
    pub(super) fn written<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.kind {
            Kind::Scalar(text) => Some(text),
            Kind::Invalid => None,
            Kind::Map(entries) if entries.len() == 1 && matches!(entries[0].value.kind, Kind::Null) => {
                // `{x: {id}}` is a map in a map to YAML.
                let text = shorten(self.source().slice(node.span)).replace('"', "'");
                self.error(node.span, format!("expected {what}, found a map"))
                    .help(format!("quote the value if its braces are meant: `\"{text}\"`"));
                None
            }
            _ => {
                self.error(node.span, format!("expected {what}, found {}", node.describe()));
                None
            }
        }
    }

    /// The same, with its place.
    pub(crate) fn spanned_text(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        self.text(node, what).map(|text| Spanned::new(text.to_owned(), node.span))
    }

    /// A list; one value that is no list stands for a list of it.
    pub(crate) fn list<'n>(&mut self, node: &'n Node, what: impl Display) -> &'n [Node] {
        match &node.kind {
            Kind::List(nodes) => {
                if nodes.is_empty() {
                    self.error(node.span, format!("expected {what}, found an empty list"));
                }
                nodes
            }
            Kind::Invalid => &[],
            Kind::Null => {
                self.error(node.span, format!("expected {what}, found nothing"));
                &[]
            }
            Kind::Scalar(_) | Kind::Map(_) => std::slice::from_ref(node),
        }
    }

    /// One word of a few.
    pub(crate) fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        // A few are listed; of many the nearest is named.
        let near = nearest(text, choices.iter().map(|(name, _)| *name)).filter(|_| choices.len() > 4);
        let help = match near {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("it is one of {}", listed(choices.iter().map(|(name, _)| *name))),
        };
        self.error(node.span, format!("`{}` is not {what}", shorten(text))).help(help);
        None
    }

    /// `true`, `yes`, `on`, or `false`, `no`, `off`.
    pub(crate) fn flag(&mut self, node: &Node) -> Option<bool> {
        const WORDS: &[(&str, bool)] =
            &[("true", true), ("false", false), ("yes", true), ("no", false), ("on", true), ("off", false)];
        self.choice(node, "`true` or `false`", WORDS)
    }

    /// Whether the value says that the thing is not wanted.
    pub(crate) fn is_off(node: &Node) -> bool {
        matches!(&node.kind, Kind::Scalar(text) if matches!(text.as_str(), "off" | "no" | "false"))
    }

    /// Whether the value says that the thing is wanted, and nothing more.
    pub(crate) fn is_on(node: &Node) -> bool {
        matches!(&node.kind, Kind::Scalar(text) if matches!(text.as_str(), "on" | "yes" | "true"))
    }

    /// A whole number.
    pub(crate) fn number(&mut self, node: &Node, range: RangeInclusive<i64>) -> Option<i64> {
        let text = self.text(node, "a whole number")?;
        match text.parse::<i64>() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let (least, most) = (range.start(), range.end());
                self.error(
                    node.span,
                    format!("`{}` is not a whole number from {least} to {most}", shorten(text)),
                );
                None
            }
        }
    }

    /// The name of a header, as RFC 9110 allows it (section 5.1).
    pub(crate) fn header_name(&mut self, text: &str, span: Span) -> Option<HeaderName> {
        let name = HeaderName::from_bytes(text.as_bytes()).ok();
        if name.is_none() {
            self.error(span, format!("`{}` is not the name of a header", shorten(text)))
                .help("a name is made of letters, digits and dashes: `x-request-source`");
        }
        name
    }

    /// A regular expression.
    pub(crate) fn regex(&mut self, node: &Node) -> Option<Spanned<String>> {
        let text = self.spanned_text(node, "a regular expression")?;
        let Err(error) = regex::bytes::RegexBuilder::new(&text.value).unicode(false).build() else {
            return Some(text);
        };
        let error = error.to_string();
        // The last line says what is wrong; those above it show where.
        let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        self.error(node.span, format!("`{}` is not a regular expression: {reason}", shorten(&text.value)));
        None
    }

    /// A duration of more than nothing.
    pub(crate) fn duration(&mut self, node: &Node) -> Option<Duration> {
        let text = self.text(node, "a duration such as `10s`")?;
        match units::duration(text) {
            Ok(duration) if !duration.is_zero() => Some(duration),
            Ok(_) => {
                self.error(node.span, "a duration of nothing").help("write how long, `10s` say");
                None
            }
            Err(bad) => {
                self.error(node.span, format!("`{}` {}", shorten(text), bad.message)).help(bad.help);
                None
            }
        }
    }

    /// A duration, or `off`, which is `None` inside.
    pub(crate) fn duration_or_off(&mut self, node: &Node) -> Option<Option<Duration>> {
        if Self::is_off(node) {
            return Some(None);
        }
        let text = self.text(node, "a duration such as `10s`, or `off`")?;
        let is_none = matches!(text, "none" | "never" | "infinite" | "unlimited" | "disabled" | "-1" | "0")
            || units::duration(text).is_ok_and(|duration| duration.is_zero());
        if is_none {
            self.error(node.span, format!("`{}` is not a duration", shorten(text)))
                .help("write `off`, or how long: `10s` say");
            return None;
        }
        self.duration(node).map(Some)
    }

    /// A rate of requests.
    pub(crate) fn rate(&mut self, node: &Node) -> Option<gatewright_core::Quota> {
        let text = self.text(node, "a rate such as `100/min`")?;
        let rate = text.parse().ok();
        if rate.is_none() {
            self.error(node.span, format!("`{}` is not a rate", shorten(text)))
                .help("write how many and how often: `50/s`, `100/min`, `5000/day`, `10/30s`");
        }
        rate
    }

    /// A size in bytes, of more than nothing.
    pub(crate) fn size(&mut self, node: &Node) -> Option<usize> {
        let text = self.text(node, "a size such as `64KiB`")?;
        let problem = match units::size(text) {
            Ok(0) => {
                units::BadQuantity { message: "is nothing", help: "write how much, `64KiB` say".to_owned() }
            }
            Ok(bytes) => match usize::try_from(bytes) {
                Ok(bytes) => return Some(bytes),
                Err(_) => {
                    units::BadQuantity { message: "is too large", help: "write a smaller size".to_owned() }
                }
            },
            Err(bad) => bad,
        };
        self.error(node.span, format!("`{}` {}", shorten(text), problem.message)).help(problem.help);
        None
    }

    /// The size of a bound. One beyond what is usual is taken, with a warning that says what comes of it.
    pub(crate) fn bound(&mut self, node: &Node, usual: &Usual) -> Option<usize> {
        let bytes = self.size(node)?;
        let (than, consequence) = if bytes < usual.least {
            ("less", usual.if_less)
        } else if bytes > usual.most {
            ("more", usual.if_more)
        } else {
            return Some(bytes);
        };
        let written = shorten(self.source().slice(node.span)).to_owned();
        let place = Some(self.source().place(node.span));
        let (least, most) = (units::in_units(usual.least), units::in_units(usual.most));
        self.report(Diagnostic::warning(place, format!("`{written}` is {than} than is usual: {consequence}")))
            .help(format!("usual is {least} to {most}"));
        Some(bytes)
    }

    /// The path of a file, relative to the file that names it.
    pub(crate) fn file(&mut self, node: &Node) -> Option<Spanned<PathBuf>> {
        let text = self.text(node, "the path of a file")?;
        if text.is_empty() {
            self.error(node.span, "expected the path of a file, found nothing");
            return None;
        }
        Some(Spanned::new(self.resolve(text), node.span))
    }

    /// Reads what a path names.
    pub(crate) fn contents(&mut self, path: &Spanned<PathBuf>) -> Option<Vec<u8>> {
        match self.read_file(&path.value) {
            Ok(contents) => Some(contents),
            Err(error) => {
                self.unreadable(path.span, &path.value.display().to_string(), &error);
                None
            }
        }
    }

    pub(crate) fn unreadable(&mut self, span: Span, path: &str, error: &std::io::Error) {
        self.error(span, format!("cannot read `{path}`: {}", crate::files::reason(error)))
            .help("paths are relative to the file that names them");
    }
}
