//! A sign-in that would be sent to other hosts than those it was made for.
//!
//! Whether it would is for `cache` to compare.

use crate::{
    cache::{DestinationChange, SecretRecipient},
    failure::{Exit, Failure},
    hint::{Hint, NextCommand},
    session::DestinationChanged,
    text::sanitize_line,
};

impl From<DestinationChanged> for Failure {
    fn from(DestinationChanged { changes }: DestinationChanged) -> Self {
        let hint = Hint::run(NextCommand::Login)
            .text(" in a terminal to review the change, or ")
            .command(NextCommand::Logout)
            .text(" to start over");
        let all: Vec<_> = changes.iter().map(describe_change).collect();
        Self::new(
            Exit::SignInNeeded,
            "sign-in/destination_changed",
            format!("this sign-in would be sent to a new host: {}", all.join(", ")),
            hint,
        )
    }
}

/// The recipient with its hosts, now and before.
pub fn describe_change(change: &DestinationChange) -> String {
    let before = change.stored.as_deref().map_or_else(|| "none".to_owned(), describe_host);
    format!("{} {} (before: {before})", describe_recipient(change.recipient), describe_host(&change.now))
}

fn describe_recipient(recipient: SecretRecipient) -> &'static str {
    match recipient {
        SecretRecipient::TokenEndpoint => "the provider's token endpoint",
        SecretRecipient::RevocationEndpoint => "the provider's revocation endpoint",
        SecretRecipient::Sts => "AWS STS",
        SecretRecipient::Cognito => "Amazon Cognito",
        SecretRecipient::Bedrock => "Amazon Bedrock",
        SecretRecipient::BedrockRuntime => "the Amazon Bedrock runtime",
        SecretRecipient::Quota => "the quota service",
    }
}

fn describe_host(host: &str) -> String {
    // The name of a partition stands for AWS's own hosts.
    if host.contains("://") { sanitize_line(host) } else { "AWS's own host".to_owned() }
}
