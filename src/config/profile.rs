//! The profile that cannot be wrong: every value parsed, every choice made.
//!
//! It says what holds, not where it came from; that is `layers`' business.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{AwsEndpoints, ChainedRole, ClientAuth, Federation, TelemetrySettings};
use crate::{hint::Invocation, http::ProxyChoice, url::SecureUrl};

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
    /// `None`: nobody is asked.
    pub quota: Option<super::QuotaSettings>,
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
    /// How the user reaches this profile. `config`: the value of `--config`, if one was given.
    pub fn invocation(&self, config: Option<&Path>) -> Invocation {
        Invocation::new((!self.is_default_choice).then_some(self.name.as_str()), config)
    }
}

/// An issuer identifier: a secure address whose spelling, trailing slash included, is part of its identity.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: SecureUrl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    Auth0,
    Cognito,
    Entra,
    Generic,
    Google,
    Okta,
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

/// `arn:aws:iam::123456789012:role/path/Name`, taken apart.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RoleArn {
    text: String,
    partition: String,
    account: String,
}

impl RedirectHost {
    pub(super) fn from_name(word: &str) -> Option<Self> {
        match word {
            "127.0.0.1" => Some(Self::LoopbackIp),
            "localhost" => Some(Self::Localhost),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::LoopbackIp => "127.0.0.1",
            Self::Localhost => "localhost",
        }
    }
}

impl SignInFlow {
    pub(super) fn from_name(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "browser" => Some(Self::Browser),
            "device" => Some(Self::Device),
            "paste" => Some(Self::Paste),
            _ => None,
        }
    }
}

impl LoginMode {
    pub(super) fn from_name(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "explicit" => Some(Self::Explicit),
            _ => None,
        }
    }

    pub fn allows_prompt(self, caller: CallerKind) -> bool {
        match caller {
            CallerKind::SignIn => true,
            CallerKind::MayPrompt => self == Self::Auto,
            CallerKind::NonInteractive => false,
        }
    }
}

impl Storage {
    pub(super) fn from_name(word: &str) -> Option<Self> {
        match word {
            "keyring" => Some(Self::Keyring),
            "file" => Some(Self::File),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
            Self::None => "none",
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

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl RoleArn {
    /// `None` when the text is no role's ARN.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition, service, region, account, resource) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_account = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
        let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
        let known = (arn, service, region) == ("arn", "iam", "")
            && partition.strip_prefix("aws").is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        // IAM's paths are of visible ASCII alone.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        (known && is_account && is_role_name(name) && is_plain).then(|| Self {
            text: text.to_owned(),
            partition: partition.to_owned(),
            account: account.to_owned(),
        })
    }

    /// The role behind `arn:aws:sts::123456789012:assumed-role/Name/session`, whose path AWS does not tell.
    pub fn from_session_arn(arn: &str) -> Option<Self> {
        let (head, resource) = arn.split_once(":assumed-role/")?;
        let (partition, account) = head.strip_prefix("arn:")?.split_once(":sts::")?;
        let name = resource.split('/').next()?;
        Self::parse(&format!("arn:{partition}:iam::{account}:role/{name}"))
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn partition(&self) -> &str {
        &self.partition
    }

    pub fn account(&self) -> &str {
        &self.account
    }

    /// The role's own name, without its path.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or(&self.text)
    }
}

impl From<RoleArn> for String {
    fn from(role: RoleArn) -> Self {
        role.text
    }
}

impl TryFrom<String> for RoleArn {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not the ARN of a role")
    }
}

fn is_role_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

impl fmt::Debug for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl RedirectUri {
    /// The redirect address for a port the listener has.
    pub fn uri_for_port(&self, port: u16) -> String {
        format!("http://{}:{port}{}", self.host.name(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_arn_is_taken_apart() {
        let role =
            RoleArn::parse("arn:aws-us-gov:iam::123456789012:role/team/BedrockUser").expect("a legal ARN");
        assert_eq!(
            (role.partition(), role.account(), role.name()),
            ("aws-us-gov", "123456789012", "BedrockUser")
        );
    }

    #[test]
    fn a_session_tells_its_role() {
        let role = RoleArn::from_session_arn(
            "arn:aws-cn:sts::123456789012:assumed-role/Name/CognitoIdentityCredentials",
        );
        assert_eq!(role, RoleArn::parse("arn:aws-cn:iam::123456789012:role/Name"));
        for bad in ["arn:aws:iam::123456789012:user/jane", "arn:aws:sts::123456789012:assumed-role/", ""] {
            assert_eq!(RoleArn::from_session_arn(bad), None, "{bad}");
        }
    }

    /// The parser of addresses passes over them in silence, and the comparison with the provider's word would not.
    #[test]
    fn an_issuer_has_no_white_space() {
        for bad in [" https://a.example", "https://a.example ", "https://a.ex\nample", "https://a.example/\t"]
        {
            assert_eq!(Issuer::parse(bad), Err(crate::url::SecureUrlError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_role_is_refused() {
        for bad in [
            "",
            "BedrockUser",
            "arn:aws:iam::123:role/X",
            "arn:aws:iam::123456789012:user/X",
            "arn:aws:sts::123456789012:assumed-role/X/y",
            "arn:gcp:iam::123456789012:role/X",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/team one/X",
            "arn:aws:iam::123456789012:role/\x1b[31m/X",
            "arn:aws-\n:iam::123456789012:role/X",
        ] {
            assert!(RoleArn::parse(bad).is_none(), "{bad}");
        }
    }
}
