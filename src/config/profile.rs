//! The checked profile: every value is parsed, every "auto" is resolved, and the values do not contradict each other.
//!
//! Only `profile_builder` makes a profile, so code that has one needs no checks of its own. The origin of the values is
//! not part of it; `config show` takes that from `layers`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    AwsEndpoints, ChainedRole, ClaudeCodeConfig, Federation, Fingerprint, IdentityCenterEndpoints,
    IdentityCenterSettings, IdentityPoolId, OidcSettings, QuotaSettings, RoleArn, SignInSettings, TelemetrySettings,
    choice::NamedChoice, fingerprint::FingerprintHasher, list_user_info_claims,
};
use crate::{hint::Invocation, http::ProxyChoice, url::SecureUrl};

/// The keys under which a profile's records are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileFingerprints {
    /// The key of the tokens and the identity. It covers the authorization request and its destination, so that
    /// profiles that differ in their roles share a sign-in. It covers the storage, because each kind has its own
    /// sealing key.
    pub sign_in: Fingerprint,
    /// The key of the AWS credentials, used together with `sign_in`. It covers the roles, the name and the duration of
    /// the session, and the endpoints that a file names.
    pub credentials: Fingerprint,
}

/// All settings of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    pub sign_in: SignInSettings,
    /// Further roles, assumed one after the other after the first exchange.
    pub role_chain: Vec<ChainedRole>,
    pub region: String,
    pub redirect_uri: RedirectUri,
    pub flow: SignInFlow,
    /// The command of the browser. Empty for `$BROWSER`, or else the system's browser.
    pub browser: Vec<String>,
    pub login: LoginMode,
    pub login_timeout: Duration,
    pub session_duration: Duration,
    /// Claims or templates. The first one that the token can fill names the AWS session.
    pub session_name: Vec<String>,
    pub storage: Storage,
    pub aws_endpoints: AwsEndpoints,
    /// The regions whose STS the program calls if STS of `region` is not reachable. Never contains `region` or "auto".
    pub sts_fallback_regions: Vec<String>,
    pub proxy: ProxyChoice,
    pub ca_bundle: Option<PathBuf>,
    /// The AWS profile that `login` creates in the files of the AWS tools; `None` to create none.
    pub aws_profile: Option<String>,
    pub telemetry: TelemetrySettings,
    /// Used by `setup` and `doctor` only.
    pub claude_code: ClaudeCodeConfig,
    /// `None` if there is no quota service.
    pub quota: Option<QuotaSettings>,
    /// The display path of the file that defines the profile. If there is one, variables of other programs cannot
    /// choose endpoints or certificate authorities. `None` if no file defines the profile, or if a file trusts the
    /// environment.
    pub deciding_file: Option<String>,
    /// Whether commands use this profile without `--profile`.
    pub is_default_choice: bool,
    /// The names of the keys that the administrator enforces.
    pub enforced_keys: BTreeSet<&'static str>,
    /// The names of the keys whose value comes from the administrator's file.
    pub set_by_administrator: BTreeSet<&'static str>,
}

impl Profile {
    /// The keys under which this profile's records are stored.
    ///
    /// Neither covers the profile's name, how the user is prompted, or how the network is reached: changing those does
    /// not require a new sign-in.
    pub fn fingerprints(&self) -> ProfileFingerprints {
        // Without `..` the compiler points here when a field is added, and its author must decide whether it counts.
        let Self {
            name: _,
            sign_in: service,
            role_chain,
            region: _,
            redirect_uri,
            flow: _,
            browser: _,
            login: _,
            login_timeout: _,
            session_duration,
            session_name,
            storage,
            aws_endpoints: AwsEndpoints { sts, cognito, bedrock, console, identity_center },
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

        let (sign_in, mut credentials) = match service {
            SignInSettings::Oidc(oidc) => {
                let OidcSettings {
                    issuer,
                    login_domain,
                    client_id,
                    provider,
                    scopes,
                    extra_params,
                    require,
                    client_auth: _,
                    federation,
                } = &**oidc;
                let mut sign_in = FingerprintHasher::new("bedrock-sso sign-in 1");
                sign_in.add_text(issuer.as_str());
                sign_in.add_text(url_text(login_domain.as_ref()));
                sign_in.add_text(client_id);
                sign_in.add_text(provider.name());
                sign_in.add_list(scopes.iter().map(String::as_str));
                sign_in.add_list(extra_params.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
                sign_in.add_text(redirect_uri.host.name());
                sign_in.add_text(storage.name());
                require.add_to_fingerprint(&mut sign_in);
                let mut credentials = FingerprintHasher::new("bedrock-sso credentials 1");
                credentials.add_text(federation.role().map_or("", RoleArn::as_str));
                credentials.add_text(federation.pool().map_or("", IdentityPoolId::as_str));
                (sign_in, credentials)
            }
            SignInSettings::IdentityCenter(IdentityCenterSettings {
                start_url,
                region,
                account_id,
                permission_set,
            }) => {
                let mut sign_in = FingerprintHasher::new("bedrock-sso identity center sign-in 1");
                sign_in.add_text(start_url.as_str());
                sign_in.add_text(region);
                sign_in.add_text(storage.name());
                let mut credentials = FingerprintHasher::new("bedrock-sso identity center credentials 1");
                credentials.add_text(account_id);
                credentials.add_text(permission_set);
                (sign_in, credentials)
            }
        };
        role_chain.iter().for_each(|link| credentials.add_chained_role(link));
        credentials.add_list(session_name.iter().map(String::as_str));
        credentials.add_number(session_duration.as_secs());
        credentials.add_text(url_text(sts.as_ref()));
        credentials.add_text(url_text(cognito.as_ref()));
        credentials.add_text(url_text(bedrock.as_ref().map(|endpoints| &endpoints.control)));
        credentials.add_text(url_text(bedrock.as_ref().map(|endpoints| &endpoints.runtime)));
        credentials.add_text(url_text(console.as_ref()));
        credentials.add_text(url_text(quota.as_ref().map(|quota| &quota.endpoint)));
        // Without these endpoints nothing is added, so that the records of earlier versions stay valid.
        if let Some(IdentityCenterEndpoints { sign_in, portal }) = identity_center {
            credentials.add_text("identity center");
            credentials.add_text(sign_in.as_str());
            credentials.add_text(portal.as_str());
        }
        ProfileFingerprints { sign_in: sign_in.finish(), credentials: credentials.finish() }
    }

    /// Whether AWS knows the session by the name that this program stores. An identity pool gives its sessions a name
    /// of its own, and only a role that is assumed from there gets ours. Identity Center names a session after its user,
    /// and the program takes over that name.
    pub fn names_aws_session(&self) -> bool {
        let is_known_first = match &self.sign_in {
            SignInSettings::Oidc(oidc) => oidc.federation.pool().is_none(),
            SignInSettings::IdentityCenter(_) => true,
        };
        is_known_first || !self.role_chain.is_empty()
    }

    /// The settings of the OpenID provider; `None` if the user signs in at an Identity Center.
    pub fn oidc(&self) -> Option<&OidcSettings> {
        match &self.sign_in {
            SignInSettings::Oidc(oidc) => Some(oidc),
            SignInSettings::IdentityCenter(_) => None,
        }
    }

    /// The settings of the Identity Center; `None` if the user signs in at an OpenID provider.
    pub fn identity_center(&self) -> Option<&IdentityCenterSettings> {
        match &self.sign_in {
            SignInSettings::Oidc(_) => None,
            SignInSettings::IdentityCenter(center) => Some(center),
        }
    }

    /// The host at which the user signs in.
    pub fn sign_in_host(&self) -> &str {
        match &self.sign_in {
            SignInSettings::Oidc(oidc) => oidc.issuer.url().authority(),
            SignInSettings::IdentityCenter(center) => center.start_url.authority(),
        }
    }

    /// The claims that the profile wants from the provider's UserInfo.
    pub fn user_info_claims(&self) -> BTreeSet<&str> {
        self.session_name.iter().flat_map(|item| list_user_info_claims(item)).collect()
    }

    /// The key under which version 0.1 stored the sign-in and the credentials together. The cache moves such a record
    /// to the present keys, so this function must never change.
    ///
    /// Version 0.1 did not know Identity Center, so the key of such a profile is one that it never stored.
    pub fn former_fingerprint(&self) -> Fingerprint {
        let mut digest = FingerprintHasher::new("bedrock-sso profile 1");
        digest.add_text(&self.name);
        let oidc = match &self.sign_in {
            SignInSettings::Oidc(oidc) => oidc,
            SignInSettings::IdentityCenter(_) => return digest.finish(),
        };
        digest.add_text(oidc.issuer.as_str());
        digest.add_text(&oidc.client_id);
        digest.add_text(oidc.federation.role().map_or("", RoleArn::as_str));
        digest.add_text(oidc.provider.name());
        digest.add_list(oidc.scopes.iter().map(String::as_str));
        digest.add_list(oidc.extra_params.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
        digest.add_list(self.session_name.iter().map(String::as_str));
        digest.add_number(self.session_duration.as_secs());
        if let Some(domain) = &oidc.login_domain {
            digest.add_text("sign-in pages");
            digest.add_text(domain.as_str());
        }
        if let Some(pool) = oidc.federation.pool() {
            digest.add_text("identity pool");
            digest.add_text(pool.as_str());
        }
        self.role_chain.iter().for_each(|link| digest.add_chained_role(link));
        // A profile that requires something must not use a sign-in that proved nothing.
        oidc.require.add_to_fingerprint(&mut digest);
        digest.finish()
    }
}

/// The address to which the provider redirects the browser after the sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    pub host: RedirectHost,
    /// Registered ports, in the order in which to try them. Empty for any free port.
    pub ports: Vec<u16>,
    /// Begins with a slash.
    pub path: String,
}

/// The port in the check of a profile that accepts any port. The check opens no browser, so nothing listens there.
const EXAMPLE_PORT: u16 = 8400;

/// The host of the redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectHost {
    /// `127.0.0.1`, which RFC 8252 §8.3 recommends.
    LoopbackIp,
    /// `localhost`. A browser may resolve it to IPv4 or IPv6, so the listener binds both.
    Localhost,
}

/// How the user signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInFlow {
    /// The best of the others that works where the program runs.
    Auto,
    /// In a browser on this computer, which reaches the listener on loopback.
    Browser,
    /// With a code that the user enters in a browser on any device (RFC 8628).
    Device,
    /// In a browser on any computer. The user then pastes the last address of the browser into the terminal.
    Paste,
}

/// Which commands may prompt the user to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginMode {
    /// Every command that can prompt.
    Auto,
    /// Only `login`.
    Explicit,
}

/// Whether the calling command may prompt the user: to sign in, or to unlock the keyring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// `login`, which always may.
    SignIn,
    /// A command that may prompt, unless the profile says `login = "explicit"`.
    MayPrompt,
    /// A command that never prompts.
    NonInteractive,
}

/// Where the program stores the sealing key of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In the keyring of the operating system.
    Keyring,
    /// In a private file, for computers without a keyring.
    File,
    /// Nowhere: the program stores no session at all.
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
    /// Whether a caller of this kind may prompt the user.
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

    /// Whether the program stores sessions at all.
    pub fn stores_anything(self) -> bool {
        match self {
            Self::Keyring | Self::File => true,
            Self::None => false,
        }
    }

    /// Whether the sealing key is in the keyring of the operating system.
    pub fn uses_keyring(self) -> bool {
        match self {
            Self::Keyring => true,
            Self::File | Self::None => false,
        }
    }
}

impl RedirectUri {
    /// The redirect URI for the port on which the listener accepts connections.
    pub fn uri_for_port(&self, port: u16) -> String {
        format!("http://{}:{port}{}", self.host.name(), self.path)
    }

    /// The redirect URI for a service that accepts any port.
    pub fn uri_without_port(&self) -> String {
        format!("http://{}{}", self.host.name(), self.path)
    }

    /// The redirect URIs with which to check what the provider accepts: one for each registered port. If any port is
    /// free to use, an example port stands for all of them.
    pub fn uris_to_probe(&self) -> Vec<String> {
        let ports = if self.ports.is_empty() { &[EXAMPLE_PORT][..] } else { &self.ports };
        ports.iter().map(|port| self.uri_for_port(*port)).collect()
    }
}

impl Profile {
    /// The role whose credentials the caller receives: the last one of the chain. `None` if an identity pool or an
    /// Identity Center chooses it.
    pub fn final_role(&self) -> Option<&RoleArn> {
        self.role_chain.last().map(|link| &link.role).or_else(|| self.oidc()?.federation.role())
    }

    /// The flags with which a command in a hint uses this profile. `config` is the value of `--config`, if the call
    /// has it.
    pub fn invocation(&self, config: Option<&Path>) -> Invocation {
        Invocation::new((!self.is_default_choice).then_some(self.name.as_str()), config)
    }

    /// The region that Claude Code uses for Bedrock.
    pub fn bedrock_region(&self) -> &str {
        if self.claude_code.region.is_empty() { &self.region } else { &self.claude_code.region }
    }

    /// Why the credentials of this profile last one hour at most; `None` if they can last longer.
    pub fn hour_limit_reason(&self) -> Option<&'static str> {
        if !self.role_chain.is_empty() {
            return Some("AWS ends the session of a chained role after 1h");
        }
        match &self.oidc()?.federation {
            Federation::IdentityPool { .. } => Some("an identity pool's credentials last 1h"),
            Federation::Sts { .. } => None,
        }
    }
}
