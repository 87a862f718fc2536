//! Tokens that others make: PyJWT and npm's `jose`.

use std::{path::PathBuf, process::Output};

use gatewright::auth::Jwks;
use harness::peer;
use serde_json::{Value, json};
use tokio::process::Command;

/// What a maker of tokens has made.
pub(crate) struct Made(Value);

/// A maker of tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Maker {
    PyJwt,
    Jose,
}

impl Maker {
    /// Makes keys and tokens of this issuer.
    pub(crate) async fn make(self, issuer: &str) -> Made {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/peers"));
        let mut command = match self {
            Self::PyJwt => {
                let mut command = Command::new(peer::python());
                command.arg(folder.join("tokens.py"));
                command
            }
            Self::Jose => {
                let mut command = Command::new(peer::program("node"));
                command.arg(folder.join("tokens.mjs")).env("NODE_PATH", peer::node_modules());
                command
            }
        };
        command.arg(issuer).kill_on_drop(true);
        let Output { stdout, stderr, .. } = harness::within("tokens", command.output()).await.unwrap();
        let errors = String::from_utf8_lossy(&stderr);
        Made(serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}: {errors}")))
    }
}

impl Made {
    /// The public keys, to be published.
    pub(crate) fn keys(&self) -> Vec<Value> {
        self.0["keys"].as_array().unwrap().clone()
    }

    /// The secrets, shared with the gateway.
    pub(crate) fn secrets(&self) -> Jwks {
        let set = json!({"keys": self.0["secrets"]});
        Jwks::from_json(set.to_string().as_bytes()).unwrap()
    }

    /// A good token of each algorithm, by its name.
    pub(crate) fn good(&self) -> Vec<(&str, &str)> {
        let tokens = self.0["good"].as_object().unwrap();
        tokens.iter().map(|(algorithm, token)| (algorithm.as_str(), token.as_str().unwrap())).collect()
    }

    /// The good token of an algorithm.
    pub(crate) fn token(&self, algorithm: &str) -> &str {
        self.0["good"][algorithm].as_str().unwrap()
    }

    /// Forged tokens: a name, the reason that the log should give, the token.
    pub(crate) fn forged(&self) -> Vec<(&str, &str, &str)> {
        let cases = self.0["forged"].as_array().unwrap().iter();
        cases
            .map(|case| ["name", "reason", "token"].map(|field| case[field].as_str().unwrap()).into())
            .collect()
    }
}
