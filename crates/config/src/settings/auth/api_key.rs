use std::path::PathBuf;

use http::HeaderName;

use super::{ID_HEADER, header, texts};
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader, Secret},
    settings::optional,
    syntax::Node,
    vocabulary::{Key, Rule, Section, Shape},
};

/// API keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ApiKey {
    pub(crate) at: At,
    pub(crate) keys_file: Spanned<PathBuf>,
    pub(crate) headers: Vec<HeaderName>,
    pub(crate) queries: Vec<String>,
    pub(crate) pepper: Option<Spanned<Secret>>,
    pub(crate) id_header: Option<Spanned<HeaderName>>,
}

pub(super) static API_KEY: Section = Section {
    title: "`api_key`",
    name: "api_key",
    about: "API keys. See [how to give a partner one](../guide/give-a-partner-an-api-key.md).",
    keys: &[
        Key::new(
            "keys_file",
            Shape::File,
            "The file with the keys' hashes. It is read again by itself when it changes, and a mistake in it then leaves the keys as \
             they were.",
            "keys.yaml",
        ),
        Key::new(
            "header",
            Shape::List(&Shape::HeaderName),
            "The headers that may hold the key. In `authorization`, it follows `Bearer` or `ApiKey`.",
            "x-api-key",
        )
        .absent("`x-api-key`, when there is no `query` either"),
        Key::new(
            "query",
            Shape::List(&Shape::Text),
            "The query parameters that may hold the key. Queries get into logs and histories on their way: a header is better.",
            "key",
        ),
        Key::new(
            "pepper",
            Shape::Secret,
            "A secret of 16 bytes at least, without which a key in the file is none. Keys are made with the same one.",
            "\"file:key.pepper\"",
        ),
        ID_HEADER,
    ],
    rules: &[Rule::Required("keys_file")],
    smallest: "{keys_file: keys.yaml}",
    later: &[],
    aliases: &[
        ("file", "keys_file"),
        ("path", "keys_file"),
        ("keys", "keys_file"),
        ("headers", "header"),
        ("parameter", "query"),
        ("owner_header", "id_header"),
    ],
};

impl ApiKey {
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &API_KEY, reader)?;
        let is_whole = fields.keep_their_rules(reader);
        let keys_file = fields.get("keys_file").map(|node| reader.file(node));
        let headers = fields.get("header").map(|node| {
            let nodes = reader.list(node, "a list of header names");
            let read: Vec<_> = nodes.iter().map(|node| header(node, reader)).collect();
            read.into_iter().collect::<Option<Vec<_>>>().filter(|names| !names.is_empty())
        });
        let queries =
            fields.get("query").map(|node| texts(node, "a list of query parameters", "a name", reader));
        let pepper = fields
            .get("pepper")
            .map(|node| reader.hidden_secret(node, "a pepper").map(|pepper| Spanned::new(pepper, node.span)));
        let id_header =
            fields.get("id_header").map(|node| header(node, reader).map(|name| Spanned::new(name, node.span)));
        let read = Self {
            at: At(fields.span()),
            keys_file: optional(keys_file)??,
            headers: optional(headers)?.unwrap_or_default(),
            queries: optional(queries)?.unwrap_or_default(),
            pepper: optional(pepper)?,
            id_header: optional(id_header)?,
        };
        is_whole.then_some(read)
    }
}
