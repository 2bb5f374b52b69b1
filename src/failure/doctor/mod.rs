//! What `doctor` finds that no other command fails of by itself, and what to do about it.
//!
//! Where a command fails of it too, `doctor` tells it in that command's words.

mod local;
mod tool_config;
mod remote;

pub use local::LocalFinding;
pub use remote::{
    describe_algorithms_aws_rejects, describe_bad_collector, describe_broken_quota_service, describe_clock_skew,
    describe_insecure_collector, describe_missing_keys, describe_not_aws, describe_unknown_client,
    describe_unsupported_algorithms,
};
pub use tool_config::{CallFault, RepositorySettings, ToolConfigFinding};

/// Texts as a sentence lists them.
fn join_with_and(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
