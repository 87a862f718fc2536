//! Every wrong file of `tests/wrong/` gives exactly the errors that stand beside it.
//!
//! Run with `UPDATE=1` to write the errors anew, and read the difference.

use std::{fs, path::Path};

use gatewright_config::Config;

#[test]
fn wrong_files_say_what_is_wrong_and_where() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong");
    let mut seen = 0;
    let mut different = Vec::new();
    let mut names: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of wrong files")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    names.sort();
    for path in names {
        seen += 1;
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let errors = match Config::load(&path) {
            Ok(_) => panic!("{name}.yaml is taken"),
            // Snapshots hold no path of the machine that made them.
            Err(errors) => errors.to_string().replace(&format!("{}/", folder.display()), ""),
        };
        let snapshot = path.with_extension("txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&snapshot, &errors).expect("writes the snapshot");
        }
        let expected = fs::read_to_string(&snapshot).unwrap_or_default();
        if expected != errors {
            different.push(format!("--- {name}: expected\n{expected}--- {name}: found\n{errors}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(seen >= 40, "only {seen} wrong files");
}
