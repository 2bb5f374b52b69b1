//! What a person can do when the AWS console is not opened here.
//!
//! That AWS does not sign them in is the business of `aws`.

use std::time::Duration;

use crate::{
    failure::{Exit, Failure, oidc::describe_bind_attempt},
    hint::{Hint, NextCommand},
    oidc::callback::BindAttempt,
    text::sanitize_line,
    time::format_duration,
};

impl Failure {
    /// A browser that is opened here would not appear before the user.
    pub fn from_missing_browser(why: &str) -> Self {
        let what = format!("no browser can be opened here: {why}");
        Self::new(Exit::SignInNeeded, "console/no_browser", what, suggest_printing())
    }

    /// The browser could not be started, or ended with a failure before it opened the address.
    pub fn from_failed_browser(why: &str) -> Self {
        let what = format!("the browser failed: {}", sanitize_line(why));
        let hint = suggest_printing().text(", or set `browser` in the profile");
        Self::new(Exit::SignInNeeded, "console/browser_failed", what, hint)
    }

    /// No browser opened the address on this machine.
    pub fn from_unopened_console(after: Duration) -> Self {
        let what = format!("no browser opened the address within {}", format_duration(after));
        Self::new(Exit::SignInNeeded, "console/not_opened", what, suggest_printing())
    }

    /// There is no address on this machine to give to a browser.
    pub fn from_missing_address(attempt: &BindAttempt) -> Self {
        let what = format!("no address could be taken for the browser: {}", describe_bind_attempt(attempt));
        Self::new(Exit::SignInNeeded, "console/port", what, suggest_printing())
    }

    /// `--region` does not name a region, or names one of another partition than the profile's.
    pub fn from_other_partition(region: &str, own: &str) -> Self {
        let (region, own) = (sanitize_line(region), sanitize_line(own));
        let what = format!("{region} is not a region of the same partition as {own}");
        let hint = "pass a region of that partition to `--region`, or omit the flag";
        Self::new(Exit::Usage, "usage/region", what, hint)
    }
}

fn suggest_printing() -> Hint {
    Hint::run(NextCommand::ConsoleNoBrowser).text(" to print the address instead")
}
