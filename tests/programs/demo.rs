//! `cargo run --example demo`: one sign-in from end to end, with a provider and an STS of its own on this machine.
//!
//! The program under show is the library itself, run in a process of its own: whatever words the demo does not know
//! are its command line. The document goes to stdout, the story to stderr.
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

/// As the browser command of a machine where there is none.
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

    eprintln!("demo: an identity provider stands at {}", world.issuer());
    eprintln!("demo: an AWS STS stands at {}, and knows the role BedrockUser", world.sts_endpoint());
    eprintln!(
        "demo: {}",
        if with_browser {
            "your browser will ask you to sign in"
        } else {
            "no browser here: the demo signs in by itself"
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
        eprintln!("demo: {same} after {took} ms; {} requests were needed", world.ledger().total() - before);
        eprintln!("demo: and this is what an AWS SDK reads, on stdout (worth nothing outside of this demo):");
    }
    io::stdout().write_all(&first.stdout)?;
    Ok(code)
}

/// Runs this very program as `bedrock-sso`, in a home that ends with the demo, and says how many milliseconds it took.
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

/// Whether a person here could see a page. Build machines say `CI`, and nobody sits before them.
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
