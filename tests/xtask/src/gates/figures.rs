//! The figures: how they are written and read, and what may change.

use std::{collections::BTreeMap, fmt};

use super::{ARCHITECTURE, HOW_TO_ACCEPT};
use crate::command::Result;

/// By how many percent a figure may grow. A figure that falls by more has to be recorded.
const TOLERANCE: u64 = 3;

/// Promises of the documentation, which recording cannot change: how many more allocations one case makes than another.
const PROMISES: &[Promise] = &[
    Promise { case: "trace", beyond: "nothing", allocations: 2 },
    Promise { case: "auth-limit", beyond: "nothing", allocations: 4 },
    Promise { case: "trace-metrics", beyond: "trace-bare", allocations: 0 },
];

/// Costs that may not grow with the configuration: the instructions of one case, in percent of another's at most.
const RATIOS: &[Ratio] = &[Ratio { case: "lists-50k", of: "lists-10", percent: 130 }];

struct Ratio {
    case: &'static str,
    of: &'static str,
    percent: u64,
}

struct Promise {
    case: &'static str,
    beyond: &'static str,
    allocations: u64,
}

/// What one request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figure {
    /// None on architectures where nothing counts them.
    instructions: Option<u64>,
    /// In tenths, because some allocations are made only for some requests.
    allocations: u64,
}

pub(super) type Figures = Vec<(String, Figure)>;

impl Figure {
    /// From the totals of so many requests.
    pub(super) fn new(instructions: Option<u64>, allocations: u64, requests: u64) -> Self {
        let each = |total: u64| (total + requests / 2) / requests;
        Self { instructions: instructions.map(each), allocations: each(10 * allocations) }
    }
}

/// The file's text.
pub(super) fn write(compiler: &str, figures: &Figures) -> String {
    let mut text = format!(
        "# What one request costs: docs/design/0012-gates.md\n# Written by: {HOW_TO_ACCEPT}\n# {ARCHITECTURE}, rustc \
         {compiler}\n{:<10}{:>14}{:>13}\n",
        "case", "instructions", "allocations"
    );
    for (case, figure) in figures {
        let instructions = figure.instructions.unwrap_or_default();
        text += &format!("{case:<10}{instructions:>14}{:>13}\n", Tenths(figure.allocations).to_string());
    }
    text
}

/// The compiler and the figures of such a text.
pub(super) fn read(text: &str) -> Result<(String, Figures)> {
    let compiler = text.lines().find_map(|line| line.strip_prefix("# ")?.split_once(", rustc "));
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    let figures = lines.map(|line| read_line(line).ok_or_else(|| format!("no figures: {line:?}")));
    Ok((compiler.map(|(_, compiler)| compiler.to_owned()).unwrap_or_default(), figures.collect::<Result<_>>()?))
}

fn read_line(line: &str) -> Option<(String, Figure)> {
    let mut words = line.split_whitespace();
    let (case, instructions) = (words.next()?, words.next()?.parse().ok()?);
    let (whole, tenths) = words.next()?.split_once('.')?;
    let allocations =
        10 * whole.parse::<u64>().ok()? + tenths.parse::<u64>().ok().filter(|tenths| *tenths < 10)?;
    let figure = Figure { instructions: Some(instructions), allocations };
    words.next().is_none().then(|| (case.to_owned(), figure))
}

/// What has changed.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    rows: Vec<String>,
    problems: Vec<String>,
    fallen: bool,
}

impl Comparison {
    /// What fails the step.
    pub(super) fn problems(&self) -> &[String] {
        &self.problems
    }

    fn note(
        &mut self,
        case: &str,
        what: &str,
        old: u64,
        new: u64,
        shown: impl Fn(u64) -> String,
        at_most: u64,
    ) {
        let change = if old == 0 { 0.0 } else { (new as f64 / old as f64 - 1.0) * 100.0 };
        self.rows.push(format!("{case:<11}{what:<14}{:>10}{:>10}{change:>+8.1} %", shown(old), shown(new)));
        if new > at_most {
            self.problems.push(format!(
                "{case}: {} {what} a request, were {}, which is {change:+.1} %; at most {} would pass",
                shown(new),
                shown(old),
                shown(at_most)
            ));
        }
        self.fallen |= new * 100 < old * (100 - TOLERANCE);
    }
}

pub(super) fn compare(recorded: &Figures, counted: &Figures) -> Comparison {
    let mut comparison = Comparison::default();
    let old: BTreeMap<_, _> = recorded.iter().map(|(case, figure)| (case.as_str(), *figure)).collect();
    for (case, new) in counted {
        let Some(old) = old.get(case.as_str()) else {
            comparison.problems.push(format!("{case}: there are no figures of it"));
            continue;
        };
        if let (Some(old), Some(new)) = (old.instructions, new.instructions) {
            let at_most = old + old * TOLERANCE / 100;
            comparison.note(case, "instructions", old, new, |count| count.to_string(), at_most);
        }
        // One allocation more is one too many, also where it is less than the tolerance.
        let at_most = old.allocations + (old.allocations * TOLERANCE / 100).min(5);
        let tenths = |count| Tenths(count).to_string();
        comparison.note(case, "allocations", old.allocations, new.allocations, tenths, at_most);
    }
    for (case, _) in recorded {
        if counted.iter().all(|(counted, _)| counted != case) {
            comparison.problems.push(format!("{case}: there are figures, but no such case"));
        }
    }
    comparison
}

/// The promises that are not kept.
pub(super) fn broken_promises(counted: &Figures) -> Vec<String> {
    let figure = |case| counted.iter().find(|(name, _)| name == case).map(|(_, figure)| figure);
    let allocates_more = |promise: &&Promise| match (figure(promise.case), figure(promise.beyond)) {
        (Some(case), Some(beyond)) => case.allocations > beyond.allocations + 10 * promise.allocations,
        _ => true,
    };
    let takes_longer = |ratio: &&Ratio| match (figure(ratio.case), figure(ratio.of)) {
        (Some(case), Some(of)) => match (case.instructions, of.instructions) {
            (Some(case), Some(of)) => case * 100 > of * ratio.percent,
            _ => false,
        },
        _ => true,
    };
    let allocations = PROMISES.iter().filter(allocates_more).map(|Promise { case, beyond, allocations }| {
        format!(
            "{case}: it is promised that it makes at most {allocations} allocations beyond those of {beyond}"
        )
    });
    let instructions = RATIOS.iter().filter(takes_longer).map(|Ratio { case, of, percent }| {
        format!("{case}: it is promised that it takes at most {percent} % of the instructions of {of}")
    });
    allocations.chain(instructions).collect()
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<25}{:>10}{:>10}{:>10}", "", "recorded", "now", "change")?;
        self.rows.iter().try_for_each(|row| write!(f, "\n{row}"))?;
        if self.fallen {
            write!(f, "\nSome cost less than is recorded. Record that, so that it stays: {HOW_TO_ACCEPT}")?;
        }
        Ok(())
    }
}

struct Tenths(u64);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(figures: &[(&str, u64, u64)]) -> Figures {
        let figure = |instructions, allocations| Figure { instructions: Some(instructions), allocations };
        figures
            .iter()
            .map(|(case, instructions, tenths)| ((*case).to_owned(), figure(*instructions, *tenths)))
            .collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let both = figures(&[("router", 2941, 10), ("a-long-name", 123_456_789, 1234)]);
        assert_eq!(read(&write("1.95.0", &both)), Ok(("1.95.0".to_owned(), both)));
        for broken in ["router 1", "router x 1.0", "router 1 1", "router 1 1.0 1", "router 1 1.10"] {
            assert!(read(&format!("case instructions allocations\n{broken}\n")).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_figure_that_grows_by_more_than_it_may_is_a_problem_and_one_that_falls_is_not() {
        let old = figures(&[("router", 1000, 200)]);
        let problems = |instructions, tenths| {
            let comparison = compare(&old, &figures(&[("router", instructions, tenths)]));
            (comparison.problems.len(), comparison.fallen)
        };
        assert_eq!(problems(1000, 200), (0, false));
        assert_eq!(problems(1030, 205), (0, false));
        assert_eq!(problems(1031, 200), (1, false));
        assert_eq!(problems(1000, 206), (1, false));
        assert_eq!(problems(2000, 210), (2, false));
        assert_eq!(problems(969, 200), (0, true));
    }

    #[test]
    fn one_allocation_more_is_found_whatever_there_were() {
        for tenths in [0, 10, 1000] {
            let (old, new) = (figures(&[("proxy", 1, tenths)]), figures(&[("proxy", 1, tenths + 10)]));
            assert_eq!(compare(&old, &new).problems.len(), 1, "{tenths}");
        }
    }

    #[test]
    fn a_promise_is_broken_by_one_allocation_more_than_it_allows() {
        let broken = |trace, limit| {
            let others = [
                ("nothing", 1, 20),
                ("trace-bare", 1, 20),
                ("trace-metrics", 1, 20),
                ("lists-10", 100, 0),
                ("lists-50k", 130, 0),
            ];
            broken_promises(&figures(&[&others[..], &[("trace", 1, trace), ("auth-limit", 1, limit)]].concat()))
                .len()
        };
        assert_eq!(broken(40, 60), 0);
        assert_eq!(broken(50, 60), 1);
        assert_eq!(broken(50, 61), 2);
        assert_eq!(
            broken_promises(&figures(&[("nothing", 1, 20)])).len(),
            4,
            "what is not counted is not kept"
        );
    }

    #[test]
    fn a_promise_is_broken_by_more_instructions_than_the_share_that_it_allows() {
        let broken = |many| {
            let figures = [
                ("nothing", 1, 0),
                ("trace", 1, 0),
                ("auth-limit", 1, 0),
                ("trace-bare", 1, 0),
                ("trace-metrics", 1, 0),
                ("lists-10", 100, 0),
                many,
            ];
            broken_promises(&self::figures(&figures)).len()
        };
        assert_eq!(broken(("lists-50k", 130, 0)), 0);
        assert_eq!(broken(("lists-50k", 131, 0)), 1);
    }

    #[test]
    fn a_case_without_figures_is_a_problem_and_so_are_figures_without_a_case() {
        let (old, new) = (figures(&[("gone", 1, 1)]), figures(&[("new", 1, 1)]));
        assert_eq!(compare(&old, &new).problems.len(), 2);
    }

    #[test]
    fn a_figure_is_that_of_one_request_rounded() {
        let figure = Figure::new(Some(2_940_501), 4_051, 1000);
        assert_eq!(figure, Figure { instructions: Some(2941), allocations: 41 });
    }
}
