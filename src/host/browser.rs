//! Opens an address in the user's browser: the profile's, that of `$BROWSER`, or the system's.
//!
//! The browser inherits no stream of this process, and the program does not wait for it. If the browser's command
//! fails later, the caller is notified.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::{
    Environment, VariableUse,
    programs::{find_on_path, is_bare_name},
};
use crate::text::describe_io_error;

/// How long to wait for the system's opener to report a failure.
const OPENER_TIMEOUT: Duration = Duration::from_millis(300);

/// The program that opens an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Program and arguments. `{url}` is replaced by the address.
    Command(Vec<String>),
    System,
    /// `none`: the user opens the address.
    Disabled,
}

/// Whether a browser was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrowserLaunch {
    Started,
    Manual,
    Failed(String),
}

impl Browser {
    /// Chooses the profile's browser, or else `$BROWSER` if it may be used, or else the system's.
    pub fn from_settings(configured: &[String], variable: VariableUse, environment: &Environment) -> Self {
        if configured == ["none"] {
            return Self::Disabled;
        }
        if !configured.is_empty() {
            return Self::Command(resolve_program(configured.to_vec(), environment));
        }
        match environment.var_text(BROWSER_VARIABLE) {
            None => Self::System,
            Some(word) if variable == VariableUse::Honored && word == "none" => Self::Disabled,
            Some(text) if variable == VariableUse::Honored && !is_relative_command(&text) => {
                Self::Command(resolve_program(parse_browser_variable(text), environment))
            }
            Some(_) => choose_default_opener(environment),
        }
    }

    /// Opens the address and returns at once. If the started program fails later, `failed` is called on another thread.
    pub fn open_url(&self, address: &str, failed: impl FnOnce(String) + Send + 'static) -> BrowserLaunch {
        match self {
            Self::Command(words) => open_with_command(words, address, failed),
            Self::System => open_with_system(address, failed),
            Self::Disabled => BrowserLaunch::Manual,
        }
    }
}

const BROWSER_VARIABLE: &str = "BROWSER";

/// Returns whether `$BROWSER` is a relative path. It would start a program from the current folder, which may be an
/// untrusted repository.
pub fn is_relative_command(variable: &str) -> bool {
    let program = variable.split_whitespace().next().unwrap_or_default();
    [variable, program].map(Path::new).iter().all(|path| !is_bare_name(path) && !path.is_absolute())
}

/// Replaces a bare name by the program's absolute path, found in the absolute folders of `PATH`.
fn resolve_program(mut words: Vec<String>, environment: &Environment) -> Vec<String> {
    if let Some(program) = words.first_mut().filter(|program| is_bare_name(Path::new(program))) {
        let path = find_on_path(environment, program).into_iter().next();
        *program = path.and_then(|path| path.into_os_string().into_string().ok()).unwrap_or_else(|| program.clone());
    }
    words
}

/// Chooses the system's opener if `$BROWSER` is set but may not be used. The crate `webbrowser` would follow the
/// variable.
#[cfg(not(any(target_os = "macos", windows)))]
fn choose_default_opener(environment: &Environment) -> Browser {
    const OPENERS: [&str; 3] = ["xdg-open", "wslview", "x-www-browser"];
    let opener = OPENERS.into_iter().find(|name| !find_on_path(environment, name).is_empty());
    Browser::Command(resolve_program(vec![opener.unwrap_or("xdg-open").to_owned()], environment))
}

#[cfg(any(target_os = "macos", windows))]
fn choose_default_opener(_: &Environment) -> Browser {
    Browser::System
}

/// Parses `$BROWSER` as `xdg-open` does: words, with `%s` for the address. If the whole value is the path of a file,
/// it is one word, because the path may contain spaces.
fn parse_browser_variable(text: String) -> Vec<String> {
    if Path::new(&text).is_file() {
        return vec![text];
    }
    text.split_whitespace().map(|word| word.replace("%s", "{url}")).collect()
}

/// Starts a command with an absolute path, without a shell, so the address cannot become shell code.
#[expect(clippy::disallowed_methods, reason = "one of the places that start a process")]
fn open_with_command(words: &[String], address: &str, failed: impl FnOnce(String) + Send + 'static) -> BrowserLaunch {
    let Some((program, rest)) = words.split_first() else { return BrowserLaunch::Manual };
    if !Path::new(program).is_absolute() {
        let why = if is_bare_name(Path::new(program)) { "no such program in PATH" } else { "not an absolute path" };
        return BrowserLaunch::Failed(format!("{program}: {why}"));
    }
    let mut command = Command::new(program);
    command.args(rest.iter().map(|word| word.replace("{url}", address)));
    if !rest.iter().any(|word| word.contains("{url}")) {
        command.arg(address);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // An opener such as `xdg-open` would follow the variable.
    command.env_remove(BROWSER_VARIABLE);
    match command.spawn() {
        Ok(mut child) => {
            let program = program.clone();
            // Wait for the child, or it stays as a zombie process. A child that succeeds has passed the address to a
            // browser.
            thread::spawn(move || match child.wait() {
                Ok(status) if !status.success() => failed(format!("{program}: {status}")),
                _ => {}
            });
            BrowserLaunch::Started
        }
        Err(error) => BrowserLaunch::Failed(format!("{program}: {}", describe_io_error(&error))),
    }
}

/// Runs the system's opener on another thread, because without a known desktop it runs as long as the browser. A
/// failing opener fails at once, and the program waits briefly for that, so that it does not wait for a sign-in that
/// the user cannot see.
fn open_with_system(address: &str, failed: impl FnOnce(String) + Send + 'static) -> BrowserLaunch {
    let (sender, outcome) = mpsc::channel();
    let address = address.to_owned();
    thread::spawn(move || {
        // Sending fails if the caller has stopped waiting for `outcome`. The failure is then reported through `failed`.
        if let Err(mpsc::SendError(Err(why))) = sender.send(run_system_opener(&address)) {
            failed(why);
        }
    });
    match outcome.recv_timeout(OPENER_TIMEOUT) {
        Ok(Err(why)) => BrowserLaunch::Failed(why),
        _ => BrowserLaunch::Started,
    }
}

#[cfg(not(target_os = "macos"))]
fn run_system_opener(address: &str) -> Result<(), String> {
    let quiet = webbrowser::BrowserOptions::new().with_suppress_output(true).to_owned();
    let opened = webbrowser::open_browser_with_options(webbrowser::Browser::Default, address, &quiet);
    opened.map_err(|error| describe_io_error(&error))
}

/// Runs macOS's own opener. The crate `webbrowser` links AppKit, which every call of this program would load.
#[cfg(target_os = "macos")]
#[expect(clippy::disallowed_methods, reason = "one of the places that start a process")]
fn run_system_opener(address: &str) -> Result<(), String> {
    let output = Command::new("/usr/bin/open").arg(address).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("/usr/bin/open failed").to_owned())
        }
        Err(error) => Err(format!("/usr/bin/open: {}", describe_io_error(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_browser_precedes_variable_and_system() {
        let environment = Environment::fixed([("BROWSER", "lynx")]);
        let choose = |words: &[String], environment: &Environment| {
            Browser::from_settings(words, VariableUse::Honored, environment)
        };
        let words = ["firefox".to_owned(), "{url}".to_owned()];
        assert_eq!(choose(&words, &environment), Browser::Command(words.to_vec()));
        assert_eq!(choose(&[], &environment), Browser::Command(vec!["lynx".into()]));
        assert_eq!(choose(&[], &Environment::fixed([])), Browser::System);
        assert_eq!(choose(&["none".into()], &environment), Browser::Disabled);
    }

    #[test]
    fn relative_or_ignored_browser_variable_is_not_used() {
        let chosen = |variable: VariableUse, value: &str| {
            Browser::from_settings(&[], variable, &Environment::fixed([("BROWSER", value)]))
        };
        let planted = |value: &str| Browser::Command(vec![value.to_owned()]);
        for value in ["./b", "bin/b", "../b", "./b --flag %s"] {
            assert!(is_relative_command(value), "{value}");
            let first = value.split(' ').next().unwrap();
            assert_ne!(chosen(VariableUse::Honored, value), planted(first), "{value}");
        }
        let absolute = if cfg!(windows) { r"C:\lynx.exe" } else { "/usr/bin/lynx" };
        for value in [absolute, "lynx", "none"] {
            assert!(!is_relative_command(value), "{value}");
            let silenced = chosen(VariableUse::Ignored, value);
            assert!(silenced != planted(value) && silenced != Browser::Disabled, "{value}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bare_browser_name_is_found_in_absolute_folders_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("own-browser");
        crate::files::write_atomically(&program, b"").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let path = format!("bin:.:{}", folder.path().display());
        let environment = Environment::fixed([("BROWSER", "own-browser"), ("PATH", &path)]);
        let chosen = Browser::from_settings(&[], VariableUse::Honored, &environment);
        assert_eq!(chosen, Browser::Command(vec![program.to_str().unwrap().to_owned()]));
        let unknown = Browser::Command(vec!["own-browser".to_owned()]);
        assert_eq!(
            unknown.open_url("http://127.0.0.1/", |_| {}),
            BrowserLaunch::Failed("own-browser: no such program in PATH".into())
        );
        let relative = Browser::Command(vec!["./own-browser".to_owned()]);
        assert!(matches!(relative.open_url("http://127.0.0.1/", |_| {}), BrowserLaunch::Failed(_)));
    }

    #[test]
    fn browser_variable_may_be_a_command_or_a_path() {
        let chosen = |variable: &str| {
            Browser::from_settings(&[], VariableUse::Honored, &Environment::fixed([("BROWSER", variable)]))
        };
        let words = |words: &[&str]| Browser::Command(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(chosen("firefox -P work"), words(&["firefox", "-P", "work"]));
        assert_eq!(chosen("chrome --app=%s --new"), words(&["chrome", "--app={url}", "--new"]));
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("My Browser");
        crate::files::write_atomically(&program, b"").unwrap();
        let program = program.to_str().unwrap();
        assert_eq!(chosen(program), words(&[program]));
    }

    #[test]
    fn missing_browser_is_reported() {
        let missing = Browser::Command(vec!["/no/such/browser".into()]);
        let opened = missing.open_url("http://127.0.0.1/", |why| panic!("reported twice: {why}"));
        assert!(matches!(opened, BrowserLaunch::Failed(why) if why.contains("/no/such/browser")));
    }

    #[cfg(unix)]
    #[test]
    fn only_a_failing_browser_is_reported() {
        let (fail, failed) = mpsc::channel();
        for program in ["/usr/bin/true", "/usr/bin/false"] {
            let fail = fail.clone();
            let opened = Browser::Command(vec![program.into()])
                .open_url("http://127.0.0.1/", move |why| fail.send(why).unwrap());
            assert_eq!(opened, BrowserLaunch::Started);
        }
        drop(fail);
        assert_eq!(failed.iter().collect::<Vec<_>>(), ["/usr/bin/false: exit status: 1"]);
    }
}
