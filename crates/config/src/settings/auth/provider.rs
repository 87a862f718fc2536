use std::{path::PathBuf, time::Duration};

use crate::vocabulary::group;

group! {
    /// How an identity provider is reached.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
    pub(crate) struct Provider {
        /// The authorities that the provider's certificate is checked against.
        ca: optional PathBuf, "internal.pem", absent "the system's";
        /// How long an answer of the provider may take, from the connection to the last byte.
        timeout: optional Duration, "2s", absent "5s";
        /// Whether `http://` is allowed. Whoever can touch the network on the way then decides who may come in.
        cleartext: default bool, "on", absent "`off`";
    }
}
