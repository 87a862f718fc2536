use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use super::optional;
use crate::{
    diagnostics::Spanned,
    read::{Fields, Reader, Section},
    syntax::{Kind, Node, shorten},
};

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AccessLog {
    Off,
    Stdout,
    File(Spanned<PathBuf>),
}

/// How long clients may take. What is left out is as the server has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// For a request's head, and before it for a PROXY header and a TLS handshake.
    pub(crate) head: Option<Duration>,
    /// Between requests.
    pub(crate) idle: Option<Duration>,
    /// Between bytes of a request's body.
    pub(crate) body: Option<Duration>,
    /// Between bytes of a response that the client takes.
    pub(crate) write: Option<Duration>,
    /// Between bytes of an upgraded connection, in either direction.
    pub(crate) stream: Option<Duration>,
    /// For what is under way when the gateway is told to stop.
    pub(crate) drain: Option<Duration>,
}

/// How much clients may send. What is left out is as the server has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClientLimits {
    pub(crate) max_head: Option<usize>,
    pub(crate) max_target: Option<usize>,
    pub(crate) max_headers: Option<u16>,
    pub(crate) max_connections: Option<NonZeroUsize>,
    pub(crate) max_streams: Option<u32>,
    pub(crate) allow_underscore: Option<bool>,
}

const ACCESS_LOG: Section = Section {
    title: "`access_log`",
    keys: &["file"],
    later: &["format", "fields"],
    aliases: &[("path", "file")],
};

const TIMEOUTS: Section = Section {
    title: "`timeouts`",
    keys: &["head", "idle", "body", "write", "stream", "drain"],
    later: &[],
    aliases: &[
        ("header", "head"),
        ("handshake", "head"),
        ("read", "body"),
        ("send", "write"),
        ("keep_alive", "idle"),
        ("keepalive", "idle"),
        ("shutdown", "drain"),
    ],
};

const CLIENT_LIMITS: Section = Section {
    title: "`client_limits`",
    keys: &["max_head", "max_target", "max_headers", "max_connections", "max_streams", "allow_underscore"],
    later: &["max_body"],
    aliases: &[("max_header_bytes", "max_head"), ("max_uri", "max_target"), ("connections", "max_connections")],
};

impl AccessLog {
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => {
                let fields = Fields::read(node, &ACCESS_LOG, reader)?;
                let file = fields.required("file", reader)?;
                reader.file(file).map(Self::File)
            }
            _ if Reader::is_off(node) => Some(Self::Off),
            _ => match reader.text(node, "`stdout`, `off` or `{file: access.log}`")? {
                "stdout" => Some(Self::Stdout),
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

impl Timeouts {
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &TIMEOUTS, reader)?;
        let mut limit = |key: &str| fields.get(key).map(|node| reader.duration(node));
        let [head, idle, body, write, stream, drain] =
            ["head", "idle", "body", "write", "stream", "drain"].map(&mut limit);
        Some(Self {
            head: optional(head)?,
            idle: optional(idle)?,
            body: optional(body)?,
            write: optional(write)?,
            stream: optional(stream)?,
            drain: optional(drain)?,
        })
    }
}

impl ClientLimits {
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &CLIENT_LIMITS, reader)?;
        let max_head = fields.get("max_head").map(|node| reader.size(node));
        let max_target = fields.get("max_target").map(|node| reader.size(node));
        let max_headers = fields.get("max_headers").map(|node| reader.number(node, 1..=10_000));
        let max_connections = fields.get("max_connections").map(|node| reader.count(node, 10_000_000));
        let max_streams = fields.get("max_streams").map(|node| reader.number(node, 1..=10_000));
        let allow_underscore = fields.get("allow_underscore").map(|node| reader.flag(node));
        Some(Self {
            max_head: optional(max_head)?,
            max_target: optional(max_target)?,
            max_headers: optional(max_headers)?.and_then(|number| u16::try_from(number).ok()),
            max_connections: optional(max_connections)?,
            max_streams: optional(max_streams)?.and_then(|number| u32::try_from(number).ok()),
            allow_underscore: optional(allow_underscore)?,
        })
    }
}
