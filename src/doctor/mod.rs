//! What may be wrong on this machine: a table of checks, each with its remedy.
//!
//! A check looks and judges; it asks nobody, opens nothing and changes nothing. What is shown of it is for `commands`, and
//! every word of advice is `failure`'s.

mod context;
mod together;
mod live;
mod version;
mod configuration;
mod variables;
mod storage;
mod session;
mod network;
mod provider;
mod asking;
mod organisation;
mod aws_files;
mod claude;
mod call;
mod shadows;
mod repository;
mod leftovers;
pub mod bundle;

use std::{future::Future, pin::Pin, thread, time::Duration};

use serde::Serialize;

pub use context::DoctorContext;

use crate::{
    failure::{Exit, Failure, SystemError},
    hint::Invocation,
    http,
};

/// What one network check may take, whatever becomes of the others. They run side by side.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// A check under its name, which is part of the contract.
#[derive(Clone, Copy, Debug)]
pub struct DoctorCheck {
    pub name: &'static str,
    function: CheckFunction,
}

#[derive(Clone, Copy, Debug)]
enum CheckFunction {
    /// On this machine.
    Local(fn(&DoctorContext<'_>) -> Finding),
    /// Over the network, or what has to wait for it.
    Network(for<'p> fn(&'p DoctorContext<'p>) -> CheckFuture<'p>),
}

/// A check at work.
pub type CheckFuture<'p> = Pin<Box<dyn Future<Output = Finding> + 'p>>;

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

/// Every check but those of `--live`, in the order in which they are told.
const CHECKS: &[DoctorCheck] = &[
    DoctorCheck::local("version", version::check_version),
    DoctorCheck::local("configuration", configuration::check_configuration),
    DoctorCheck::local("variables", variables::check_variables),
    DoctorCheck::local("folder", storage::check_folder),
    DoctorCheck::local("key", storage::check_key),
    DoctorCheck::local("lock", storage::check_lock),
    DoctorCheck::local("session", session::check_session),
    DoctorCheck::local("last-error", session::check_last_error),
    DoctorCheck::network("clock", |context| Box::pin(network::check_clock(context))),
    DoctorCheck::network("proxy", |context| Box::pin(network::check_proxy(context))),
    DoctorCheck::network("certificates", |context| Box::pin(network::check_certificates(context))),
    DoctorCheck::network("discovery", |context| Box::pin(provider::check_discovery(context))),
    DoctorCheck::network("algorithms", |context| Box::pin(provider::check_algorithms(context))),
    DoctorCheck::network("keys", |context| Box::pin(provider::check_keys(context))),
    DoctorCheck::network("client", |context| Box::pin(provider::check_client(context))),
    DoctorCheck::network("ports", |context| Box::pin(asking::check_ports(context))),
    DoctorCheck::network("browser", |context| Box::pin(asking::check_browser(context))),
    DoctorCheck::network("aws", |context| Box::pin(network::check_aws(context))),
    DoctorCheck::network("quota", |context| Box::pin(organisation::check_quota(context))),
    DoctorCheck::network("collector", |context| Box::pin(organisation::check_collectors(context))),
    DoctorCheck::local("aws-profile", aws_files::check_aws_profile),
    DoctorCheck::local("fixed-keys", aws_files::check_fixed_keys),
    DoctorCheck::local("shadows", shadows::check_conflicting_env),
    DoctorCheck::local("claude-settings", claude::check_user_settings),
    DoctorCheck::local("claude-managed", claude::check_managed_settings),
    DoctorCheck::local("claude-hooks", claude::check_hooks),
    DoctorCheck::local("repository", repository::check_repository),
    DoctorCheck::local("leftovers", leftovers::check_leftovers),
];

/// Makes the checks: those of this machine one after the other, and beside them those of the network all at once.
pub fn run_checks(context: &DoctorContext<'_>, live: bool) -> Result<Vec<CheckReport>, Failure> {
    let checks = || CHECKS.iter();
    let here = || checks().map(|check| check.run_local(context)).collect::<Vec<_>>();
    let afar =
        || http::block_on(together::join_all(checks().map(|check| check.run_network(context)).collect()));
    let (here, afar) = thread::scope(|scope| {
        let here = scope.spawn(here);
        let afar = afar();
        (here.join(), afar)
    });
    let here = here.unwrap_or_else(|fault| std::panic::resume_unwind(fault));
    let afar = afar.map_err(SystemError::Runtime)?;
    let mut checked: Vec<_> = here.into_iter().zip(afar).filter_map(|(here, afar)| here.or(afar)).collect();
    if live {
        checked.extend(live::run_live_checks(context)?);
    }
    Ok(checked)
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

impl DoctorCheck {
    const fn local(name: &'static str, look: fn(&DoctorContext<'_>) -> Finding) -> Self {
        Self { name, function: CheckFunction::Local(look) }
    }

    const fn network(name: &'static str, look: for<'p> fn(&'p DoctorContext<'p>) -> CheckFuture<'p>) -> Self {
        Self { name, function: CheckFunction::Network(look) }
    }

    fn run_local(&self, context: &DoctorContext<'_>) -> Option<CheckReport> {
        match self.function {
            CheckFunction::Local(look) => Some(look(context).into_report(self.name, &context.invocation)),
            CheckFunction::Network(_) => None,
        }
    }

    async fn run_network(&self, context: &DoctorContext<'_>) -> Option<CheckReport> {
        match self.function {
            CheckFunction::Local(_) => None,
            CheckFunction::Network(look) => {
                Some(look(context).await.into_report(self.name, &context.invocation))
            }
        }
    }
}

impl Finding {
    /// For a check that needs a profile.
    fn skip_without_profile() -> Self {
        Self::Skipped("there is no profile to go by, see `configuration`".to_owned())
    }

    fn into_report(self, name: &'static str, invocation: &Invocation) -> CheckReport {
        let of = |result, Failure { exit, what, hint, slug }: Failure| CheckReport {
            name,
            result,
            message: what,
            remedy: Some(hint.render(invocation)),
            exit: Some(exit),
            slug: Some(slug),
        };
        let plain =
            |result, message| CheckReport { name, result, message, remedy: None, exit: None, slug: None };
        match self {
            Self::Ok(message) => plain(CheckResult::Ok, message),
            Self::Skipped(message) => plain(CheckResult::Skipped, message),
            Self::Warn(failure) => of(CheckResult::Warn, failure),
            Self::Bad(failure) => of(CheckResult::Bad, failure),
        }
    }
}
