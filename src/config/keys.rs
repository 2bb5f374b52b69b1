//! The table of all keys of a profile. Each row declares a key once: its name, the kind of its values, its default, who
//! may set it, and its documentation.
//!
//! The parser, `config show`, the schema, the variables and the support bundle all use these rows. A new key needs, in
//! addition, a field of `Profile` (and a decision whether the fingerprints cover it), a line in `profile_builder`, and
//! its documentation in `config.example.toml`.

use std::{collections::BTreeMap, time::Duration};

use super::{
    AssertionAudience, BedrockEndpoints, ChainedRole, ClientAuthChoice, ConfigKey, Disclosure, FederationChoice,
    IdentityPoolId, Issuer, KeyAlgorithm, LoginMode, Provider, QuotaErrorPolicy, RedirectHost, RelayChoice, RoleArn,
    SignInFlow, SignInRequirements, Storage, TelemetryEndpoints, TypedKey,
    key::{
        KeyDefault::{self, Bool, List, Number, Required, Table, Text},
        SetBy::{self, Administrator, File},
        ValueKind, VariablePolicy,
    },
    kinds::{self, choice, duration},
};
use crate::{config::IdentityCenterEndpoints, http::ProxyChoice, url::SecureUrl};

const EMPTY: KeyDefault = Text("");
const NO_ITEMS: KeyDefault = List(&[]);
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

// Who may set a key: the fourth column of the table. Choose ALWAYS only for a key that cannot send a secret to another
// host.
const ALWAYS: SetBy = SetBy::Variable(VariablePolicy::Always);

const WITHOUT_FILE: SetBy = SetBy::Variable(VariablePolicy::WithoutFile);

type StringTable = BTreeMap<String, String>;

/// Declares a static for each row, and `KEYS`, the list of all of them in the same order.
///
/// A row is `STATIC: type of the value = name, kind, default, who may set it, documentation`. Further fields of
/// `ConfigKey` may follow if they differ from `ConfigKey::MOST`. The environment variable of the key is `BEDROCK_SSO_`
/// and the name of the static.
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
    ISSUER: Issuer = "issuer", kinds::ISSUER, Required, WITHOUT_FILE, "The provider's issuer identifier. Copy it exactly as the provider's discovery document spells it.";
    CLIENT_ID: String = "client_id", kinds::REQUIRED_TEXT, Required, WITHOUT_FILE, "The client ID of the application that you registered with the provider.";
    ROLE_ARN: RoleArn = "role_arn", kinds::ROLE, Required, WITHOUT_FILE, "The IAM role to assume. Its trust policy must name the issuer and the client ID.";
    REGION: String = "region", kinds::REGION, Required, ALWAYS, "The AWS region to use. It must belong to the same partition as the role.";
    OKTA_DOMAIN: String = "okta_domain", kinds::TEXT, EMPTY, WITHOUT_FILE, "Okta only: your domain, such as acme.okta.com. Set it instead of `issuer`.";
    OKTA_AUTH_SERVER: String = "okta_auth_server", kinds::TEXT, EMPTY, WITHOUT_FILE, "Okta only: the ID of a custom authorization server, such as default. Empty means the org authorization server.";
    ENTRA_TENANT: String = "entra_tenant", kinds::TEXT, EMPTY, WITHOUT_FILE, "Microsoft Entra ID only: the Directory (tenant) ID. Set it instead of `issuer`. In a national cloud write HOST/ID, and for External ID write ID.ciamlogin.com.";
    AUTH0_DOMAIN: String = "auth0_domain", kinds::TEXT, EMPTY, WITHOUT_FILE, "Auth0 only: your domain, such as acme.eu.auth0.com. Set it instead of `issuer`.";
    COGNITO_USER_POOL_ID: String = "cognito_user_pool_id", kinds::TEXT, EMPTY, WITHOUT_FILE, "Amazon Cognito only: the User pool ID. Set it instead of `issuer`.";
    COGNITO_DOMAIN: String = "cognito_domain", kinds::TEXT, EMPTY, WITHOUT_FILE, "Amazon Cognito only: the domain of the user pool's sign-in pages. Empty means the domain that the discovery document names.";
    PROVIDER: Option<Provider> = "provider", choice(), Text("auto"), WITHOUT_FILE, "The kind of provider. \"auto\" detects it from the issuer's host. Set it if the provider uses a domain of your company.", effective: Some(|profile| Some(profile.oidc()?.provider.name().to_owned()));
    FEDERATION: FederationChoice = "federation", choice(), Text("sts"), WITHOUT_FILE, "How the program gets AWS credentials: with an ID token from AWS STS or from a Cognito identity pool, or from IAM Identity Center.";
    IDENTITY_POOL_ID: Option<IdentityPoolId> = "identity_pool_id", kinds::IDENTITY_POOL_ID, EMPTY, WITHOUT_FILE, "The Cognito identity pool. Set it with federation = \"identity-pool\". You may then omit `role_arn`.";
    SCOPES: Vec<String> = "scopes", kinds::TOKENS, NO_ITEMS, WITHOUT_FILE, "The OAuth scopes to request. Empty means the usual scopes of the provider.";
    EXTRA_PARAMS: StringTable = "extra_params", kinds::REQUEST_PARAMETERS, Table, WITHOUT_FILE, "Further parameters of the authorization request, such as prompt, login_hint, domain_hint, audience or resource. An empty value leaves out a parameter that the program sends by default.", disclosure: Disclosure::NamesOnly;
    REQUIRE: SignInRequirements = "require", kinds::REQUIREMENTS, Table, File, "What the provider must prove about a sign-in: `acr` (one of these authentication contexts), `amr` (all of these methods), `max_age` (how long ago the user authenticated), `email_domain` (one of these domains).";
    REDIRECT_PORTS: Vec<u16> = "redirect_ports", kinds::PORTS, NO_ITEMS, WITHOUT_FILE, "The registered loopback ports, tried in this order. [] means any free port, or [8400, 8401] for Okta, Auth0 and Cognito, which accept registered ports only.", effective: Some(|profile| Some(format!("{:?}", profile.redirect_uri.ports)));
    REDIRECT_HOST: RedirectHost = "redirect_host", choice(), Text("127.0.0.1"), WITHOUT_FILE, "The host of the redirect URI. Entra and Cognito use \"localhost\" unless you set it. With \"localhost\" the program listens on IPv4 and IPv6.", effective: Some(|profile| Some(profile.redirect_uri.host.name().to_owned()));
    REDIRECT_PATH: String = "redirect_path", kinds::URL_PATH, Text("/callback"), WITHOUT_FILE, "The path of the redirect URI. Set it if you registered another path.";
    FLOW: SignInFlow = "flow", choice(), Text("auto"), ALWAYS, "How the user signs in: in a browser on this computer, with a device code, or by pasting the last address. \"auto\" chooses a way that works.";
    BROWSER: Vec<String> = "browser", kinds::COMMAND, NO_ITEMS, WITHOUT_FILE, "The command that opens the browser, with \"{url}\" in place of the address. Empty means $BROWSER, or else the system's browser.";
    LOGIN: LoginMode = "login", choice(), Text("auto"), ALWAYS, "Which commands may prompt the user to sign in. With \"explicit\" only `login` does.";
    LOGIN_TIMEOUT: Duration = "login_timeout", duration::<10, { 10 * MINUTE }>(), Text("165s"), ALWAYS, "How long a sign-in waits for the user, from 10s to 10m. Claude Code gives up after 180 seconds.";
    SESSION_DURATION: Duration = "session_duration", duration::<{ 15 * MINUTE }, { 12 * HOUR }>(), Text("12h"), ALWAYS, "How long the AWS credentials are valid, from 15m to 12h. The program reduces it to what the role allows, and to 1h for an identity pool or a role chain.", effective: Some(|profile| profile.hour_limit_reason().map(str::to_owned));
    SESSION_NAME: Vec<String> = "session_name", kinds::CLAIMS, List(&["email", "preferred_username", "upn", "sub"]), WITHOUT_FILE, "The claims that name the AWS session, or templates such as \"{email}+{team}\". The program uses the first one that the token can fill. \"userinfo:email\" is a claim of the provider's UserInfo.";
    ROLE_CHAIN: Vec<ChainedRole> = "role_chain", kinds::ROLE_CHAIN, NO_ITEMS, WITHOUT_FILE, "Further roles to assume one after the other, as ARNs or tables. Each of their sessions lasts 1h at most.", disclosure: Disclosure::CountOnly { noun: "further roles" };
    STORAGE: Storage = "storage", choice(), Text("keyring"), WITHOUT_FILE, "Where the program stores the encryption key of the session. Use \"file\" on a computer without a keyring. With \"none\" the program stores no session.";
    CLIENT_AUTH: ClientAuthChoice = "client_auth", choice(), Text("none"), WITHOUT_FILE, "How the application authenticates to the provider. For \"secret\", store the client secret with `login --client-secret-stdin`.", effective: Some(|profile| Some(profile.oidc()?.client_auth.name().to_owned()));
    CLIENT_KEY: Option<String> = "client_key", kinds::FILE_PATH, EMPTY, WITHOUT_FILE, "The file with the application's private key in PEM form. Set it with client_auth = \"private_key_jwt\".";
    CLIENT_CERTIFICATE: Option<String> = "client_certificate", kinds::FILE_PATH, EMPTY, WITHOUT_FILE, "The file with the key's certificate in PEM form. Set it for Entra, which identifies the key by the certificate's digest.";
    CLIENT_KEY_ID: String = "client_key_id", kinds::TEXT, EMPTY, WITHOUT_FILE, "The key ID (`kid`) under which the provider knows the key. Set it if the provider requires one.";
    CLIENT_ALGORITHM: Option<KeyAlgorithm> = "client_algorithm", choice(), Text("auto"), WITHOUT_FILE, "The signature algorithm of the key. \"auto\" chooses one that fits the key and that the provider accepts.";
    CLIENT_AUDIENCE: Option<AssertionAudience> = "client_audience", choice(), Text("auto"), WITHOUT_FILE, "The audience of the signed assertion. \"auto\" chooses what the provider requires, which is the issuer for most providers.";
    STS_ENDPOINT: Option<SecureUrl> = "sts_endpoint", kinds::URL, EMPTY, WITHOUT_FILE, "The address of AWS STS. Empty means the region's endpoint. Set it for a VPC endpoint.";
    COGNITO_ENDPOINT: Option<SecureUrl> = "cognito_endpoint", kinds::URL, EMPTY, WITHOUT_FILE, "The address of Cognito identity pools. Empty means the endpoint of the pool's region.";
    BEDROCK_ENDPOINT: Option<BedrockEndpoints> = "bedrock_endpoint", kinds::BEDROCK_URL, EMPTY, WITHOUT_FILE, "The address of Amazon Bedrock, where {service} stands for bedrock or bedrock-runtime. Empty means the region's endpoints.";
    IDENTITY_CENTER_ENDPOINT: Option<IdentityCenterEndpoints> = "identity_center_endpoint", kinds::IDENTITY_CENTER_URL, EMPTY, WITHOUT_FILE, "The address of IAM Identity Center, where {service} stands for oidc or portal.sso. Empty means the endpoints of its region.";
    CONSOLE_ENDPOINT: Option<SecureUrl> = "console_endpoint", kinds::URL, EMPTY, File, "The address that exchanges credentials for a sign-in to the AWS console. Empty means the region's endpoint.";
    STS_FALLBACK_REGIONS: Vec<String> = "sts_fallback_regions", kinds::REGIONS, List(&["auto"]), ALWAYS, "The regions whose STS the program calls if STS of `region` is not reachable. \"auto\" chooses a region in the same country or, inside the EU, in another EU country.", effective: Some(|profile| Some(format!("{:?}", profile.sts_fallback_regions)));
    PROXY: ProxyChoice = "proxy", kinds::PROXY, EMPTY, ALWAYS, "The proxy for every connection, or \"none\". Empty means HTTPS_PROXY, or else the system's proxy.";
    CA_BUNDLE: Option<String> = "ca_bundle", kinds::FILE_PATH, EMPTY, WITHOUT_FILE, "A PEM file with certificate authorities to trust besides the system's. Set it for a TLS-intercepting proxy or a private CA.";
    AWS_PROFILE: Option<String> = "aws_profile", kinds::AWS_PROFILE_NAME, EMPTY, Administrator, "The AWS profile that `login` creates for each user who has no AWS profile of this name. Only the administrator's file may set it.";
    MIN_VERSION: Option<[u64; 3]> = "min_version", kinds::VERSION, EMPTY, Administrator, "The oldest version of this program that may use this file. Only the administrator's file may set it.";
    TELEMETRY_HEADERS: BTreeMap<String, Vec<String>> = "telemetry.headers", kinds::HEADER_CLAIMS, Table, WITHOUT_FILE, "HTTP headers with the claims that fill them. The first claim that the token contains fills the header. Empty means the usual x-user-* headers.";
    TELEMETRY_STATIC: StringTable = "telemetry.static", kinds::STATIC_HEADERS, Table, WITHOUT_FILE, "HTTP headers with fixed values, such as the department of everybody who uses the profile.";
    TELEMETRY_SEND_TOKEN: bool = "telemetry.send_token", kinds::BOOL, Bool(false), WITHOUT_FILE, "Whether to send the ID token to the collectors below, as an Authorization header.";
    TELEMETRY_COLLECTORS: Vec<SecureUrl> = "telemetry.collectors", kinds::URLS, NO_ITEMS, File, "The collectors that may receive the user's identity. Empty means all, without the ID token. Only a file in its default place may name collectors for the ID token.";
    TELEMETRY_RELAY: RelayChoice = "telemetry.relay", kinds::RELAY, Text("none"), File, "Where Claude Code sends its telemetry: \"laptop\" to a relay that this program runs on the computer, or the address of your organization's relay. Only a file in its default place may set it.";
    TELEMETRY_RELAY_PORT: u16 = "telemetry.relay_port", kinds::PORT, Number("48318"), File, "The loopback port of the relay on the computer. Set another one if a program uses this port, or for a second user of the computer.";
    TELEMETRY_RELAY_ENDPOINT: Option<TelemetryEndpoints> = "telemetry.relay_endpoint", kinds::TELEMETRY_URL, EMPTY, File, "The address to which the relay on the computer sends telemetry, where {service} stands for monitoring or logs. Empty means CloudWatch's endpoints of the region.";
    TELEMETRY_LOG_GROUP: Option<String> = "telemetry.log_group", kinds::LOG_GROUP, EMPTY, File, "The CloudWatch log group for events, for the relay on the computer. Empty means that Claude Code sends metrics only.";
    TELEMETRY_LOG_STREAM: String = "telemetry.log_stream", kinds::LOG_STREAM, Text("laptops"), File, "The stream of that log group, for the relay on the computer. It must exist.";
    IDENTITY_CENTER_START_URL: Option<SecureUrl> = "identity_center.start_url", kinds::URL, EMPTY, WITHOUT_FILE, "The address of the AWS access portal, which usually ends in .awsapps.com/start, or the issuer URL of the instance.";
    IDENTITY_CENTER_REGION: Option<String> = "identity_center.region", kinds::OPTIONAL_REGION, EMPTY, WITHOUT_FILE, "The region of IAM Identity Center. Empty means the profile's region.";
    IDENTITY_CENTER_ACCOUNT_ID: Option<String> = "identity_center.account_id", kinds::ACCOUNT_ID, EMPTY, WITHOUT_FILE, "The account whose credentials the profile gets.";
    IDENTITY_CENTER_PERMISSION_SET: Option<String> = "identity_center.permission_set", kinds::PERMISSION_SET, EMPTY, WITHOUT_FILE, "The permission set in that account. It must be assigned to the user.";
    QUOTA_ENDPOINT: Option<SecureUrl> = "quota.endpoint", kinds::URL, EMPTY, WITHOUT_FILE, "The address of the quota service. The program calls its /check before it calls AWS. Empty means no quota check.";
    QUOTA_INTERVAL: Duration = "quota.interval", duration::<0, { 24 * HOUR }>(), Text("30m"), WITHOUT_FILE, "How long an approval is valid. The credentials expire with it.";
    QUOTA_TIMEOUT: Duration = "quota.timeout", duration::<1, MINUTE>(), Text("5s"), WITHOUT_FILE, "How long the program waits for the quota service, from 1s to 1m.";
    QUOTA_ON_ERROR: QuotaErrorPolicy = "quota.on_error", choice(), Text("allow"), WITHOUT_FILE, "What the program does if the quota service does not answer: issue credentials, or refuse them.";
    CLAUDE_CODE_REGION: String = "claude_code.region", kinds::TEXT, EMPTY, WITHOUT_FILE, "The region that Claude Code uses for Amazon Bedrock. Empty means the profile's region.";
    CLAUDE_CODE_MODELS: StringTable = "claude_code.models", kinds::MODELS, Table, WITHOUT_FILE, "The models that Claude Code uses, by rank: default, opus, sonnet, haiku.";
    CLAUDE_CODE_ENV: StringTable = "claude_code.env", kinds::STRING_TABLE, Table, WITHOUT_FILE, "Further environment variables for Claude Code.", disclosure: Disclosure::NamesOnly;
}

/// Finds the key with this name in an inner table, or in the profile itself if `section` is empty.
pub(super) fn find_in_section(section: &str, name: &str) -> Option<&'static ConfigKey> {
    KEYS.into_iter().find(|key| key.is_named(section, name))
}

/// Finds the key with this full name, such as `quota.endpoint`.
pub fn find_key(name: &str) -> Option<&'static ConfigKey> {
    KEYS.into_iter().find(|key| key.name == name)
}

/// The inner tables of a profile, with their documentation. A table in this list is known to the parser, the schema and
/// the reference.
pub(super) const SECTIONS: [(&str, &str); 4] = [
    ("telemetry", "What `otel-headers` reports about the signed-in user."),
    (
        "identity_center",
        "The IAM Identity Center that signs the user in. Set it with federation = \"identity-center\".",
    ),
    ("quota", "The service that decides whether the user may spend more."),
    ("claude_code", "What `setup` writes into Claude Code's settings."),
];

/// The version of the file format that this program reads. A change that gives an existing key another meaning must
/// raise it.
pub(super) const VERSION: u64 = 1;

/// A top-level key: one that belongs to the file and not to a profile. Its values need no [`TypedKey`], because
/// `config_file` reads each of them in its own way.
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

/// The top-level keys with their names and their documentation.
#[rustfmt::skip]
pub(super) const TOP_LEVEL_KEYS: [(TopLevelKey, &str, &str); 7] = [
    (TopLevelKey::Version, "version", "The version of this file format. The only version today is 1."),
    (TopLevelKey::DefaultProfile, "default_profile", "The profile that commands use without --profile. You need it only if there are several profiles."),
    (TopLevelKey::Enforce, "enforce", "Keys of this file's profiles that users cannot override. Only the administrator's file may set it."),
    (TopLevelKey::MinVersion, "min_version", "The oldest version of this program that may use this file. Only the administrator's file may set it."),
    (TopLevelKey::TrustEnvironment, "trust_environment", "Whether environment variables may set every key although a file defines the profile. Only a file in its default place may set it."),
    (TopLevelKey::Defaults, "defaults", "Values that all profiles of this file share. The table of a profile overrides them."),
    (TopLevelKey::Profiles, "profiles", "One table for each profile: the application to sign in to, and the role to assume."),
];
