//! Random settings of Claude Code, and what must hold for each of them after an edit.

use serde_json::Value;

use super::{MANY, SeededRandom, assert_comments_unchanged, strip_bom};
use crate::setup::settings::{
    ClaudeSetting, SettingsEditRefused, add_settings, read_setting, remove_settings, tests::wanted,
};

const KEYS: [&str; 8] =
    ["model", "permissions", "hooks", "größe", "awsAuthRefresh", "statusLine", "x y", "aws\\u0041uthRefresh"];
const VARIABLES: [&str; 5] = ["AWS_REGION", "FOO", "CLAUDE_CODE_USE_BEDROCK", "ANTHROPIC_MODEL", "ü"];
const PLAIN: [&str; 11] = [
    "\"opus\"",
    "\"\"",
    "\"caf\\u00e9 \\\"x\\\" \\\\\"",
    "\"// no comment\"",
    "\"/* nor this */, }\"",
    "1",
    "-2.5e3",
    "true",
    "null",
    "[]",
    "{}",
];

/// The layout of one file.
struct JsonLayout {
    indent: &'static str,
    /// Whether each property is on a line of its own.
    multi_line: bool,
    colon: &'static str,
    comments: bool,
    trailing_comma: bool,
}

pub(in crate::setup) fn generate_settings(dice: &mut SeededRandom) -> String {
    let style = JsonLayout {
        indent: dice.pick(&["  ", "    ", "\t", ""]),
        multi_line: !dice.once_in(4),
        colon: dice.pick(&[": ", ":", " : "]),
        comments: dice.once_in(2),
        trailing_comma: dice.once_in(3),
    };
    let before =
        if style.comments && dice.once_in(3) { format!("/* {} */\n", dice.next_comment()) } else { String::new() };
    let mut used = Vec::new();
    let mut members = Vec::new();
    for _ in 0..dice.next_below(5) {
        let key = dice.pick(&KEYS);
        // A duplicate key is a mistake that users rarely make.
        if used.contains(&key) && !dice.once_in(8) {
            continue;
        }
        used.push(key);
        // Our hook replaces this value whole. A comment inside it would be lost, so the value is a plain one.
        let is_ours = key.starts_with("aws");
        members.push((key, if is_ours { dice.pick(&PLAIN).to_owned() } else { random_value(dice, &style, 1) }));
    }
    if !dice.once_in(3) {
        let mut names = VARIABLES.to_vec();
        names.retain(|_| dice.once_in(2));
        let all = names.into_iter().map(|name| (name, dice.pick(&PLAIN).to_owned())).collect();
        members.insert(dice.next_below(members.len() + 1), ("env", format_object(dice, &style, 2, all)));
    }
    let text = before + &format_object(dice, &style, 1, members);
    dice.vary_line_endings(&text)
}

fn random_value(dice: &mut SeededRandom, style: &JsonLayout, depth: usize) -> String {
    match dice.next_below(5) {
        0 if depth < 3 => {
            let inner = (0..dice.next_below(3))
                .map(|number| (["one", "two", "three"][number], random_value(dice, style, depth + 1)));
            let members = inner.collect();
            format_object(dice, style, depth + 1, members)
        }
        1 => format!("[{}, {}]", dice.pick(&PLAIN), dice.pick(&PLAIN)),
        _ => dice.pick(&PLAIN).to_owned(),
    }
}

fn format_object(dice: &mut SeededRandom, style: &JsonLayout, depth: usize, members: Vec<(&str, String)>) -> String {
    if members.is_empty() {
        return dice.pick(&["{}", "{ }", "{\n}"]).to_owned();
    }
    let (open, close) = match style.multi_line {
        true => (format!("\n{}", style.indent.repeat(depth)), format!("\n{}", style.indent.repeat(depth - 1))),
        false => (" ".to_owned(), " ".to_owned()),
    };
    let mut text = "{".to_owned();
    let last = members.len() - 1;
    for (index, (key, value)) in members.into_iter().enumerate() {
        if style.comments && dice.once_in(4) {
            text += &format!("{open}/* {} */", dice.next_comment());
        }
        if style.comments && style.multi_line && dice.once_in(4) {
            text += &format!("{open}// {}", dice.next_comment());
        }
        let comma = if index < last || style.trailing_comma { "," } else { "" };
        text += &format!("{open}\"{key}\"{}{value}{comma}", style.colon);
        if style.comments && style.multi_line && dice.once_in(4) {
            text += &format!(" // {}", dice.next_comment());
        }
    }
    text + &close + "}"
}

/// Parses a file: removes comments and trailing commas outside of strings, and parses the rest as JSON.
fn parse_settings(text: &str) -> Value {
    let mut json = String::new();
    let mut rest = strip_bom(text);
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '"' => find_string_end(rest),
            '/' if rest.starts_with("//") => {
                rest = rest.find('\n').map_or("", |end| &rest[end..]);
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = &rest[rest.find("*/").unwrap() + 2..];
                continue;
            }
            '}' | ']' => {
                let length = json.trim_end().trim_end_matches(',').len();
                json.truncate(length);
                1
            }
            other => other.len_utf8(),
        };
        json += &rest[..length];
        rest = &rest[length..];
    }
    if json.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    serde_json::from_str(&json).unwrap_or_else(|why| panic!("{why}: {text}"))
}

fn find_string_end(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.unwrap().0 + 1
}

/// The settings without our keys, and without an `env` that is empty then.
fn parse_foreign_settings(text: &str) -> Value {
    let mut settings = parse_settings(text);
    for ClaudeSetting { key, .. } in wanted() {
        let name = key.to_string();
        match (name.strip_prefix("env."), settings.as_object_mut()) {
            (Some(name), Some(top)) => {
                drop(top.get_mut("env").and_then(Value::as_object_mut).map(|env| env.remove(name)));
            }
            (None, Some(top)) => drop(top.remove(&name)),
            (_, None) => {}
        }
    }
    if settings["env"].as_object().is_some_and(serde_json::Map::is_empty) {
        settings.as_object_mut().unwrap().remove("env");
    }
    settings
}

#[test]
fn random_claude_settings_get_our_keys_and_nothing_else() {
    let (mut edited, mut refused) = (0, 0);
    for seed in 0..MANY {
        let before = generate_settings(&mut SeededRandom::new(seed));
        let what = format!("settings {seed}: {before}");
        match add_settings(&before, &wanted()) {
            Ok(edit) => {
                edited += 1;
                assert_edit_holds(&before, &edit.after, &what);
            }
            Err(SettingsEditRefused::DuplicateKey { .. }) => refused += 1,
            Err(other) => panic!("{other:?}: {what}"),
        }
    }
    assert!(edited > MANY / 2 && refused > 10, "{edited} edited, {refused} refused");
}

#[track_caller]
fn assert_edit_holds(before: &str, after: &str, what: &str) {
    for ClaudeSetting { key, value } in wanted() {
        assert_eq!(read_setting(after, &key), Some(value), "{what}");
    }
    assert_eq!(parse_settings(after)["awsAuthRefresh"], wanted()[0].value, "{what}");
    assert_eq!(parse_foreign_settings(before), parse_foreign_settings(after), "{what}");
    assert_comments_unchanged(before, after, what);
    assert_eq!(before.starts_with('\u{feff}'), after.starts_with('\u{feff}'), "{what}");
    let again = add_settings(after, &wanted()).unwrap();
    assert!(again.after == after && again.diff.is_empty(), "a second time: {what}");
    let keys: Vec<_> = wanted().into_iter().map(|setting| setting.key).collect();
    let undone = remove_settings(after, before, after, &keys).unwrap().after;
    assert_eq!(parse_foreign_settings(&undone), parse_foreign_settings(before), "undone: {what}");
    assert_eq!(parse_settings(&undone), parse_settings(before), "undone: {what}");
    assert_comments_unchanged(before, &undone, what);
}
