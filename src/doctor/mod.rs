//! The checks of `doctor`: each looks for one kind of problem on this machine, and reports what it found with a remedy.
//!
//! No check prompts the user, opens a browser, starts a sign-in or changes a setting, so that users and scripts can run
//! `doctor` at any time. Each check reports one kind of problem, so that one problem does not hide another.
//! `commands` prints the results; `failure` words every problem and its remedy.

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
mod quota;
mod services;
mod aws_files;
mod claude;
mod claude_version;
mod command_check;
mod conflicting_env;
mod gateway;
mod repository;
mod sample_leftovers;
mod sso_tokens;
pub mod support_bundle;

use std::{future::Future, pin::Pin, thread, time::Duration};

use futures_util::future::join_all;
use serde::Serialize;

pub use context::DoctorContext;

use crate::{
    config::{OidcSettings, Profile, SignInSettings},
    failure::{Exit, Failure},
    hint::Invocation,
    http,
};

use CheckFunction::{Local, Machine, Network, Provider};

/// How long one network request of a check may take. All network checks run at the same time, so a silent network costs
/// this time about once and not once per check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one call of a live check may take. It is longer, because a model that nobody has called for a while needs
/// several seconds for its first answer.
const LIVE_CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// The function of a check. A check that takes a profile is skipped if no profile can be loaded; only `configuration`
/// then reports why.
#[derive(Clone, Copy, Debug)]
enum CheckFunction {
    /// Uses only this machine, and needs no profile.
    Machine(fn(&DoctorContext<'_>) -> CheckOutcome),
    /// Uses only this machine, and needs the profile.
    Local(fn(&DoctorContext<'_>, &Profile) -> CheckOutcome),
    /// The same, and applies only to a profile with an OpenID provider.
    Provider(for<'p> fn(&'p DoctorContext<'p>, &'p Profile, &'p OidcSettings) -> CheckFuture<'p>),
    /// Uses the network, or the result of a network request that another check also uses.
    Network(for<'p> fn(&'p DoctorContext<'p>, &'p Profile) -> CheckFuture<'p>),
}

/// The result of a check. Both sides hold a finding: `?` ends a check early, and turns an error into `Finding::Bad`.
type CheckOutcome = Result<Finding, Finding>;

/// A running network check. It borrows the context, which all checks share.
type CheckFuture<'p> = Pin<Box<dyn Future<Output = CheckOutcome> + 'p>>;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Ok(String),
    /// It works now, but the user should check it.
    Warn(Failure),
    /// A command fails for this reason.
    Bad(Failure),
    /// The check does not apply here, or could not run. The text says why.
    Skipped(String),
}

/// A finished check in the form of `doctor --json`. The form is part of the contract: a new field does not change the
/// version, a changed meaning does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    pub name: &'static str,
    pub result: CheckResult,
    pub message: String,
    pub remedy: Option<String>,
    /// The exit code of a command that fails for this reason; `None` if the check found no problem.
    #[serde(skip)]
    pub exit: Option<Exit>,
    /// The slug of that failure, for the support bundle.
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

/// The check of the quota service. With `--live` it refreshes the sign-in first, so it is then one of the live checks.
const QUOTA: &str = "quota";

/// Every check except those of `--live`, in the order of the output. The names are part of the contract: scripts look
/// them up in `doctor --json`.
const CHECKS: [(&str, CheckFunction); 34] = [
    ("version", Machine(version::check_version)),
    ("configuration", Machine(configuration::check_configuration)),
    ("variables", Local(variables::check_variables)),
    ("folder", Machine(storage::check_folder)),
    ("key", Local(storage::check_key)),
    ("lock", Local(storage::check_lock)),
    ("session", Local(session::check_session)),
    ("session-name", Local(session::check_session_name)),
    ("last-error", Local(session::check_last_error)),
    ("clock", Network(|context, profile| Box::pin(network::check_clock(context, profile)))),
    ("proxy", Network(|context, profile| Box::pin(network::check_proxy(context, profile)))),
    ("certificates", Network(|context, profile| Box::pin(network::check_certificates(context, profile)))),
    ("discovery", Provider(|context, profile, oidc| Box::pin(provider::check_discovery(context, profile, oidc)))),
    ("algorithms", Provider(|context, profile, oidc| Box::pin(provider::check_algorithms(context, profile, oidc)))),
    ("keys", Provider(|context, profile, oidc| Box::pin(provider::check_keys(context, profile, oidc)))),
    ("client", Provider(|context, profile, oidc| Box::pin(provider::check_client(context, profile, oidc)))),
    ("require", Provider(|context, profile, oidc| Box::pin(provider::check_requirements(context, profile, oidc)))),
    ("ports", Network(|context, profile| Box::pin(sign_in::check_ports(context, profile)))),
    ("browser", Network(|context, profile| Box::pin(sign_in::check_browser(context, profile)))),
    ("aws", Network(|context, profile| Box::pin(network::check_aws(context, profile)))),
    (QUOTA, Network(|context, profile| Box::pin(quota::check_quota(context, profile)))),
    ("collector", Network(|context, profile| Box::pin(services::check_collectors(context, profile)))),
    ("relay", Local(services::check_relay)),
    ("aws-profile", Local(aws_files::check_aws_profile)),
    ("fixed-keys", Local(aws_files::check_fixed_keys)),
    ("shadows", Local(conflicting_env::check_conflicting_env)),
    ("gateway", Local(gateway::check_gateway)),
    ("claude-version", Local(claude_version::check_claude_version)),
    ("claude-settings", Local(claude::check_user_settings)),
    ("claude-managed", Local(claude::check_managed_settings)),
    ("claude-hooks", Local(claude::check_hooks)),
    ("repository", Machine(repository::check_repository)),
    ("leftovers", Machine(sample_leftovers::check_leftovers)),
    ("sso-tokens", Machine(sso_tokens::check_sso_tokens)),
];

/// Runs all checks and returns their reports in the order of `CHECKS`, followed by those of `--live` if `live` is
/// set.
///
/// The checks of this machine run one after the other on a thread of their own; meanwhile all network checks run at the
/// same time. The live checks come last, because they can wait for a worker process. Fails only if the async runtime
/// cannot start: a problem that a check finds is a report, not an error.
pub fn run_checks(context: &DoctorContext<'_>, live: bool) -> Result<Vec<CheckReport>, Failure> {
    let run_local = |(_, function): &(_, CheckFunction)| match function {
        Machine(check) => Some(check(context)),
        Local(check) => Some(context.profile().and_then(|profile| check(context, profile))),
        Network(_) | Provider(_) => None,
    };
    let run_network = async |(_, function): &(_, CheckFunction)| match function {
        Machine(_) | Local(_) => None,
        Network(check) => Some(async { check(context, context.profile()?).await }.await),
        Provider(check) => Some(run_provider_check(context, *check).await),
    };
    let checks: Vec<_> = CHECKS.iter().filter(|(name, _)| !live || *name != QUOTA).collect();
    let (local, network) = thread::scope(|scope| {
        let local = scope.spawn(|| checks.iter().map(|check| run_local(check)).collect::<Vec<_>>());
        let network = http::block_on(join_all(checks.iter().map(|check| run_network(check))));
        (local.join(), network)
    });
    let local = local.unwrap_or_else(|fault| std::panic::resume_unwind(fault));
    let outcomes = local.into_iter().zip(network.map_err(Failure::from_runtime_error)?);
    let mut reports = Vec::new();
    for ((name, _), (local, network)) in checks.into_iter().zip(outcomes) {
        let outcome = local.or(network);
        reports.extend(outcome.map(|(Ok(finding) | Err(finding))| finding.into_report(name, &context.invocation)));
    }
    if live {
        reports.extend(live::run_live_checks(context)?);
    }
    Ok(reports)
}

/// Runs a check of the OpenID provider, unless the profile has none.
async fn run_provider_check(
    context: &DoctorContext<'_>,
    check: for<'p> fn(&'p DoctorContext<'p>, &'p Profile, &'p OidcSettings) -> CheckFuture<'p>,
) -> CheckOutcome {
    let profile = context.profile()?;
    match &profile.sign_in {
        SignInSettings::Oidc(oidc) => check(context, profile, oidc).await,
        SignInSettings::IdentityCenter(_) => {
            Ok(Finding::Skipped("the profile signs in at IAM Identity Center".to_owned()))
        }
    }
}

/// Lets `?` end a check with any error that `failure` can describe.
impl<E: Into<Failure>> From<E> for Finding {
    fn from(error: E) -> Self {
        Self::Bad(error.into())
    }
}

impl CheckResult {
    /// The name of the result in the output, the same in text and JSON.
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
    /// The finding of a check that needs a profile when none could be loaded.
    fn skip_without_profile() -> Self {
        Self::Skipped("no profile could be loaded, see `configuration`".to_owned())
    }

    /// Renders the finding. `invocation` completes each command in a hint with the flags that select this profile.
    fn into_report(self, name: &'static str, invocation: &Invocation) -> CheckReport {
        let with_remedy = |result, failure: Failure| CheckReport {
            name,
            result,
            message: failure.what().to_owned(),
            remedy: Some(failure.hint(invocation)),
            exit: Some(failure.exit()),
            slug: Some(failure.slug().to_owned()),
        };
        let without_remedy =
            |result, message| CheckReport { name, result, message, remedy: None, exit: None, slug: None };
        match self {
            Self::Ok(message) => without_remedy(CheckResult::Ok, message),
            Self::Skipped(message) => without_remedy(CheckResult::Skipped, message),
            Self::Warn(failure) => with_remedy(CheckResult::Warn, failure),
            Self::Bad(failure) => with_remedy(CheckResult::Bad, failure),
        }
    }
}
