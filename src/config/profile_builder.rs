//! From the values that hold to the profile that cannot be wrong, or all that keeps it from being one.
//!
//! It checks what values mean together; each by itself is read by `read`.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use toml::de::DeValue;

use super::{
    AwsEndpoints, ChainedRole, Federation, Issuer, LoginMode, Partition, Profile, Provider, QuotaErrorPolicy,
    QuotaSettings, RedirectHost, RedirectUri, SignInFlow, Storage,
    error::{ConfigFault, ConfigProblem, ValueLocation},
    issuer::{self, ResolvedIssuer},
    keys::{self, ConfigKey, KEYS},
    parsers, partition,
    provider::{self, ProviderSettings},
    role_chain,
    setting::{ConfigSetting, ConfigSettings, ValueOrigin},
    source_file::expand_home,
};
use crate::{host::Environment, http::ProxyChoice, url::SecureUrl};

/// Builds the profile. `place` says where it is begun.
pub(super) fn resolve_profile(
    name: &str,
    settings: &ConfigSettings<'_>,
    place: impl Fn() -> ValueLocation,
    environment: &Environment,
    decided_by: Option<&str>,
) -> Result<Profile, Vec<ConfigProblem>> {
    let mut draft = ProfileBuilder {
        name,
        settings,
        place: &place,
        environment,
        deciding_file: decided_by,
        problems: Vec::new(),
    };
    let profile = draft.build_profile();
    match profile {
        Some(profile) if draft.problems.is_empty() => Ok(profile),
        _ => Err(draft.problems),
    }
}

/// A profile in the making.
pub(super) struct ProfileBuilder<'a> {
    name: &'a str,
    settings: &'a ConfigSettings<'a>,
    place: &'a dyn Fn() -> ValueLocation,
    environment: &'a Environment,
    deciding_file: Option<&'a str>,
    pub(super) problems: Vec<ConfigProblem>,
}

/// Whom the profile speaks to at AWS, as far as it is known.
struct AwsTargets<'s> {
    federation: Option<&'s Federation>,
    chain: &'s [ChainedRole],
    endpoints: Option<&'s AwsEndpoints>,
    regions: &'s [String],
}

impl<'a> ProfileBuilder<'a> {
    /// Every key is read before the first missing one ends it, so that all problems are told at once.
    fn build_profile(&mut self) -> Option<Profile> {
        let told = self.resolve_issuer();
        let issuer = told.as_ref().map(|told| &told.issuer);
        let client_id = self.read_key("client_id", parsers::parse_text);
        let federation = self.build_federation();
        let region = self.read_key("region", parsers::parse_region);
        let provider = self.choose_provider(told.as_ref());
        let ca_bundle = self.read_file_path("ca_bundle");
        let telemetry = self.build_telemetry();
        let redirect = self.build_redirect_uri(provider, issuer);
        let login_domain = self.read_login_domain();
        let scopes = self.read_key("scopes", parsers::parse_tokens);
        if let (Some(kind), Some(told), Some(scopes)) = (provider, &told, &scopes) {
            self.check_provider_conflicts(kind, told, scopes, login_domain.as_ref());
        }
        let storage = self.read_choice("storage", Storage::from_name);
        let client_auth = self.build_client_auth(provider, storage);
        let session_duration = self.read_key("session_duration", parsers::parse_duration);
        let role_chain = self.read_role_chain(session_duration);
        let sts_fallback_regions = self.resolve_fallback_regions(region.as_deref());
        let aws_endpoints = self.build_aws_endpoints();
        if let Some(region) = &region {
            let spoken = AwsTargets {
                federation: federation.as_ref(),
                chain: role_chain.as_deref().unwrap_or_default(),
                endpoints: aws_endpoints.as_ref(),
                regions: sts_fallback_regions.as_deref().unwrap_or_default(),
            };
            self.check_partitions(region, &spoken);
        }
        Some(Profile {
            name: self.name.to_owned(),
            // Follows from the other profiles, so the caller sets it.
            is_default_choice: false,
            scopes: scopes?,
            login_domain,
            extra_params: self.read_key("extra_params", parsers::parse_request_params)?,
            redirect_uri: redirect?,
            flow: self.read_choice("flow", SignInFlow::from_name)?,
            browser: self.read_key("browser", parsers::parse_argv)?,
            login: self.read_choice("login", LoginMode::from_name)?,
            login_timeout: self.read_key("login_timeout", parsers::parse_duration)?,
            session_duration: session_duration?,
            session_name: self.read_key("session_name", parsers::parse_claims)?,
            storage: storage?,
            client_auth: client_auth?,
            aws_endpoints: aws_endpoints?,
            ca_bundle: ca_bundle?,
            proxy: self.resolve_proxy()?,
            aws_profile: self.read_key("aws_profile", parsers::parse_aws_profile_name)?,
            telemetry: telemetry?,
            quota: self.build_quota()?,
            deciding_file: self.deciding_file.map(str::to_owned),
            enforced_keys: self.keys_where(|setting| setting.is_enforced),
            set_by_administrator: self.keys_where(|setting| setting.origin.is_from_administrator()),
            provider: provider?,
            issuer: told?.issuer,
            client_id: client_id?,
            federation: federation?,
            role_chain: role_chain?,
            sts_fallback_regions: sts_fallback_regions?,
            region: region?,
        })
    }

    /// An enforced lack of one leaves the system's.
    fn resolve_proxy(&mut self) -> Option<ProxyChoice> {
        let is_fixed = self.require_setting("proxy")?.1.is_enforced;
        let choice = self.read_key("proxy", parsers::parse_proxy)?;
        Some(if is_fixed && choice == ProxyChoice::Variables { ProxyChoice::System } else { choice })
    }

    fn keys_where(&self, is_so: impl Fn(&ConfigSetting<'_>) -> bool) -> BTreeSet<&'static str> {
        let settings = KEYS.iter().zip(self.settings);
        settings
            .filter(|(_, setting)| setting.as_ref().is_some_and(&is_so))
            .map(|(key, _)| key.name)
            .collect()
    }

    fn resolve_issuer(&mut self) -> Option<ResolvedIssuer<'a>> {
        match issuer::resolve_issuer(self.settings) {
            Ok(Some(told)) => Some(told),
            // Says that it is missing.
            Ok(None) => self.require_setting("issuer").and(None),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    /// What is left open is what the provider lets register.
    fn build_redirect_uri(
        &mut self,
        provider: Option<Provider>,
        issuer: Option<&Issuer>,
    ) -> Option<RedirectUri> {
        let host = self.read_choice("redirect_host", RedirectHost::from_name)?;
        let ports = self.read_key("redirect_ports", parsers::parse_ports)?;
        let path = self.read_key("redirect_path", parsers::parse_url_path)?;
        let (kind, issuer) = (provider?, issuer?);
        Some(RedirectUri {
            host: if self.is_explicit("redirect_host") {
                host
            } else {
                provider::choose_redirect_host(kind, issuer)
            },
            ports: if ports.is_empty() { provider::choose_redirect_ports(kind, issuer) } else { ports },
            path,
        })
    }

    fn choose_provider(&mut self, told: Option<&ResolvedIssuer<'_>>) -> Option<Provider> {
        let named = self.read_choice("provider", |word| Some(Provider::from_name(word)))?;
        named.or_else(|| {
            told.map(|told| told.shorthand_provider.unwrap_or_else(|| Provider::from_issuer(&told.issuer)))
        })
    }

    /// The outer `None` is a problem, the inner one a profile that asks nobody; then the other keys are not looked at.
    fn build_quota(&mut self) -> Option<Option<QuotaSettings>> {
        let Some(endpoint) = self.read_key("quota.endpoint", parsers::parse_url)? else { return Some(None) };
        Some(Some(QuotaSettings {
            endpoint: build_check_url(endpoint),
            interval: self.read_key("quota.interval", parsers::parse_duration)?,
            timeout: self.read_key("quota.timeout", parsers::parse_duration)?,
            on_error: self.read_choice("quota.on_error", QuotaErrorPolicy::from_name)?,
        }))
    }

    fn read_login_domain(&mut self) -> Option<SecureUrl> {
        let (_, setting) = self.require_setting("cognito_domain")?;
        let text = setting.value.as_str().filter(|text| !text.is_empty())?;
        match provider::parse_login_domain(text) {
            Ok(domain) => Some(domain),
            Err(wrong) => {
                self.problems.push(issuer::report_conflict("cognito_domain", setting, wrong));
                None
            }
        }
    }

    /// All that the provider could not take, before anybody is sent there.
    fn check_provider_conflicts(
        &mut self,
        kind: Provider,
        told: &ResolvedIssuer<'_>,
        scopes: &[String],
        login_domain: Option<&SecureUrl>,
    ) {
        let redirect_host = self.read_choice("redirect_host", RedirectHost::from_name);
        let found = provider::find_conflicts(&ProviderSettings {
            kind,
            issuer: &told.issuer,
            named_provider: self.read_choice("provider", |word| Some(Provider::from_name(word))).flatten(),
            shorthand: told.shorthand_provider.map(|provider| (told.key, provider)),
            redirect_host: redirect_host.filter(|_| self.is_explicit("redirect_host")),
            scopes,
            login_domain,
        });
        for (key, wrong) in found {
            if let Some((key, setting)) = self.require_setting(key) {
                self.problems.push(issuer::report_conflict(key.name, setting, wrong));
            }
        }
    }

    fn is_explicit(&self, name: &str) -> bool {
        let setting = keys::find_key(name).and_then(|index| *self.settings.get(index)?);
        setting.is_some_and(|setting| !matches!(setting.origin, ValueOrigin::Default))
    }

    /// A file's whole path; `None` inside when none is named.
    pub(super) fn read_file_path(&mut self, name: &str) -> Option<Option<PathBuf>> {
        let environment = self.environment;
        self.read_key(name, |key, value| {
            let Some(path) = parsers::parse_file_path(key, value)? else { return Ok(None) };
            let homeless = || parsers::reject_value(key, value, "there is no home directory to begin from");
            expand_home(path, environment).ok_or_else(homeless).map(Some)
        })
    }

    /// The first exchange. Its settings contradict each other before any browser opens, or not at all.
    fn build_federation(&mut self) -> Option<Federation> {
        let is_pool = self.read_choice("federation", |word| Some(word == "identity-pool"))?;
        let id = self.read_key("identity_pool_id", parsers::parse_identity_pool_id)?;
        match (is_pool, id) {
            (false, None) => {
                Some(Federation::Sts { role: self.read_key("role_arn", parsers::parse_role_arn)? })
            }
            (true, Some(id)) => {
                let is_set = self.is_set("role_arn");
                let role =
                    if is_set { Some(self.read_key("role_arn", parsers::parse_role_arn)?) } else { None };
                Some(Federation::IdentityPool { id, role })
            }
            (true, None) => self.report_illegal_value("federation", "needs an identity_pool_id"),
            (false, Some(_)) => self.report_illegal_value(
                "identity_pool_id",
                "is used with federation = \"identity-pool\" alone",
            ),
        }
    }

    fn read_role_chain(&mut self, wanted: Option<Duration>) -> Option<Vec<ChainedRole>> {
        self.read_key("role_chain", |key, value| {
            role_chain::parse_role_chain(key, value, wanted.unwrap_or_default())
        })
    }

    /// The region's neighbour in place of "auto", and the region itself left out.
    fn resolve_fallback_regions(&mut self, region: Option<&str>) -> Option<Vec<String>> {
        let named = self.read_key("sts_fallback_regions", parsers::parse_regions)?;
        let neighbour = region.and_then(partition::find_fallback_region);
        let meant = named.into_iter().filter_map(|name| match name.as_str() {
            "auto" => neighbour.map(str::to_owned),
            _ => Some(name),
        });
        Some(meant.filter(|name| Some(name.as_str()) != region).collect())
    }

    /// What is of one partition does not exist in another; AWS would only say that it knows no such token.
    fn check_partitions(&mut self, region: &str, spoken: &AwsTargets<'_>) {
        let AwsTargets { federation, chain, endpoints, regions } = spoken;
        if let Some(role) = federation.and_then(Federation::role) {
            self.check_partition("region", region, role.partition(), || {
                format!("the role {}", role.as_str())
            });
        }
        if let Some(Federation::IdentityPool { id, .. }) = federation {
            let partition = Partition::from_region(id.region()).name;
            self.check_partition("identity_pool_id", region, partition, || {
                format!("the identity pool {}", id.as_str())
            });
        }
        for ChainedRole { role, .. } in *chain {
            self.check_partition("role_chain", region, role.partition(), || {
                format!("the role {}", role.as_str())
            });
        }
        for (key, url) in endpoints.iter().flat_map(|endpoints| endpoints.iter_urls()) {
            let host = url.as_url().host_str().unwrap_or_default();
            if let Some(partition) = Partition::from_host(host) {
                self.check_partition(key, region, partition.name, || format!("the endpoint {host}"));
            }
        }
        for other in *regions {
            let partition = Partition::from_region(other).name;
            self.check_partition("sts_fallback_regions", region, partition, || format!("the region {other}"));
        }
    }

    fn check_partition(&mut self, key: &str, region: &str, found: &str, other: impl Fn() -> String) {
        let expected = Partition::from_region(region).name;
        if found == expected {
            return;
        }
        let (region, other, found) = (region.to_owned(), other(), found.to_owned());
        if let Some((_, setting)) = self.require_setting(key) {
            let fault = ConfigFault::OtherPartition { region, expected, other, found };
            self.problems.push(ConfigProblem { location: setting.origin.location(), fault });
        }
    }

    pub(super) fn read_key<T>(
        &mut self,
        name: &str,
        read: impl Fn(&ConfigKey, &DeValue<'_>) -> Result<T, ConfigFault>,
    ) -> Option<T> {
        let (key, setting) = self.require_setting(name)?;
        match read(key, setting.value) {
            Ok(value) => Some(value),
            Err(fault) => self.report_fault(setting, fault),
        }
    }

    pub(super) fn read_choice<T>(&mut self, name: &str, meaning: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.read_key(name, |key, value| {
            let word = parsers::parse_choice(key, value)?;
            meaning(word).ok_or_else(|| parsers::reject_value(key, value, "has no meaning to this version"))
        })
    }

    pub(super) fn require_setting(&mut self, name: &str) -> Option<(&'static ConfigKey, ConfigSetting<'a>)> {
        let index = keys::find_key(name)?;
        let (key, setting) = (KEYS.get(index)?, self.settings.get(index)?);
        if setting.is_none() {
            let fault = ConfigFault::MissingKey { key: key.name, profile: self.name.to_owned() };
            self.problems.push(ConfigProblem { location: (self.place)(), fault });
        }
        setting.map(|setting| (key, setting))
    }

    fn is_set(&self, name: &str) -> bool {
        keys::find_key(name).and_then(|index| self.settings.get(index)).is_some_and(Option::is_some)
    }

    /// Says what a value contradicts, at its own place.
    fn report_illegal_value<T>(&mut self, name: &str, rule: &'static str) -> Option<T> {
        let (key, setting) = self.require_setting(name)?;
        self.report_fault(setting, parsers::reject_value(key, setting.value, rule))
    }

    pub(super) fn report_fault<T>(&mut self, setting: ConfigSetting<'_>, fault: ConfigFault) -> Option<T> {
        self.problems.push(ConfigProblem { location: setting.origin.location(), fault });
        None
    }
}

/// The service's own place, as its protocol has it; an address that names it already stays.
fn build_check_url(endpoint: SecureUrl) -> SecureUrl {
    let text = endpoint.as_str().trim_end_matches('/');
    match text.ends_with("/check") {
        true => endpoint,
        false => SecureUrl::parse(&format!("{text}/check")).unwrap_or(endpoint),
    }
}
