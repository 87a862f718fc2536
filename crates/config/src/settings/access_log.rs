//! The access log, and which of a route's requests leave a line.

use std::path::PathBuf;

use gatewright_trace::LogTemplate;
use http::HeaderName;

use crate::{
    diagnostics::Spanned,
    read::{Map, Reader, Share, Value, value},
    syntax::{Kind, Node, shorten},
    vocabulary::{Shape, map},
};

/// Where the access log goes, and what its lines hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AccessLog {
    Off,
    On(Box<LogSettings>),
}

/// Lines of the usual fields on stdout.
impl Default for AccessLog {
    fn default() -> Self {
        Self::On(Box::default())
    }
}

map! {
    /// Where lines go and what they hold. SIGUSR1 and SIGHUP open the file anew, for when it was moved away. The values of
    /// headers that carry credentials (`authorization`, `cookie`, `set-cookie`, `x-api-key` and others, and the header of each
    /// `api_key` in `auth`) are always `REDACTED`.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub(crate) struct LogSettings {
        title: "`access_log`";
        name: "access_log";
        smallest: "{file: access.log}";
        later: ["fields"];

        /// The file that the lines are appended to.
        file: optional PathBuf, "access.log", absent "stdout", alias ["path"];
        /// The line as text, with the names of fields in braces. An absent value is `-`. Quotes, backslashes and control characters
        /// in a value are escaped, and so are spaces in a value outside quotes. `request_headers.NAME` and `response_headers.NAME`
        /// are single headers.
        format: optional Format, "'{ts} {client} \"{method} {path}\" {status}'", absent "JSON";
        /// Headers of the request that a line holds, as the client wrote them.
        request_headers: default Vec<HeaderName>, "[user-agent]", absent "none";
        /// Headers of the response that a line holds.
        response_headers: default Vec<HeaderName>, "[content-type]", absent "none";
        /// Whether a line holds the query. Values of secret parameters (`token`, `code`, `sig`, `key`, `password` and others) are
        /// `REDACTED`.
        query: default bool, "on", absent "`off`";
        /// More names of parameters and headers whose values are `REDACTED`. Case, `-` and `_` make no difference.
        redact: default Vec<String>, "[card, iban]", absent "the usual names alone";
        /// Whether a WebSocket, a CONNECT tunnel or an event stream leaves a line at its start too, with `"event":"start"`.
        start_lines: default bool, "on", absent "`off`";
    }
}

/// The template of a line.
pub(crate) struct Format;

value! {
    Format: LogTemplate = Shape::Text, |node, reader| {
        let text = reader.text(node, "a line with names of fields in braces")?;
        match LogTemplate::parse(text) {
            Ok(template) => Some(template),
            Err(error) => {
                let message = "the `format` is not valid".to_owned();
                reader.error(node.span, message).help(error.to_string());
                None
            }
        }
    };
}

impl AccessLog {
    /// The settings of a log that is not off.
    pub(crate) fn settings(&self) -> Option<&LogSettings> {
        match self {
            Self::Off => None,
            Self::On(settings) => Some(settings),
        }
    }

    /// The file, where there is one.
    pub(crate) fn file(&self) -> Option<&Spanned<PathBuf>> {
        self.settings()?.file.as_ref()
    }
}

impl Value for AccessLog {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::Word(&["stdout"]), Shape::Off, Shape::Map(LogSettings::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => LogSettings::read_long(node, reader).map(|log| Self::On(Box::new(log))),
            _ if Reader::is_off(node) => Some(Self::Off),
            _ => match reader.text(node, "`stdout`, `off` or `{file: access.log}`")? {
                "stdout" => Some(Self::default()),
                other => {
                    let message = format!("`{}` is not where an access log can go", shorten(other));
                    let help = format!("it is `stdout`, `off`, or a file: `{{file: {}}}`", shorten(other));
                    reader.error(node.span, message).help(help);
                    None
                }
            },
        }
    }
}

/// Which of a route's requests leave a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum RouteLog {
    #[default]
    All,
    /// A share in millionths.
    Share(u32),
    Off,
}

impl RouteLog {
    const MILLION: f64 = 1_000_000.0;

    /// The share of a number, from 0 to 1.
    pub(crate) fn share(millionths: u32) -> f64 {
        f64::from(millionths) / Self::MILLION
    }
}

impl Value for RouteLog {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::On, Shape::Off, Shape::Share]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if Reader::is_off(node) {
            return Some(Self::Off);
        }
        if Reader::is_on(node) {
            return Some(Self::All);
        }
        Share::read(node, reader).map(|share| Self::Share((share * Self::MILLION).round() as u32))
    }
}
