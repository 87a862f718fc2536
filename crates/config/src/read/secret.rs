use std::fmt;

use super::Reader;
use crate::syntax::{Kind, Node};

/// A value that is not to be seen: it is redacted wherever it is printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Secret(String);

impl Secret {
    /// The value itself, for the one who uses it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Reader<'_> {
    /// A value that may be a secret: a text, `file:PATH`, or a text with `${env:NAME}` in it.
    pub(crate) fn secret(&mut self, node: &Node, what: &str) -> Option<Secret> {
        self.secrets.push(node.span);
        let text = self.written(node, what)?;
        if let Some(path) = text.strip_prefix("file:") {
            let path = self.fill(node, path, false)?;
            let path = self.resolve(&path);
            let text = self.read_file(&path).and_then(|bytes| {
                String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8 text"))
            });
            return match text {
                // Whoever writes a secret into a file ends its line.
                Ok(secret) => Some(Secret(secret.trim_end_matches(['\r', '\n']).to_owned())),
                Err(error) => {
                    self.unreadable(node.span, &path.display().to_string(), &error);
                    None
                }
            };
        }
        self.fill(node, text, true).map(Secret)
    }
}

impl Reader<'_> {
    /// A secret that may not be written out: `file:PATH`, or a text with `${env:NAME}` in it.
    pub(crate) fn hidden_secret(&mut self, node: &Node, what: &str) -> Option<Secret> {
        let Kind::Scalar(text) = &node.kind else {
            // Its help would show what is in it.
            if !matches!(node.kind, Kind::Invalid) {
                self.error(node.span, format!("expected {what}, found {}", node.describe())).conceal();
            }
            return None;
        };
        let is_file = text.strip_prefix("file:").is_some_and(|path| !path.is_empty());
        if !is_file && !text.contains("${") {
            // It is not shown, for it may be the secret itself.
            self.error(node.span, format!("{what} is not written into this file"))
                .help("name where it is: `\"${env:NAME}\"`, or `\"file:PATH\"`")
                .conceal();
            return None;
        }
        let secret = self.secret(node, what)?;
        if secret.0.is_empty() {
            self.error(node.span, format!("{what} that is empty"));
            return None;
        }
        Some(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show() {
        let secret = Secret("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
        assert_eq!(secret.expose(), "hunter2");
    }
}
