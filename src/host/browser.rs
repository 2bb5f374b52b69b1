//! The person's browser: the one the profile names, `$BROWSER`, or the system's.
//!
//! It is started without any stream of ours, and nobody waits for it. If it ends with a failure, the caller hears of it.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::Environment;
use crate::text::reason;

/// How long the system's opener may take to say that it cannot.
const MOMENT: Duration = Duration::from_millis(300);

/// Which program shows an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Program and arguments, `{url}` standing for the address.
    Command(Vec<String>),
    System,
    /// `none`: the person opens the address by hand.
    Nobody,
}

/// Whether a browser was asked to show the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    Asked,
    ByHand,
    Failed(String),
}

impl Browser {
    /// The profile's choice, else `$BROWSER`, else the system's.
    pub fn choose(configured: &[String], environment: &Environment) -> Self {
        if configured == ["none"] {
            return Self::Nobody;
        }
        if !configured.is_empty() {
            return Self::Command(configured.to_vec());
        }
        match environment.text("BROWSER") {
            Some(word) if word == "none" => Self::Nobody,
            Some(text) => Self::Command(command_line(text)),
            None => Self::System,
        }
    }

    /// Shows the address without waiting for anything. `failed` is called, on another thread, if the program that was
    /// started ends with a failure later.
    pub fn open(&self, address: &str, failed: impl FnOnce(String) + Send + 'static) -> Opened {
        match self {
            Self::Command(words) => open_with(words, address, failed),
            Self::System => open_with_system(address, failed),
            Self::Nobody => Opened::ByHand,
        }
    }
}

/// `$BROWSER` as `xdg-open` reads it: words, with `%s` for the address. What is a file as it stands is one word, for its
/// path may have spaces.
fn command_line(text: String) -> Vec<String> {
    if Path::new(&text).is_file() {
        return vec![text];
    }
    text.split_whitespace().map(|word| word.replace("%s", "{url}")).collect()
}

#[expect(clippy::disallowed_methods, reason = "one of the places that start a process")]
fn open_with(words: &[String], address: &str, failed: impl FnOnce(String) + Send + 'static) -> Opened {
    let Some((program, rest)) = words.split_first() else { return Opened::ByHand };
    let mut command = Command::new(program);
    command.args(rest.iter().map(|word| word.replace("{url}", address)));
    if !rest.iter().any(|word| word.contains("{url}")) {
        command.arg(address);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Ok(mut child) => {
            let program = program.clone();
            // A child that ends before us must be collected. One that ends well has handed the address to a browser.
            thread::spawn(move || match child.wait() {
                Ok(status) if !status.success() => failed(format!("{program}: {status}")),
                _ => {}
            });
            Opened::Asked
        }
        Err(error) => Opened::Failed(format!("{program}: {}", reason(&error))),
    }
}

/// In a thread of its own: where no desktop is known, the opener itself stays until the browser ends. One that fails does
/// so at once, and a sign-in that nobody can see is better refused than waited for.
fn open_with_system(address: &str, failed: impl FnOnce(String) + Send + 'static) -> Opened {
    let (tell, told) = mpsc::channel();
    let address = address.to_owned();
    thread::spawn(move || {
        // After a moment nobody listens to `told` any more.
        if let Err(mpsc::SendError(Err(why))) = tell.send(ask_system(&address)) {
            failed(why);
        }
    });
    match told.recv_timeout(MOMENT) {
        Ok(Err(why)) => Opened::Failed(why),
        _ => Opened::Asked,
    }
}

#[cfg(not(target_os = "macos"))]
fn ask_system(address: &str) -> Result<(), String> {
    let quiet = webbrowser::BrowserOptions::new().with_suppress_output(true).to_owned();
    let opened = webbrowser::open_browser_with_options(webbrowser::Browser::Default, address, &quiet);
    opened.map_err(|error| reason(&error))
}

/// By the system's own program: `webbrowser` links AppKit, which every call would load, a warm one too.
#[cfg(target_os = "macos")]
#[expect(clippy::disallowed_methods, reason = "one of the places that start a process")]
fn ask_system(address: &str) -> Result<(), String> {
    let output = Command::new("/usr/bin/open").arg(address).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr)
            .lines()
            .next()
            .unwrap_or("/usr/bin/open cannot")
            .to_owned()),
        Err(error) => Err(format!("/usr/bin/open: {}", reason(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_outranks_the_environment_and_that_the_system() {
        let environment = Environment::fixed([("BROWSER", "lynx")]);
        let words = ["firefox".to_owned(), "{url}".to_owned()];
        assert_eq!(Browser::choose(&words, &environment), Browser::Command(words.to_vec()));
        assert_eq!(Browser::choose(&[], &environment), Browser::Command(vec!["lynx".into()]));
        assert_eq!(Browser::choose(&[], &Environment::fixed([])), Browser::System);
        assert_eq!(Browser::choose(&["none".into()], &environment), Browser::Nobody);
    }

    #[test]
    fn the_variable_may_be_a_command_line_or_a_path_with_spaces() {
        let chosen = |variable: &str| Browser::choose(&[], &Environment::fixed([("BROWSER", variable)]));
        let words = |words: &[&str]| Browser::Command(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(chosen("firefox -P work"), words(&["firefox", "-P", "work"]));
        assert_eq!(chosen("chrome --app=%s --new"), words(&["chrome", "--app={url}", "--new"]));
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("My Browser");
        crate::files::replace(&program, b"").unwrap();
        let program = program.to_str().unwrap();
        assert_eq!(chosen(program), words(&[program]));
    }

    #[test]
    fn a_browser_that_does_not_exist_is_said() {
        let missing = Browser::Command(vec!["/no/such/browser".into()]);
        let opened = missing.open("http://127.0.0.1/", |why| panic!("reported twice: {why}"));
        assert!(matches!(opened, Opened::Failed(why) if why.contains("/no/such/browser")));
    }

    #[cfg(unix)]
    #[test]
    fn a_browser_that_ends_with_a_failure_is_reported_and_no_other() {
        let (fail, failed) = mpsc::channel();
        for program in ["true", "false"] {
            let fail = fail.clone();
            let opened = Browser::Command(vec![program.into()])
                .open("http://127.0.0.1/", move |why| fail.send(why).unwrap());
            assert_eq!(opened, Opened::Asked);
        }
        drop(fail);
        assert_eq!(failed.iter().collect::<Vec<_>>(), ["false: exit status: 1"]);
    }
}
