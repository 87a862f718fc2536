//! The report: tables as Markdown, which reads well as text, all figures as JSON, and pictures.

mod chart;
mod docs;
mod json;
mod markdown;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Result,
    statistics::Summary,
    table::{Section, Table},
};

pub(crate) use docs::update as update_docs;
pub(crate) use markdown::section as show_section;

/// All that a run has told.
pub(crate) struct Report {
    pub(crate) machine: Vec<(String, String)>,
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    pub(crate) chapters: Vec<Chapter>,
    pub(crate) noise: Vec<(String, Summary)>,
}

/// One scenario.
pub(crate) struct Chapter {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) section: Section,
    pub(crate) took: Duration,
}

impl Report {
    /// What comes after the scenarios: goals, and the noise of the machine.
    pub(crate) fn close(&self) -> String {
        let took: f64 = self.chapters.iter().map(|chapter| chapter.took.as_secs_f64()).sum();
        format!("{}\n{}\n{took:.0} s in all", markdown::goals(self), markdown::noise(self))
    }

    /// Writes all files into a folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        write(&folder.join("tables.md"), &markdown::whole(self))?;
        write(&folder.join("results.json"), &format!("{:#}\n", json::whole(self)))?;
        self.draw(folder)
    }

    /// Draws every table's pictures into a folder.
    fn draw(&self, folder: &Path) -> Result<()> {
        for table in self.chapters.iter().flat_map(|chapter| &chapter.section.tables) {
            for (index, name) in pictures(table) {
                write(&folder.join(name), &chart::draw(table, index))?;
            }
        }
        Ok(())
    }
}

/// The columns of a table that have pictures, with the names of the files.
fn pictures(table: &Table) -> impl Iterator<Item = (usize, PathBuf)> {
    table.columns.iter().enumerate().filter_map(|(index, column)| {
        let name = format!("{}-{}.svg", table.name, column.picture?);
        Some((index, name.into()))
    })
}

fn write(file: &Path, content: &str) -> Result<()> {
    fs::write(file, content).map_err(|error| format!("{}: {error}", file.display()))
}
