//! From the values that hold to the profile that cannot be wrong, or all that keeps it from being one.
//!
//! It checks what values mean together; each by itself is read by `read`.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use toml::de::DeValue;

use super::{
    AwsEndpoints, Federation, Flow, Issuer, Link, Login, OnError, Partition, Profile, Provider, Quota,
    Redirect, RedirectHost, Storage, chain,
    error::{Fault, Place, Problem},
    issuer::{self, Told},
    key::{self, KEYS, Key},
    partition,
    provider::{self, Written},
    read,
    setting::{Origin, Setting, Settings},
    source::expanded,
};
use crate::{host::Environment, http::ProxyChoice, url::SecureUrl};

/// Builds the profile. `place` says where it is begun.
pub(super) fn resolve(
    name: &str,
    settings: &Settings<'_>,
    place: impl Fn() -> Place,
    environment: &Environment,
    decided_by: Option<&str>,
) -> Result<Profile, Vec<Problem>> {
    let mut draft = Draft { name, settings, place: &place, environment, decided_by, problems: Vec::new() };
    let profile = draft.profile();
    match profile {
        Some(profile) if draft.problems.is_empty() => Ok(profile),
        _ => Err(draft.problems),
    }
}

/// A profile in the making.
pub(super) struct Draft<'a> {
    name: &'a str,
    settings: &'a Settings<'a>,
    place: &'a dyn Fn() -> Place,
    environment: &'a Environment,
    decided_by: Option<&'a str>,
    pub(super) problems: Vec<Problem>,
}

/// Whom the profile speaks to at AWS, as far as it is known.
struct Spoken<'s> {
    federation: Option<&'s Federation>,
    chain: &'s [Link],
    endpoints: Option<&'s AwsEndpoints>,
    regions: &'s [String],
}

impl<'a> Draft<'a> {
    /// Every key is read before the first missing one ends it, so that all problems are told at once.
    fn profile(&mut self) -> Option<Profile> {
        let told = self.told();
        let issuer = told.as_ref().map(|told| &told.issuer);
        let client_id = self.read("client_id", read::text);
        let federation = self.federation();
        let region = self.read("region", read::region);
        let provider = self.provider(told.as_ref());
        let ca_bundle = self.file("ca_bundle");
        let telemetry = self.telemetry();
        let redirect = self.redirect(provider, issuer);
        let login_domain = self.login_domain();
        let scopes = self.read("scopes", read::words);
        if let (Some(kind), Some(told), Some(scopes)) = (provider, &told, &scopes) {
            self.refuse_contradictions(kind, told, scopes, login_domain.as_ref());
        }
        let storage = self.word("storage", Storage::of_word);
        let client_auth = self.client_auth(provider, storage);
        let session_duration = self.read("session_duration", read::span);
        let role_chain = self.role_chain(session_duration);
        let sts_fallback_regions = self.fallback_regions(region.as_deref());
        let aws_endpoints = self.aws_endpoints();
        if let Some(region) = &region {
            let spoken = Spoken {
                federation: federation.as_ref(),
                chain: role_chain.as_deref().unwrap_or_default(),
                endpoints: aws_endpoints.as_ref(),
                regions: sts_fallback_regions.as_deref().unwrap_or_default(),
            };
            self.agree_on_partition(region, &spoken);
        }
        Some(Profile {
            name: self.name.to_owned(),
            scopes: scopes?,
            login_domain,
            extra_params: self.read("extra_params", read::params)?,
            redirect: redirect?,
            flow: self.word("flow", Flow::of_word)?,
            browser: self.read("browser", read::argv)?,
            login: self.word("login", Login::of_word)?,
            login_timeout: self.read("login_timeout", read::span)?,
            session_duration: session_duration?,
            session_name: self.read("session_name", read::claims)?,
            storage: storage?,
            client_auth: client_auth?,
            aws_endpoints: aws_endpoints?,
            ca_bundle: ca_bundle?,
            proxy: self.proxy()?,
            aws_profile: self.read("aws_profile", read::name)?,
            telemetry: telemetry?,
            quota: self.quota()?,
            decided_by: self.decided_by.map(str::to_owned),
            enforced: self.keys_where(|setting| setting.is_fixed),
            set_by_administrator: self.keys_where(|setting| setting.origin.is_administrator()),
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
    fn proxy(&mut self) -> Option<ProxyChoice> {
        let is_fixed = self.setting("proxy")?.1.is_fixed;
        let choice = self.read("proxy", read::proxy)?;
        Some(if is_fixed && choice == ProxyChoice::Variables { ProxyChoice::System } else { choice })
    }

    fn keys_where(&self, is_so: impl Fn(&Setting<'_>) -> bool) -> BTreeSet<&'static str> {
        let settings = KEYS.iter().zip(self.settings);
        settings
            .filter(|(_, setting)| setting.as_ref().is_some_and(&is_so))
            .map(|(key, _)| key.name)
            .collect()
    }

    fn told(&mut self) -> Option<Told<'a>> {
        match issuer::told(self.settings) {
            Ok(Some(told)) => Some(told),
            // Says that it is missing.
            Ok(None) => self.setting("issuer").and(None),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    /// What is left open is what the provider lets register.
    fn redirect(&mut self, provider: Option<Provider>, issuer: Option<&Issuer>) -> Option<Redirect> {
        let host = self.word("redirect_host", RedirectHost::of_word)?;
        let ports = self.read("redirect_ports", read::ports)?;
        let path = self.read("redirect_path", read::path)?;
        let (kind, issuer) = (provider?, issuer?);
        Some(Redirect {
            host: if self.is_written("redirect_host") { host } else { provider::redirect_host(kind, issuer) },
            ports: if ports.is_empty() { provider::ports(kind, issuer) } else { ports },
            path,
        })
    }

    fn provider(&mut self, told: Option<&Told<'_>>) -> Option<Provider> {
        let named = self.word("provider", |word| Some(Provider::of_word(word)))?;
        named.or_else(|| told.map(|told| told.short.unwrap_or_else(|| Provider::of_issuer(&told.issuer))))
    }

    /// The outer `None` is a problem, the inner one a profile that asks nobody; then the other keys are not looked at.
    fn quota(&mut self) -> Option<Option<Quota>> {
        let Some(endpoint) = self.read("quota.endpoint", read::address)? else { return Some(None) };
        Some(Some(Quota {
            endpoint: asked_at(endpoint),
            interval: self.read("quota.interval", read::span)?,
            timeout: self.read("quota.timeout", read::span)?,
            on_error: self.word("quota.on_error", OnError::of_word)?,
        }))
    }

    fn login_domain(&mut self) -> Option<SecureUrl> {
        let (_, setting) = self.setting("cognito_domain")?;
        let text = setting.value.as_str().filter(|text| !text.is_empty())?;
        match provider::login_domain(text) {
            Ok(domain) => Some(domain),
            Err(wrong) => {
                self.problems.push(issuer::contradiction("cognito_domain", setting, wrong));
                None
            }
        }
    }

    /// All that the provider could not take, before anybody is sent there.
    fn refuse_contradictions(
        &mut self,
        kind: Provider,
        told: &Told<'_>,
        scopes: &[String],
        login_domain: Option<&SecureUrl>,
    ) {
        let redirect_host = self.word("redirect_host", RedirectHost::of_word);
        let found = provider::contradictions(&Written {
            kind,
            issuer: &told.issuer,
            named: self.word("provider", |word| Some(Provider::of_word(word))).flatten(),
            short: told.short.map(|provider| (told.key, provider)),
            redirect_host: redirect_host.filter(|_| self.is_written("redirect_host")),
            scopes,
            login_domain,
        });
        for (key, wrong) in found {
            if let Some((key, setting)) = self.setting(key) {
                self.problems.push(issuer::contradiction(key.name, setting, wrong));
            }
        }
    }

    fn is_written(&self, name: &str) -> bool {
        let setting = key::find_full(name).and_then(|index| *self.settings.get(index)?);
        setting.is_some_and(|setting| !matches!(setting.origin, Origin::Default))
    }

    /// A file's whole path; `None` inside when none is named.
    pub(super) fn file(&mut self, name: &str) -> Option<Option<PathBuf>> {
        let environment = self.environment;
        self.read(name, |key, value| {
            let Some(path) = read::file(key, value)? else { return Ok(None) };
            let homeless = || read::illegal(key, value, "there is no home directory to begin from");
            expanded(path, environment).ok_or_else(homeless).map(Some)
        })
    }

    /// The first exchange. Its settings contradict each other before any browser opens, or not at all.
    fn federation(&mut self) -> Option<Federation> {
        let is_pool = self.word("federation", |word| Some(word == "identity-pool"))?;
        let id = self.read("identity_pool_id", read::pool)?;
        match (is_pool, id) {
            (false, None) => Some(Federation::Sts { role: self.read("role_arn", read::role)? }),
            (true, Some(id)) => {
                let is_set = self.is_set("role_arn");
                let role = if is_set { Some(self.read("role_arn", read::role)?) } else { None };
                Some(Federation::IdentityPool { id, role })
            }
            (true, None) => self.contradiction("federation", "needs an identity_pool_id"),
            (false, Some(_)) => {
                self.contradiction("identity_pool_id", "is used with federation = \"identity-pool\" alone")
            }
        }
    }

    fn role_chain(&mut self, wanted: Option<Duration>) -> Option<Vec<Link>> {
        self.read("role_chain", |key, value| chain::links(key, value, wanted.unwrap_or_default()))
    }

    /// The region's neighbour in place of "auto", and the region itself left out.
    fn fallback_regions(&mut self, region: Option<&str>) -> Option<Vec<String>> {
        let named = self.read("sts_fallback_regions", read::regions)?;
        let neighbour = region.and_then(partition::neighbour);
        let meant = named.into_iter().filter_map(|name| match name.as_str() {
            "auto" => neighbour.map(str::to_owned),
            _ => Some(name),
        });
        Some(meant.filter(|name| Some(name.as_str()) != region).collect())
    }

    /// What is of one partition does not exist in another; AWS would only say that it knows no such token.
    fn agree_on_partition(&mut self, region: &str, spoken: &Spoken<'_>) {
        let Spoken { federation, chain, endpoints, regions } = spoken;
        if let Some(role) = federation.and_then(Federation::role) {
            self.judge("region", region, role.partition(), || format!("the role {}", role.as_str()));
        }
        if let Some(Federation::IdentityPool { id, .. }) = federation {
            let partition = Partition::of_region(id.region()).name;
            self.judge("identity_pool_id", region, partition, || {
                format!("the identity pool {}", id.as_str())
            });
        }
        for Link { role, .. } in *chain {
            self.judge("role_chain", region, role.partition(), || format!("the role {}", role.as_str()));
        }
        for (key, url) in endpoints.iter().flat_map(|endpoints| endpoints.named()) {
            let host = url.as_url().host_str().unwrap_or_default();
            if let Some(partition) = Partition::of_host(host) {
                self.judge(key, region, partition.name, || format!("the endpoint {host}"));
            }
        }
        for other in *regions {
            let partition = Partition::of_region(other).name;
            self.judge("sts_fallback_regions", region, partition, || format!("the region {other}"));
        }
    }

    fn judge(&mut self, key: &str, region: &str, found: &str, other: impl Fn() -> String) {
        let expected = Partition::of_region(region).name;
        if found == expected {
            return;
        }
        let (region, other, found) = (region.to_owned(), other(), found.to_owned());
        if let Some((_, setting)) = self.setting(key) {
            let fault = Fault::OtherPartition { region, expected, other, found };
            self.problems.push(Problem { place: setting.origin.place(), fault });
        }
    }

    pub(super) fn read<T>(
        &mut self,
        name: &str,
        read: impl Fn(&Key, &DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<T> {
        let (key, setting) = self.setting(name)?;
        match read(key, setting.value) {
            Ok(value) => Some(value),
            Err(fault) => self.refuse(setting, fault),
        }
    }

    pub(super) fn word<T>(&mut self, name: &str, meaning: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.read(name, |key, value| {
            let word = read::word(key, value)?;
            meaning(word).ok_or_else(|| read::illegal(key, value, "has no meaning to this version"))
        })
    }

    pub(super) fn setting(&mut self, name: &str) -> Option<(&'static Key, Setting<'a>)> {
        let index = key::find_full(name)?;
        let (key, setting) = (KEYS.get(index)?, self.settings.get(index)?);
        if setting.is_none() {
            let fault = Fault::Lacks { key: key.name, profile: self.name.to_owned() };
            self.problems.push(Problem { place: (self.place)(), fault });
        }
        setting.map(|setting| (key, setting))
    }

    fn is_set(&self, name: &str) -> bool {
        key::find_full(name).and_then(|index| self.settings.get(index)).is_some_and(Option::is_some)
    }

    /// Says what a value contradicts, at its own place.
    fn contradiction<T>(&mut self, name: &str, rule: &'static str) -> Option<T> {
        let (key, setting) = self.setting(name)?;
        self.refuse(setting, read::illegal(key, setting.value, rule))
    }

    pub(super) fn refuse<T>(&mut self, setting: Setting<'_>, fault: Fault) -> Option<T> {
        self.problems.push(Problem { place: setting.origin.place(), fault });
        None
    }
}

/// The service's own place, as its protocol has it; an address that names it already stays.
fn asked_at(endpoint: SecureUrl) -> SecureUrl {
    let text = endpoint.as_str().trim_end_matches('/');
    match text.ends_with("/check") {
        true => endpoint,
        false => SecureUrl::parse(&format!("{text}/check")).unwrap_or(endpoint),
    }
}
