//! Whatever a page or a comment points to is there.

use crate::{files, pages, text_of};
use psc_testkit::repo;
use std::path::Path;

fn headings(page: &Path) -> Vec<String> {
    let text = text_of(page);
    let outside = text.split("\n```").step_by(2);
    outside
        .flat_map(str::lines)
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_owned())
        .collect()
}

/// As GitHub makes it of a heading.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ => Some(character).filter(|character| character.is_alphanumeric()),
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = text_of(&page);
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|after| after.split(')').next())
        {
            if link.starts_with("https://") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().expect("a folder").join(path),
            };
            let is_there = repo().join(&target).exists()
                && (heading.is_empty()
                    || headings(&target).iter().any(|name| anchor(name) == heading));
            if !is_there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_make_target_that_is_named_exists() {
    let makefile = text_of("Makefile");
    for page in pages() {
        let text = text_of(&page);
        for target in text
            .split("`make ")
            .skip(1)
            .filter_map(|after| after.split(['`', ' ']).next())
        {
            assert!(
                makefile.contains(&format!("\n{target}:")),
                "{}: make {target}",
                page.display()
            );
        }
    }
}

/// The source in one line, without what begins a comment's lines.
fn unwrapped(source: &str) -> String {
    let lines = source
        .lines()
        .map(|line| line.trim().trim_start_matches(['/', '*', '!', '#']));
    lines
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A page, or a page, a comma and one of its headings.
#[test]
fn every_page_and_heading_that_the_source_cites_exists() {
    let folders = [
        "src",
        "tests",
        "testkit",
        "c-tests",
        "examples-c",
        "refserver",
        "include",
        "scripts",
    ];
    let endings = [".rs", ".c", ".cpp", ".h", ".hpp", ".sh", ".py"];
    let mut wrong = Vec::new();
    for file in files(&folders, &endings) {
        let source = unwrapped(&text_of(&file));
        // A number of a list that is not in the repository tells nobody anything.
        if source
            .to_lowercase()
            .contains(concat!("contract ", "section"))
        {
            wrong.push(format!("{}: a section by number", file.display()));
        }
        for (at, _) in source.match_indices("docs/") {
            let cited = &source[at..];
            let end = cited
                .find(|character: char| {
                    !character.is_ascii_alphanumeric() && !"/._-".contains(character)
                })
                .unwrap_or(cited.len());
            let (page, after) = cited.split_at(end);
            let page = Path::new(page.trim_end_matches('.'));
            if page.extension().is_none() {
                continue;
            }
            let heading = after
                .strip_prefix(", ")
                .filter(|after| after.starts_with(char::is_uppercase));
            let exists = repo().join(page).exists()
                && heading.is_none_or(|cited| {
                    headings(page)
                        .iter()
                        .any(|heading| cited.starts_with(heading.as_str()))
                });
            if !exists {
                let cited: String = cited.chars().take(60).collect();
                wrong.push(format!("{}: {cited}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
