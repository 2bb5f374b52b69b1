//! What is examined: this machine and its person, looked at once and shared by all checks.
//!
//! Facts only, each learnt when the first check wants it; what they mean is for the checks.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use ::http::{Method, Request, header};
use tokio::{sync::OnceCell, time::timeout};

use super::{CHECK_TIMEOUT, Finding, LIVE_CALL_TIMEOUT};
use crate::{
    aws,
    cache::{Cache, CredentialsRecord, SignInRecord},
    config::{self, CallerKind, ConfigInputs, Profile},
    failure::Failure,
    hint::Invocation,
    host::{self, ExternalConfigPaths, Host},
    http::{self, Client, FullResponse},
    oidc::{self, ProviderMetadata},
    setup::SetupPlan,
    store,
    time::Timestamp,
    trait_impls::impl_debug,
    url::SecureUrl,
};

/// The machine, the person and what the command line says.
pub struct DoctorContext<'a> {
    pub host: &'a Host,
    pub inputs: ConfigInputs<'a>,
    pub home: PathBuf,
    pub tool_config: ExternalConfigPaths,
    /// How the commands in hints lead to the profile and the file that are examined.
    pub invocation: Invocation,
    profile: Result<Profile, Failure>,
    keyring: OnceLock<Result<(), Failure>>,
    records: OnceLock<Result<(SignInRecord, CredentialsRecord), Failure>>,
    client: OnceLock<Result<Client, Failure>>,
    live_client: OnceLock<Result<Client, Failure>>,
    metadata: OnceCell<Result<ProviderMetadata, Failure>>,
    provider_probe: OnceCell<Result<ProbeResponse, Failure>>,
    aws_probe: OnceCell<Result<ProbeResponse, Failure>>,
}

/// Who answered, what, and when.
#[derive(Debug)]
pub struct ProbeResponse {
    pub host: String,
    pub answer: FullResponse,
    pub received_at: Timestamp,
}

impl<'a> DoctorContext<'a> {
    pub fn new(host: &'a Host, inputs: ConfigInputs<'a>) -> Result<Self, Failure> {
        let home = host::find_home().ok_or_else(Failure::from_missing_home)?;
        let profile = config::load_profile(&inputs).map_err(Failure::from);
        let invocation = match &profile {
            Ok(profile) => profile.invocation(inputs.file.as_deref()),
            Err(_) => inputs.invocation(),
        };
        Ok(Self {
            host,
            tool_config: ExternalConfigPaths::from_environment(&host.environment, &home),
            home,
            invocation,
            profile,
            inputs,
            keyring: OnceLock::new(),
            records: OnceLock::new(),
            client: OnceLock::new(),
            live_client: OnceLock::new(),
            metadata: OnceCell::new(),
            provider_probe: OnceCell::new(),
            aws_probe: OnceCell::new(),
        })
    }

    /// The profile. Without one, the checks that need it are skipped.
    pub fn profile(&self) -> Result<&Profile, Finding> {
        self.profile.as_ref().map_err(|_| Finding::skip_without_profile())
    }

    /// Why there is no profile.
    pub fn check_profile(&self) -> Result<(), Failure> {
        self.profile.as_ref().map(drop).map_err(Failure::clone)
    }

    pub fn now(&self) -> Timestamp {
        (self.host.now)()
    }

    /// A path as a person writes it, safe to print.
    pub fn display_path(&self, path: &Path) -> String {
        config::display_path(path, &self.host.environment)
    }

    /// A file of another program; `None` when there is none.
    pub fn read_text(&self, path: &Path) -> Result<Option<String>, Failure> {
        SetupPlan::read_text(path).map_err(Failure::from)
    }

    /// The same where it does not matter why a file cannot be read.
    pub fn read_text_or_empty(&self, path: &Path) -> String {
        self.read_text(path).ok().flatten().unwrap_or_default()
    }

    /// The profile's records.
    pub fn cache(&self, profile: &Profile) -> Cache {
        Cache::for_profile(profile, &self.host.paths.data, CallerKind::NonInteractive)
    }

    /// Whether the keyring does what is asked of it. A silent one is waited for once.
    pub fn try_keyring(&self) -> Result<(), Failure> {
        self.keyring.get_or_init(|| store::test_keyring().map_err(Failure::from)).clone()
    }

    /// The stored records. A keyring that was found locked or silent is left alone.
    pub fn records(&self, profile: &Profile) -> Result<&(SignInRecord, CredentialsRecord), Failure> {
        if profile.storage.uses_keyring() {
            self.try_keyring()?;
        }
        let load = || {
            let cache = self.cache(profile);
            Ok((cache.load_sign_in()?, cache.load_credentials()?))
        };
        self.records.get_or_init(load).as_ref().map_err(Failure::clone)
    }

    /// The one client, for the profile's trust.
    pub fn client(&self, profile: &Profile) -> Result<&Client, Failure> {
        let made = || Client::new(profile.network_settings(&self.host.environment)).map_err(Failure::from);
        self.client.get_or_init(made).as_ref().map_err(Failure::clone)
    }

    /// The same for real calls one after the other, with a person waiting for each.
    pub fn live_client(&self, profile: &Profile) -> Result<&Client, Failure> {
        let made = || Ok(self.client(profile)?.with_total_timeout(LIVE_CALL_TIMEOUT));
        self.live_client.get_or_init(made).as_ref().map_err(Failure::clone)
    }

    /// What the provider says of itself, asked once and now: what is remembered may be a day old.
    pub async fn fetch_metadata(&self, profile: &Profile) -> Result<&ProviderMetadata, Failure> {
        let asked = async || {
            let client = self.client(profile)?;
            let host = profile.issuer.url().authority();
            Ok(run_with_timeout(host, oidc::discover_provider(client, profile)).await??)
        };
        self.metadata.get_or_init(asked).await.as_ref().map_err(Failure::clone)
    }

    /// How the provider answers, whatever it says of itself.
    pub async fn probe_provider(&self, profile: &Profile) -> Result<&ProbeResponse, Failure> {
        let asked = async || {
            let address = oidc::build_discovery_url(&profile.issuer)?;
            Ok(self.send_probe(self.client(profile)?, &address, Method::GET, "").await?)
        };
        self.provider_probe.get_or_init(asked).await.as_ref().map_err(Failure::clone)
    }

    /// How AWS answers where the first exchange asks, without any credentials.
    pub async fn probe_aws(&self, profile: &Profile) -> Result<&ProbeResponse, Failure> {
        let asked = async || {
            let address = aws::resolve_exchange_endpoint(profile, &self.host.environment).await?;
            let body = "Action=GetCallerIdentity&Version=2011-06-15";
            Ok(self.send_probe(self.client(profile)?, &address, Method::POST, body).await?)
        };
        self.aws_probe.get_or_init(asked).await.as_ref().map_err(Failure::clone)
    }

    /// Asks, without anything that could prove who does.
    pub async fn send_probe(
        &self,
        client: &Client,
        address: &SecureUrl,
        method: Method,
        body: &str,
    ) -> Result<ProbeResponse, http::Error> {
        let host = address.authority().to_owned();
        let mut request = Request::builder().method(method).uri(address.as_str());
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let request = request.body(body.into()).expect("an address that was parsed makes a request");
        let answer = run_with_timeout(&host, client.send(request)).await??;
        Ok(ProbeResponse { host, answer, received_at: self.now() })
    }
}

/// A call, ended when a check has had its time; `host` is who did not answer.
pub(super) async fn run_with_timeout<T>(host: &str, call: impl Future<Output = T>) -> Result<T, http::Error> {
    let silent = |_| http::Error::Timeout { host: host.to_owned(), after: CHECK_TIMEOUT };
    timeout(CHECK_TIMEOUT, call).await.map_err(silent)
}

impl_debug!(DoctorContext<'_>, |_| "DoctorContext");
