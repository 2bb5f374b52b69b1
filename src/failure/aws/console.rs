//! Failures of the console sign-in: AWS's federation endpoint does not exchange the credentials for a sign-in token.
//!
//! A browser that does not open the console address is another failure, see `failure::console`.

use super::{RefusalAdvice, ServiceLabel, advise_on_common_refusal, describe_general_error, make_aws_failure};
use crate::{
    aws::{CommonRefusal, ConsoleError},
    failure::Failure,
    hint::{Hint, NextCommand},
};

const CONSOLE: ServiceLabel =
    ServiceLabel { name: "the AWS console sign-in", endpoint: "`console_endpoint` if it is set" };

impl From<ConsoleError> for Failure {
    fn from(error: ConsoleError) -> Self {
        let status = match error {
            ConsoleError::NoAnswer(error) => return describe_general_error(error, &CONSOLE),
            ConsoleError::Refused { status } => status,
        };
        // The endpoint explains itself by the status alone; its body may quote the session token and is not shown.
        let (slug, hint): RefusalAdvice = match status {
            429 => advise_on_common_refusal(CommonRefusal::Throttled),
            500.. => advise_on_common_refusal(CommonRefusal::Server),
            // A policy denies the console, mostly by a condition on the source address.
            403 => (
                "console_denied",
                "ask your AWS administrator whether this role may use the console from this network".into(),
            ),
            // 400 and 401: the endpoint does not accept the credentials, which AWS may have revoked.
            _ => ("console_refused", Hint::run(NextCommand::LoginForce).text(" for new credentials, then try again")),
        };
        make_aws_failure(slug, format!("the AWS console sign-in failed with HTTP status {status}"), hint)
    }
}
