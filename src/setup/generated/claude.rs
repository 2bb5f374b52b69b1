//! Settings of Claude Code, made at random.

use serde_json::Value;

use super::{Dice, MANY, keeps_every_note, without_mark};
use crate::setup::settings::{Refusal, Setting, tests::wanted, value_of, with, without};

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

/// How one file is laid out.
struct Style {
    indent: &'static str,
    /// Between the parts, where it is not laid out in lines.
    in_lines: bool,
    colon: &'static str,
    comments: bool,
    last_comma: bool,
}

pub(in crate::setup) fn settings(dice: &mut Dice) -> String {
    let style = Style {
        indent: dice.one_of(&["  ", "    ", "\t", ""]),
        in_lines: !dice.once_in(4),
        colon: dice.one_of(&[": ", ":", " : "]),
        comments: dice.once_in(2),
        last_comma: dice.once_in(3),
    };
    let before =
        if style.comments && dice.once_in(3) { format!("/* {} */\n", dice.note()) } else { String::new() };
    let mut used = Vec::new();
    let mut members = Vec::new();
    for _ in 0..dice.below(5) {
        let key = dice.one_of(&KEYS);
        // The same key twice is somebody's mistake, and rare.
        if used.contains(&key) && !dice.once_in(8) {
            continue;
        }
        used.push(key);
        // What stands where our hook will be is replaced whole, with a comment inside of it.
        let is_ours = key.starts_with("aws");
        members.push((key, if is_ours { dice.one_of(&PLAIN).to_owned() } else { value(dice, &style, 1) }));
    }
    if !dice.once_in(3) {
        let mut names = VARIABLES.to_vec();
        names.retain(|_| dice.once_in(2));
        let all = names.into_iter().map(|name| (name, dice.one_of(&PLAIN).to_owned())).collect();
        members.insert(dice.below(members.len() + 1), ("env", object(dice, &style, 2, all)));
    }
    let text = before + &object(dice, &style, 1, members);
    dice.finished(&text)
}

fn value(dice: &mut Dice, style: &Style, depth: usize) -> String {
    match dice.below(5) {
        0 if depth < 3 => {
            let inner = (0..dice.below(3))
                .map(|number| (["one", "two", "three"][number], value(dice, style, depth + 1)));
            let members = inner.collect();
            object(dice, style, depth + 1, members)
        }
        1 => format!("[{}, {}]", dice.one_of(&PLAIN), dice.one_of(&PLAIN)),
        _ => dice.one_of(&PLAIN).to_owned(),
    }
}

fn object(dice: &mut Dice, style: &Style, depth: usize, members: Vec<(&str, String)>) -> String {
    if members.is_empty() {
        return dice.one_of(&["{}", "{ }", "{\n}"]).to_owned();
    }
    let (open, close) = match style.in_lines {
        true => {
            (format!("\n{}", style.indent.repeat(depth)), format!("\n{}", style.indent.repeat(depth - 1)))
        }
        false => (" ".to_owned(), " ".to_owned()),
    };
    let mut text = "{".to_owned();
    let last = members.len() - 1;
    for (index, (key, value)) in members.into_iter().enumerate() {
        if style.comments && dice.once_in(4) {
            text += &format!("{open}/* {} */", dice.note());
        }
        if style.comments && style.in_lines && dice.once_in(4) {
            text += &format!("{open}// {}", dice.note());
        }
        let comma = if index < last || style.last_comma { "," } else { "" };
        text += &format!("{open}\"{key}\"{}{value}{comma}", style.colon);
        if style.comments && style.in_lines && dice.once_in(4) {
            text += &format!(" // {}", dice.note());
        }
    }
    text + &close + "}"
}

/// What a file says: comments and last commas are left out, outside of texts, and the rest is JSON.
fn said(text: &str) -> Value {
    let mut json = String::new();
    let mut rest = without_mark(text);
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '"' => end_of_text(rest),
            '/' if rest.starts_with("//") => {
                rest = rest.find('\n').map_or("", |end| &rest[end..]);
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = &rest[rest.find("*/").unwrap() + 2..];
                continue;
            }
            '}' | ']' => {
                let kept = json.trim_end().trim_end_matches(',').len();
                json.truncate(kept);
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

fn end_of_text(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.unwrap().0 + 1
}

/// Without our keys, and without an `env` that holds nothing else.
fn of_others(text: &str) -> Value {
    let mut said = said(text);
    for Setting { key, .. } in wanted() {
        let name = key.to_string();
        match (name.strip_prefix("env."), said.as_object_mut()) {
            (Some(name), Some(top)) => {
                drop(top.get_mut("env").and_then(Value::as_object_mut).map(|env| env.remove(name)));
            }
            (None, Some(top)) => drop(top.remove(&name)),
            (_, None) => {}
        }
    }
    if said["env"].as_object().is_some_and(serde_json::Map::is_empty) {
        said.as_object_mut().unwrap().remove("env");
    }
    said
}

#[test]
fn whatever_settings_look_like_they_get_our_keys_and_keep_the_rest() {
    let (mut edited, mut refused) = (0, 0);
    for seed in 0..MANY {
        let before = settings(&mut Dice::new(seed));
        let what = format!("settings {seed}: {before}");
        match with(&before, &wanted()) {
            Ok(edit) => {
                edited += 1;
                holds(&before, &edit.after, &what);
            }
            Err(Refusal::Twice { .. }) => refused += 1,
            Err(other) => panic!("{other:?}: {what}"),
        }
    }
    assert!(edited > MANY / 2 && refused > 10, "{edited} edited, {refused} refused");
}

#[track_caller]
fn holds(before: &str, after: &str, what: &str) {
    for Setting { key, value } in wanted() {
        assert_eq!(value_of(after, &key), Some(value), "{what}");
    }
    assert_eq!(said(after)["awsAuthRefresh"], wanted()[0].value, "{what}");
    assert_eq!(of_others(before), of_others(after), "{what}");
    keeps_every_note(before, after, what);
    assert_eq!(before.starts_with('\u{feff}'), after.starts_with('\u{feff}'), "{what}");
    let again = with(after, &wanted()).unwrap();
    assert!(again.after == after && again.marks.is_empty(), "a second time: {what}");
    let keys: Vec<_> = wanted().into_iter().map(|setting| setting.key).collect();
    let undone = without(after, before, after, &keys).unwrap().after;
    assert_eq!(of_others(&undone), of_others(before), "taken back: {what}");
    assert_eq!(said(&undone), said(before), "taken back: {what}");
    keeps_every_note(before, &undone, what);
}
