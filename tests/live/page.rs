//! `docs/live.md` held to its word: the run it shows, and the refusals it explains.

use std::{fs, path::Path};

use serde_json::json;
use testworld::{GUARDRAIL, Knob, World, expect_part};

use super::{OPUS, SONNET, refusals::REFUSALS, signed_in};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/live.md");
    fs::read_to_string(path).unwrap().replace("\r\n", "\n")
}

/// Without what differs from run to run: every number.
fn masked(text: &str) -> String {
    let mut masked: String = text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    while masked.contains("00") {
        masked = masked.replace("00", "0");
    }
    masked
}

#[test]
fn the_page_shows_what_a_run_says() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "email": "alice@example.com" }));
    let headers = format!("X-Amzn-Bedrock-GuardrailIdentifier: {GUARDRAIL}\\nX-Amzn-Bedrock-GuardrailVersion: 2");
    let claude = format!(
        "models = {{ default = \"{SONNET}\", opus = \"{OPUS}\" }}\nenv = {{ ANTHROPIC_CUSTOM_HEADERS = \"{headers}\" }}"
    );
    let desk = signed_in(&world, &claude);
    let said = desk.run(["doctor", "--live"]).stdout;
    let said = said[said.find("ok       exchange").unwrap()..].split("\n\n").next().unwrap();
    let page = page();
    let shown = page.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    if masked(shown.trim_end()) != masked(said) {
        expect_part("docs/live.md", "```text\n", "```", &format!("{said}\n"));
    }
}

#[test]
fn each_refusal_has_its_row_on_the_page() {
    let page = page();
    for (_, _, message) in REFUSALS {
        let known = page.split('`').skip(1).step_by(2).any(|words| words.len() > 10 && message.contains(words));
        assert!(known, "no row: {message}");
    }
}
