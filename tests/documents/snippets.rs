//! Configurations and JSON that the documents show: the program and a parser accept them.

use super::{assert_none, documents, markdown::Page, printed, run, run_in, write_config};

/// A profile around settings that a page shows alone.
const PROFILE: [&str; 4] = [
    "issuer = \"https://sso.acme.example\"",
    "client_id = \"bedrock-sso\"",
    "role_arn = \"arn:aws:iam::123456789012:role/BedrockUser\"",
    "region = \"us-east-1\"",
];

/// The key that a line sets.
fn key_of(line: &str) -> &str {
    line.split('=').next().unwrap_or_default().trim()
}

/// The file that a snippet is, or the smallest one that holds its settings.
fn complete(snippet: &str) -> String {
    let sets = |key: &str| snippet.lines().any(|line| key_of(line) == key && line.contains('='));
    if sets("version") {
        return snippet.to_owned();
    }
    // The first lines set keys at the top, of a profile, or belong to a table that the snippet opens.
    let opens_table = snippet.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let has_profile = snippet.lines().any(|line| line.starts_with("[profiles.") || line.starts_with("[defaults]"));
    if opens_table.is_some_and(|line| line.starts_with('[')) && has_profile {
        let missing = PROFILE.into_iter().filter(|line| !sets(key_of(line))).collect::<Vec<_>>().join("\n");
        let is_of_defaults = snippet.contains("[defaults]");
        let table = if is_of_defaults { "profiles.claude" } else { "defaults" };
        let whole_profile = snippet.contains("[profiles.") && is_of_defaults;
        return match whole_profile {
            true => format!("version = 1\n{snippet}"),
            false => format!("version = 1\n{snippet}\n[{table}]\n{missing}\n"),
        };
    }
    let missing: Vec<&str> = PROFILE.into_iter().filter(|line| !sets(key_of(line))).collect();
    format!("version = 1\n[profiles.claude]\n{}\n{snippet}", missing.join("\n"))
}

/// Whether only the administrator's file may hold these settings. `config check FILE` judges a file as if it were one.
fn is_administrators(snippet: &str) -> bool {
    snippet.lines().any(|line| ["enforce", "aws_profile", "min_version", "relay"].contains(&key_of(line)))
}

#[test]
fn configurations_pass_the_programs_own_check() {
    let mut seen = 0;
    let mut offenders = Vec::new();
    for page in documents() {
        for snippet in page.blocks(&["toml"]) {
            seen += 1;
            let home = tempfile::tempdir().unwrap();
            let file = write_config(home.path(), &complete(snippet));
            let file = file.to_str().unwrap();
            let output = match is_administrators(snippet) {
                true => run(&["config", "check", file]),
                false => run_in(home.path(), &["config", "check", "--config", file]),
            };
            let said = printed(&output);
            if !output.status.success() || said.contains("warning:") {
                offenders.push(format!("{}: {snippet}\n{said}", page.path));
            }
        }
    }
    assert!(seen >= 6, "{seen}");
    assert_none("each configuration passes `config check` without a warning", offenders);
}

#[test]
fn json_blocks_parse() {
    let mut seen = 0;
    for page in documents() {
        for block in page.blocks(&["json"]) {
            seen += 1;
            let parsed = serde_json::from_str::<serde_json::Value>(block);
            assert!(parsed.is_ok(), "{}: {block}\n{parsed:?}", page.path);
        }
    }
    assert!(seen > 10, "{seen}");
}

/// AWS's tools start the program without a shell's `PATH`, and split the line at spaces outside of quotes.
#[test]
fn aws_profiles_name_an_absolute_quoted_path() {
    let pages = documents();
    let lines = pages.iter().flat_map(|page| page.blocks(&["ini"])).flat_map(str::lines);
    let calls: Vec<_> = lines.filter_map(|line| line.trim().strip_prefix("credential_process = ")).collect();
    assert!(calls.len() > 1, "{calls:?}");
    let is_good = |call: &&str| call.starts_with("\"/") || call.starts_with("\"C:\\");
    assert_none("a path is absolute and in quotes", calls.into_iter().filter(|call| !is_good(call)).map(str::to_owned));
}

#[test]
fn provider_guides_show_a_configuration_for_it() {
    for kind in ["okta", "entra", "auth0", "cognito", "google", "generic"] {
        let page = Page::read(format!("docs/providers/{kind}.md"));
        let [configuration] = page.blocks(&["toml"]).collect::<Vec<_>>().try_into().unwrap();
        let home = tempfile::tempdir().unwrap();
        let file = write_config(home.path(), configuration);
        let shown = run_in(home.path(), &["config", "show", "--json", "--config", file.to_str().unwrap()]);
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        let provider = &shown["keys"]["provider"];
        assert!([&provider["resolved"], &provider["value"]].contains(&&kind.into()), "{kind}: {provider}");
        let issuer = shown["keys"]["issuer"]["value"].as_str().unwrap();
        let name = issuer.strip_prefix("https://").unwrap();
        let client = shown["keys"]["client_id"]["value"].as_str().unwrap();
        let condition = format!("\"{name}:aud\": \"{client}\"");
        assert!(page.blocks(&["json"]).any(|policy| policy.contains(&condition)), "{kind}: {condition}");
    }
}
