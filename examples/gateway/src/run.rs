//! `gatewright run`.

use std::{path::Path, time::Duration};

use gatewright::config::{Config, Gateway};
use tracing::Level;

use crate::{admin, failure::Failure, reload::Reloads, say::log, serve, shutdown::Shutdown};

/// How long the last spans may take to the collector, once nothing is under way any more.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// Serves as a file says, until the process is told to stop and what was under way is done. `watch` says whether a
/// change of the file is a reason to reload it.
pub(crate) fn run(file: &Path, watch: bool) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let runtime = serve::runtime()?;
    // Keys of identity providers are fetched on this runtime, which outlives the workers.
    let entered = runtime.enter();
    let gateway = Gateway::assemble(&config)?;
    let server =
        gateway.bind().map_err(|error| Failure::bind(&error, "write another address into the file"))?;
    let (urls, service) = (gateway.urls(&server), gateway.service());
    let admin = admin::start(&gateway)?;
    let listen = || Ok((Shutdown::listen()?, Reloads::listen(gateway, file, watch)?));
    let (mut shutdown, mut reloads) = listen().map_err(|error: std::io::Error| {
        Failure::new(format!("error: signals cannot be waited for: {error}"))
    })?;

    if config.is_open() {
        log(Level::WARN, "no `auth:` section: every route is served openly");
    }
    let mut serving = serve::start(server, &service)?;
    for url in urls {
        log(Level::INFO, format_args!("listening on {url}"));
    }
    if let Some(url) = admin.url() {
        log(Level::INFO, format_args!("the status page is at {url}"));
    }
    reloads.settle(config);
    drop(entered);

    let cut = runtime.block_on(async {
        let why = tokio::select! {
            why = serving.stopped(&mut shutdown) => why,
            never = reloads.follow() => match never {},
        };
        admin.drain();
        serving.drain(&why, shutdown, reloads.gateway().drain_deadline()).await
    });
    admin.end();
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    let cut = cut?;
    if let Some(log) = reloads.gateway().access_log() {
        log.flush();
    }
    if let Some(audit) = reloads.gateway().audit()
        && !audit.close()
    {
        log(
            Level::ERROR,
            format_args!("the audit log could not be written to its end: {} records are lost", audit.lost()),
        );
    }
    if let Some(otlp) = reloads.gateway().otlp()
        && !otlp.flush(LAST_SPANS)
    {
        log(Level::WARN, format_args!("{} spans in all were not sent, and more may be lost", otlp.dropped()));
    }
    if cut > 0 {
        log(Level::WARN, format_args!("{cut} connections were cut before they had ended"));
    }
    Ok(())
}
