//! Messages and hints of `console`, when the program cannot open the AWS console in a browser.
//!
//! The address of the console is a credential, so the program gives it to a browser on this machine through a local
//! redirect and prints it only when the user asks for that with `--no-browser`. Every hint here offers this flag. An
//! error of AWS itself is in `aws`.

use std::time::Duration;

use crate::{
    failure::{Exit, Failure, oidc::describe_bind_attempt},
    hint::{Hint, NextCommand},
    oidc::callback::BindAttempt,
    text::sanitize_line,
    time::format_duration,
};

impl Failure {
    /// The user would not see a browser that opens here, for example in a session over SSH. `why` describes the
    /// environment.
    pub fn from_missing_browser(why: &str) -> Self {
        let what = format!("no browser can be opened here: {why}");
        Self::new(Exit::SignInNeeded, "console/no_browser", what, suggest_printing())
    }

    /// The browser could not be started, or it ended with an error before it opened the address.
    pub fn from_failed_browser(why: &str) -> Self {
        let what = format!("the browser failed: {}", sanitize_line(why));
        let hint = suggest_printing().text(", or set `browser` in the profile");
        Self::new(Exit::SignInNeeded, "console/browser_failed", what, hint)
    }

    /// The browser started, but it did not fetch the local redirect in time. The command cannot wait longer, because
    /// the redirect works only while it runs.
    pub fn from_unopened_console(after: Duration) -> Self {
        let what = format!("no browser opened the address within {}", format_duration(after));
        Self::new(Exit::SignInNeeded, "console/not_opened", what, suggest_printing())
    }

    /// The local redirect could not be started, because no port was available.
    pub fn from_missing_address(attempt: &BindAttempt) -> Self {
        let what = format!("no local port is available for the browser: {}", describe_bind_attempt(attempt));
        Self::new(Exit::SignInNeeded, "console/port", what, suggest_printing())
    }

    /// `--region` is not a region, or it is in another partition than the profile's region `own`. Credentials of one
    /// partition mean nothing in another, and its console has another host.
    pub fn from_other_partition(region: &str, own: &str) -> Self {
        let (region, own) = (sanitize_line(region), sanitize_line(own));
        let what = format!("{region} is not a region of the same partition as {own}");
        let hint = "pass a region of that partition to `--region`, or omit the flag";
        Self::new(Exit::Usage, "usage/region", what, hint)
    }
}

/// The way that works without a browser on this machine.
fn suggest_printing() -> Hint {
    Hint::run(NextCommand::ConsoleNoBrowser).text(" to print the address instead")
}
