//! Reloads: another configuration while the gateway serves.

use std::{
    convert::Infallible,
    io,
    path::{Path, PathBuf},
};

use gatewright::{
    admin::Reload,
    config::{Config, Files, Gateway},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
};
use tracing::Level;

use crate::{
    failure::Failure,
    say::{log, say},
    watch,
};

/// Reloads a gateway at SIGHUP, and when the files change that it was read from.
pub(crate) struct Reloads {
    gateway: Gateway,
    file: PathBuf,
    files: Files,
    watch: bool,
    open: bool,
    hangup: Signal,
    looking_up: Option<JoinHandle<()>>,
    accepted: u64,
    refused: u64,
}

impl Reloads {
    /// Listens for SIGHUP, which from here on no longer ends the process; within a runtime.
    pub(crate) fn listen(gateway: Gateway, file: &Path, watch: bool) -> io::Result<Self> {
        Ok(Self {
            gateway,
            file: file.to_owned(),
            files: Files::default(),
            watch,
            open: false,
            hangup: signal(SignalKind::hangup())?,
            looking_up: None,
            accepted: 0,
            refused: 0,
        })
    }

    /// The gateway as it runs now.
    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Says what may not be meant in a configuration that is served from now on, and watches its files.
    pub(crate) fn settle(&mut self, config: Config) {
        self.files = config.files().clone();
        self.open = config.is_open();
        let warnings = config.warnings();
        if !warnings.is_empty() {
            say(warnings);
        }
        // Looking names up may take long, and what resolves is served meanwhile.
        let looking_up = tokio::spawn(async move {
            let unresolved = config.unresolved().await;
            if !unresolved.is_empty() {
                say(unresolved);
            }
        });
        if let Some(earlier) = self.looking_up.replace(looking_up) {
            earlier.abort();
        }
    }

    /// Reloads whenever there is a reason to.
    pub(crate) async fn follow(&mut self) -> Infallible {
        loop {
            let changed = async {
                match self.watch {
                    true => watch::changed(&self.files).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.hangup.recv() => {
                    self.reload("SIGHUP");
                    // Whoever has moved the log away wants it opened anew, whatever the configuration is like.
                    if let Some(log) = self.gateway.access_log() {
                        log.reopen();
                    }
                }
                () = changed => self.reload("the files have changed"),
            }
        }
    }

    /// Reads the file again and serves by it, or says why not and goes on as before.
    fn reload(&mut self, why: &str) {
        let loaded = Config::load(&self.file);
        let outcome = loaded.and_then(|config| Ok((self.gateway.reload(&config)?, config)));
        match outcome {
            Ok((reloaded, config)) => {
                self.accepted += 1;
                if config.is_open() && !self.open {
                    log(Level::WARN, "there is no `auth:` section any more: every route is served openly");
                }
                log(Level::INFO, format_args!("{why}: reloaded {}: {reloaded}", self.file.display()));
                self.settle(config);
            }
            Err(errors) => {
                self.refused += 1;
                self.gateway.note_refused_reload();
                // What was missing may come to be, so the files of this try are watched and not those of the last.
                self.files = errors.files().clone();
                if let Some(admin) = self.gateway.admin() {
                    admin.note_reload(Reload::refused(errors.to_string()));
                }
                say(Failure::from(errors).text().unwrap_or_default());
                let Self { accepted, refused, .. } = self;
                log(
                    Level::ERROR,
                    format_args!(
                        "{why}: not reloaded, the running configuration stays (reloads so far: {accepted} accepted, {refused} refused)"
                    ),
                );
            }
        }
    }
}
