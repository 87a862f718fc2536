//! Steps, one after the other, each with its time.

use std::time::{Duration, Instant};

use crate::{Context, command::Result};

/// One check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Context) -> Result<Outcome>,
}

/// How a step ended without failing.
pub(crate) enum Outcome {
    Passed,
    /// The step checked nothing, for this reason.
    Skipped(String),
}

struct Ended {
    name: &'static str,
    took: Duration,
    outcome: Result<Outcome>,
}

/// Runs the steps that were asked for and closes with a summary; false when one failed.
pub(crate) fn run_all(context: &Context, steps: &[Step]) -> bool {
    let names: Vec<_> = steps.iter().map(|step| step.name).collect();
    if let Some(unknown) = context.arguments.unknown_step(&names) {
        eprintln!("no such step: {unknown}; there are {}", names.join(", "));
        return false;
    }
    let mut ended: Vec<Ended> = Vec::new();
    for step in steps.iter().filter(|step| context.arguments.selects(step.name)) {
        println!("\n== {}", step.name);
        let began = Instant::now();
        let outcome = (step.run)(context);
        let took = began.elapsed();
        if let Err(problem) = &outcome {
            eprintln!("{problem}");
        }
        println!("== {}: {} in {:.1} s", step.name, verdict(&outcome), took.as_secs_f64());
        let failed = outcome.is_err();
        ended.push(Ended { name: step.name, took, outcome });
        if failed && !context.arguments.keep_going {
            break;
        }
    }
    summarize(&ended)
}

fn verdict(outcome: &Result<Outcome>) -> &'static str {
    match outcome {
        Ok(Outcome::Passed) => "passed",
        Ok(Outcome::Skipped(_)) => "skipped",
        Err(_) => "FAILED",
    }
}

fn summarize(ended: &[Ended]) -> bool {
    println!("\n{:>8}  step", "seconds");
    for Ended { name, took, outcome } in ended {
        let note = match outcome {
            Ok(Outcome::Passed) => String::new(),
            Ok(Outcome::Skipped(why)) => format!(": skipped, {why}"),
            Err(problem) => format!(": FAILED, {}", problem.lines().next().unwrap_or_default()),
        };
        println!("{:>8.1}  {name}{note}", took.as_secs_f64());
    }
    println!("{:>8.1}  in all", ended.iter().map(|step| step.took).sum::<Duration>().as_secs_f64());
    let count = |which: &str| ended.iter().filter(|step| verdict(&step.outcome) == which).count();
    let (passed, failed, skipped) = (count("passed"), count("FAILED"), count("skipped"));
    println!("\nsteps: {passed} passed, {failed} failed, {skipped} skipped");
    failed == 0
}
