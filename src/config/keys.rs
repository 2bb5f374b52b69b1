//! The keys of a profile, each declared once: name, kind of value, default, who may set it, and documentation.
//!
//! The parser, the check, `config show`, the schema, the variables and the support bundle follow from these rows. A key has
//! besides: a field of `Profile` (and the fingerprint's decision about it), a line in `profile_builder` and one in
//! `config.example.toml`.

use std::{collections::BTreeMap, time::Duration};

use super::{
    AssertionAudience, BedrockEndpoints, ChainedRole, ClientAuthChoice, ConfigKey, Disclosure, FederationChoice,
    IdentityPoolId, Issuer, KeyAlgorithm, LoginMode, Provider, QuotaErrorPolicy, RedirectHost, RoleArn, SignInFlow,
    Storage, TypedKey,
    key::{
        KeyDefault::{self, Bool, List, Required, Table, Text},
        SetBy::{self, Administrator, File},
        ValueKind, VariablePolicy,
    },
    kinds::{self, choice, duration},
};
use crate::{http::ProxyChoice, url::SecureUrl};

const EMPTY: KeyDefault = Text("");
const NO_ITEMS: KeyDefault = List(&[]);
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

const ALWAYS: SetBy = SetBy::Variable(VariablePolicy::Always);
const WITHOUT_FILE: SetBy = SetBy::Variable(VariablePolicy::WithoutFile);

type StringTable = BTreeMap<String, String>;

/// Declares a static for each row, and `KEYS`, the list of them in the same order.
///
/// A row is `STATIC: type of the value = name, kind, default, who may set it, documentation`, and after these any other
/// field of `ConfigKey` that differs from most keys'. The name of the variable is that of the static.
macro_rules! config_keys {
    ($($id:ident: $type:ty = $name:literal, $kind:expr, $default:expr, $set_by:expr, $doc:literal
        $(, $field:ident: $value:expr)*;)*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "named as the statics are")]
        enum Position { $($id),* }

        $(
            #[doc = $doc]
            pub static $id: TypedKey<$type> = {
                const KIND: ValueKind<$type> = $kind;
                TypedKey {
                    key: ConfigKey {
                        index: Position::$id as usize,
                        name: $name,
                        variable: concat!("BEDROCK_SSO_", stringify!($id)),
                        check: |name, value| (KIND.parse)(name, value).map(drop),
                        schema: KIND.schema,
                        toml_rule: KIND.toml_rule,
                        default: $default,
                        set_by: $set_by,
                        doc: $doc,
                        $($field: $value,)*
                        ..ConfigKey::MOST
                    },
                    parse: KIND.parse,
                }
            };
        )*

        /// The number of keys.
        pub(super) const COUNT: usize = [$(Position::$id),*].len();

        pub(super) static KEYS: [&ConfigKey; COUNT] = [$(&$id.key),*];
    };
}

#[rustfmt::skip]
config_keys! {
    ISSUER: Issuer = "issuer", kinds::ISSUER, Required, WITHOUT_FILE, "The provider's issuer identifier, exactly as its discovery document spells it.";
    CLIENT_ID: String = "client_id", kinds::REQUIRED_TEXT, Required, WITHOUT_FILE, "The identifier of the application registered with the provider.";
    ROLE_ARN: RoleArn = "role_arn", kinds::ROLE, Required, WITHOUT_FILE, "The role to assume; its trust policy names the issuer and the client.";
    REGION: String = "region", kinds::REGION, Required, ALWAYS, "The AWS region to talk to; of the same partition as the role.";
    OKTA_DOMAIN: String = "okta_domain", kinds::TEXT, EMPTY, WITHOUT_FILE, "In place of `issuer`, for Okta: your domain, such as acme.okta.com.";
    OKTA_AUTH_SERVER: String = "okta_auth_server", kinds::TEXT, EMPTY, WITHOUT_FILE, "The custom authorization server behind it, such as default; empty means the org authorization server.";
    ENTRA_TENANT: String = "entra_tenant", kinds::TEXT, EMPTY, WITHOUT_FILE, "In place of `issuer`, for Microsoft Entra ID: the Directory (tenant) ID; HOST/ID in a national cloud, ID.ciamlogin.com for External ID.";
    AUTH0_DOMAIN: String = "auth0_domain", kinds::TEXT, EMPTY, WITHOUT_FILE, "In place of `issuer`, for Auth0: your domain, such as acme.eu.auth0.com.";
    COGNITO_USER_POOL_ID: String = "cognito_user_pool_id", kinds::TEXT, EMPTY, WITHOUT_FILE, "In place of `issuer`, for Amazon Cognito: the User pool ID.";
    COGNITO_DOMAIN: String = "cognito_domain", kinds::TEXT, EMPTY, WITHOUT_FILE, "The domain of the user pool's sign-in pages; empty means the one that discovery names.";
    PROVIDER: Option<Provider> = "provider", choice(), Text("auto"), WITHOUT_FILE, "The kind of provider; \"auto\" tells it by the issuer's host.", effective: Some(|profile| Some(profile.provider.name().to_owned()));
    FEDERATION: FederationChoice = "federation", choice(), Text("sts"), WITHOUT_FILE, "How the token is exchanged for AWS credentials.";
    IDENTITY_POOL_ID: Option<IdentityPoolId> = "identity_pool_id", kinds::IDENTITY_POOL_ID, EMPTY, WITHOUT_FILE, "The Cognito identity pool, for federation = \"identity-pool\"; role_arn may then be left out.";
    SCOPES: Vec<String> = "scopes", kinds::TOKENS, NO_ITEMS, WITHOUT_FILE, "The scopes to ask for; empty means the provider's default.";
    EXTRA_PARAMS: StringTable = "extra_params", kinds::REQUEST_PARAMETERS, Table, WITHOUT_FILE, "More parameters for the authorization request: prompt, login_hint, domain_hint, audience, resource.", disclosure: Disclosure::NamesOnly;
    REDIRECT_PORTS: Vec<u16> = "redirect_ports", kinds::PORTS, NO_ITEMS, WITHOUT_FILE, "The registered loopback ports, tried in order; [] means any free port, but [8400, 8401] for Okta, Auth0 and Cognito, which take registered ports only.", effective: Some(|profile| Some(format!("{:?}", profile.redirect_uri.ports)));
    REDIRECT_HOST: RedirectHost = "redirect_host", choice(), Text("127.0.0.1"), WITHOUT_FILE, "The host of the redirect address; with \"localhost\", the default for Entra and Cognito, both loopback families are listened on.", effective: Some(|profile| Some(profile.redirect_uri.host.name().to_owned()));
    REDIRECT_PATH: String = "redirect_path", kinds::URL_PATH, Text("/callback"), WITHOUT_FILE, "The path of the redirect address.";
    FLOW: SignInFlow = "flow", choice(), Text("auto"), ALWAYS, "How the person is asked.";
    BROWSER: Vec<String> = "browser", kinds::COMMAND, NO_ITEMS, WITHOUT_FILE, "The browser's command line, with \"{url}\" where the address goes; empty means $BROWSER, else the system's.";
    LOGIN: LoginMode = "login", choice(), Text("auto"), ALWAYS, "Who may ask the person: with \"explicit\" only the command `login`.";
    LOGIN_TIMEOUT: Duration = "login_timeout", duration::<10, { 10 * MINUTE }>(), Text("165s"), ALWAYS, "How long a sign-in waits for the person, 10s to 10m; Claude Code gives up after 180 seconds.";
    SESSION_DURATION: Duration = "session_duration", duration::<{ 15 * MINUTE }, { 12 * HOUR }>(), Text("12h"), ALWAYS, "How long the AWS session shall last, 15m to 12h; shortened to what the role allows, and to 1h after an identity pool or a role chain.", effective: Some(|profile| profile.hour_limit_reason().map(str::to_owned));
    SESSION_NAME: Vec<String> = "session_name", kinds::CLAIMS, List(&["email", "preferred_username", "upn", "sub"]), WITHOUT_FILE, "The claims to name the AWS session after, or texts with claims in them; the first that the token can fill is used.";
    ROLE_CHAIN: Vec<ChainedRole> = "role_chain", kinds::ROLE_CHAIN, NO_ITEMS, WITHOUT_FILE, "Further roles, assumed one after the other, as ARNs or tables; their sessions last 1h at most.", disclosure: Disclosure::CountOnly { noun: "further roles" };
    STORAGE: Storage = "storage", choice(), Text("keyring"), WITHOUT_FILE, "Where the key to the stored session is kept: in the operating system's keyring, or in a private file where there is none.";
    CLIENT_AUTH: ClientAuthChoice = "client_auth", choice(), Text("none"), WITHOUT_FILE, "How the application proves itself to the provider; a secret is stored by `login --client-secret-stdin`.", effective: Some(|profile| Some(profile.client_auth.name().to_owned()));
    CLIENT_KEY: Option<String> = "client_key", kinds::FILE_PATH, EMPTY, WITHOUT_FILE, "The application's private key in PEM form, for client_auth = \"private_key_jwt\".";
    CLIENT_CERTIFICATE: Option<String> = "client_certificate", kinds::FILE_PATH, EMPTY, WITHOUT_FILE, "The key's certificate in PEM form, whose digest names the key to Entra; empty means none.";
    CLIENT_KEY_ID: String = "client_key_id", kinds::TEXT, EMPTY, WITHOUT_FILE, "The name under which the provider knows the key (`kid`); empty means none.";
    CLIENT_ALGORITHM: Option<KeyAlgorithm> = "client_algorithm", choice(), Text("auto"), WITHOUT_FILE, "How the key signs; \"auto\" goes by the kind of key and by what the provider takes.";
    CLIENT_AUDIENCE: Option<AssertionAudience> = "client_audience", choice(), Text("auto"), WITHOUT_FILE, "Whom the key's assertion is for; \"auto\" means the issuer, or what the provider is known to want.";
    STS_ENDPOINT: Option<SecureUrl> = "sts_endpoint", kinds::URL, EMPTY, WITHOUT_FILE, "The address of STS; empty means the region's.";
    COGNITO_ENDPOINT: Option<SecureUrl> = "cognito_endpoint", kinds::URL, EMPTY, WITHOUT_FILE, "The address of Cognito identity pools; empty means the pool's region's.";
    BEDROCK_ENDPOINT: Option<BedrockEndpoints> = "bedrock_endpoint", kinds::BEDROCK_URL, EMPTY, WITHOUT_FILE, "The address of Amazon Bedrock, with {service} where bedrock or bedrock-runtime goes; empty means the region's.";
    CONSOLE_ENDPOINT: Option<SecureUrl> = "console_endpoint", kinds::URL, EMPTY, File, "The address that exchanges credentials for a sign-in to the AWS console; empty means the region's.";
    STS_FALLBACK_REGIONS: Vec<String> = "sts_fallback_regions", kinds::REGIONS, List(&["auto"]), ALWAYS, "Where STS is asked when that of the region cannot be reached; \"auto\" is one in the same country or union, if AWS has one.", effective: Some(|profile| Some(format!("{:?}", profile.sts_fallback_regions)));
    PROXY: ProxyChoice = "proxy", kinds::PROXY, EMPTY, ALWAYS, "The proxy for every connection, or \"none\"; empty means HTTPS_PROXY, else the system's.";
    CA_BUNDLE: Option<String> = "ca_bundle", kinds::FILE_PATH, EMPTY, WITHOUT_FILE, "A PEM file of authorities to trust besides the system's.";
    AWS_PROFILE: Option<String> = "aws_profile", kinds::AWS_PROFILE_NAME, EMPTY, Administrator, "The AWS profile that `login` gives to each person who has none of this name yet; in the administrator's file only.";
    MIN_VERSION: Option<[u64; 3]> = "min_version", kinds::VERSION, EMPTY, Administrator, "The oldest version of this program that may work with the file; in the administrator's file only.";
    TELEMETRY_HEADERS: BTreeMap<String, Vec<String>> = "telemetry.headers", kinds::HEADER_CLAIMS, Table, WITHOUT_FILE, "Headers and the claims that fill them, first come first; empty means the usual x-user-* set.";
    TELEMETRY_SEND_TOKEN: bool = "telemetry.send_token", kinds::BOOL, Bool(false), WITHOUT_FILE, "Whether the ID token itself goes along as an Authorization header, to the collectors below.";
    TELEMETRY_COLLECTORS: Vec<SecureUrl> = "telemetry.collectors", kinds::URLS, NO_ITEMS, File, "The collectors that are told who is signed in; empty means any, without the token. In a file in its default place only.";
    QUOTA_ENDPOINT: Option<SecureUrl> = "quota.endpoint", kinds::URL, EMPTY, WITHOUT_FILE, "The address of the quota service, which is asked at /check; empty means nobody is asked.";
    QUOTA_INTERVAL: Duration = "quota.interval", duration::<0, { 24 * HOUR }>(), Text("30m"), WITHOUT_FILE, "How long a yes holds: credentials end when it does.";
    QUOTA_TIMEOUT: Duration = "quota.timeout", duration::<1, MINUTE>(), Text("5s"), WITHOUT_FILE, "How long to wait for an answer, 1s to 1m.";
    QUOTA_ON_ERROR: QuotaErrorPolicy = "quota.on_error", choice(), Text("allow"), WITHOUT_FILE, "What holds when the service gives no answer.";
    CLAUDE_CODE_REGION: String = "claude_code.region", kinds::TEXT, EMPTY, WITHOUT_FILE, "The region for Bedrock; empty means the profile's.";
    CLAUDE_CODE_MODELS: StringTable = "claude_code.models", kinds::MODELS, Table, WITHOUT_FILE, "The models by their rank: default, opus, sonnet, haiku.";
    CLAUDE_CODE_ENV: StringTable = "claude_code.env", kinds::STRING_TABLE, Table, WITHOUT_FILE, "Further environment variables for Claude Code.", disclosure: Disclosure::NamesOnly;
}

/// The key of this name in a table of the profile, or in the profile itself where `section` is empty.
pub(super) fn find_in_section(section: &str, name: &str) -> Option<&'static ConfigKey> {
    KEYS.into_iter().find(|key| key.is_named(section, name))
}

/// The key of this full name, such as `quota.endpoint`.
pub fn find_key(name: &str) -> Option<&'static ConfigKey> {
    KEYS.into_iter().find(|key| key.name == name)
}

/// The tables inside a profile, with their documentation.
pub(super) const SECTIONS: [(&str, &str); 3] = [
    ("telemetry", "What `otel-headers` says about the person who is signed in."),
    ("quota", "A service that is asked whether this person may spend."),
    ("claude_code", "What `setup` writes into Claude Code's settings."),
];

/// The version of the format that this program reads.
pub(super) const VERSION: u64 = 1;

/// A key outside the profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TopLevelKey {
    Version,
    DefaultProfile,
    Enforce,
    MinVersion,
    TrustEnvironment,
    Defaults,
    Profiles,
}

/// The keys outside the profiles with their names and their documentation.
#[rustfmt::skip]
pub(super) const TOP_LEVEL_KEYS: [(TopLevelKey, &str, &str); 7] = [
    (TopLevelKey::Version, "version", "The version of this format; always 1 today."),
    (TopLevelKey::DefaultProfile, "default_profile", "The profile for commands that name none; needless when there is only one."),
    (TopLevelKey::Enforce, "enforce", "Keys of this file's profiles that users cannot override; in the administrator's file only."),
    (TopLevelKey::MinVersion, "min_version", "The oldest version of this program that may work with this file; in the administrator's file only."),
    (TopLevelKey::TrustEnvironment, "trust_environment", "Whether environment variables may set every key, although a file defines the profile; in a file in its default place only."),
    (TopLevelKey::Defaults, "defaults", "What all profiles of this file share, unless a profile's own table says otherwise."),
    (TopLevelKey::Profiles, "profiles", "One table for each application and role to sign in to."),
];
