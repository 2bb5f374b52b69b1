//! The profile that cannot be wrong: every value parsed, every choice made.
//!
//! It holds values, not where they came from; that is for `layers`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    AwsEndpoints, ChainedRole, ClaudeCodeConfig, ClientAuth, Federation, Fingerprint, IdentityPoolId, Provider,
    QuotaSettings, RoleArn, TelemetrySettings, choice::NamedChoice, fingerprint::FingerprintHasher,
};
use crate::{hint::Invocation, http::ProxyChoice, trait_impls::impl_debug, url::SecureUrl};

/// The keys under which a profile's records are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileFingerprints {
    /// Of the tokens, and of who signed in. It covers what the authorization request says and to whom it is sent; so profiles
    /// that differ in their roles share a sign-in. It covers the storage, because each has a sealing key of its own.
    pub sign_in: Fingerprint,
    /// Of the AWS credentials, beside the key of the sign-in that they come from. It covers the roles, the name and the length
    /// of the session, and the endpoints that a file names.
    pub credentials: Fingerprint,
}

/// Everything a sign-in needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    /// Compared byte for byte with what the provider says, so kept as written.
    pub issuer: Issuer,
    /// Where the sign-in pages stand, when that is not left to discovery.
    pub login_domain: Option<SecureUrl>,
    pub client_id: String,
    pub federation: Federation,
    /// Further roles, assumed one after the other.
    pub role_chain: Vec<ChainedRole>,
    pub region: String,
    pub provider: Provider,
    /// Empty: the provider's default.
    pub scopes: Vec<String>,
    pub extra_params: BTreeMap<String, String>,
    pub redirect_uri: RedirectUri,
    pub flow: SignInFlow,
    /// Empty: `$BROWSER`, else the system's.
    pub browser: Vec<String>,
    pub login: LoginMode,
    pub login_timeout: Duration,
    pub session_duration: Duration,
    /// Claims whose first non-empty one names the session.
    pub session_name: Vec<String>,
    pub storage: Storage,
    pub client_auth: ClientAuth,
    pub aws_endpoints: AwsEndpoints,
    /// Where to turn to when STS of the region cannot be reached.
    pub sts_fallback_regions: Vec<String>,
    pub proxy: ProxyChoice,
    pub ca_bundle: Option<PathBuf>,
    /// What `login` gives each person in the files of AWS's tools; `None`: nothing.
    pub aws_profile: Option<String>,
    pub telemetry: TelemetrySettings,
    /// For `setup` and `doctor`.
    pub claude_code: ClaudeCodeConfig,
    /// `None`: nobody is asked.
    pub quota: Option<QuotaSettings>,
    /// The file that decides where secrets go and whom to trust, as a person writes its path: the variables of other
    /// programs are not used for that. `None`: no file defines the profile, or one trusts the environment.
    pub deciding_file: Option<String>,
    /// Whether commands choose this profile without `--profile`.
    pub is_default_choice: bool,
    /// The keys that the administrator enforces.
    pub enforced_keys: BTreeSet<&'static str>,
    /// The keys whose value stands in the administrator's file.
    pub set_by_administrator: BTreeSet<&'static str>,
}

impl Profile {
    /// The keys under which this profile's records are stored.
    ///
    /// Neither covers the profile's name, how the user is prompted, or how the network is reached: changing those does not
    /// require a new sign-in.
    pub fn fingerprints(&self) -> ProfileFingerprints {
        // Every field is named, so that the compiler asks for a decision about a new one.
        let Self {
            name: _,
            issuer,
            login_domain,
            client_id,
            federation,
            role_chain,
            region: _,
            provider,
            scopes,
            extra_params,
            redirect_uri,
            flow: _,
            browser: _,
            login: _,
            login_timeout: _,
            session_duration,
            session_name,
            storage,
            client_auth: _,
            aws_endpoints: AwsEndpoints { sts, cognito, bedrock, console },
            sts_fallback_regions: _,
            proxy: _,
            ca_bundle: _,
            aws_profile: _,
            telemetry: _,
            claude_code: _,
            quota,
            deciding_file: _,
            is_default_choice: _,
            set_by_administrator: _,
            enforced_keys: _,
        } = self;
        fn url_text(url: Option<&SecureUrl>) -> &str {
            url.map_or("", SecureUrl::as_str)
        }

        let mut sign_in = FingerprintHasher::new("bedrock-sso sign-in 1");
        sign_in.add_text(issuer.as_str());
        sign_in.add_text(url_text(login_domain.as_ref()));
        sign_in.add_text(client_id);
        sign_in.add_text(provider.name());
        sign_in.add_list(scopes.iter().map(String::as_str));
        sign_in.add_list(extra_params.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
        sign_in.add_text(redirect_uri.host.name());
        sign_in.add_text(storage.name());

        let mut credentials = FingerprintHasher::new("bedrock-sso credentials 1");
        credentials.add_text(federation.role().map_or("", RoleArn::as_str));
        credentials.add_text(federation.pool().map_or("", IdentityPoolId::as_str));
        role_chain.iter().for_each(|link| credentials.add_chained_role(link));
        credentials.add_list(session_name.iter().map(String::as_str));
        credentials.add_number(session_duration.as_secs());
        credentials.add_text(url_text(sts.as_ref()));
        credentials.add_text(url_text(cognito.as_ref()));
        credentials.add_text(url_text(bedrock.as_ref().map(|endpoints| &endpoints.control)));
        credentials.add_text(url_text(bedrock.as_ref().map(|endpoints| &endpoints.runtime)));
        credentials.add_text(url_text(console.as_ref()));
        credentials.add_text(url_text(quota.as_ref().map(|quota| &quota.endpoint)));
        ProfileFingerprints { sign_in: sign_in.finish(), credentials: credentials.finish() }
    }

    /// The key under which version 0.1 stored sign-in and credentials together.
    pub fn former_fingerprint(&self) -> Fingerprint {
        let mut digest = FingerprintHasher::new("bedrock-sso profile 1");
        digest.add_text(&self.name);
        digest.add_text(self.issuer.as_str());
        digest.add_text(&self.client_id);
        digest.add_text(self.federation.role().map_or("", RoleArn::as_str));
        digest.add_text(self.provider.name());
        digest.add_list(self.scopes.iter().map(String::as_str));
        digest.add_list(self.extra_params.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
        digest.add_list(self.session_name.iter().map(String::as_str));
        digest.add_number(self.session_duration.as_secs());
        if let Some(domain) = &self.login_domain {
            digest.add_text("sign-in pages");
            digest.add_text(domain.as_str());
        }
        if let Some(pool) = self.federation.pool() {
            digest.add_text("identity pool");
            digest.add_text(pool.as_str());
        }
        self.role_chain.iter().for_each(|link| digest.add_chained_role(link));
        digest.finish()
    }

    /// The key under which the application's own credentials are stored. It covers the issuer and the client alone: all
    /// profiles of the application share them, and they stay valid when roles and scopes change.
    pub fn application_fingerprint(&self) -> Fingerprint {
        let mut digest = FingerprintHasher::new("bedrock-sso application 1");
        digest.add_text(self.issuer.as_str());
        digest.add_text(&self.client_id);
        digest.finish()
    }
}

/// An issuer identifier: a secure address whose spelling, trailing slash included, is part of its identity.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: SecureUrl,
}

/// The address at which the provider sends the browser back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    pub host: RedirectHost,
    /// Registered ports in the order to try; empty means any free one.
    pub ports: Vec<u16>,
    /// Starts with a slash.
    pub path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectHost {
    /// `127.0.0.1`
    LoopbackIp,
    /// `localhost`: both loopback families are listened on.
    Localhost,
}

/// How the person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInFlow {
    /// By whatever can work where the program runs.
    Auto,
    /// A browser that reaches this machine's loopback.
    Browser,
    /// A code, entered in a browser anywhere.
    Device,
    /// A browser anywhere, whose last address is pasted at the terminal.
    Paste,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginMode {
    /// Any command that may ask the person does.
    Auto,
    /// Only `login` does.
    Explicit,
}

/// Who calls, as far as it says whether a person may be asked on their behalf: to sign in, or by a locked keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// `login`, which is there to ask.
    SignIn,
    /// A command that may ask, unless the profile leaves that to `login`.
    MayPrompt,
    /// One that never asks.
    NonInteractive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    Keyring,
    File,
    None,
}

impl NamedChoice for RedirectHost {
    const CHOICES: &'static [(&'static str, Self)] = &[("127.0.0.1", Self::LoopbackIp), ("localhost", Self::Localhost)];
}

impl RedirectHost {
    pub fn name(self) -> &'static str {
        self.choice_name()
    }
}

impl NamedChoice for SignInFlow {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("browser", Self::Browser), ("device", Self::Device), ("paste", Self::Paste)];
}

impl NamedChoice for LoginMode {
    const CHOICES: &'static [(&'static str, Self)] = &[("auto", Self::Auto), ("explicit", Self::Explicit)];
}

impl LoginMode {
    pub fn allows_prompt(self, caller: CallerKind) -> bool {
        match caller {
            CallerKind::SignIn => true,
            CallerKind::MayPrompt => self == Self::Auto,
            CallerKind::NonInteractive => false,
        }
    }
}

impl NamedChoice for Storage {
    const CHOICES: &'static [(&'static str, Self)] =
        &[("keyring", Self::Keyring), ("file", Self::File), ("none", Self::None)];
}

impl Storage {
    pub fn name(self) -> &'static str {
        self.choice_name()
    }

    /// Whether sessions are stored at all.
    pub fn stores_anything(self) -> bool {
        match self {
            Self::Keyring | Self::File => true,
            Self::None => false,
        }
    }

    /// Whether the key to the stored session lies in the operating system's keyring.
    pub fn uses_keyring(self) -> bool {
        match self {
            Self::Keyring => true,
            Self::File | Self::None => false,
        }
    }
}

impl Issuer {
    pub fn parse(text: &str) -> Result<Self, crate::url::SecureUrlError> {
        if text.contains(|part: char| part.is_whitespace() || part.is_control()) {
            return Err(crate::url::SecureUrlError::Malformed);
        }
        Ok(Self { text: text.to_owned(), url: SecureUrl::parse(text)? })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn url(&self) -> &SecureUrl {
        &self.url
    }
}

impl_debug!(Issuer, Issuer::as_str);

impl RedirectUri {
    /// The redirect address for a port the listener has.
    pub fn uri_for_port(&self, port: u16) -> String {
        format!("http://{}:{port}{}", self.host.name(), self.path)
    }
}

impl Profile {
    /// The role whose credentials are handed out, where the profile names it: the last of the chain.
    pub fn final_role(&self) -> Option<&RoleArn> {
        self.role_chain.last().map(|link| &link.role).or_else(|| self.federation.role())
    }

    /// How the user reaches this profile. `config`: the value of `--config`, if one was given.
    pub fn invocation(&self, config: Option<&Path>) -> Invocation {
        Invocation::new((!self.is_default_choice).then_some(self.name.as_str()), config)
    }

    /// The region for Bedrock.
    pub fn bedrock_region(&self) -> &str {
        if self.claude_code.region.is_empty() { &self.region } else { &self.claude_code.region }
    }

    /// Why sessions of this profile end after an hour, if they do.
    pub fn hour_limit_reason(&self) -> Option<&'static str> {
        if !self.role_chain.is_empty() {
            return Some("AWS ends the session of a chained role after 1h");
        }
        match &self.federation {
            Federation::IdentityPool { .. } => Some("an identity pool's credentials last 1h"),
            Federation::Sts { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parser of addresses passes over them in silence, and the comparison with the provider's word would not.
    #[test]
    fn an_issuer_has_no_white_space() {
        for bad in [" https://a.example", "https://a.example ", "https://a.ex\nample", "https://a.example/\t"] {
            assert_eq!(Issuer::parse(bad), Err(crate::url::SecureUrlError::Malformed), "{bad:?}");
        }
    }
}
