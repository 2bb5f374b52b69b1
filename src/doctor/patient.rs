//! What is examined: this machine and its person, looked at once and shared by all checks.
//!
//! Facts only, each learnt when the first check wants it; what they mean is for the checks.

use std::{fmt, future::Future, sync::OnceLock};

use tokio::{sync::OnceCell, time::timeout};

use super::PATIENCE;
use crate::{
    cache::{Cache, Session},
    config::{self, Inputs, Profile},
    failure::Failure,
    host::Host,
    http::{self, Client, Trust},
    oidc::{self, Metadata},
};

/// The machine, the person and what the command line says.
pub struct Patient<'a> {
    pub host: &'a Host,
    pub inputs: Inputs<'a>,
    profile: Result<Profile, Failure>,
    session: OnceLock<Result<Session, Failure>>,
    client: OnceLock<Result<Client, Failure>>,
    described: OnceCell<Result<Metadata, Failure>>,
}

impl<'a> Patient<'a> {
    pub fn new(host: &'a Host, inputs: Inputs<'a>) -> Self {
        let profile = config::load(&inputs).map_err(Failure::from);
        let (session, client, described) = (OnceLock::new(), OnceLock::new(), OnceCell::new());
        Self { host, inputs, profile, session, client, described }
    }

    /// The profile that holds, or what keeps it from being one.
    pub fn profile(&self) -> Result<&Profile, &Failure> {
        self.profile.as_ref()
    }

    /// Its records.
    pub fn cache(&self, profile: &Profile) -> Cache {
        Cache::of(profile, &self.host.paths.data)
    }

    /// What is kept of its sign-in. A keyring that is silent is asked once.
    pub fn session(&self, profile: &Profile) -> Result<&Session, &Failure> {
        let kept = || self.cache(profile).session().map_err(Failure::from);
        self.session.get_or_init(kept).as_ref()
    }

    /// The one client, for the profile's trust.
    pub fn client(&self, profile: &Profile) -> Result<&Client, &Failure> {
        let environment = &self.host.environment;
        let trust = || Trust::of(profile.ca_bundle.as_deref(), environment);
        let made = || Client::new(&trust(), environment).map_err(Failure::from);
        self.client.get_or_init(made).as_ref()
    }

    /// What the provider says of itself, asked once and now: what is remembered may be a day old.
    pub async fn described(&self, profile: &Profile) -> Result<&Metadata, &Failure> {
        let asked = async || {
            let client = self.client(profile).map_err(Clone::clone)?;
            let host = profile.issuer.url().authority();
            Ok(in_time(host, oidc::discover(client, profile)).await??)
        };
        self.described.get_or_init(asked).await.as_ref()
    }
}

/// A call, ended when a check has had its time; `host` is who did not answer.
pub(super) async fn in_time<T>(host: &str, call: impl Future<Output = T>) -> Result<T, http::Error> {
    let silent = |_| http::Error::Timeout { host: host.to_owned(), after: PATIENCE };
    timeout(PATIENCE, call).await.map_err(silent)
}

impl fmt::Debug for Patient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Patient")
    }
}
