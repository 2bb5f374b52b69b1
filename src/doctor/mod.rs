//! What may be wrong on this machine: a table of checks, each with its remedy.
//!
//! A check looks and judges; it asks nobody, opens nothing and changes nothing. What is shown of it is for `commands`, and
//! every word of advice is `failure`'s.

mod patient;
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

pub use patient::Patient;

use crate::{
    failure::{Denied, Exit, Failure},
    http,
};

/// What one network check may take, whatever becomes of the others. They run side by side.
const PATIENCE: Duration = Duration::from_secs(5);

/// A check under its name, which is part of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    pub name: &'static str,
    look: Look,
}

#[derive(Clone, Copy, Debug)]
enum Look {
    /// On this machine.
    Here(fn(&Patient<'_>) -> Finding),
    /// Over the network, or what has to wait for it.
    Afar(for<'p> fn(&'p Patient<'p>) -> Looking<'p>),
}

/// A check at work.
pub type Looking<'p> = Pin<Box<dyn Future<Output = Finding> + 'p>>;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Fine(String),
    /// It works, and may not go on to.
    Warning(Failure),
    Bad(Failure),
    /// It could not be looked at; why.
    Skipped(String),
}

/// A check that was made, in the form of `doctor --json`; additions keep its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub name: &'static str,
    pub result: Verdict,
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
pub enum Verdict {
    Ok,
    Warn,
    Bad,
    Skipped,
}

/// Every check but those of `--live`, in the order in which they are told.
const CHECKS: &[Check] = &[
    Check::here("version", version::look),
    Check::here("configuration", configuration::look),
    Check::here("variables", variables::look),
    Check::here("folder", storage::folder),
    Check::here("key", storage::key),
    Check::here("lock", storage::lock),
    Check::here("session", session::kept),
    Check::here("last-error", session::last_error),
    Check::afar("clock", |patient| Box::pin(network::clock(patient))),
    Check::afar("proxy", |patient| Box::pin(network::proxy(patient))),
    Check::afar("certificates", |patient| Box::pin(network::certificates(patient))),
    Check::afar("discovery", |patient| Box::pin(provider::discovery(patient))),
    Check::afar("algorithms", |patient| Box::pin(provider::algorithms(patient))),
    Check::afar("keys", |patient| Box::pin(provider::keys(patient))),
    Check::afar("client", |patient| Box::pin(provider::client(patient))),
    Check::afar("ports", |patient| Box::pin(asking::ports(patient))),
    Check::afar("browser", |patient| Box::pin(asking::browser(patient))),
    Check::afar("aws", |patient| Box::pin(network::aws(patient))),
    Check::afar("quota", |patient| Box::pin(organisation::quota(patient))),
    Check::afar("collector", |patient| Box::pin(organisation::collector(patient))),
    Check::here("aws-profile", aws_files::profile),
    Check::here("fixed-keys", aws_files::fixed_keys),
    Check::here("shadows", shadows::look),
    Check::here("claude-settings", claude::of_person),
    Check::here("claude-managed", claude::of_organisation),
    Check::here("claude-hooks", claude::hooks),
    Check::here("repository", repository::look),
    Check::here("leftovers", leftovers::look),
];

/// Makes the checks: those of this machine one after the other, and beside them those of the network all at once.
pub fn examine(patient: &Patient<'_>, live: bool) -> Result<Vec<Checked>, Failure> {
    let checks = || CHECKS.iter();
    let here = || checks().map(|check| check.here_checked(patient)).collect::<Vec<_>>();
    let afar = || http::block_on(together::all(checks().map(|check| check.afar_checked(patient)).collect()));
    let (here, afar) = thread::scope(|scope| {
        let here = scope.spawn(here);
        let afar = afar();
        (here.join(), afar)
    });
    let here = here.unwrap_or_else(|fault| std::panic::resume_unwind(fault));
    let afar = afar.map_err(Denied::Runtime)?;
    let mut checked: Vec<_> = here.into_iter().zip(afar).filter_map(|(here, afar)| here.or(afar)).collect();
    if live {
        checked.extend(live::examine(patient)?);
    }
    Ok(checked)
}

impl Verdict {
    /// As people and scripts read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Skipped => "skipped",
        }
    }
}

impl Check {
    const fn here(name: &'static str, look: fn(&Patient<'_>) -> Finding) -> Self {
        Self { name, look: Look::Here(look) }
    }

    const fn afar(name: &'static str, look: for<'p> fn(&'p Patient<'p>) -> Looking<'p>) -> Self {
        Self { name, look: Look::Afar(look) }
    }

    fn here_checked(&self, patient: &Patient<'_>) -> Option<Checked> {
        match self.look {
            Look::Here(look) => Some(look(patient).under(self.name)),
            Look::Afar(_) => None,
        }
    }

    async fn afar_checked(&self, patient: &Patient<'_>) -> Option<Checked> {
        match self.look {
            Look::Here(_) => None,
            Look::Afar(look) => Some(look(patient).await.under(self.name)),
        }
    }
}

impl Finding {
    /// For a check that needs a profile.
    fn no_profile() -> Self {
        Self::Skipped("there is no profile to go by, see `configuration`".to_owned())
    }

    fn under(self, name: &'static str) -> Checked {
        let of = |result, Failure { exit, what, hint, slug }: Failure| Checked {
            name,
            result,
            message: what,
            remedy: Some(hint),
            exit: Some(exit),
            slug: Some(slug),
        };
        let plain = |result, message| Checked { name, result, message, remedy: None, exit: None, slug: None };
        match self {
            Self::Fine(message) => plain(Verdict::Ok, message),
            Self::Skipped(message) => plain(Verdict::Skipped, message),
            Self::Warning(failure) => of(Verdict::Warn, failure),
            Self::Bad(failure) => of(Verdict::Bad, failure),
        }
    }
}
