//! Pages, the blocks of code in them, and the commands in those.

use std::{fs, path::Path};

pub(crate) struct Page {
    /// From the root of the tree: `docs/guide/https.md`.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its fence.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
    /// Why it is not run.
    pub(crate) not_run: Option<String>,
    /// What is run first, and not shown.
    pub(crate) before: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) text: String,
    /// The lines below it.
    pub(crate) shown: Vec<String>,
}

pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The README, the guides and the reference.
pub(crate) fn pages() -> Vec<Page> {
    let mut names = vec!["README.md".to_owned(), "docs/reference/config.md".to_owned()];
    for entry in fs::read_dir(root().join("docs/guide")).unwrap() {
        let name = entry.unwrap().file_name();
        // Pictures have a folder beside the pages.
        if let Some(page) = name.to_str().filter(|name| name.ends_with(".md")) {
            names.push(format!("docs/guide/{page}"));
        }
    }
    names.sort();
    let page = |name: String| {
        let text = fs::read_to_string(root().join(&name)).unwrap();
        Page { blocks: blocks(&text), name, text }
    };
    names.into_iter().map(page).collect()
}

/// The blocks of a page, in its order.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut next = Block::default();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(language) = trimmed.strip_prefix("```") {
            let mut block = std::mem::take(&mut next);
            (block.line, block.language) = (number, language.trim().to_owned());
            for (line, _) in lines.by_ref().take_while(|(line, _)| line.trim() != "```") {
                block.text.push_str(line.get(indent..).unwrap_or_default());
                block.text.push('\n');
            }
            blocks.push(block);
        } else if let Some(comment) = trimmed.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")) {
            match comment.trim().split_once(':') {
                Some(("not run", why)) => next.not_run = Some(why.trim().to_owned()),
                Some(("before", command)) => next.before.push(command.trim().to_owned()),
                _ => {}
            }
        } else if !trimmed.is_empty() {
            next = Block::default();
        }
    }
    blocks
}

/// The commands of a `console` block, each with what is shown below it.
pub(crate) fn commands(block: &Block) -> Result<Vec<Command>, String> {
    let mut commands: Vec<Command> = Vec::new();
    let mut lines = block.text.lines().zip(block.line + 1..);
    while let Some((line, number)) = lines.next() {
        if let Some(first) = line.strip_prefix("$ ") {
            let mut text = first.to_owned();
            while is_open(&text) {
                let Some((line, _)) = lines.next() else {
                    return Err(format!("{number}: the command has no end"));
                };
                text.push('\n');
                text.push_str(line);
            }
            commands.push(Command { line: number, text, shown: Vec::new() });
        } else if let Some(command) = commands.last_mut() {
            command.shown.push(line.to_owned());
        } else {
            return Err(format!("{number}: a console block begins with `$ `"));
        }
    }
    if commands.is_empty() {
        Err(format!("{}: a console block has no command", block.line))
    } else {
        Ok(commands)
    }
}

/// Whether a shell would read on: after a backslash, within quotes, in a here-document.
fn is_open(text: &str) -> bool {
    if let Some((_, rest)) = text.split_once("<<") {
        let word: String =
            rest.trim_start_matches('\'').chars().take_while(char::is_ascii_alphanumeric).collect();
        return !text.lines().skip(1).any(|line| line == word);
    }
    let (mut single, mut double, mut escaped) = (false, false, false);
    for char in text.chars() {
        match char {
            _ if escaped => escaped = false,
            '\\' if !single => escaped = true,
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            _ => {}
        }
    }
    single || double || escaped
}

#[test]
fn blocks_are_found_with_what_is_said_before_them() {
    let text = "a\n<!-- not run: needs x -->\n```console\n$ a\n```\n<!-- before: b -->\n\n  ```yaml\n  c:\n    d\n  ```\n\
                <!-- not run: e -->\nf\n```text\n```\n";
    let found = blocks(text);
    let fields = |block: &Block| (block.line, block.language.clone(), block.text.clone());
    assert_eq!(fields(&found[0]), (3, "console".into(), "$ a\n".into()));
    assert_eq!(found[0].not_run.as_deref(), Some("needs x"));
    assert_eq!(fields(&found[1]), (8, "yaml".into(), "c:\n  d\n".into()));
    assert_eq!((found[1].not_run.as_deref(), &found[1].before[..]), (None, &["b".to_owned()][..]));
    assert_eq!((found[2].line, found[2].not_run.as_deref()), (14, None));
}

#[test]
fn commands_are_found_with_what_is_shown() {
    let text = "$ a \\\n  b\nc\n\n$ d <<'END'\n$ e\nEND\n$ f \"\ng\"\n";
    let found = commands(&Block { line: 10, text: text.into(), ..Block::default() }).unwrap();
    let found: Vec<_> =
        found.iter().map(|command| (command.line, &*command.text, command.shown.len())).collect();
    assert_eq!(found, [(11, "a \\\n  b", 2), (15, "d <<'END'\n$ e\nEND", 0), (18, "f \"\ng\"", 0)]);
    assert!(commands(&Block { text: "a\n".into(), ..Block::default() }).is_err());
    assert!(commands(&Block { text: "$ a '\n".into(), ..Block::default() }).is_err());
}
