//! The reference: help of each command as the program prints it, and the table of exit codes.

use std::collections::BTreeSet;

use testworld::expect_part;

use super::{
    assert_none,
    markdown::{Page, split_row},
    read, run,
};

const COMMANDS: &str = "docs/reference/commands.md";

/// The commands that a help lists, in its order.
fn list_commands(call: &[&str]) -> Vec<String> {
    let output = run(&[call, &["-h"]].concat());
    let help = String::from_utf8(output.stdout).unwrap();
    let Some((_, list)) = help.split_once("Commands:\n") else { return Vec::new() };
    let names = list.split("\n\n").next().unwrap().lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every command as a user types it, without the program's name.
fn commands() -> Vec<String> {
    let mut commands = Vec::new();
    for command in list_commands(&[]) {
        let below = list_commands(&[&command]);
        commands.extend(below.iter().map(|below| format!("{command} {below}")));
        if below.is_empty() {
            commands.push(command);
        }
    }
    commands
}

/// `UPDATE_EXPECT=1` writes the help of each command into the page.
#[test]
fn commands_page_shows_the_help_of_each_command() {
    let page = Page::read(COMMANDS.to_owned());
    let headings = page.headings();
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    assert_none(
        "docs/reference/commands.md has a heading for each command",
        commands.iter().filter(|command| !headings.contains(&command.as_str())).cloned(),
    );
    for command in commands {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let help = String::from_utf8(run(&words).stdout).unwrap().replace("bedrock-sso.exe", "bedrock-sso");
        expect_part(COMMANDS, &format!("\n$ bedrock-sso {command} --help\n"), "\n```\n", help.trim_end());
    }
}

/// The numbers in `failure`'s `Exit`, and success.
fn exit_codes() -> Vec<String> {
    let failure = read("src/failure/mod.rs");
    let (_, body) = failure.split_once("pub enum Exit {").unwrap();
    let (body, _) = body.split_once('}').unwrap();
    let number = |line: &str| Some(line.trim().strip_suffix(',')?.split_once(" = ")?.1.to_owned());
    std::iter::once("0".to_owned()).chain(body.lines().filter_map(number)).collect()
}

#[test]
fn exit_codes_page_lists_each_code_once() {
    let codes = exit_codes();
    assert_eq!(codes.len(), 15, "{codes:?}");
    let page = read("docs/reference/exit-codes.md");
    let rows = page.lines().filter(|line| line.starts_with("| `")).map(split_row);
    let listed: Vec<String> = rows.map(|cells| cells[0].trim_matches('`').to_owned()).collect();
    assert_eq!(listed, codes);
}

/// The third column says how the slugs of each exit code begin.
#[test]
fn exit_codes_page_names_the_rooms_of_slugs() {
    let page = read("docs/reference/exit-codes.md");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).map(split_row).collect();
    let failures = Page::read("docs/reference/failures.md".to_owned());
    for cells in rows {
        let code = cells[0];
        let sections = failures.prose.split("\n### ").skip(1);
        let of_code = sections
            .filter(|section| section.lines().any(|line| line.starts_with("Exit code ") && line.contains(code)));
        let rooms: BTreeSet<String> = of_code
            .map(|section| section.split_once('\n').unwrap().0)
            .map(|slug| slug.split_once('/').map_or(slug.to_owned(), |(room, _)| format!("{room}/")))
            .collect();
        let named: BTreeSet<String> = cells[2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(named, rooms, "{code}");
    }
}
