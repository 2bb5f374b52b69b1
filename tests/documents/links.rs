//! The links of every Markdown file lead to a file or a heading.

use std::{collections::BTreeMap, path::Path};

use super::{TOP_LEVEL, assert_none, files_under, markdown::Page, root};

/// Every Markdown file of the repository that people read.
fn pages() -> Vec<Page> {
    let below = ["docs", "packaging", "tests", "examples", "fuzz"].into_iter();
    let below = below.filter(|folder| root().join(folder).is_dir()).flat_map(|folder| files_under(folder, &["md"]));
    TOP_LEVEL.into_iter().map(str::to_owned).chain(below).map(Page::read).collect()
}

/// The path of the file that a link leads to, from the root of the repository.
fn resolve(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn links_lead_to_files_and_headings() {
    let pages = pages();
    let anchors: BTreeMap<&str, Vec<String>> = pages.iter().map(|page| (page.path.as_str(), page.anchors())).collect();
    let mut offenders = Vec::new();
    let mut seen = 0;
    for page in &pages {
        for target in page.targets() {
            if target.contains("://") || target.starts_with("mailto:") || target.is_empty() {
                continue;
            }
            seen += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if file.is_empty() { page.path.clone() } else { resolve(&page.path, file) };
            let exists = root().join(&file).exists();
            let has_anchor =
                anchor.is_empty() || anchors.get(file.as_str()).is_some_and(|all| all.contains(&anchor.into()));
            // The built book has files, and no lists of the files of a folder.
            let is_folder_of_book = file.starts_with("docs/") && Path::new(&file).extension().is_none();
            if !exists || !has_anchor || is_folder_of_book {
                offenders.push(format!("{}: {target}", page.path));
            }
        }
    }
    assert!(seen > 100, "{seen}");
    assert_none("a link leads to a file, and to a heading of it", offenders);
}
