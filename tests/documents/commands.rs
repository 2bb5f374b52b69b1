//! Every command of this program that a document shows, or that a hint names, parses.

use std::collections::{BTreeMap, BTreeSet};

use super::{assert_none, documents, files_under, printed, read, run};

/// The languages of blocks in which people read commands, and settings that hold commands.
const LANGUAGES: [&str; 10] =
    ["sh", "bash", "console", "fish", "powershell", "cmd", "json", "ini", "yaml", "dockerfile"];

/// The subcommands that the help lists.
fn subcommands() -> BTreeSet<String> {
    let help = String::from_utf8(run(&["-h"]).stdout).unwrap();
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let list = list.split("\n\n").next().unwrap().lines();
    list.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The words of a command line, up to where a shell ends the command. Quotes go as a shell drops them.
fn split_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut parts = line.chars();
    while let Some(part) = parts.next() {
        match (quote, part) {
            (Some(open), _) if part == open => quote = None,
            (None, '\\') => word.get_or_insert_default().extend(parts.next()),
            (None, '"' | '\'') => {
                quote = Some(part);
                word.get_or_insert_default();
            }
            (None, '|' | '&' | ';' | '<' | '>' | '(' | ')' | '[' | '#' | ',' | '`' | '…') => break,
            (None, _) if part.is_whitespace() => words.extend(word.take()),
            (_, part) => word.get_or_insert_default().push(part),
        }
    }
    words.extend(word);
    words
}

/// The calls of this program in a text: what stands behind its name, as words.
fn find_calls(text: &str, subcommands: &BTreeSet<String>) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    let joined = text.replace("\\\n", " ");
    for line in joined.lines() {
        // In JSON and in a unit file a command stands in quotation marks, which may be escaped.
        let line = line.replace("\\\"", "");
        for (at, name) in line.match_indices("bedrock-sso") {
            let before = line[..at].chars().next_back();
            let behind = &line[at + name.len()..];
            let behind = behind.strip_prefix(".exe").unwrap_or(behind);
            let is_quoted = behind.starts_with(['"', '\'']) && before.is_some_and(|before| "/\\".contains(before));
            let Some(behind) = behind.strip_prefix(['"', '\'']).unwrap_or(behind).strip_prefix(' ') else { continue };
            let is_start = before.is_none_or(|before| "/\\ (\"'`$".contains(before));
            // The rest of a JSON string belongs to the command, and what stands behind it does not.
            let behind = if line.trim_start().starts_with('"') { behind.split('"').next().unwrap() } else { behind };
            let words = split_words(behind);
            // Elsewhere than at the start of a line or in a quoted path the name may be that of the package.
            let is_certain = is_quoted || ["", "$ "].contains(&&line[..at]);
            let is_call =
                words.first().is_some_and(|word| is_certain || subcommands.contains(word) || word.starts_with("--"));
            if is_start && is_call {
                calls.push(words);
            }
        }
    }
    calls
}

/// With `--help` at its end a command line is parsed and nothing is done. Words behind `--` belong to another command.
fn parse_error(words: &[String]) -> Option<String> {
    let own: Vec<&str> = words.iter().take_while(|word| *word != "--").map(String::as_str).collect();
    let output = run(&[own.as_slice(), &["--help"]].concat());
    // Text may name a flag without its value: `doctor --bundle`.
    let names_flag = own.last().is_some_and(|word| word.starts_with("--"));
    let is_good =
        output.status.success() || (names_flag && run(&[own.as_slice(), &["X", "--help"]].concat()).status.success());
    (!is_good).then(|| printed(&output))
}

#[track_caller]
fn assert_calls_parse(calls: BTreeMap<Vec<String>, String>, at_least: usize) {
    assert!(calls.len() >= at_least, "{calls:?}");
    let offenders = calls
        .into_iter()
        .filter_map(|(words, source)| Some(format!("{source}: {}: {}", words.join(" "), parse_error(&words)?)));
    assert_none("each command parses", offenders);
}

#[test]
fn commands_of_documents_parse() {
    let subcommands = subcommands();
    let mut calls = BTreeMap::new();
    for page in documents() {
        let spans = page.spans();
        // A span may name a command without the program: `login --force`.
        let short = spans.iter().map(|span| split_words(span)).filter(|words| {
            words.first().is_some_and(|word| subcommands.contains(word))
                && words.iter().any(|word| word.starts_with("--"))
        });
        let in_spans = spans.iter().flat_map(|span| find_calls(span, &subcommands));
        let in_blocks = page.blocks(&LANGUAGES).flat_map(|block| find_calls(block, &subcommands));
        for words in short.chain(in_spans).chain(in_blocks) {
            calls.entry(words).or_insert_with(|| page.path.clone());
        }
    }
    assert_calls_parse(calls, 60);
}

/// The golden lists hold the wording of every failure and every check that the tests see, hints included.
#[test]
fn commands_of_hints_parse() {
    let subcommands = subcommands();
    let mut calls = BTreeMap::new();
    for path in files_under("tests/expected", &["txt"]) {
        let text = read(&path);
        // A hint shows its commands in backticks.
        let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        for words in spans.flat_map(|span| find_calls(span, &subcommands)) {
            calls.entry(words).or_insert_with(|| path.clone());
        }
    }
    assert_calls_parse(calls, 20);
}

#[test]
fn calls_are_found_wherever_a_shell_or_a_setting_has_them() {
    let subcommands = subcommands();
    let find = |text: &str| {
        let calls = find_calls(text, &subcommands);
        calls.into_iter().map(|words| words.join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(find("$ eval \"$(bedrock-sso env --shell sh)\""), ["env --shell sh"]);
    assert_eq!(find("\"awsAuthRefresh\": \"/usr/bin/bedrock-sso login --profile a\","), ["login --profile a"]);
    assert_eq!(
        find("credential_process = \"/usr/bin/bedrock-sso\" credentials --profile a"),
        ["credentials --profile a"]
    );
    assert_eq!(
        find("cat s | sudo bedrock-sso login \\\n  --client-secret-stdin # so"),
        ["login --client-secret-stdin"]
    );
    assert_eq!(
        find("bedrock-sso setup --set redirect_ports='[8400, 8401]'"),
        ["setup --set redirect_ports=[8400, 8401]"]
    );
    assert_eq!(find("apt install bedrock-sso bash"), Vec::<String>::new());
}
