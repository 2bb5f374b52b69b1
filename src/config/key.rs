//! The one table of keys: unknown keys, types, defaults, `config show`, the schema and the example all come from it.
//!
//! It describes; reading a value is `read`'s business.

use std::borrow::Cow;

use toml::{Spanned, de::DeValue};

use super::{client, provider};

/// A key of a profile. Keys of a table inside the profile are written `table.key`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Default,
    pub variable: Variable,
    pub sentence: &'static str,
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
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
    Pool,
    Word(&'static [&'static str]),
    /// A name in a file of AWS's tools; may be empty.
    Name,
    /// The path of an address.
    Path,
    /// The path of a file; may be empty.
    File,
    /// A duration between two others, in seconds.
    Span(u64, u64),
    Switch,
    Ports,
    Argv,
    /// A list of secure addresses.
    Addresses,
    /// The address of a proxy, or "none"; may be empty.
    Proxy,
    /// A version of this program; may be empty.
    Version,
    /// A list of words without white space.
    Words,
    /// A list of claim names, at least one.
    Claims,
    Roles,
    /// Parameters of the authorization request.
    Params,
    /// A table whose values are a claim name or a list of them.
    ClaimTable,
    /// A table of strings.
    Table,
    /// The same, under these names alone.
    Named(&'static [&'static str]),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Default {
    Required,
    Text(&'static str),
    List(&'static [&'static str]),
    Table,
    Switch(bool),
}

/// Whether an environment variable may set a key. Hosts pass the environment of an untrusted repository to this program, so
/// a file decides where secrets go and whom to trust (docs/variables.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    /// Only a file can set the key.
    Never,
    /// A variable sets the key only where no file defines the profile, or where a file in a default place says
    /// `trust_environment = true`.
    WithoutFile,
    /// A variable sets the key: it chooses, and sends no secret to another host.
    Always,
}

use Variable::{Always, Never, WithoutFile};

/// The ranks of models, as Claude Code has them.
pub const RANKS: [&str; 4] = ["default", "opus", "sonnet", "haiku"];

/// A key outside the profiles.
#[derive(Debug)]
pub(super) struct TopKey {
    pub name: &'static str,
    pub sentence: &'static str,
}

pub(super) const TOP: [TopKey; 6] = [
    TopKey { name: "version", sentence: "The version of this format; always 1 today." },
    TopKey {
        name: "default_profile",
        sentence: "The profile for commands that name none; needless when there is only one.",
    },
    TopKey {
        name: "enforce",
        sentence: "Keys of this file's profiles that users cannot override; in the administrator's file only.",
    },
    TopKey {
        name: "min_version",
        sentence: "The oldest version of this program that may work with this file; in the administrator's file only.",
    },
    TopKey {
        name: "trust_environment",
        sentence: "Whether environment variables may set every key, although a file defines the profile; in a file in its default place only.",
    },
    TopKey { name: "profiles", sentence: "One table for each application and role to sign in to." },
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

pub(super) const fn key(
    name: &'static str,
    kind: Kind,
    default: Default,
    variable: Variable,
    sentence: &'static str,
) -> Key {
    Key { name, kind, default, variable, sentence }
}

const EMPTY: Default = Default::Text("");
const NONE: Default = Default::List(&[]);
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

pub(super) const COUNT: usize = 50;

#[rustfmt::skip]
pub(super) static KEYS: [Key; COUNT] = [
    key("issuer", Kind::Issuer, Default::Required, WithoutFile, "The provider's issuer identifier, exactly as its discovery document spells it."),
    key("client_id", Kind::Text, Default::Required, WithoutFile, "The identifier of the application registered with the provider."),
    key("role_arn", Kind::Role, Default::Required, WithoutFile, "The role to assume; its trust policy names the issuer and the client."),
    key("region", Kind::Region, Default::Required, Always, "The AWS region to talk to; of the same partition as the role."),
    key("okta_domain", Kind::Text, EMPTY, WithoutFile, "In place of `issuer`, for Okta: your domain, such as acme.okta.com."),
    key("okta_auth_server", Kind::Text, EMPTY, WithoutFile, "The custom authorization server behind it, such as default; empty means the org authorization server."),
    key("entra_tenant", Kind::Text, EMPTY, WithoutFile, "In place of `issuer`, for Microsoft Entra ID: the Directory (tenant) ID; HOST/ID in a national cloud, ID.ciamlogin.com for External ID."),
    key("auth0_domain", Kind::Text, EMPTY, WithoutFile, "In place of `issuer`, for Auth0: your domain, such as acme.eu.auth0.com."),
    key("cognito_user_pool_id", Kind::Text, EMPTY, WithoutFile, "In place of `issuer`, for Amazon Cognito: the User pool ID."),
    key("cognito_domain", Kind::Text, EMPTY, WithoutFile, "The domain of the user pool's sign-in pages; empty means the one that discovery names."),
    key("provider", Kind::Word(&provider::WORDS), Default::Text("auto"), WithoutFile, "The kind of provider; \"auto\" tells it by the issuer's host."),
    key("federation", Kind::Word(&["sts", "identity-pool"]), Default::Text("sts"), WithoutFile, "How the token is exchanged for AWS credentials."),
    key("identity_pool_id", Kind::Pool, EMPTY, WithoutFile, "The Cognito identity pool, for federation = \"identity-pool\"; role_arn may then be left out."),
    key("scopes", Kind::Words, NONE, WithoutFile, "The scopes to ask for; empty means the provider's default."),
    key("extra_params", Kind::Params, Default::Table, WithoutFile, "More parameters for the authorization request: prompt, login_hint, domain_hint, audience, resource."),
    key("redirect_ports", Kind::Ports, NONE, WithoutFile, "The registered loopback ports, tried in order; [] means any free port, but [8400, 8401] for Okta, Auth0 and Cognito, which take registered ports only."),
    key("redirect_host", Kind::Word(&["127.0.0.1", "localhost"]), Default::Text("127.0.0.1"), WithoutFile, "The host of the redirect address; with \"localhost\", the default for Entra and Cognito, both loopback families are listened on."),
    key("redirect_path", Kind::Path, Default::Text("/callback"), WithoutFile, "The path of the redirect address."),
    key("flow", Kind::Word(&["auto", "browser", "device", "paste"]), Default::Text("auto"), Always, "How the person is asked."),
    key("browser", Kind::Argv, NONE, WithoutFile, "The browser's command line, with \"{url}\" where the address goes; empty means $BROWSER, else the system's."),
    key("login", Kind::Word(&["auto", "explicit"]), Default::Text("auto"), Always, "Who may ask the person: with \"explicit\" only the command `login`."),
    key("login_timeout", Kind::Span(10, 10 * MINUTE), Default::Text("165s"), Always, "How long a sign-in waits for the person, 10s to 10m; Claude Code gives up after 180 seconds."),
    key("session_duration", Kind::Span(15 * MINUTE, 12 * HOUR), Default::Text("12h"), Always, "How long the AWS session shall last, 15m to 12h; shortened to what the role allows, and to 1h after an identity pool or a role chain."),
    key("session_name", Kind::Claims, Default::List(&["email", "preferred_username", "upn", "sub"]), WithoutFile, "The claims to name the AWS session after, or texts with claims in them; the first that the token can fill is used."),
    key("role_chain", Kind::Roles, NONE, WithoutFile, "Further roles, assumed one after the other, as ARNs or tables; their sessions last 1h at most."),
    key("storage", Kind::Word(&["keyring", "file", "none"]), Default::Text("keyring"), WithoutFile, "Where the key to the stored session is kept: in the operating system's keyring, or in a private file where there is none."),
    key("client_auth", Kind::Word(&client::AUTH_WORDS), Default::Text("none"), WithoutFile, "How the application proves itself to the provider; a secret is stored by `login --client-secret-stdin`."),
    key("client_key", Kind::File, EMPTY, WithoutFile, "The application's private key in PEM form, for client_auth = \"private_key_jwt\"."),
    key("client_certificate", Kind::File, EMPTY, WithoutFile, "The key's certificate in PEM form, whose digest names the key to Entra; empty means none."),
    key("client_key_id", Kind::Text, EMPTY, WithoutFile, "The name under which the provider knows the key (`kid`); empty means none."),
    key("client_algorithm", Kind::Word(&client::ALGORITHM_WORDS), Default::Text("auto"), WithoutFile, "How the key signs; \"auto\" goes by the kind of key and by what the provider takes."),
    key("client_audience", Kind::Word(&client::AUDIENCE_WORDS), Default::Text("auto"), WithoutFile, "Whom the key's assertion is for; \"auto\" means the issuer, or what the provider is known to want."),
    key("sts_endpoint", Kind::Address, EMPTY, WithoutFile, "The address of STS; empty means the region's."),
    key("cognito_endpoint", Kind::Address, EMPTY, WithoutFile, "The address of Cognito identity pools; empty means the pool's region's."),
    key("bedrock_endpoint", Kind::BedrockAddress, EMPTY, WithoutFile, "The address of Amazon Bedrock, with {service} where bedrock or bedrock-runtime goes; empty means the region's."),
    key("sts_fallback_regions", Kind::Regions, Default::List(&["auto"]), Always, "Where STS is asked when that of the region cannot be reached; \"auto\" is one in the same country or union, if AWS has one."),
    key("proxy", Kind::Proxy, EMPTY, Always, "The proxy for every connection, or \"none\"; empty means HTTPS_PROXY, else the system's."),
    key("ca_bundle", Kind::File, EMPTY, WithoutFile, "A PEM file of authorities to trust besides the system's."),
    key("aws_profile", Kind::Name, EMPTY, Never, "The AWS profile that `login` gives to each person who has none of this name yet; in the administrator's file only."),
    key("min_version", Kind::Version, EMPTY, Never, "The oldest version of this program that may work with the file; in the administrator's file only."),
    key("telemetry.headers", Kind::ClaimTable, Default::Table, WithoutFile, "Headers and the claims that fill them, first come first; empty means the usual x-user-* set."),
    key("telemetry.send_token", Kind::Switch, Default::Switch(false), WithoutFile, "Whether the ID token itself goes along as an Authorization header, to the collectors below."),
    key("telemetry.collectors", Kind::Addresses, NONE, Never, "The collectors that are told who is signed in; empty means any, without the token. In a file in its default place only."),
    key("quota.endpoint", Kind::Address, EMPTY, WithoutFile, "The address of the quota service, which is asked at /check; empty means nobody is asked."),
    key("quota.interval", Kind::Span(0, 24 * HOUR), Default::Text("30m"), WithoutFile, "How long a yes holds: credentials end when it does."),
    key("quota.timeout", Kind::Span(1, MINUTE), Default::Text("5s"), WithoutFile, "How long to wait for an answer, 1s to 1m."),
    key("quota.on_error", Kind::Word(&["allow", "deny"]), Default::Text("allow"), WithoutFile, "What holds when the service gives no answer."),
    key("claude_code.region", Kind::Text, EMPTY, WithoutFile, "The region for Bedrock; empty means the profile's."),
    key("claude_code.models", Kind::Named(&RANKS), Default::Table, WithoutFile, "The models by their rank: default, opus, sonnet, haiku."),
    key("claude_code.env", Kind::Table, Default::Table, WithoutFile, "Further environment variables for Claude Code."),
];

/// The place in the table of a key, given the profile's inner table (or none) that it was found in.
pub(super) fn find(section: &str, name: &str) -> Option<usize> {
    KEYS.iter().position(|key| key.is(section, name))
}

/// The place in the table of a key by its full name.
pub(super) fn find_full(name: &str) -> Option<usize> {
    KEYS.iter().position(|key| key.name == name)
}

/// The name most like a misspelt one, if any is alike at all.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
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

impl Key {
    /// The inner table that the key lives in, or nothing.
    pub(super) fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// The name inside that table.
    pub(super) fn own_name(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, own)| own)
    }

    fn is(&self, section: &str, name: &str) -> bool {
        match section {
            "" => self.name == name,
            section => self.name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) == Some(name),
        }
    }

    /// Whether it would mean nothing, or harm, were it anybody's but the administrator's.
    pub(super) fn is_administrators(&self) -> bool {
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
    pub(super) fn is_text(&self) -> bool {
        match self.kind {
            Kind::Issuer
            | Kind::Address
            | Kind::BedrockAddress
            | Kind::Text
            | Kind::Role
            | Kind::Region
            | Kind::Word(_) => true,
            Kind::Pool | Kind::Name | Kind::Proxy | Kind::Version => true,
            Kind::Path | Kind::File | Kind::Span(..) => true,
            Kind::Switch | Kind::Ports | Kind::Argv | Kind::Words | Kind::Claims | Kind::Roles => false,
            Kind::Params
            | Kind::ClaimTable
            | Kind::Table
            | Kind::Named(_)
            | Kind::Regions
            | Kind::Addresses => false,
        }
    }

    pub(super) fn default_value(&self) -> Option<DeValue<'static>> {
        let text = |text: &'static str| DeValue::String(Cow::Borrowed(text));
        match self.default {
            Default::Required => None,
            Default::Text(word) => Some(text(word)),
            Default::List(words) => {
                Some(DeValue::Array(words.iter().map(|word| Spanned::new(0..0, text(word))).collect()))
            }
            Default::Table => Some(DeValue::Table(toml::de::DeTable::new())),
            Default::Switch(on) => Some(DeValue::Boolean(on)),
        }
    }
}
