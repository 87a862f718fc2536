use std::path::PathBuf;

use http::HeaderName;

use crate::{
    diagnostics::{At, Spanned},
    read::HiddenSecret,
    vocabulary::map,
};

map! {
    /// API keys. See [how to give a partner one](../guide/give-a-partner-an-api-key.md).
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct ApiKey {
        title: "`api_key`";
        name: "api_key";
        smallest: "{keys_file: keys.yaml}";
        also { at: At }

        /// The file with the keys' hashes. The gateway reads it again when it changes, and a mistake in it then leaves the keys as
        /// they were.
        keys_file: required PathBuf, "keys.yaml", alias ["file", "path", "keys"];
        /// The headers that may hold the key. In `authorization`, it follows `Bearer` or `ApiKey`.
        headers("header"): default Vec<HeaderName>, "x-api-key", absent "`x-api-key`, when there is no `query` either",
            alias ["headers"];
        /// The query parameters that may hold the key. Queries get into logs and histories on their way: a header is better.
        queries("query"): default Vec<String>, "key", alias ["parameter"];
        /// A secret of at least 16 bytes. Keys are made with the same pepper, and none is valid without it.
        pepper: optional Spanned<HiddenSecret>, "\"file:key.pepper\"";
        /// The header in which services are told who calls. It is removed from what clients send, on every route of the file.
        id_header: optional Spanned<HeaderName>, "x-caller", alias ["owner_header"];
    }
}
