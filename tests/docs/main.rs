//! The documents against the library, the header and the source. What is listed in two places is compared here, so that an
//! addition that was forgotten in one of them fails a test.

mod library;
mod links;
mod lists;

use psc_testkit::repo;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository, by its path there.
fn text_of(path: impl AsRef<Path>) -> String {
    let path = repo().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below these folders whose names end so, as paths in the repository.
fn files(folders: &[&str], endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    while let Some(path) = left.pop() {
        if repo().join(&path).is_dir() {
            let entries = fs::read_dir(repo().join(&path)).expect("a folder");
            left.extend(entries.map(|entry| path.join(entry.expect("an entry").file_name())));
        } else if endings
            .iter()
            .any(|ending| path.to_string_lossy().ends_with(ending))
        {
            found.push(path);
        }
    }
    assert!(!found.is_empty(), "no {endings:?} in {folders:?}");
    found.sort();
    found
}

/// Every page that people read.
fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(repo()).expect("the repository");
    let at_the_top = entries
        .map(|entry| PathBuf::from(entry.expect("an entry").file_name()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut pages = files(&["docs", "examples-c"], &[".md"]);
    pages.extend(at_the_top);
    pages
}

/// What stands between backquotes, outside of fenced blocks.
fn code_spans(text: &str) -> Vec<&str> {
    let outside = text.split("```").step_by(2);
    outside
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .collect()
}

/// The cells of the rows of the first table that follows this heading or text, without its head.
fn table(page: &str, after: &str) -> Vec<Vec<String>> {
    let text = text_of(page);
    let (_, text) = text
        .split_once(after)
        .unwrap_or_else(|| panic!("{page}: {after}"));
    let rows: Vec<Vec<String>> = text
        .lines()
        .skip_while(|line| !line.starts_with("|--"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').replace("\\|", "\u{1}");
            cells
                .split('|')
                .map(|cell| cell.trim().replace('\u{1}', "|"))
                .collect()
        })
        .collect();
    assert!(!rows.is_empty(), "{page}: no table after {after}");
    rows
}
