//! Writes every page that the program can show in a browser to a file, so that you can view it.
//!
//! Run `cargo test --test pages` and open the files that it lists. Unit tests of `oidc::page` check text and escaping.

use std::{fs, path::Path};

use bedrock_sso::{
    oidc::page::{HtmlPage, Notice, SignInEnding},
    time::Timestamp,
};
use ring::digest::{SHA256, digest};

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own files need be neither private nor atomic")]
fn every_page_is_written_to_a_file() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&folder).unwrap();
    for (name, page) in pages() {
        let file = folder.join(format!("{name}.html"));
        fs::write(&file, page.into_html()).unwrap();
        println!("{}", file.display());
    }
}

/// `.ci/pictures` lists the checksum of each page that it draws, as `sha256sum` writes it.
#[test]
fn pictures_match_the_current_pages() {
    let checksum_of = |page: HtmlPage| -> String {
        digest(&SHA256, page.into_html().as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let current = pages().map(|(name, page)| format!("{}  target/tmp/pages/{name}.html", checksum_of(page)));
    for drawn in include_str!("expected/pages.sha256").lines() {
        assert!(current.iter().any(|line| line == drawn), "{drawn} was drawn and has changed: run .ci/pictures");
    }
}

fn pages() -> [(&'static str, HtmlPage); 12] {
    [
        ("signed-in", signed_in("alice@example.com", "BedrockUser")),
        (
            "signed-in-long",
            signed_in(
                "maximiliane.von-und-zu-hohenlohe@international.subsidiary.example.com",
                "arn:aws:iam::123456789012:role/engineering/platform/GenerativeAIDeveloperAccessEuropeWest",
            ),
        ),
        (
            "failed",
            failed(
                "the provider refused the sign-in: access_denied (user is not assigned to this app)",
                "ask your Okta administrator to assign you to this application, then run `bedrock-sso login`",
                "sign-in/access_denied",
            ),
        ),
        (
            "failed-long",
            failed(
                "AWS refused the exchange: InvalidIdentityToken (No OpenIDConnect provider found in your account for \
                 https://login.microsoftonline.com/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0/v2.0)",
                "register the issuer `https://login.microsoftonline.com/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0/v2.0` with \
                 the audience `7d3c1b9e-5a2f-4e8d-9c6b-1f0a3e5d7c9b` as an OIDC provider in account 123456789012, \
                 without a trailing slash, then run `bedrock-sso login`",
                "aws/provider_not_registered",
            ),
        ),
        ("failed-bare", failed("the browser's answer could not be exchanged", "", "network/timeout")),
        ("nothing-here", Notice::NotFound.to_page()),
        ("already", Notice::AlreadyAnswered.to_page()),
        ("another-sign-in", Notice::OtherSignIn.to_page()),
        ("no-answer", Notice::NoAnswer.to_page()),
        ("unreadable", Notice::Unreadable.to_page()),
        ("console-elsewhere", Notice::NoRedirect.to_page()),
        ("console-used", Notice::RedirectUsed.to_page()),
    ]
}

fn signed_in(name: &str, role: &str) -> HtmlPage {
    HtmlPage::from_ending(&SignInEnding::SignedIn {
        role: Some((role.into(), "123456789012".into())),
        name: name.into(),
        until: Timestamp::from_unix(1_795_258_500),
        local_until: "2026-11-21 11:55".into(),
        now: Timestamp::from_unix(1_795_215_360),
    })
}

fn failed(what: &str, hint: &str, slug: &str) -> HtmlPage {
    HtmlPage::from_ending(&SignInEnding::Failed { what: what.into(), hint: hint.into(), slug: slug.into() })
}
