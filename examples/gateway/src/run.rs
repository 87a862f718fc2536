//! `gatewright run`.

use std::path::Path;

use gatewright::config::{Config, Gateway};

use crate::{failure::Failure, serve, shutdown::Shutdown};

/// Serves as a file says, until the process is told to stop and what was under way is done.
pub(crate) fn run(file: &Path) -> Result<(), Failure> {
    let config = Config::load(file)?;
    let gateway = Gateway::assemble(&config)?;
    let server = gateway.bind().map_err(|error| Failure::bind(&error))?;
    let runtime = serve::runtime()?;
    let shutdown = runtime
        .block_on(async { Shutdown::listen() })
        .map_err(|error| Failure::new(format!("error: signals cannot be waited for: {error}")))?;

    let warnings = config.warnings();
    if !warnings.is_empty() {
        eprintln!("{warnings}");
    }
    eprintln!("warning: no `auth:` section: every route is served openly");
    let urls = gateway.urls(&server);
    let serving = serve::start(server, &gateway.service())?;
    for url in urls {
        eprintln!("listening on {url}");
    }
    // Looking names up may take long, and what resolves is served meanwhile.
    runtime.spawn(async move {
        let unresolved = config.unresolved().await;
        if !unresolved.is_empty() {
            eprintln!("{unresolved}");
        }
    });

    let cut = runtime.block_on(serving.until_stopped(shutdown, gateway.drain_deadline()));
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    let cut = cut?;
    if let Some(log) = gateway.access_log() {
        log.flush();
    }
    if cut > 0 {
        eprintln!("{cut} connections were cut at the deadline");
    }
    Ok(())
}
