//! Builds a checked [`Profile`] from the merged settings, or reports every problem that prevents it.
//!
//! It resolves "auto" and other defaults, and checks the values against each other and against the provider. A single
//! value is parsed by the parser of its key.

mod client_auth;
mod identity_center;
mod partitions;
mod telemetry;

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use toml::de::DeValue;

use super::{
    AwsEndpoints, ChainedRole, ClaudeCodeConfig, ConfigInputs, Federation, FederationChoice, Issuer, OidcSettings,
    Profile, Provider, QuotaSettings, RedirectUri, SignInSettings,
    error::{ConfigFault, ConfigProblem, Error, ValueConflict},
    issuer::{self, ResolvedIssuer},
    key::{ConfigKey, TypedKey},
    keys,
    layers::Layers,
    parsers::reject_value,
    partition,
    provider::{self, ProviderSettings, RequireSettings},
    role_chain,
    setting::{ConfigSetting, ConfigSettings},
    source_file::expand_home,
};
use crate::{config::Storage, http::ProxyChoice, url::SecureUrl};

impl Layers<'_> {
    /// Builds the profile with this name, or returns all problems with it.
    pub(super) fn build_profile(&self, name: &str, inputs: &ConfigInputs<'_>) -> Result<Profile, Vec<ConfigProblem>> {
        let settings = self.merge_for_profile(name)?;
        let mut builder = ProfileBuilder { name, settings: &settings, layers: self, inputs, problems: Vec::new() };
        match (builder.build_profile(), builder.problems) {
            (Some(profile), problems) if problems.is_empty() => Ok(profile),
            (_, problems) => Err(problems),
        }
    }

    /// The redirect URI of the profile with this name. The profile can be incomplete, but needs an issuer.
    pub(super) fn build_redirect_uri(
        &self,
        name: &str,
        inputs: &ConfigInputs<'_>,
    ) -> Result<RedirectUri, Vec<ConfigProblem>> {
        let settings = self.merge_for_profile(name)?;
        let mut builder = ProfileBuilder { name, settings: &settings, layers: self, inputs, problems: Vec::new() };
        let resolved = builder.resolve_issuer();
        let provider = builder.choose_provider(resolved.as_ref());
        let issuer = resolved.as_ref().map(|resolved| &resolved.issuer);
        builder.build_redirect_uri(provider, issuer).ok_or(builder.problems)
    }

    /// Builds the profile that the call uses.
    pub(super) fn build_chosen_profile(&self, inputs: &ConfigInputs<'_>) -> Result<Profile, Error> {
        let name = self.choose_profile_name(inputs)?;
        self.build_profile(&name, inputs).map_err(Error::Invalid)
    }
}

/// The state while a profile is built. A method that returns `None` has added a problem to `problems`, so no fault gets
/// lost when `?` ends a method early.
struct ProfileBuilder<'a> {
    name: &'a str,
    settings: &'a ConfigSettings<'a>,
    layers: &'a Layers<'a>,
    inputs: &'a ConfigInputs<'a>,
    problems: Vec<ConfigProblem>,
}

impl<'a> ProfileBuilder<'a> {
    /// Reads all keys into variables before the first `?`, because `?` would skip the remaining keys. So the user sees
    /// all problems at once.
    fn build_profile(&mut self) -> Option<Profile> {
        let storage = self.read_key(&keys::STORAGE);
        let service = self.build_sign_in(storage);
        let region = self.read_key(&keys::REGION);
        let ca_bundle = self.read_file_path(&keys::CA_BUNDLE);
        let has_provider = service.as_ref().map(|(sign_in, _)| matches!(sign_in, SignInSettings::Oidc(_)));
        let telemetry = self.build_telemetry(storage, has_provider);
        let session_duration = self.read_key(&keys::SESSION_DURATION);
        let role_chain = self.read_role_chain(session_duration);
        let sts_fallback_regions = self.resolve_fallback_regions(region.as_deref());
        let aws_endpoints = self.build_aws_endpoints();
        if let Some(region) = &region {
            let chain = role_chain.as_deref().unwrap_or_default();
            let fallbacks = sts_fallback_regions.as_deref().unwrap_or_default();
            let sign_in = service.as_ref().map(|(sign_in, _)| sign_in);
            self.check_partitions(region, sign_in, chain, aws_endpoints.as_ref(), fallbacks);
        }
        if let (Some((SignInSettings::IdentityCenter(_), _)), Some(chain)) = (&service, &role_chain) {
            self.reject_claims_in_chain(chain);
        }
        let (sign_in, redirect_uri) = service?;
        Some(Profile {
            name: self.name.to_owned(),
            is_default_choice: self.layers.is_default_choice(self.name, self.inputs),
            sign_in,
            redirect_uri,
            flow: self.read_key(&keys::FLOW)?,
            browser: self.read_key(&keys::BROWSER)?,
            login: self.read_key(&keys::LOGIN)?,
            login_timeout: self.read_key(&keys::LOGIN_TIMEOUT)?,
            session_duration: session_duration?,
            session_name: self.read_key(&keys::SESSION_NAME)?,
            storage: storage?,
            aws_endpoints: aws_endpoints?,
            ca_bundle: ca_bundle?,
            proxy: self.resolve_proxy()?,
            aws_profile: self.read_key(&keys::AWS_PROFILE)?,
            telemetry: telemetry?,
            claude_code: ClaudeCodeConfig {
                region: self.read_key(&keys::CLAUDE_CODE_REGION)?,
                models: self.read_key(&keys::CLAUDE_CODE_MODELS)?,
                env: self.read_key(&keys::CLAUDE_CODE_ENV)?,
            },
            quota: self.build_quota().ok()?,
            deciding_file: self.layers.deciding_file.map(str::to_owned),
            enforced_keys: self.keys_where(|setting| setting.is_enforced),
            set_by_administrator: self.keys_where(|setting| setting.is_from_administrator()),
            role_chain: role_chain?,
            sts_fallback_regions: sts_fallback_regions?,
            region: region?,
        })
    }

    /// The service at which the user signs in, and the redirect URI there.
    fn build_sign_in(&mut self, storage: Option<Storage>) -> Option<(SignInSettings, RedirectUri)> {
        match self.read_key(&keys::FEDERATION)? {
            FederationChoice::IdentityCenter => self.build_identity_center(),
            FederationChoice::Sts | FederationChoice::IdentityPool => self.build_oidc(storage),
        }
    }

    /// The application at an OpenID provider.
    fn build_oidc(&mut self, storage: Option<Storage>) -> Option<(SignInSettings, RedirectUri)> {
        self.reject_identity_center_keys();
        let resolved = self.resolve_issuer();
        let issuer = resolved.as_ref().map(|resolved| &resolved.issuer);
        let client_id = self.read_key(&keys::CLIENT_ID);
        let federation = self.build_federation();
        let provider = self.choose_provider(resolved.as_ref());
        let redirect_uri = self.build_redirect_uri(provider, issuer);
        let login_domain = self.read_login_domain();
        let scopes = self.read_key(&keys::SCOPES);
        if let (Some(kind), Some(resolved), Some(scopes)) = (provider, &resolved, &scopes) {
            self.check_provider_conflicts(kind, resolved, scopes, login_domain.as_ref());
        }
        let extra_params = self.read_key(&keys::EXTRA_PARAMS);
        let require = self.read_key(&keys::REQUIRE);
        if let (Some(kind), Some(issuer), Some(require), Some(extra_params)) =
            (provider, issuer, &require, &extra_params)
        {
            self.check_require(&RequireSettings { kind, issuer, require, extra_params });
        }
        let client_auth = self.build_client_auth(provider, storage);
        let settings = OidcSettings {
            issuer: resolved?.issuer,
            login_domain,
            client_id: client_id?,
            provider: provider?,
            scopes: scopes?,
            extra_params: extra_params?,
            require: require?,
            client_auth: client_auth?,
            federation: federation?,
        };
        Some((SignInSettings::Oidc(Box::new(settings)), redirect_uri?))
    }

    /// The proxy. If the administrator enforces an empty value, variables must not choose a proxy, so only the system's
    /// settings remain.
    fn resolve_proxy(&mut self) -> Option<ProxyChoice> {
        let is_enforced = self.require_setting(&keys::PROXY)?.is_enforced;
        let choice = self.read_key(&keys::PROXY)?;
        Some(if is_enforced && choice == ProxyChoice::Variables { ProxyChoice::System } else { choice })
    }

    fn keys_where(&self, matches: impl Fn(ConfigSetting<'_>) -> bool) -> BTreeSet<&'static str> {
        self.settings.iter().filter(|(_, setting)| matches(*setting)).map(|(key, _)| key.name).collect()
    }

    fn resolve_issuer(&mut self) -> Option<ResolvedIssuer<'a>> {
        match issuer::resolve_issuer(self.settings) {
            Ok(Some(resolved)) => Some(resolved),
            // `require_setting` reports the missing key.
            Ok(None) => self.require_setting(&keys::ISSUER).and(None),
            Err(problem) => {
                self.problems.push(*problem);
                None
            }
        }
    }

    /// The redirect URI. Parts that the profile does not set are chosen so that the provider accepts the URI.
    fn build_redirect_uri(&mut self, provider: Option<Provider>, issuer: Option<&Issuer>) -> Option<RedirectUri> {
        let host = self.read_key(&keys::REDIRECT_HOST)?;
        let ports = self.read_key(&keys::REDIRECT_PORTS)?;
        let path = self.read_key(&keys::REDIRECT_PATH)?;
        let (kind, issuer) = (provider?, issuer?);
        Some(RedirectUri {
            host: if self.is_default(&keys::REDIRECT_HOST) {
                provider::choose_redirect_host(kind, issuer)
            } else {
                host
            },
            ports: if ports.is_empty() { provider::choose_redirect_ports(kind, issuer) } else { ports },
            path,
        })
    }

    fn choose_provider(&mut self, resolved: Option<&ResolvedIssuer<'_>>) -> Option<Provider> {
        let named = self.read_key(&keys::PROVIDER)?;
        let derived =
            resolved.map(|resolved| resolved.shorthand_provider.unwrap_or_else(|| resolved.issuer.provider()));
        named.or(derived)
    }

    /// The quota service; `Ok(None)` if the profile names no endpoint. The other keys of the table then have no effect.
    fn build_quota(&mut self) -> Result<Option<QuotaSettings>, Reported> {
        let Some(endpoint) = self.read_key(&keys::QUOTA_ENDPOINT).ok_or(Reported)? else { return Ok(None) };
        Ok(Some(QuotaSettings {
            endpoint: build_check_url(endpoint),
            interval: self.read_key(&keys::QUOTA_INTERVAL).ok_or(Reported)?,
            timeout: self.read_key(&keys::QUOTA_TIMEOUT).ok_or(Reported)?,
            on_error: self.read_key(&keys::QUOTA_ON_ERROR).ok_or(Reported)?,
        }))
    }

    fn build_aws_endpoints(&mut self) -> Option<AwsEndpoints> {
        let sts = self.read_key(&keys::STS_ENDPOINT);
        let cognito = self.read_key(&keys::COGNITO_ENDPOINT);
        let bedrock = self.read_key(&keys::BEDROCK_ENDPOINT);
        let console = self.read_key(&keys::CONSOLE_ENDPOINT);
        let identity_center = self.read_key(&keys::IDENTITY_CENTER_ENDPOINT);
        Some(AwsEndpoints {
            sts: sts?,
            cognito: cognito?,
            bedrock: bedrock?,
            console: console?,
            identity_center: identity_center?,
        })
    }

    fn read_login_domain(&mut self) -> Option<SecureUrl> {
        let setting = self.require_setting(&keys::COGNITO_DOMAIN)?;
        let text = setting.value.as_str().filter(|text| !text.is_empty())?;
        let domain = provider::parse_login_domain(text);
        domain.map_or_else(|conflict| self.report_conflict(&keys::COGNITO_DOMAIN, conflict), Some)
    }

    /// Reports every setting that the provider would reject, so that the user does not learn it in the browser.
    fn check_provider_conflicts(
        &mut self,
        kind: Provider,
        resolved: &ResolvedIssuer<'_>,
        scopes: &[String],
        login_domain: Option<&SecureUrl>,
    ) {
        let redirect_host = self.read_key(&keys::REDIRECT_HOST);
        let conflicts = provider::find_conflicts(&ProviderSettings {
            kind,
            issuer: &resolved.issuer,
            named_provider: self.read_key(&keys::PROVIDER).flatten(),
            shorthand: resolved.shorthand_provider.map(|provider| (resolved.key, provider)),
            redirect_host: redirect_host.filter(|_| !self.is_default(&keys::REDIRECT_HOST)),
            scopes,
            login_domain,
        });
        for (key, conflict) in conflicts {
            self.report_conflict::<()>(key, conflict);
        }
    }

    /// Reports every requirement that the provider cannot meet, and every parameter that contradicts one.
    fn check_require(&mut self, settings: &RequireSettings<'_>) {
        for (key, conflict) in provider::find_require_conflicts(settings) {
            self.report_conflict::<()>(key, conflict);
        }
    }

    fn is_default(&self, key: &ConfigKey) -> bool {
        self.settings.get(key).is_none_or(ConfigSetting::is_default)
    }

    /// The absolute path of a file; `Some(None)` if the key is empty.
    fn read_file_path(&mut self, key: &'static TypedKey<Option<String>>) -> Option<Option<PathBuf>> {
        let environment = self.inputs.environment;
        self.read_value(key, |name, value| {
            let Some(path) = (key.parse)(name, value)? else { return Ok(None) };
            let homeless = || reject_value(name, value, "~ cannot be resolved, because the home directory is unknown");
            expand_home(&path, environment).ok_or_else(homeless).map(Some)
        })
    }

    /// The first exchange. A setting for the other method is an error, because the user expects it to have an effect.
    fn build_federation(&mut self) -> Option<Federation> {
        let method = self.read_key(&keys::FEDERATION)?;
        let id = self.read_key(&keys::IDENTITY_POOL_ID)?;
        match (method, id) {
            (FederationChoice::Sts, None) => Some(Federation::Sts { role: self.read_key(&keys::ROLE_ARN)? }),
            (FederationChoice::IdentityPool, Some(id)) => {
                let is_set = self.settings.get(&keys::ROLE_ARN).is_some();
                let role = if is_set { Some(self.read_key(&keys::ROLE_ARN)?) } else { None };
                Some(Federation::IdentityPool { id, role })
            }
            (FederationChoice::IdentityPool, None) => {
                self.report_illegal_value(&keys::FEDERATION, "it needs identity_pool_id")
            }
            (FederationChoice::Sts | FederationChoice::IdentityCenter, _) => {
                self.report_illegal_value(&keys::IDENTITY_POOL_ID, "it works only with federation = \"identity-pool\"")
            }
        }
    }

    /// The chained roles. Only the last one gets the session duration that the profile requests.
    fn read_role_chain(&mut self, last_duration: Option<Duration>) -> Option<Vec<ChainedRole>> {
        self.read_value(&keys::ROLE_CHAIN, |name, value| {
            role_chain::parse_role_chain(name, value, last_duration.unwrap_or_default())
        })
    }

    /// The fallback regions, with "auto" resolved and without the region itself.
    fn resolve_fallback_regions(&mut self, region: Option<&str>) -> Option<Vec<String>> {
        let named = self.read_key(&keys::STS_FALLBACK_REGIONS)?;
        let neighbour = region.and_then(partition::find_fallback_region);
        let regions = named.into_iter().filter_map(|name| match name.as_str() {
            "auto" => neighbour.map(str::to_owned),
            _ => Some(name),
        });
        Some(regions.filter(|name| Some(name.as_str()) != region).collect())
    }

    /// Reads a key with its parser.
    fn read_key<T>(&mut self, key: &'static TypedKey<T>) -> Option<T> {
        self.read_value(key, key.parse)
    }

    fn read_value<T>(
        &mut self,
        key: &'static ConfigKey,
        parse: impl Fn(&str, &DeValue<'_>) -> Result<T, ConfigFault>,
    ) -> Option<T> {
        let setting = self.require_setting(key)?;
        match parse(key.name, setting.value) {
            Ok(value) => Some(value),
            Err(fault) => self.report_fault(setting, fault),
        }
    }

    /// The setting of a key. A key without a value and without a default is reported as missing.
    fn require_setting(&mut self, key: &'static ConfigKey) -> Option<ConfigSetting<'a>> {
        let setting = self.settings.get(key);
        if setting.is_none() {
            let fault = ConfigFault::MissingKey { key: key.name, profile: self.name.to_owned() };
            self.problems.push(fault.at(self.layers.profile_location(self.name)));
        }
        setting
    }

    /// Reports that a value contradicts another key. The problem has the place of this value.
    fn report_illegal_value<T>(&mut self, key: &'static ConfigKey, rule: &'static str) -> Option<T> {
        let setting = self.require_setting(key)?;
        self.report_fault(setting, reject_value(key.name, setting.value, rule))
    }

    fn report_conflict<T>(&mut self, key: &'static ConfigKey, conflict: ValueConflict) -> Option<T> {
        let setting = self.require_setting(key)?;
        self.problems.push(issuer::report_conflict(key, setting, conflict));
        None
    }

    fn report_fault<T>(&mut self, setting: ConfigSetting<'_>, fault: ConfigFault) -> Option<T> {
        self.problems.push(setting.problem(fault));
        None
    }
}

/// The error of a method that has already added its problem to the builder.
struct Reported;

/// The address of the quota check. The protocol of AWS's guidance sample serves it at `/check`; an endpoint that
/// already ends in `/check` stays as it is.
fn build_check_url(endpoint: SecureUrl) -> SecureUrl {
    let text = endpoint.as_str().trim_end_matches('/');
    match text.ends_with("/check") {
        true => endpoint,
        false => SecureUrl::parse(&format!("{text}/check")).unwrap_or(endpoint),
    }
}
