//! The one table of keys: unknown keys, types, defaults, `config show`, the schema and the example all come from it.
//!
//! It describes; reading a value is `read`'s business.

use std::borrow::Cow;

use toml::{Spanned, de::DeValue};

use super::{client_auth, provider};

/// A key of a profile. Keys of a table inside the profile are written `table.key`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConfigKey {
    pub name: &'static str,
    pub kind: ValueKind,
    pub default: KeyDefault,
    pub variable: VariablePolicy,
    pub doc: &'static str,
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueKind {
    Issuer,
    /// Another secure address; may be empty.
    Address,
    /// The same, or one with `{service}` in it, for both of Bedrock's services.
    BedrockAddress,
    Text,
    Role,
    Region,
    /// A list of regions, or of the word "auto".
    Regions,
    /// The id of an identity pool; may be empty.
    IdentityPoolId,
    Choice(&'static [&'static str]),
    /// A name in a file of AWS's tools; may be empty.
    AwsProfileName,
    /// The path of an address.
    UrlPath,
    /// The path of a file; may be empty.
    FilePath,
    /// A duration between two others, in seconds.
    DurationRange(u64, u64),
    Bool,
    Ports,
    Argv,
    /// A list of secure addresses.
    Addresses,
    /// The address of a proxy, or "none"; may be empty.
    Proxy,
    /// A version of this program; may be empty.
    Version,
    /// A list of words without white space.
    Tokens,
    /// A list of claim names, at least one.
    Claims,
    RoleChain,
    /// Parameters of the authorization request.
    RequestParams,
    /// A table whose values are a claim name or a list of them.
    ClaimTable,
    /// A table of strings.
    Table,
    /// The same, under these names alone.
    NamedStrings(&'static [&'static str]),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum KeyDefault {
    Required,
    Text(&'static str),
    List(&'static [&'static str]),
    Table,
    Bool(bool),
}

/// Whether an environment variable may set a key. Hosts pass the environment of an untrusted repository to this program, so
/// a file decides where secrets go and whom to trust (docs/variables.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VariablePolicy {
    /// Only a file can set the key.
    Never,
    /// A variable sets the key only where no file defines the profile, or where a file in a default place says
    /// `trust_environment = true`.
    WithoutFile,
    /// A variable sets the key: it chooses, and sends no secret to another host.
    Always,
}

use VariablePolicy::{Always, Never, WithoutFile};

/// The ranks of models, as Claude Code has them.
pub const MODEL_RANKS: [&str; 4] = ["default", "opus", "sonnet", "haiku"];

/// A key outside the profiles.
#[derive(Debug)]
pub(super) struct TopLevelKey {
    pub name: &'static str,
    pub doc: &'static str,
}

pub(super) const TOP_LEVEL_KEYS: [TopLevelKey; 6] = [
    TopLevelKey { name: "version", doc: "The version of this format; always 1 today." },
    TopLevelKey {
        name: "default_profile",
        doc: "The profile for commands that name none; needless when there is only one.",
    },
    TopLevelKey {
        name: "enforce",
        doc: "Keys of this file's profiles that users cannot override; in the administrator's file only.",
    },
    TopLevelKey {
        name: "min_version",
        doc: "The oldest version of this program that may work with this file; in the administrator's file only.",
    },
    TopLevelKey {
        name: "trust_environment",
        doc: "Whether environment variables may set every key, although a file defines the profile; in a file in its default place only.",
    },
    TopLevelKey { name: "profiles", doc: "One table for each application and role to sign in to." },
];

/// The tables inside a profile.
pub(super) const SECTIONS: [(&str, &str); 3] = [
    ("telemetry", "What `otel-headers` says about the person who is signed in."),
    ("quota", "A service that is asked whether this person may spend."),
    ("claude_code", "What `setup` writes into Claude Code's settings."),
];

/// The version of the format that this program reads.
pub(super) const VERSION: u64 = 1;

/// Parameters that the sign-in sets itself, and secrets, which belong into no address.
pub(super) const PROTOCOL_PARAMS: [&str; 9] = [
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
];

pub(super) const fn declare_key(
    name: &'static str,
    kind: ValueKind,
    default: KeyDefault,
    variable: VariablePolicy,
    sentence: &'static str,
) -> ConfigKey {
    ConfigKey { name, kind, default, variable, doc: sentence }
}

const EMPTY: KeyDefault = KeyDefault::Text("");
const NONE: KeyDefault = KeyDefault::List(&[]);
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

pub(super) const COUNT: usize = 50;

#[rustfmt::skip]
pub(super) static KEYS: [ConfigKey; COUNT] = [
    declare_key("issuer", ValueKind::Issuer, KeyDefault::Required, WithoutFile, "The provider's issuer identifier, exactly as its discovery document spells it."),
    declare_key("client_id", ValueKind::Text, KeyDefault::Required, WithoutFile, "The identifier of the application registered with the provider."),
    declare_key("role_arn", ValueKind::Role, KeyDefault::Required, WithoutFile, "The role to assume; its trust policy names the issuer and the client."),
    declare_key("region", ValueKind::Region, KeyDefault::Required, Always, "The AWS region to talk to; of the same partition as the role."),
    declare_key("okta_domain", ValueKind::Text, EMPTY, WithoutFile, "In place of `issuer`, for Okta: your domain, such as acme.okta.com."),
    declare_key("okta_auth_server", ValueKind::Text, EMPTY, WithoutFile, "The custom authorization server behind it, such as default; empty means the org authorization server."),
    declare_key("entra_tenant", ValueKind::Text, EMPTY, WithoutFile, "In place of `issuer`, for Microsoft Entra ID: the Directory (tenant) ID; HOST/ID in a national cloud, ID.ciamlogin.com for External ID."),
    declare_key("auth0_domain", ValueKind::Text, EMPTY, WithoutFile, "In place of `issuer`, for Auth0: your domain, such as acme.eu.auth0.com."),
    declare_key("cognito_user_pool_id", ValueKind::Text, EMPTY, WithoutFile, "In place of `issuer`, for Amazon Cognito: the User pool ID."),
    declare_key("cognito_domain", ValueKind::Text, EMPTY, WithoutFile, "The domain of the user pool's sign-in pages; empty means the one that discovery names."),
    declare_key("provider", ValueKind::Choice(&provider::PROVIDER_NAMES), KeyDefault::Text("auto"), WithoutFile, "The kind of provider; \"auto\" tells it by the issuer's host."),
    declare_key("federation", ValueKind::Choice(&["sts", "identity-pool"]), KeyDefault::Text("sts"), WithoutFile, "How the token is exchanged for AWS credentials."),
    declare_key("identity_pool_id", ValueKind::IdentityPoolId, EMPTY, WithoutFile, "The Cognito identity pool, for federation = \"identity-pool\"; role_arn may then be left out."),
    declare_key("scopes", ValueKind::Tokens, NONE, WithoutFile, "The scopes to ask for; empty means the provider's default."),
    declare_key("extra_params", ValueKind::RequestParams, KeyDefault::Table, WithoutFile, "More parameters for the authorization request: prompt, login_hint, domain_hint, audience, resource."),
    declare_key("redirect_ports", ValueKind::Ports, NONE, WithoutFile, "The registered loopback ports, tried in order; [] means any free port, but [8400, 8401] for Okta, Auth0 and Cognito, which take registered ports only."),
    declare_key("redirect_host", ValueKind::Choice(&["127.0.0.1", "localhost"]), KeyDefault::Text("127.0.0.1"), WithoutFile, "The host of the redirect address; with \"localhost\", the default for Entra and Cognito, both loopback families are listened on."),
    declare_key("redirect_path", ValueKind::UrlPath, KeyDefault::Text("/callback"), WithoutFile, "The path of the redirect address."),
    declare_key("flow", ValueKind::Choice(&["auto", "browser", "device", "paste"]), KeyDefault::Text("auto"), Always, "How the person is asked."),
    declare_key("browser", ValueKind::Argv, NONE, WithoutFile, "The browser's command line, with \"{url}\" where the address goes; empty means $BROWSER, else the system's."),
    declare_key("login", ValueKind::Choice(&["auto", "explicit"]), KeyDefault::Text("auto"), Always, "Who may ask the person: with \"explicit\" only the command `login`."),
    declare_key("login_timeout", ValueKind::DurationRange(10, 10 * MINUTE), KeyDefault::Text("165s"), Always, "How long a sign-in waits for the person, 10s to 10m; Claude Code gives up after 180 seconds."),
    declare_key("session_duration", ValueKind::DurationRange(15 * MINUTE, 12 * HOUR), KeyDefault::Text("12h"), Always, "How long the AWS session shall last, 15m to 12h; shortened to what the role allows, and to 1h after an identity pool or a role chain."),
    declare_key("session_name", ValueKind::Claims, KeyDefault::List(&["email", "preferred_username", "upn", "sub"]), WithoutFile, "The claims to name the AWS session after, or texts with claims in them; the first that the token can fill is used."),
    declare_key("role_chain", ValueKind::RoleChain, NONE, WithoutFile, "Further roles, assumed one after the other, as ARNs or tables; their sessions last 1h at most."),
    declare_key("storage", ValueKind::Choice(&["keyring", "file", "none"]), KeyDefault::Text("keyring"), WithoutFile, "Where the key to the stored session is kept: in the operating system's keyring, or in a private file where there is none."),
    declare_key("client_auth", ValueKind::Choice(&client_auth::AUTH_WORDS), KeyDefault::Text("none"), WithoutFile, "How the application proves itself to the provider; a secret is stored by `login --client-secret-stdin`."),
    declare_key("client_key", ValueKind::FilePath, EMPTY, WithoutFile, "The application's private key in PEM form, for client_auth = \"private_key_jwt\"."),
    declare_key("client_certificate", ValueKind::FilePath, EMPTY, WithoutFile, "The key's certificate in PEM form, whose digest names the key to Entra; empty means none."),
    declare_key("client_key_id", ValueKind::Text, EMPTY, WithoutFile, "The name under which the provider knows the key (`kid`); empty means none."),
    declare_key("client_algorithm", ValueKind::Choice(&client_auth::ALGORITHM_WORDS), KeyDefault::Text("auto"), WithoutFile, "How the key signs; \"auto\" goes by the kind of key and by what the provider takes."),
    declare_key("client_audience", ValueKind::Choice(&client_auth::AUDIENCE_WORDS), KeyDefault::Text("auto"), WithoutFile, "Whom the key's assertion is for; \"auto\" means the issuer, or what the provider is known to want."),
    declare_key("sts_endpoint", ValueKind::Address, EMPTY, WithoutFile, "The address of STS; empty means the region's."),
    declare_key("cognito_endpoint", ValueKind::Address, EMPTY, WithoutFile, "The address of Cognito identity pools; empty means the pool's region's."),
    declare_key("bedrock_endpoint", ValueKind::BedrockAddress, EMPTY, WithoutFile, "The address of Amazon Bedrock, with {service} where bedrock or bedrock-runtime goes; empty means the region's."),
    declare_key("sts_fallback_regions", ValueKind::Regions, KeyDefault::List(&["auto"]), Always, "Where STS is asked when that of the region cannot be reached; \"auto\" is one in the same country or union, if AWS has one."),
    declare_key("proxy", ValueKind::Proxy, EMPTY, Always, "The proxy for every connection, or \"none\"; empty means HTTPS_PROXY, else the system's."),
    declare_key("ca_bundle", ValueKind::FilePath, EMPTY, WithoutFile, "A PEM file of authorities to trust besides the system's."),
    declare_key("aws_profile", ValueKind::AwsProfileName, EMPTY, Never, "The AWS profile that `login` gives to each person who has none of this name yet; in the administrator's file only."),
    declare_key("min_version", ValueKind::Version, EMPTY, Never, "The oldest version of this program that may work with the file; in the administrator's file only."),
    declare_key("telemetry.headers", ValueKind::ClaimTable, KeyDefault::Table, WithoutFile, "Headers and the claims that fill them, first come first; empty means the usual x-user-* set."),
    declare_key("telemetry.send_token", ValueKind::Bool, KeyDefault::Bool(false), WithoutFile, "Whether the ID token itself goes along as an Authorization header, to the collectors below."),
    declare_key("telemetry.collectors", ValueKind::Addresses, NONE, Never, "The collectors that are told who is signed in; empty means any, without the token. In a file in its default place only."),
    declare_key("quota.endpoint", ValueKind::Address, EMPTY, WithoutFile, "The address of the quota service, which is asked at /check; empty means nobody is asked."),
    declare_key("quota.interval", ValueKind::DurationRange(0, 24 * HOUR), KeyDefault::Text("30m"), WithoutFile, "How long a yes holds: credentials end when it does."),
    declare_key("quota.timeout", ValueKind::DurationRange(1, MINUTE), KeyDefault::Text("5s"), WithoutFile, "How long to wait for an answer, 1s to 1m."),
    declare_key("quota.on_error", ValueKind::Choice(&["allow", "deny"]), KeyDefault::Text("allow"), WithoutFile, "What holds when the service gives no answer."),
    declare_key("claude_code.region", ValueKind::Text, EMPTY, WithoutFile, "The region for Bedrock; empty means the profile's."),
    declare_key("claude_code.models", ValueKind::NamedStrings(&MODEL_RANKS), KeyDefault::Table, WithoutFile, "The models by their rank: default, opus, sonnet, haiku."),
    declare_key("claude_code.env", ValueKind::Table, KeyDefault::Table, WithoutFile, "Further environment variables for Claude Code."),
];

/// The place in the table of a key, given the profile's inner table (or none) that it was found in.
pub(super) fn find_in_section(section: &str, name: &str) -> Option<usize> {
    KEYS.iter().position(|key| key.is_named(section, name))
}

/// The place in the table of a key by its full name.
pub(super) fn find_key(name: &str) -> Option<usize> {
    KEYS.iter().position(|key| key.name == name)
}

/// The name most like a misspelt one, if any is alike at all.
pub(super) fn find_nearest_name<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    const ALIKE: f64 = 0.82;
    // Longer foreign text is no slip of the finger, and comparing it costs its length squared.
    if name.len() > 64 {
        return None;
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    known
        .map(|known| (strsim::jaro_winkler(&name, known), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known)
}

impl ConfigKey {
    /// The inner table that the key lives in, or nothing.
    pub(super) fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// The name inside that table.
    pub(super) fn own_name(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, own)| own)
    }

    fn is_named(&self, section: &str, name: &str) -> bool {
        match section {
            "" => self.name == name,
            section => self.name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) == Some(name),
        }
    }

    /// Whether it would mean nothing, or harm, were it anybody's but the administrator's.
    pub(super) fn is_administrator_only(&self) -> bool {
        ["aws_profile", "min_version"].contains(&self.name)
    }

    /// The name of the environment variable that sets the key. Every call looks for all of them.
    pub(super) fn variable_name(&self) -> String {
        let mut name = String::with_capacity(40);
        name.push_str("BEDROCK_SSO_");
        if let Some((section, _)) = self.name.split_once('.') {
            name.push_str(section);
            name.push('_');
        }
        name.push_str(self.own_name());
        name.make_ascii_uppercase();
        name
    }

    /// Whether a variable or a flag gives the text as it is, not in TOML's syntax.
    pub(super) fn is_plain_text(&self) -> bool {
        match self.kind {
            ValueKind::Issuer
            | ValueKind::Address
            | ValueKind::BedrockAddress
            | ValueKind::Text
            | ValueKind::Role
            | ValueKind::Region
            | ValueKind::Choice(_) => true,
            ValueKind::IdentityPoolId | ValueKind::AwsProfileName | ValueKind::Proxy | ValueKind::Version => {
                true
            }
            ValueKind::UrlPath | ValueKind::FilePath | ValueKind::DurationRange(..) => true,
            ValueKind::Bool
            | ValueKind::Ports
            | ValueKind::Argv
            | ValueKind::Tokens
            | ValueKind::Claims
            | ValueKind::RoleChain => false,
            ValueKind::RequestParams
            | ValueKind::ClaimTable
            | ValueKind::Table
            | ValueKind::NamedStrings(_)
            | ValueKind::Regions
            | ValueKind::Addresses => false,
        }
    }

    pub(super) fn default_value(&self) -> Option<DeValue<'static>> {
        let text = |text: &'static str| DeValue::String(Cow::Borrowed(text));
        match self.default {
            KeyDefault::Required => None,
            KeyDefault::Text(word) => Some(text(word)),
            KeyDefault::List(words) => {
                Some(DeValue::Array(words.iter().map(|word| Spanned::new(0..0, text(word))).collect()))
            }
            KeyDefault::Table => Some(DeValue::Table(toml::de::DeTable::new())),
            KeyDefault::Bool(on) => Some(DeValue::Boolean(on)),
        }
    }
}
