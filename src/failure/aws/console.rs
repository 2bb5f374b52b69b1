//! What a person can do when AWS does not sign them in to its console.
//!
//! That no browser opened what AWS gave is the business of `console` beside `aws`.

use super::{RefusalAdvice, ServiceLabel, advise_on_common_refusal, describe_general_error, make_aws_failure};
use crate::{
    aws::{CommonRefusal, ConsoleError},
    failure::Failure,
    hint::{Hint, NextCommand},
};

const CONSOLE: ServiceLabel =
    ServiceLabel { name: "the sign-in to the AWS console", endpoint: "`console_endpoint` if it is set" };

impl From<ConsoleError> for Failure {
    fn from(error: ConsoleError) -> Self {
        let status = match error {
            ConsoleError::NoAnswer(error) => return describe_general_error(error, &CONSOLE),
            ConsoleError::Refused { status } => status,
        };
        let (slug, hint): RefusalAdvice = match status {
            429 => advise_on_common_refusal(CommonRefusal::Throttled),
            500.. => advise_on_common_refusal(CommonRefusal::Server),
            403 => (
                "console_denied",
                "ask your AWS administrator whether this role may use the console from this network".into(),
            ),
            _ => ("console_refused", Hint::run(NextCommand::LoginForce).text(" for new credentials, then try again")),
        };
        make_aws_failure(slug, format!("AWS did not sign you in to its console: HTTP status {status}"), hint)
    }
}
