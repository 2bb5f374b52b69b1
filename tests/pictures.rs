//! The pictures of a terminal in the documents, drawn from what the program prints there. `UPDATE_EXPECT=1` draws them again.

use std::path::Path;

use serde_json::json;
use testworld::{Desk, Fault, Knob, Streams, TerminalBackground, TerminalPicture, World, expect_file};

use super::{SPENT, desk};

/// What a command prints in a terminal, with an example for each part that differs from run to run.
fn shown(desk: &Desk<'_>, arguments: &[&str]) -> String {
    desk.set_variable("TERM", "xterm-256color");
    ["BEDROCK_SSO_LOG", "BEDROCK_SSO_LOG_FILE"].into_iter().for_each(|name| desk.unset_variable(name));
    let seen = desk.at_terminal(Streams::Terminal, arguments).finish();
    let examples = [
        ("\r", ""),
        ("{port}", "8400"),
        ("{start}", "k3V9qmWa"),
        ("{time}", "2026-11-20 23:46"),
        ("{duration}", "12 h"),
        ("{home}", "~"),
        ("demo@example.com", "alice@example.com"),
    ];
    let text = desk.without_variable_parts(&seen.shown);
    examples.iter().fold(text, |text, (name, example)| text.replace(name, example))
}

#[test]
fn picture_of_a_sign_in_shows_what_the_program_prints() {
    let world = World::new();
    let desk = desk(&world);
    let mut picture = TerminalPicture::default();
    picture.add("bedrock-sso login", &shown(&desk, &["login"]));
    picture.add("bedrock-sso status", &shown(&desk, &["status"]));
    let title = "A terminal. bedrock-sso login opens the browser, then shows who signed in, with which role and until when. \
                 bedrock-sso status shows the same later.";
    expect_file("docs/pictures/sign-in.svg", &picture.to_svg(title, TerminalBackground::Dark));
}

/// `status` in each of its tones. Nothing is compared: the pictures in `target/tmp/terminals` are for a look.
#[test]
fn pictures_of_status_are_drawn_on_both_backgrounds() {
    let world = World::new();
    let desk = desk(&world);
    let mut picture = TerminalPicture::default();
    picture.add("bedrock-sso status", &shown(&desk, &["status"]));
    world.next(1, Knob::CredentialLifetime, SPENT);
    world.next(1, Knob::Claims, json!({ "email": null, "preferred_username": null }));
    desk.credentials();
    picture.add("bedrock-sso status", &shown(&desk, &["status"]));
    world.next(1, Knob::RefreshFault, json!(Fault::Status(400)));
    desk.run(["credentials", "--no-login"]).expect_code(4);
    picture.add("bedrock-sso status", &shown(&desk, &["status"]));
    picture.write_for_review(Path::new(env!("CARGO_TARGET_TMPDIR")), "status");
}
