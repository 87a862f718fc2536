//! The command line.

pub(crate) const USAGE: &str = "\
Usage: cargo xtask test [--full] [--keep-going] [--only STEP]... [--skip STEP]...
       cargo xtask soak [--keep-going] [--only STEP]... [--skip STEP]...
       cargo xtask peers [OPTION]...
       cargo xtask screenshots

  test          everything that CI runs
  soak          the acceptance tests at their whole size, with figures; takes hours
  peers         the gateway and its peers, measured side by side; --help tells its options
  screenshots   the pictures of the guide, taken of the status page
  --full        the steps too that need much time or many packages
  --keep-going  go on after a failed step
  --only STEP   this step alone; may be repeated
  --skip STEP   all but this step; may be repeated";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) task: Task,
    pub(crate) full: bool,
    pub(crate) keep_going: bool,
    /// The arguments for the bench.
    pub(crate) rest: Vec<String>,
    only: Vec<String>,
    skip: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    Peers,
    Screenshots,
    Test,
    Soak,
}

impl Arguments {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let task = match arguments.next().as_deref() {
            Some("test") => Task::Test,
            Some("soak") => Task::Soak,
            Some("peers") => Task::Peers,
            Some("screenshots") => Task::Screenshots,
            None | Some("help" | "--help" | "-h") => Task::Help,
            Some(other) => return Err(format!("no such task: {other}")),
        };
        let mut parsed =
            Self { task, full: false, keep_going: false, rest: Vec::new(), only: Vec::new(), skip: Vec::new() };
        if parsed.task == Task::Peers {
            parsed.rest.extend(arguments);
            return Ok(parsed);
        }
        while let Some(argument) = arguments.next() {
            let mut step = || arguments.next().ok_or_else(|| format!("{argument} needs the name of a step"));
            match argument.as_str() {
                "--full" => parsed.full = true,
                "--keep-going" => parsed.keep_going = true,
                "--only" => parsed.only.push(step()?),
                "--skip" => parsed.skip.push(step()?),
                _ => return Err(format!("no such option: {argument}")),
            }
        }
        Ok(parsed)
    }

    pub(crate) fn selects(&self, step: &str) -> bool {
        let named = |steps: &[String]| steps.iter().any(|name| name == step);
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }

    /// A step that was named and does not exist.
    pub(crate) fn unknown_step(&self, known: &[&str]) -> Option<&str> {
        let mut named = self.only.iter().chain(&self.skip).map(String::as_str);
        named.find(|step| !known.contains(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn steps_are_chosen_by_name() {
        let all = parse("test").expect("valid");
        assert!(all.selects("fmt") && !all.full && !all.keep_going);
        let some = parse("test --full --keep-going --only fmt --only deny --skip deny").expect("valid");
        assert!(some.full && some.keep_going);
        assert_eq!(["fmt", "deny", "doc"].map(|step| some.selects(step)), [true, false, false]);
        assert_eq!(some.unknown_step(&["fmt"]), Some("deny"));
    }

    #[test]
    fn what_is_unknown_is_an_error() {
        for line in ["tset", "test --fulll", "test --only"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
