//! What may be wrong on this machine: a table of checks, each with its remedy.
//!
//! A check looks and judges; it asks nobody, opens nothing and changes nothing. What is shown of it is for `commands`, and
//! every word of advice is `failure`'s.

mod context;
mod live;
mod version;
mod configuration;
mod variables;
mod storage;
mod session;
mod network;
mod provider;
mod sign_in;
mod services;
mod aws_files;
mod claude;
mod command_check;
mod conflicting_env;
mod repository;
mod sample_leftovers;
pub mod support_bundle;

use std::{future::Future, pin::Pin, thread, time::Duration};

use futures_util::future::join_all;
use serde::Serialize;

pub use context::DoctorContext;

use crate::{
    config::Profile,
    failure::{Exit, Failure},
    hint::Invocation,
    http,
};

use CheckFunction::{Local, Machine, Network};

/// What one network check may take, whatever becomes of the others. They run side by side.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one call of a live check may take. A model that was not asked for a while needs seconds for its first word.
const LIVE_CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// A check of `doctor`. One that needs the profile is skipped if there is no profile.
#[derive(Clone, Copy, Debug)]
enum CheckFunction {
    /// On this machine.
    Machine(fn(&DoctorContext<'_>) -> CheckOutcome),
    /// On this machine, of the profile.
    Local(fn(&DoctorContext<'_>, &Profile) -> CheckOutcome),
    /// Over the network, or what has to wait for it.
    Network(for<'p> fn(&'p DoctorContext<'p>, &'p Profile) -> CheckFuture<'p>),
}

/// What a check found; `?` ends a check with an error, which is `Finding::Bad`.
type CheckOutcome = Result<Finding, Finding>;

/// A check at work.
type CheckFuture<'p> = Pin<Box<dyn Future<Output = CheckOutcome> + 'p>>;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Ok(String),
    /// It works, and may not go on to.
    Warn(Failure),
    Bad(Failure),
    /// It could not be looked at; why.
    Skipped(String),
}

/// A check that was made, in the form of `doctor --json`; additions keep its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    pub name: &'static str,
    pub result: CheckResult,
    pub message: String,
    pub remedy: Option<String>,
    /// What a command that fails of it says.
    #[serde(skip)]
    pub exit: Option<Exit>,
    #[serde(skip)]
    pub slug: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckResult {
    Ok,
    Warn,
    Bad,
    Skipped,
}

/// Every check but those of `--live`, in the order in which they are told. The names are part of the contract.
const CHECKS: [(&str, CheckFunction); 28] = [
    ("version", Machine(version::check_version)),
    ("configuration", Machine(configuration::check_configuration)),
    ("variables", Local(variables::check_variables)),
    ("folder", Machine(storage::check_folder)),
    ("key", Local(storage::check_key)),
    ("lock", Local(storage::check_lock)),
    ("session", Local(session::check_session)),
    ("last-error", Local(session::check_last_error)),
    ("clock", Network(|context, profile| Box::pin(network::check_clock(context, profile)))),
    ("proxy", Network(|context, profile| Box::pin(network::check_proxy(context, profile)))),
    ("certificates", Network(|context, profile| Box::pin(network::check_certificates(context, profile)))),
    ("discovery", Network(|context, profile| Box::pin(provider::check_discovery(context, profile)))),
    ("algorithms", Network(|context, profile| Box::pin(provider::check_algorithms(context, profile)))),
    ("keys", Network(|context, profile| Box::pin(provider::check_keys(context, profile)))),
    ("client", Network(|context, profile| Box::pin(provider::check_client(context, profile)))),
    ("ports", Network(|context, profile| Box::pin(sign_in::check_ports(context, profile)))),
    ("browser", Network(|context, profile| Box::pin(sign_in::check_browser(context, profile)))),
    ("aws", Network(|context, profile| Box::pin(network::check_aws(context, profile)))),
    ("quota", Network(|context, profile| Box::pin(services::check_quota(context, profile)))),
    ("collector", Network(|context, profile| Box::pin(services::check_collectors(context, profile)))),
    ("aws-profile", Local(aws_files::check_aws_profile)),
    ("fixed-keys", Local(aws_files::check_fixed_keys)),
    ("shadows", Local(conflicting_env::check_conflicting_env)),
    ("claude-settings", Local(claude::check_user_settings)),
    ("claude-managed", Local(claude::check_managed_settings)),
    ("claude-hooks", Local(claude::check_hooks)),
    ("repository", Machine(repository::check_repository)),
    ("leftovers", Machine(sample_leftovers::check_leftovers)),
];

/// Makes the checks: those of this machine one after the other, and beside them those of the network all at once.
pub fn run_checks(context: &DoctorContext<'_>, live: bool) -> Result<Vec<CheckReport>, Failure> {
    let run_local = |(_, function): &(_, CheckFunction)| match function {
        Machine(check) => Some(check(context)),
        Local(check) => Some(context.profile().and_then(|profile| check(context, profile))),
        Network(_) => None,
    };
    let run_network = async |(_, function): &(_, CheckFunction)| match function {
        Machine(_) | Local(_) => None,
        Network(check) => Some(async { check(context, context.profile()?).await }.await),
    };
    let (local, network) = thread::scope(|scope| {
        let local = scope.spawn(|| CHECKS.iter().map(run_local).collect::<Vec<_>>());
        let network = http::block_on(join_all(CHECKS.iter().map(run_network)));
        (local.join(), network)
    });
    let local = local.unwrap_or_else(|fault| std::panic::resume_unwind(fault));
    let outcomes = local.into_iter().zip(network.map_err(Failure::from_runtime_error)?);
    let mut reports = Vec::new();
    for ((name, _), (local, network)) in CHECKS.iter().zip(outcomes) {
        let outcome = local.or(network);
        reports.extend(outcome.map(|(Ok(finding) | Err(finding))| finding.into_report(name, &context.invocation)));
    }
    if live {
        reports.extend(live::run_live_checks(context)?);
    }
    Ok(reports)
}

/// A failure that ends a check.
impl<E: Into<Failure>> From<E> for Finding {
    fn from(error: E) -> Self {
        Self::Bad(error.into())
    }
}

impl CheckResult {
    /// As people and scripts read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Skipped => "skipped",
        }
    }
}

impl Finding {
    /// For a check that needs a profile.
    fn skip_without_profile() -> Self {
        Self::Skipped("there is no profile to go by, see `configuration`".to_owned())
    }

    fn into_report(self, name: &'static str, invocation: &Invocation) -> CheckReport {
        let of = |result, failure: Failure| CheckReport {
            name,
            result,
            message: failure.what().to_owned(),
            remedy: Some(failure.hint(invocation)),
            exit: Some(failure.exit()),
            slug: Some(failure.slug().to_owned()),
        };
        let plain = |result, message| CheckReport { name, result, message, remedy: None, exit: None, slug: None };
        match self {
            Self::Ok(message) => plain(CheckResult::Ok, message),
            Self::Skipped(message) => plain(CheckResult::Skipped, message),
            Self::Warn(failure) => of(CheckResult::Warn, failure),
            Self::Bad(failure) => of(CheckResult::Bad, failure),
        }
    }
}
