//! Checks `docs/live.md`: the output that it shows, and the errors that it explains.

use std::{fs, path::Path};

use serde_json::json;
use testworld::{GUARDRAIL, Knob, World, expect_part};

use super::{OPUS, SONNET, refusals::REFUSALS, signed_in};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/live.md");
    fs::read_to_string(path).unwrap().replace("\r\n", "\n")
}

/// Masks every number, because numbers differ from run to run.
fn masked(text: &str) -> String {
    let mut masked: String = text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    while masked.contains("00") {
        masked = masked.replace("00", "0");
    }
    masked
}

#[test]
fn live_page_shows_the_output_of_a_run() {
    let world = World::new();
    world.set(Knob::Claims, json!({ "email": "alice@example.com" }));
    let headers = format!("X-Amzn-Bedrock-GuardrailIdentifier: {GUARDRAIL}\\nX-Amzn-Bedrock-GuardrailVersion: 2");
    let claude = format!(
        "models = {{ default = \"{SONNET}\", opus = \"{OPUS}\" }}\nenv = {{ ANTHROPIC_CUSTOM_HEADERS = \"{headers}\" }}"
    );
    let desk = signed_in(&world, &claude);
    let output = desk.run(["doctor", "--live"]).stdout;
    let output = output[output.find("ok       exchange").unwrap()..].split("\n\n").next().unwrap();
    let page = page();
    let shown = page.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    if masked(shown.trim_end()) != masked(output) {
        expect_part("docs/live.md", "```text\n", "```", &format!("{output}\n"));
    }
}

#[test]
fn live_page_lists_each_bedrock_refusal() {
    let page = page();
    for (_, _, message) in REFUSALS {
        let known = page.split('`').skip(1).step_by(2).any(|words| words.len() > 10 && message.contains(words));
        assert!(known, "no row: {message}");
    }
}
