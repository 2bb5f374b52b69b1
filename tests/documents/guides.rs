//! Lists in the guides: each has a row for everything that the program has of the kind.

use std::collections::BTreeSet;

use super::{assert_none, documents, files_under, read, run};

/// The names of all checks of `doctor`, in their order. Without a configuration it skips most of them, but lists them.
fn checks_of_doctor() -> Vec<String> {
    let report = run(&["doctor", "--json"]).stdout;
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let checks = report["checks"].as_array().unwrap().iter();
    checks.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn doctor_guide_has_a_row_for_each_check() {
    let guide = read("docs/doctor.md");
    let cells = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<_> = cells.map(|(name, _)| name.to_owned()).collect();
    let checks = checks_of_doctor();
    assert!(checks.len() > 25, "{checks:?}");
    let documented: Vec<_> = rows.iter().filter(|row| checks.contains(row)).cloned().collect();
    assert_eq!(documented, checks);
}

/// The guide for fleets lists each file that `setup --fleet` writes, and no other.
#[test]
fn fleet_guide_lists_each_file() {
    let text = read("docs/fleet.md");
    let list = read("tests/setup/fleet/bedrock-sso.sha256");
    let made: Vec<&str> = list.lines().filter_map(|line| Some(line.split_once("  ")?.1)).collect();
    let table = text.split("\n### ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let shown: Vec<&str> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let mut expected = [made, vec!["bedrock-sso.sha256"]].concat();
    expected.retain(|name| !shown.contains(name));
    assert_eq!(expected, Vec::<&str>::new(), "not in the table");
    assert_eq!(shown.len(), list.lines().count() + 1, "{shown:?}");
}

#[test]
fn fleet_guide_names_each_pinned_variable() {
    let text = read("docs/fleet.md");
    let (_, section) = text.split_once("\n### What the managed settings pin").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let settings: serde_json::Value =
        serde_json::from_str(&read("tests/setup/fleet/linux/managed-settings.json")).unwrap();
    let names = settings["env"].as_object().unwrap().keys().map(String::as_str);
    let is_pin = |name: &&str| name.starts_with("BEDROCK_SSO_") || name.starts_with("AWS_") && *name != "AWS_REGION";
    let pins: Vec<_> = names.filter(is_pin).chain(["AWS_PROFILE"]).collect();
    assert_eq!(pins.len(), 12, "{pins:?}");
    for name in pins {
        // The variants of one variable are listed by their endings.
        let ending = name.strip_prefix("AWS_ENDPOINT_URL").filter(|ending| !ending.is_empty());
        assert!(section.contains(&format!("`{}`", ending.unwrap_or(name))), "{name}");
    }
}

/// The slugs of a room in a text.
fn slugs(text: &str, room: &str) -> BTreeSet<String> {
    let room = format!("{room}/");
    let rest = text.match_indices(&room).filter_map(|(at, _)| text.get(at..));
    let end = |slug: &str| slug.find(|part: char| !part.is_ascii_lowercase() && part != '_' && part != '/');
    rest.filter_map(|rest| Some(rest.get(..end(rest)?)?.to_owned())).filter(|slug| !slug.ends_with('/')).collect()
}

#[test]
fn network_guide_has_a_row_for_each_failure() {
    let [failures, page] = ["src/failure/http.rs", "docs/networks.md"].map(read);
    for room in ["network", "config"] {
        assert_eq!(slugs(&page, room), slugs(&failures, room));
    }
}

#[test]
fn variables_of_this_program_in_documents_are_read() {
    let files = [files_under("src", &["rs"]), files_under("server/src", &["rs"])].concat();
    let mut sources: String = files.iter().map(read).collect();
    // The installer and the builds of packages have variables too.
    let scripts = ["packaging/install.sh", "packaging/linux/package"].map(read).concat();
    // The name of a key's variable is put together from the name of its static.
    let keys = read("src/config/keys.rs");
    let statics: BTreeSet<&str> =
        keys.lines().filter_map(|line| line.trim().split_once(": ")).map(|(id, _)| id).collect();
    let mut seen = BTreeSet::new();
    for page in documents() {
        let words = page.text.split(|part: char| !part.is_ascii_uppercase() && !part.is_ascii_digit() && part != '_');
        for name in words.filter_map(|word| word.strip_prefix("BEDROCK_SSO_")) {
            seen.insert((name.to_owned(), page.path.clone()));
        }
    }
    assert!(seen.len() > 60, "{seen:?}");
    sources.push_str(&read("benches/warm/linux/cost.rs"));
    let is_read = |name: &str| {
        let variable = format!("BEDROCK_SSO_{name}");
        statics.contains(name) || sources.contains(&format!("\"{variable}\"")) || scripts.contains(&variable)
    };
    let unknown = seen.into_iter().filter(|(name, _)| !name.is_empty() && !is_read(name));
    assert_none("the program reads the variable", unknown.map(|(name, path)| format!("{path}: BEDROCK_SSO_{name}")));
}

#[test]
fn architecture_page_lists_each_module_in_reading_order() {
    let library = read("src/lib.rs");
    let declared = library.lines().filter_map(|line| Some(line.strip_suffix(';')?.split_once("mod ")?.1));
    let page = read("docs/internals/architecture.md");
    let (_, section) = page.split_once("\n## The modules, in reading order").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0));
    assert_eq!(rows.collect::<Vec<_>>(), declared.collect::<Vec<_>>());
}
