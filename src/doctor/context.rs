//! The facts that the checks share: the machine, the profile, the stored records and the first answer of each host.
//!
//! Each fact is fetched when the first check needs it, and then cached, so that all checks judge the same facts and a
//! silent host or keyring costs its timeout once. This module only fetches; the checks decide what a fact means.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use ::http::{Request, header};
use tokio::{sync::OnceCell, time::timeout};

use super::{CHECK_TIMEOUT, Finding, LIVE_CALL_TIMEOUT};
use crate::{
    aws,
    cache::{Cache, CredentialsRecord, SignInRecord},
    config::{self, CallerKind, ConfigInputs, OidcSettings, Profile, SignInSettings},
    failure::Failure,
    hint::Invocation,
    host::{self, ExternalConfigPaths, Host},
    http::{self, Client, FullResponse},
    oidc::{ProviderMetadata, build_discovery_url, discover_provider},
    setup::SetupPlan,
    store,
    time::Timestamp,
    trait_impls::impl_debug,
    url::SecureUrl,
};

/// The machine and the profile that one run of `doctor` examines.
///
/// Its fields with a `Once…` type are the cached facts. A failure is cached too, and every check that needs the fact
/// gets a copy of it.
pub struct DoctorContext<'a> {
    pub host: &'a Host,
    pub inputs: ConfigInputs<'a>,
    /// The user's home folder. Without one `doctor` cannot start.
    pub home: PathBuf,
    /// Where AWS's tools and Claude Code have their configuration files.
    pub tool_config: ExternalConfigPaths,
    /// Completes the commands in hints, so that they use the profile and the file that `doctor` examines.
    pub invocation: Invocation,
    profile: Result<Profile, Failure>,
    /// Whether the keyring works. The test of a silent keyring takes seconds.
    keyring: OnceLock<Result<(), Failure>>,
    records: OnceLock<Result<(SignInRecord, CredentialsRecord), Failure>>,
    client: OnceLock<Result<Client, Failure>>,
    live_client: OnceLock<Result<Client, Failure>>,
    /// The provider's discovery document, with the checks that a sign-in makes.
    metadata: OnceCell<Result<ProviderMetadata, Failure>>,
    /// The raw answer of the same address: its `Date` header and its certificate, even if the document is wrong. For a
    /// profile with an Identity Center, the answer of its sign-in service.
    provider_probe: OnceCell<Result<ProbeResponse, Failure>>,
    aws_probe: OnceCell<Result<ProbeResponse, Failure>>,
}

/// A request without credentials.
#[derive(Clone, Copy, Debug)]
pub enum ProbeRequest {
    Get,
    /// A POST with this form.
    PostForm(&'static str),
    /// A POST with this JSON document.
    PostJson(&'static str),
}

/// The answer of a host to such a request.
#[derive(Debug)]
pub struct ProbeResponse {
    pub host: String,
    pub answer: FullResponse,
    /// This computer's time when the answer arrived, to compare with the host's `Date` header.
    pub received_at: Timestamp,
}

impl<'a> DoctorContext<'a> {
    /// Loads the profile. A configuration that cannot be loaded is no error here: the check `configuration` reports it.
    /// Fails only if the user has no home folder.
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

    /// The profile, or the finding with which a check that needs a profile is skipped.
    pub fn profile(&self) -> Result<&Profile, Finding> {
        self.profile.as_ref().map_err(|_| Finding::skip_without_profile())
    }

    /// Fails with the reason why no profile could be loaded.
    pub fn check_profile(&self) -> Result<(), Failure> {
        self.profile.as_ref().map(drop).map_err(Failure::clone)
    }

    pub fn now(&self) -> Timestamp {
        (self.host.now)()
    }

    /// A path for the output: escaped, and with `~` for the home folder.
    pub fn display_path(&self, path: &Path) -> String {
        config::display_path(path, &self.host.environment)
    }

    /// Reads a file of another program. Returns `None` if the file does not exist.
    pub fn read_text(&self, path: &Path) -> Result<Option<String>, Failure> {
        SetupPlan::read_text(path).map_err(Failure::from)
    }

    /// The same for a check that treats an unreadable file as empty, because another check reports that it is
    /// unreadable.
    pub fn read_text_or_empty(&self, path: &Path) -> String {
        self.read_text(path).ok().flatten().unwrap_or_default()
    }

    /// The cache of the profile, opened as for a caller that never prompts.
    pub fn cache(&self, profile: &Profile) -> Cache {
        Cache::for_profile(profile, &self.host.paths.data, CallerKind::NonInteractive)
    }

    /// Tests the keyring with an item made for the test. The result is cached, so a silent keyring costs its timeout
    /// once.
    pub fn try_keyring(&self) -> Result<(), Failure> {
        self.keyring.get_or_init(|| store::test_keyring().map_err(Failure::from)).clone()
    }

    /// The stored sign-in and credentials. If the keyring test failed, this fails in the same way, without a second
    /// request to the keyring: that could show the user another dialog.
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

    /// The HTTP client of all checks, with the profile's proxy and certificate authorities.
    pub fn client(&self, profile: &Profile) -> Result<&Client, Failure> {
        let build = || Client::new(profile.network_settings(&self.host.environment)).map_err(Failure::from);
        self.client.get_or_init(build).as_ref().map_err(Failure::clone)
    }

    /// The same client with the longer timeout of the live checks.
    pub fn live_client(&self, profile: &Profile) -> Result<&Client, Failure> {
        let build = || Ok(self.client(profile)?.with_total_timeout(LIVE_CALL_TIMEOUT));
        self.live_client.get_or_init(build).as_ref().map_err(Failure::clone)
    }

    /// Fetches the provider's metadata from the provider, never from the cache: a cached document may be a day old.
    pub async fn fetch_metadata(&self, profile: &Profile, oidc: &OidcSettings) -> Result<&ProviderMetadata, Failure> {
        let fetch = async || {
            let client = self.client(profile)?;
            let host = oidc.issuer.url().authority();
            Ok(run_with_timeout(host, discover_provider(client, oidc)).await??)
        };
        self.metadata.get_or_init(fetch).await.as_ref().map_err(Failure::clone)
    }

    /// Sends the provider a request whose answer may have any content. It shows the provider's clock and certificate.
    pub async fn probe_provider(&self, profile: &Profile) -> Result<&ProbeResponse, Failure> {
        let fetch = async || {
            let (address, request) = match &profile.sign_in {
                SignInSettings::Oidc(oidc) => (build_discovery_url(&oidc.issuer)?, ProbeRequest::Get),
                SignInSettings::IdentityCenter(center) => {
                    let both = aws::resolve_identity_center(profile, &center.region, &self.host.environment)?;
                    (both.sign_in.extend_path(&["token"]), ProbeRequest::PostJson("{}"))
                }
            };
            Ok(self.send_probe(self.client(profile)?, &address, request).await?)
        };
        self.provider_probe.get_or_init(fetch).await.as_ref().map_err(Failure::clone)
    }

    /// Sends AWS an unsigned request, at the address that receives the token of the sign-in. AWS refuses it in a form of
    /// its own, and a captive portal cannot imitate that by accident.
    pub async fn probe_aws(&self, profile: &Profile) -> Result<&ProbeResponse, Failure> {
        let fetch = async || {
            let address = aws::resolve_exchange_endpoint(profile, &self.host.environment).await?;
            let (address, request) = match &profile.sign_in {
                SignInSettings::Oidc(_) => {
                    (address, ProbeRequest::PostForm("Action=GetCallerIdentity&Version=2011-06-15"))
                }
                SignInSettings::IdentityCenter(_) => {
                    (address.extend_path(&["assignment", "accounts"]), ProbeRequest::Get)
                }
            };
            Ok(self.send_probe(self.client(profile)?, &address, request).await?)
        };
        self.aws_probe.get_or_init(fetch).await.as_ref().map_err(Failure::clone)
    }

    /// Sends a request without credentials or tokens, so that a probe reveals no secret to a wrong host.
    pub async fn send_probe(
        &self,
        client: &Client,
        address: &SecureUrl,
        request: ProbeRequest,
    ) -> Result<ProbeResponse, http::Error> {
        let host = address.authority().to_owned();
        let post = |kind| Request::post(address.as_str()).header(header::CONTENT_TYPE, kind);
        let (request, body) = match request {
            ProbeRequest::Get => (Request::get(address.as_str()), ""),
            ProbeRequest::PostForm(body) => (post("application/x-www-form-urlencoded"), body),
            ProbeRequest::PostJson(body) => (post("application/json"), body),
        };
        let request = request.body(body.into()).expect("an address that was parsed makes a request");
        let answer = run_with_timeout(&host, client.send(request)).await??;
        Ok(ProbeResponse { host, answer, received_at: self.now() })
    }
}

/// Waits for a call, but no longer than a check may take. The timeout error names `host`.
pub(super) async fn run_with_timeout<T>(host: &str, call: impl Future<Output = T>) -> Result<T, http::Error> {
    let timed_out = |_| http::Error::Timeout { host: host.to_owned(), after: CHECK_TIMEOUT };
    timeout(CHECK_TIMEOUT, call).await.map_err(timed_out)
}

impl_debug!(DoctorContext<'_>, |_| "DoctorContext");
