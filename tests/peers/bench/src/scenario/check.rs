//! `gatewright check` on a file with 10,000 routes.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    Result,
    bench::Bench,
    process::{Piped, kibibytes},
    proxy::{Peer, routes_of_gateway},
    statistics::Summary,
    table::{Column, Limit, Row, Section, Table},
};

const ROUTES: usize = 10_000;

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let (_, notes) = bench.present(&[Peer::Gateway]);
    let mut section = Section { notes, ..Section::default() };
    let file = bench.folder().join("routes.yaml");
    let text = format!("upstreams:\n  origin: 127.0.0.1:1\n{}", routes_of_gateway(Some(ROUTES)));
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    let (mut seconds, mut megabytes) = (Vec::new(), Vec::new());
    for round in 1..=bench.rounds {
        bench.calibrate();
        let mut command = Command::new(bench.tools.gateway());
        command.arg("check").arg(&file);
        let (took, memory) = watched(&command, &bench.cores.one().proxy)?;
        eprintln!("  round {round}: {took:.3} s, {memory:.0} MB");
        seconds.push(took);
        megabytes.push(memory);
    }
    section.raw.push(json!({ "seconds": seconds, "megabytes": megabytes }));
    let (seconds, megabytes) = (Summary::of(seconds), Summary::of(megabytes));
    section.tables.push(Table {
        name: "check",
        title: format!("gatewright check, {ROUTES} routes"),
        columns: vec![
            Column { title: "seconds", digits: 3, picture: None },
            Column { title: "MB at its peak", digits: 0, picture: None },
        ],
        rows: vec![Row {
            label: Peer::Gateway.title().to_owned(),
            cells: vec![seconds, megabytes],
            failed: None,
            ours: true,
        }],
    });
    section.goal("check of 10,000 routes, seconds", Limit::AtMost(1.0), seconds);
    section.goal("check of 10,000 routes, MB", Limit::AtMost(200.0), megabytes);
    Ok(section)
}

/// Runs a command to its end: seconds, and megabytes (of 1,000,000 bytes) at its peak.
fn watched(command: &Command, core: &str) -> Result<(f64, f64)> {
    let began = Instant::now();
    let (mut process, _stdout) = Piped::start(core, command, Stdio::null())?;
    let status = format!("/proc/{}/status", process.child.id());
    let mut peak = 0;
    loop {
        // The kernel keeps the peak, so that the last look before the end has it.
        let told = fs::read_to_string(&status).unwrap_or_default();
        peak = kibibytes(&told, "VmHWM:").unwrap_or_default().max(peak);
        match process.child.try_wait() {
            Ok(Some(status)) if status.success() => break,
            Ok(Some(status)) => return Err(format!("check failed: {status}")),
            Ok(None) => thread::sleep(Duration::from_millis(1)),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok((began.elapsed().as_secs_f64(), peak as f64 * 1024.0 / 1e6))
}
