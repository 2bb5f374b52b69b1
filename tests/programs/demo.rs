//! `cargo run --example demo`: one complete sign-in, with a provider and an STS that run inside the demo.
//!
//! The demo starts itself in a child process as `bedrock-sso`, with the library that ships: any arguments but the
//! demo's own are passed to it. The credentials go to stdout, the explanation to stderr.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a program of its own, outside the library's rooms"
)]

use std::{
    env, fs,
    io::{self, Write},
    path::Path,
    process::{Command, ExitCode, Output, Stdio},
    time::Instant,
};

use tempfile::TempDir;
use testworld::{Endpoint, Knob, World};

/// The argument with which the demo plays the browser and its user, on machines without a browser.
const PERSON: &str = "person-at-the-browser";
const HEADLESS: &str = "--headless";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => ending(demo(has_browser())),
        [HEADLESS] => ending(demo(false)),
        [PERSON, address] => ending(testworld::person(address).map(|()| 0)),
        _ => bedrock_sso::run(env::args_os()),
    }
}

fn ending(result: io::Result<u8>) -> ExitCode {
    result.map_or_else(
        |why| {
            eprintln!("demo: {why}");
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}

fn demo(with_browser: bool) -> io::Result<u8> {
    let world = World::new();
    let home = TempDir::with_prefix("bedrock-sso-demo-")?;
    let config = home.path().join("config.toml");
    let mut browser = String::new();
    if with_browser {
        world.set(Knob::Login, "page");
    } else {
        browser = format!("browser = {}", serde_json::json!([env::current_exe()?, PERSON, "{url}"]));
    }
    fs::write(&config, world.configuration(&browser))?;

    eprintln!("demo: an identity provider runs at {}", world.issuer());
    eprintln!("demo: an AWS STS runs at {} and has the role BedrockUser", world.sts_endpoint());
    eprintln!(
        "demo: {}",
        if with_browser {
            "your browser will ask you to sign in"
        } else {
            "there is no browser here, so the demo signs in without one"
        }
    );
    eprintln!("demo: $ bedrock-sso credentials");
    let (first, took) = credentials(home.path(), &config)?;
    let code = exit_code(&first);
    eprintln!("demo: exit code {code} after {took} ms; {}", asked(&world));
    if code == 0 {
        let before = world.ledger().total();
        eprintln!("demo: $ bedrock-sso credentials     (again)");
        let (second, took) = credentials(home.path(), &config)?;
        let same = if second.stdout == first.stdout { "the same document" } else { "another document" };
        eprintln!("demo: {same} after {took} ms; it sent {} requests", world.ledger().total() - before);
        eprintln!("demo: stdout has the document that an AWS SDK reads (valid in this demo only):");
    }
    io::stdout().write_all(&first.stdout)?;
    Ok(code)
}

/// Runs this program as `bedrock-sso`, in a home that is deleted when the demo ends. Also returns the milliseconds it
/// took.
fn credentials(home: &Path, config: &Path) -> io::Result<(Output, u128)> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["credentials", "--config"]).arg(config);
    command.env_remove("BEDROCK_SSO_CONFIG").env_remove("BEDROCK_SSO_PROFILE");
    for folder in ["XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
        command.env(folder, home.join(folder));
    }
    if cfg!(target_os = "macos") {
        command.env("HOME", home);
    }
    let started = Instant::now();
    let output =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?.wait_with_output()?;
    Ok((output, started.elapsed().as_millis()))
}

fn exit_code(output: &Output) -> u8 {
    output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

fn asked(world: &World) -> String {
    let count = |endpoint| world.count(endpoint);
    format!(
        "{} sign-in, {} code redeemed, {} role assumed",
        count(Endpoint::Authorize),
        count(Endpoint::Code),
        count(Endpoint::Assume)
    )
}

/// Whether a user could see a page here. Build machines set `CI`.
fn has_browser() -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("CI") {
        return false;
    }
    if cfg!(any(windows, target_os = "macos")) {
        return true;
    }
    let has_display = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    has_display
        && (is_set("BROWSER")
            || ["xdg-open", "x-www-browser", "firefox", "chromium", "google-chrome"].iter().any(in_path))
}

fn in_path(name: &&str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}
