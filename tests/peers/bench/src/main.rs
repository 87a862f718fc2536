//! Measures the gateway and its peers side by side: `cargo xtask peers`.
//!
//! 1. Each proxy runs on one core, its clients and the origin on another.
//! 2. All take their turns in each round, each time as a new process, so that what changes on the machine meets all alike. What
//!    is told is the median of the rounds, with the range.
//! 3. CPU time a request is user and system time of all processes of a proxy, as the kernel counts it. It moves far less than
//!    requests a second on a machine that does other things too.
//! 4. A proxy is measured only when its answer is right, and what fails under load is counted.
//! 5. Before each round a fixed load shows how steady the machine is.

mod arguments;
mod bench;
mod certificate;
mod cleanup;
mod contest;
mod load;
mod machine;
mod process;
mod proxy;
mod report;
mod scenario;
mod statistics;
mod table;
mod tools;

use std::{env, process::ExitCode, time::Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use arguments::{Arguments, USAGE};
use bench::Bench;
use cleanup::Cleanup;
use report::{Chapter, Report};
use tools::Tools;

/// Whatever fails, as the sentence that its reader gets.
type Result<T, E = String> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        // For ourselves: it has to run on a core of our choice.
        ["fixed-loads"] => return told(machine::fixed_loads().map(|took| println!("{took}"))),
        _ => {}
    }
    match Arguments::parse(arguments) {
        Ok(arguments) => told(measure(&arguments)),
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn told(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<()> {
    let cleanup = Cleanup::prepare().map_err(|error| format!("no folder for files: {error}"))?;
    allow_many_files()?;
    let busy = machine::load_average();
    if busy > 0.5 {
        eprintln!("The machine is busy (load average {busy}): times mean little, ratios somewhat more.");
    }
    let tools = Tools::new(arguments.gateway.clone(), arguments.venv.clone());
    let versions = tools.versions();
    let layout = machine::Layout::find()?;
    let Arguments { rounds, seconds, .. } = *arguments;
    let mut bench = Bench::new(tools, layout, cleanup.folder(), rounds, seconds, arguments.peers.clone())?;

    let (mut chapters, mut failed) = (Vec::new(), Vec::new());
    for scenario in scenario::ALL.iter().filter(|scenario| arguments.selects(scenario.name)) {
        eprintln!("\n== {}: {}", scenario.name, scenario.about);
        let began = Instant::now();
        match (scenario.run)(&mut bench) {
            Ok(section) => {
                let took = began.elapsed();
                println!("\n{}", report::show_section(&section));
                eprintln!("== {}: {:.0} s", scenario.name, took.as_secs_f64());
                chapters.push(Chapter { name: scenario.name, about: scenario.about, section, took });
            }
            Err(problem) => {
                eprintln!("== {}: FAILED, {problem}", scenario.name);
                failed.push(scenario.name);
            }
        }
    }
    let report =
        Report { machine: machine::describe(), versions, rounds, seconds, chapters, noise: bench.noise() };
    println!("{}", report.close());
    report.write(&arguments.out)?;
    println!("all of it: {}", arguments.out.display());
    if let Some(page) = &arguments.docs {
        report::update_docs(&report, page)?;
        println!("the page: {}", page.display());
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// Thousands of connections need as many files; children inherit the limit.
fn allow_many_files() -> Result<()> {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    raised.map_err(|error| format!("the limit of open files cannot be raised: {error}"))
}
