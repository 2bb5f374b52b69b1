//! A user's first hour: the wizard of `setup` in a terminal, until the user is signed in.

use std::fs;

use serde_json::Value;

use crate::{
    desk::Desk,
    person::enter_code,
    terminal::{Streams, TerminalOutcome},
    world::CLIENT_ID,
};

/// The question whose default answer is a key file.
pub const STORAGE_QUESTION: &str = "Store the key in a private file";
/// The terminal shows the code in bold and inverted.
const BEFORE_CODE: &str = "\x1b[1;7m  ";
const ROLE: &str = "arn:aws:iam::123456789012:role/BedrockUser";

/// Whether the wizard asks the user where to store the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyringWorks {
    Yes,
    No,
}

/// How the user signs in at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum FirstSignIn {
    /// In the browser of this machine.
    Browser,
    /// With a code that the terminal shows, in a browser elsewhere. The provider must offer it.
    DeviceCode,
}

impl Desk<'_> {
    /// Removes the configuration, runs `setup` in a terminal, and answers each question once it is there: with a value
    /// only where it has no default. The user signs in at the end.
    ///
    /// Panics if a question does not appear.
    pub fn spend_first_hour(&self, keyring: KeyringWorks, sign_in: FirstSignIn) -> TerminalOutcome {
        let shown = self.run(["config", "show", "--json"]).document();
        let browser = shown.pointer("/keys/browser/value").map(Value::to_string).expect("a desk has a browser");
        fs::remove_file(self.config_file()).expect("a desk is configured");
        let (browser, sts) = (format!("browser={browser}"), format!("sts_endpoint={}", self.world().sts_endpoint()));
        let mut arguments = vec!["setup", "--set", &sts];
        if sign_in == FirstSignIn::Browser {
            arguments.extend(["--set", &browser]);
        }
        let terminal = self.at_terminal(Streams::Terminal, &arguments);
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
        if sign_in == FirstSignIn::DeviceCode {
            let shown = terminal.shows("Waiting for your sign-in");
            let code = shown.split_once(BEFORE_CODE).and_then(|(_, rest)| rest.split(' ').next()).expect("a bold code");
            enter_code(&format!("{issuer}/device"), code, false).expect("the provider answers");
        }
        terminal.finish()
    }
}
