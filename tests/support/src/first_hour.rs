//! A user's first hour: the wizard of `setup` in a terminal, until the user is signed in.

use std::fs;

use serde_json::Value;

use crate::{
    desk::Desk,
    terminal::{Streams, TerminalOutcome},
    world::CLIENT_ID,
};

/// The question whose default answer is a key file.
pub const STORAGE_QUESTION: &str = "Store the key in a private file";
const ROLE: &str = "arn:aws:iam::123456789012:role/BedrockUser";

/// Whether the wizard asks the user where to store the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyringWorks {
    Yes,
    No,
}

impl Desk<'_> {
    /// Removes the configuration, runs `setup` in a terminal, and answers each question once it is there: with a value
    /// only where it has no default. The user signs in at the end.
    ///
    /// Panics if a question does not appear.
    pub fn spend_first_hour(&self, keyring: KeyringWorks) -> TerminalOutcome {
        let shown = self.run(["config", "show", "--json"]).document();
        let browser = shown.pointer("/keys/browser/value").map(Value::to_string).expect("a desk has a browser");
        fs::remove_file(self.config_file()).expect("a desk is configured");
        let (browser, sts) = (format!("browser={browser}"), format!("sts_endpoint={}", self.world().sts_endpoint()));
        let terminal = self.at_terminal(Streams::Terminal, &["setup", "--set", &browser, "--set", &sts]);
        let issuer = self.world().issuer();
        let before = [
            ("Identity provider (", issuer.as_str()),
            ("Client ID of the application", CLIENT_ID),
            ("ARN of the AWS role", ROLE),
            ("ARN of another role", ""),
            ("AWS region", ""),
        ];
        let storage = (keyring == KeyringWorks::No).then_some((STORAGE_QUESTION, ""));
        let after = [("Apply these changes?", "y"), ("Sign in now?", "")];
        for (question, answer) in before.into_iter().chain(storage).chain(after) {
            terminal.shows(question);
            terminal.types(&format!("{answer}\n"));
        }
        terminal.finish()
    }
}
