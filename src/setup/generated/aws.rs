//! Random AWS configuration files, and what must hold for each of them after an edit.

use super::{MANY, SeededRandom, assert_comments_unchanged, strip_bom};
use crate::setup::aws::{AwsEditRefused, AwsProfileEntry, add_profile, remove_profiles, tests::wanted};

const NAMES: [&str; 7] = ["a", "claude", "claude-two", "Claude", "dev.eu_1", "büro", "two words"];
const VALUES: [&str; 9] =
    ["x", "us-west-2", "a = b", "# no comment", "\"quoted text\"", "[x]", "größer", "", "/opt/x --y ; z"];

/// Keys that any profile can have. The last two select another source of credentials.
const KEYS: [&str; 9] =
    ["region", "output", "cli_pager", "credential_process", "REGION", "ca_bundle", "s3", "role_arn", "sso_session"];

pub(in crate::setup) fn generate_config(dice: &mut SeededRandom) -> String {
    let mut lines = Vec::new();
    add_blank_lines(dice, &mut lines);
    for _ in 0..dice.next_below(6) {
        lines.push(random_title(dice));
        for _ in 0..dice.next_below(5) {
            add_random_key(dice, &mut lines);
        }
        add_blank_lines(dice, &mut lines);
    }
    dice.vary_line_endings(&lines.join("\n"))
}

fn random_title(dice: &mut SeededRandom) -> String {
    let name = dice.pick(&NAMES);
    let name = if name.contains(' ') { format!("\"{name}\"") } else { name.to_owned() };
    match dice.next_below(12) {
        0 => "[default]".to_owned(),
        1 => "[sso-session corp]".to_owned(),
        2 => "[services local]".to_owned(),
        3 => format!("[{name}]"),
        4 => format!("[ profile {name} ]"),
        5 => format!("[profile\t{name}]"),
        6 => format!("[profile {name}]  # {}", dice.next_comment()),
        7 => format!("[profile '{}']", name.trim_matches('"')),
        _ => format!("[profile {name}]"),
    }
}

fn add_random_key(dice: &mut SeededRandom, lines: &mut Vec<String>) {
    // Keys of another source of credentials are rare here, because setup refuses to edit such a profile, and the test
    // needs many files that it does edit.
    let key = if dice.once_in(6) { dice.pick(&KEYS) } else { dice.pick(&KEYS[..7]) };
    let value = dice.pick(&VALUES);
    lines.push(match dice.next_below(6) {
        0 => format!("{key}={value}"),
        1 => format!("{key}   =   {value}  "),
        2 => format!("{key}\t: {value}"),
        _ => format!("{key} = {value}"),
    });
    if key == "s3" || dice.once_in(10) {
        for _ in 0..dice.next_below(3) {
            let indent = dice.pick(&["  ", "\t", " "]);
            lines.push(format!("{indent}nested = {value}"));
        }
    }
    if dice.once_in(5) {
        add_blank_lines(dice, lines);
    }
}

/// Adds up to two blank lines or comments.
fn add_blank_lines(dice: &mut SeededRandom, lines: &mut Vec<String>) {
    for _ in 0..dice.next_below(3) {
        lines.push(match dice.next_below(4) {
            0 => format!("# {}", dice.next_comment()),
            1 => format!("; {}", dice.next_comment()),
            2 => "   ".to_owned(),
            _ => String::new(),
        });
    }
}

/// Parses a file into sections, keys and values, in order. A value includes its continuation lines.
fn parse_entries(text: &str) -> Vec<(String, String, String)> {
    let mut all: Vec<(String, String, String)> = Vec::new();
    let mut section = String::new();
    let mut is_value_open = false;
    for line in strip_bom(text).lines() {
        if line.trim().is_empty() || line.starts_with(['#', ';']) {
            is_value_open = false;
        } else if let Some(rest) = line.strip_prefix('[') {
            section = rest.split(']').next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
            section = section.replace(['"', '\''], "");
            is_value_open = false;
        } else if line.starts_with([' ', '\t']) {
            if let Some((.., value)) = all.last_mut().filter(|_| is_value_open) {
                *value += "\n";
                *value += line.trim();
            }
        } else if let Some((key, value)) = line.split_once(['=', ':']) {
            all.push((section.clone(), key.trim().to_lowercase(), value.trim().to_owned()));
            is_value_open = true;
        }
    }
    all
}

/// The entries of a file without the two keys that setup writes.
fn parse_foreign_entries(text: &str, ours: &str) -> Vec<(String, String, String)> {
    let mut all = parse_entries(text);
    all.retain(|(section, key, _)| section != ours || !["credential_process", "region"].contains(&key.as_str()));
    all
}

fn find_value<'s>(entries: &'s [(String, String, String)], section: &str, key: &str) -> Option<&'s str> {
    entries.iter().find(|(of, name, _)| of == section && name == key).map(|(.., value)| value.as_str())
}

#[test]
fn random_aws_configs_get_our_profile_and_nothing_else() {
    let (mut edited, mut refused) = (0, 0);
    for seed in 0..MANY {
        let before = generate_config(&mut SeededRandom::new(seed));
        let what = format!("configuration {seed}: {before:?}");
        match add_profile(&before, &wanted()) {
            Ok(edit) => assert_edit_holds(&before, &edit.after, &wanted(), &what),
            Err(refusal) => assert_refusal_holds(&before, &refusal, &what),
        }
        if add_profile(&before, &wanted()).is_ok() { edited += 1 } else { refused += 1 }
    }
    assert!(edited > MANY / 2 && refused > MANY / 50, "{edited} edited, {refused} refused");
}

#[track_caller]
fn assert_edit_holds(before: &str, after: &str, wanted: &AwsProfileEntry, what: &str) {
    let (was, is) = (parse_entries(before), parse_entries(after));
    assert_eq!(find_value(&is, "profile claude", "credential_process"), Some(wanted.process.as_str()), "{what}");
    let region = find_value(&was, "profile claude", "region").unwrap_or(&wanted.region);
    assert_eq!(find_value(&is, "profile claude", "region"), Some(region), "{what}");
    assert_eq!(
        parse_foreign_entries(before, "profile claude"),
        parse_foreign_entries(after, "profile claude"),
        "{what}"
    );
    assert_comments_unchanged(before, after, what);
    assert_eq!(before.starts_with('\u{feff}'), after.starts_with('\u{feff}'), "{what}");
    let again = add_profile(after, wanted).unwrap();
    assert!(again.after == after && again.diff.is_empty(), "a second time: {what}");
    let undone = remove_profiles(after, before, after, [&wanted.profile]).after;
    if find_value(&was, "profile claude", "credential_process").is_none() {
        assert_eq!(undone.trim_end(), before.trim_end(), "undone: {what}");
    } else {
        assert_eq!(parse_entries(&undone), was, "undone: {what}");
    }
}

/// Asserts that the lines which a refusal names have the problem that it names.
#[track_caller]
fn assert_refusal_holds(before: &str, refusal: &AwsEditRefused, what: &str) {
    let line = |number: usize| strip_bom(before).lines().nth(number - 1).unwrap_or_default().to_lowercase();
    match refusal {
        AwsEditRefused::DuplicateProfile { lines, .. } => {
            assert!(lines.iter().all(|number| line(*number).contains("profile")), "{what}");
        }
        AwsEditRefused::DuplicateKey { key, lines } => {
            assert!(lines.iter().all(|number| line(*number).starts_with(key)), "{what}");
        }
        AwsEditRefused::OtherCredentialSource { key, line: number, .. } => {
            assert!(line(*number).starts_with(key), "{what}");
        }
    }
}
