//! A partner with an API key, in a keys file that is there for as long as the demo.

use std::{fs, path::PathBuf, process};

use gatewright::auth::NewApiKey;

use crate::failure::Failure;

/// The key, and the folder of its file, which goes when this is dropped.
pub(super) struct Partner {
    pub(super) key: String,
    folder: PathBuf,
}

impl Partner {
    pub(super) fn new() -> Result<Self, Failure> {
        let made = NewApiKey::builder("acme-2026").owner("acme").generate();
        let made = made.map_err(|error| Failure::new(format!("error: {error}")))?;
        let folder = std::env::temp_dir().join(format!("gatewright-demo-{}", process::id()));
        let partner = Self { key: made.secret().to_string(), folder };
        fs::create_dir_all(&partner.folder)
            .and_then(|()| fs::write(partner.keys_file(), made.entry()))
            .map_err(|error| {
                Failure::new(format!("error: cannot write {}: {error}", partner.folder.display()))
            })?;
        Ok(partner)
    }

    pub(super) fn keys_file(&self) -> PathBuf {
        self.folder.join("keys.yaml")
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
