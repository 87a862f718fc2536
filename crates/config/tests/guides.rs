//! Files that the guides show are taken.

use std::{fs, path::Path};

use gatewright_config::Config;

/// The pieces of YAML in a page.
fn yaml(page: &str) -> impl Iterator<Item = String> {
    page.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()))
}

#[test]
fn every_whole_file_in_a_guide_is_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guides = fs::read_dir(root.join("docs/guide")).expect("the guides");
    let mut pages: Vec<_> = guides.map(|entry| entry.expect("an entry").path()).collect();
    // Pictures have a folder beside the pages.
    pages.retain(|path| path.is_file());
    pages.push(root.join("README.md"));
    let mut seen = 0;
    for page in pages {
        let text = fs::read_to_string(&page).expect("a page");
        // A piece without routes shows some keys alone.
        for file in yaml(&text).filter(|piece| piece.lines().any(|line| line == "routes:")) {
            seen += 1;
            let Err(errors) = Config::parse("gateway.yaml", file.as_str()) else { continue };
            // Certificates are the reader's own.
            let wrong: Vec<_> =
                errors.iter().filter(|error| !error.message().starts_with("cannot read `")).collect();
            assert!(wrong.is_empty(), "{}:\n{file}\n{errors}", page.display());
        }
    }
    assert!(seen >= 5, "{seen} files in the guides");
}
