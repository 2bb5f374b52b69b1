//! What is examined: this machine and its person, looked at once and shared by all checks.
//!
//! Facts only, each learnt when the first check wants it; what they mean is for the checks.

use std::{
    fmt,
    future::Future,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use ::http::{Method, Request, header};
use tokio::{sync::OnceCell, time::timeout};

use super::{PATIENCE, live};
use crate::{
    aws,
    cache::{Cache, Session},
    config::{self, Caller, ClaudeCode, Inputs, Profile, Storage},
    failure::{Denied, Failure},
    host::{self, Host, Neighbours},
    http::{self, Answer, Client},
    oidc::{self, Metadata},
    setup::Plan,
    store,
    time::Moment,
    url::SecureUrl,
};

/// The machine, the person and what the command line says.
pub struct Patient<'a> {
    pub host: &'a Host,
    pub inputs: Inputs<'a>,
    pub home: PathBuf,
    pub neighbours: Neighbours,
    profile: Result<(Profile, ClaudeCode), Failure>,
    keyring: OnceLock<Result<(), Failure>>,
    session: OnceLock<Result<Session, Failure>>,
    client: OnceLock<Result<Client, Failure>>,
    live_client: OnceLock<Result<Client, Failure>>,
    described: OnceCell<Result<Metadata, Failure>>,
    provider: OnceCell<Result<Heard, Failure>>,
    aws: OnceCell<Result<Heard, Failure>>,
}

/// Who answered, what, and when.
#[derive(Debug)]
pub struct Heard {
    pub host: String,
    pub answer: Answer,
    pub at: Moment,
}

impl<'a> Patient<'a> {
    pub fn new(host: &'a Host, inputs: Inputs<'a>) -> Result<Self, Failure> {
        let home = host::home().ok_or(Denied::Home)?;
        Ok(Self {
            host,
            neighbours: Neighbours::of(&host.environment, &home),
            home,
            profile: config::load_with_claude_code(&inputs).map_err(Failure::from),
            inputs,
            keyring: OnceLock::new(),
            session: OnceLock::new(),
            client: OnceLock::new(),
            live_client: OnceLock::new(),
            described: OnceCell::new(),
            provider: OnceCell::new(),
            aws: OnceCell::new(),
        })
    }

    /// The profile that holds, or what keeps it from being one.
    pub fn profile(&self) -> Result<&Profile, &Failure> {
        self.profile.as_ref().map(|(profile, _)| profile)
    }

    /// The same with what it says about Claude Code.
    pub fn profile_and_claude(&self) -> Result<&(Profile, ClaudeCode), &Failure> {
        self.profile.as_ref()
    }

    pub fn now(&self) -> Moment {
        (self.host.now)()
    }

    /// A path as a person writes it, safe to print.
    pub fn shown(&self, path: &Path) -> String {
        config::shown(path, &self.host.environment)
    }

    /// A file of another program; `None` when there is none.
    pub fn text_of(&self, path: &Path) -> Result<Option<String>, Failure> {
        Plan::text_of(path).map_err(Failure::from)
    }

    /// The profile's records.
    pub fn cache(&self, profile: &Profile) -> Cache {
        Cache::of(profile, &self.host.paths.data, Caller::Silent)
    }

    /// Whether the keyring does what is asked of it. A silent one is waited for once.
    pub fn keyring(&self) -> Result<(), &Failure> {
        let tried = || store::try_out_keyring().map_err(Failure::from);
        self.keyring.get_or_init(tried).as_ref().copied()
    }

    /// What is kept of the sign-in. A keyring that was found locked or silent is left alone.
    pub fn session(&self, profile: &Profile) -> Result<&Session, &Failure> {
        if profile.storage == Storage::Keyring {
            self.keyring()?;
        }
        let kept = || self.cache(profile).session().map_err(Failure::from);
        self.session.get_or_init(kept).as_ref()
    }

    /// The one client, for the profile's trust.
    pub fn client(&self, profile: &Profile) -> Result<&Client, &Failure> {
        let made = || Client::new(profile.network(&self.host.environment)).map_err(Failure::from);
        self.client.get_or_init(made).as_ref()
    }

    /// The same for real calls one after the other, with a person waiting for each.
    pub fn live_client(&self, profile: &Profile) -> Result<&Client, &Failure> {
        let made = || Ok(self.client(profile).map_err(Clone::clone)?.within(live::PATIENCE));
        self.live_client.get_or_init(made).as_ref()
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

    /// How the provider answers, whatever it says of itself.
    pub async fn provider(&self, profile: &Profile) -> Result<&Heard, &Failure> {
        let asked = async || {
            let address = oidc::document_address(&profile.issuer)?;
            self.heard(profile, &address, Method::GET, "").await
        };
        self.provider.get_or_init(asked).await.as_ref()
    }

    /// How AWS answers where the first exchange asks, without any credentials.
    pub async fn aws(&self, profile: &Profile) -> Result<&Heard, &Failure> {
        let asked = async || {
            let address = aws::address(profile, &self.host.environment).await?;
            self.heard(profile, &address, Method::POST, "Action=GetCallerIdentity&Version=2011-06-15").await
        };
        self.aws.get_or_init(asked).await.as_ref()
    }

    /// Asks, without anything that could prove who does.
    pub async fn heard(
        &self,
        profile: &Profile,
        address: &SecureUrl,
        method: Method,
        body: &str,
    ) -> Result<Heard, Failure> {
        let client = self.client(profile).map_err(Clone::clone)?;
        let host = address.authority().to_owned();
        let mut request = Request::builder().method(method).uri(address.as_str());
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let request = request.body(body.into()).expect("an address that was parsed makes a request");
        let answer = in_time(&host, client.send(request)).await??;
        Ok(Heard { host, answer, at: self.now() })
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
