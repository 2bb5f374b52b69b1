//! Claude Code's settings in the shapes that users have: edited, edited again, and restored.

use super::*;

/// Files that accept our keys, each with what is special about it.
pub(crate) const SHAPES: [(&str, &str); 32] = [
    ("nothing", ""),
    ("white space", " \n\n"),
    ("a byte order mark and nothing else", "\u{feff}"),
    ("an empty object", "{}"),
    ("an empty object, final newline", "{}\n"),
    ("an empty object over two lines", "{\n}\n"),
    ("another key", "{\n  \"model\": \"opus\"\n}\n"),
    ("no final newline", "{\n  \"model\": \"opus\"\n}"),
    ("CRLF", "{\r\n  \"model\": \"opus\"\r\n}\r\n"),
    ("a byte order mark", "\u{feff}{\n  \"model\": \"opus\"\n}\n"),
    ("tabs", "{\n\t\"model\": \"opus\",\n\t\"x\": [1, 2]\n}\n"),
    ("four spaces", "{\n    \"model\": \"opus\"\n}\n"),
    ("one line", "{\"model\":\"opus\",\"x\":{\"y\":true}}"),
    ("one line with spaces", "{ \"model\": \"opus\" }\n"),
    ("a comment", "{\n  // mine\n  \"model\": \"opus\"\n}\n"),
    ("a comment after a property", "{\n  \"model\": \"opus\" // mine\n}\n"),
    ("a comment at the end", "{\n  \"model\": \"opus\"\n  // the end\n}\n"),
    ("a block comment", "/* all\n   mine */\n{\n  \"model\": \"opus\"\n}\n"),
    ("a trailing comma", "{\n  \"model\": \"opus\",\n}\n"),
    ("an empty env", "{\n  \"env\": {}\n}\n"),
    ("an env", "{\n  \"env\": {\n    \"ANTHROPIC_API_KEY\": \"sk-ant-1\"\n  }\n}\n"),
    ("an env on one line", "{\n  \"env\": { \"FOO\": \"1\" }\n}\n"),
    ("an env with a comment", "{\n  \"env\": {\n    // why\n    \"FOO\": \"1\"\n  }\n}\n"),
    ("another region", "{\n  \"env\": {\n    \"AWS_REGION\": \"eu-west-1\",\n    \"FOO\": \"1\"\n  }\n}\n"),
    ("another hook", "{\n  \"awsAuthRefresh\": \"aws sso login\",\n  \"model\": \"opus\"\n}\n"),
    ("a hook that is null", "{\n  \"awsAuthRefresh\": null\n}\n"),
    ("a number in env", "{\n  \"env\": {\n    \"CLAUDE_CODE_USE_BEDROCK\": 1\n  }\n}\n"),
    (
        "permissions",
        "{\n  \"permissions\": {\n    \"allow\": [\n      \"Bash(ls:*)\"\n    ],\n    \"deny\": []\n  }\n}\n",
    ),
    (
        "hooks",
        "{\n  \"hooks\": {\n    \"Stop\": [{ \"hooks\": [{ \"type\": \"command\", \"command\": \"say done\" }] }]\n  }\n}\n",
    ),
    ("escapes", "{\n  \"statusLine\": \"caf\\u00e9 \\\"x\\\" \\\\\"\n}\n"),
    ("a key written with escapes", "{\n  \"aws\\u0041uthRefresh\": \"aws sso login\"\n}\n"),
    ("letters outside ASCII", "{\n  \"größe\": \"ü\"\n}\n"),
];

pub(crate) fn wanted() -> Vec<ClaudeSetting> {
    [
        (ClaudeSettingKey::Top("awsAuthRefresh"), "\"/opt/Jane Doe/bedrock-sso\" login --profile claude"),
        (ClaudeSettingKey::Env("CLAUDE_CODE_USE_BEDROCK".into()), "1"),
        (ClaudeSettingKey::Env("AWS_REGION".into()), "us-east-1"),
    ]
    .map(|(key, value)| ClaudeSetting { key, value: value.into() })
    .into()
}

fn keys() -> Vec<ClaudeSettingKey> {
    wanted().into_iter().map(|setting| setting.key).collect()
}

/// The parsed settings without our keys.
fn rest(text: &str) -> serde_json::Value {
    let text = text.trim_start_matches('\u{feff}');
    let text = if text.trim().is_empty() { "{}" } else { text };
    let mut value: serde_json::Value =
        CstRootNode::parse(text, &ParseOptions::default()).map(|root| plain(&root)).unwrap();
    let top = value.as_object_mut().unwrap();
    top.remove("awsAuthRefresh");
    if let Some(env) = top.get_mut("env").and_then(serde_json::Value::as_object_mut) {
        env.remove("CLAUDE_CODE_USE_BEDROCK");
        env.remove("AWS_REGION");
        if env.is_empty() {
            top.remove("env");
        }
    }
    value
}

fn plain(root: &CstRootNode) -> serde_json::Value {
    fn of(node: &CstNode) -> serde_json::Value {
        match to_input_value(node) {
            CstInputValue::Object(_) => {
                let object = node.as_object().unwrap();
                let pairs = object.properties();
                pairs.iter().map(|one| (one.decoded_name().unwrap(), of(&one.value().unwrap()))).collect()
            }
            CstInputValue::Array(_) => node.as_array().unwrap().elements().iter().map(of).collect(),
            CstInputValue::String(text) => text.into(),
            CstInputValue::Bool(truth) => truth.into(),
            CstInputValue::Number(number) => serde_json::from_str(&number).unwrap(),
            CstInputValue::Null => serde_json::Value::Null,
        }
    }
    of(&root.value().unwrap())
}

#[test]
fn every_settings_shape_gets_our_keys_and_nothing_else() {
    for (what, before) in SHAPES {
        let edit = add_settings(before, &wanted()).unwrap();
        for ClaudeSetting { key, value } in wanted() {
            assert_eq!(read_setting(&edit.after, &key).as_ref(), Some(&value), "{what}: {key}");
        }
        assert_eq!(rest(before), rest(&edit.after), "{what}");
        let comments = ["// mine", "// the end", "/* all\n   mine */", "// why"];
        let is_unchanged = |comment: &&str| before.contains(*comment) == edit.after.contains(*comment);
        assert!(comments.iter().all(is_unchanged), "{what}: {}", edit.after);
        let crlf = before.contains("\r\n");
        assert_eq!(crlf, edit.after.contains("\r\n"), "{what}");
        assert!(!crlf || edit.after.matches('\n').count() == edit.after.matches("\r\n").count(), "{what}");
        assert_eq!(edit.after.starts_with('\u{feff}'), before.starts_with('\u{feff}'), "{what}");
    }
}

#[test]
fn adding_claude_settings_twice_changes_nothing() {
    for (what, before) in SHAPES {
        let once = add_settings(before, &wanted()).unwrap().after;
        assert_eq!(add_settings(&once, &wanted()).unwrap(), FileEdit { after: once, diff: Vec::new() }, "{what}");
    }
}

#[test]
fn removing_claude_settings_restores_old_values() {
    for (what, before) in SHAPES {
        let wrote = add_settings(before, &wanted()).unwrap().after;
        let undone = remove_settings(&wrote, before, &wrote, &keys()).unwrap().after;
        assert_eq!(rest(before), rest(&undone), "{what}");
        for key in keys() {
            let [was, is] = [before, &undone].map(|text| {
                let value =
                    SettingsFile::parse(text).unwrap().find_property(&key).unwrap().and_then(|found| found.value());
                value.map(|value| value.to_string())
            });
            assert_eq!(was, is, "{what}: {key}\n{undone}");
        }
    }
}

#[test]
fn removing_claude_settings_leaves_later_edits() {
    let before = "{\n  \"model\": \"opus\"\n}\n";
    let wrote = add_settings(before, &wanted()).unwrap().after;
    let changed = wrote.replace("us-east-1", "eu-west-1").replace("\"opus\"", "\"sonnet\"");
    let undone = remove_settings(&changed, before, &wrote, &keys()).unwrap();
    let left = "{\n  \"model\": \"sonnet\",\n  \"env\": {\n    \"AWS_REGION\": \"eu-west-1\"\n  }\n}\n";
    assert_eq!(undone.after, left);
}

#[test]
fn new_keys_use_the_indentation_of_the_file() {
    let edit = add_settings("{\n    \"model\": \"opus\"\n}\n", &wanted()).unwrap();
    assert_eq!(
        edit.after,
        "{\n    \"model\": \"opus\",\n    \"awsAuthRefresh\": \"\\\"/opt/Jane Doe/bedrock-sso\\\" login --profile claude\",\n    \
         \"env\": {\n        \"CLAUDE_CODE_USE_BEDROCK\": \"1\",\n        \"AWS_REGION\": \"us-east-1\"\n    }\n}\n"
    );
}

#[test]
fn settings_diff_shows_only_our_keys() {
    let before =
        "{\n  \"env\": {\n    \"ANTHROPIC_API_KEY\": \"sk-ant-1\",\n    \"AWS_REGION\": \"eu-west-1\"\n  }\n}\n";
    let marks = add_settings(before, &wanted()).unwrap().diff;
    assert!(!format!("{marks:?}").contains("sk-ant-1"));
    assert!(marks.contains(&DiffLine::Removed("env.AWS_REGION = \"eu-west-1\"".into())));
    assert!(marks.contains(&DiffLine::Added("env.AWS_REGION = \"us-east-1\"".into())));
}

#[test]
fn invalid_settings_files_are_refused() {
    let refused = |text: &str| add_settings(text, &wanted()).unwrap_err();
    let what = "Expected value after colon in object property".into();
    assert_eq!(refused("{\n  \"model\": \n"), SettingsEditRefused::Syntax { line: 3, message: what });
    assert_eq!(refused("[]"), SettingsEditRefused::NotAnObject { part: "the file" });
    assert_eq!(refused("{\"env\": []}"), SettingsEditRefused::NotAnObject { part: "env" });
    assert_eq!(refused("{\"env\": {}, \"env\": {}}"), SettingsEditRefused::DuplicateKey { key: "env".into() });
    let twice = "{\"env\": {\"AWS_REGION\": \"a\", \"AWS_REGION\": \"b\"}}";
    assert_eq!(refused(twice), SettingsEditRefused::DuplicateKey { key: "AWS_REGION".into() });
}
