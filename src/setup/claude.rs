//! Decides which settings Claude Code needs to use Amazon Bedrock with the credentials of this program.
//!
//! The result is a list of keys and values. The module `settings` puts them into a file.

use std::collections::BTreeMap;

use super::{
    command_line::CommandTemplate,
    settings::{ClaudeSetting, ClaudeSettingKey},
};
use crate::config::{LaptopRelay, MODEL_VARIABLES, Profile, TelemetryRelay};

/// Claude Code's hooks that run this program, each with the command that it runs. Removal recognises its own settings
/// by these names, so a name must stay in the list even if new versions no longer write it.
pub const HOOKS: [(&str, &str); 3] =
    [("awsAuthRefresh", "login"), ("awsCredentialExport", "export"), ("otelHeadersHelper", "otel-headers")];

/// The address of the telemetry collector. If the configuration sets it, or names a relay, setup also adds the variables
/// that switch telemetry on, and the hook that adds the user's identity.
const COLLECTOR_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The form in which Claude Code sends telemetry. The relay on the computer takes JSON only.
const PROTOCOL_VARIABLE: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
/// How often Claude Code sends to a relay, in milliseconds. Its own default for events is five seconds, and each request
/// costs a signature and a call of CloudWatch.
const EXPORT_INTERVAL: &str = "60000";

/// Variables that managed settings pin, so that the settings of a repository cannot change them.
///
/// Claude Code also applies the `env` of a repository's settings, which is untrusted. These variables choose the files
/// from which AWS's tools run commands, and the hosts that requests go to. Managed settings take precedence.
const PINNED: [(&str, PinnedValue); 12] = [
    ("BEDROCK_SSO_CONFIG", TO_NOTHING),
    ("BEDROCK_SSO_PROFILE", |profile| Some(profile.name.clone())),
    // Not pinned if the profile names no AWS profile for `login` to add: no AWS SDK accepts an empty name.
    ("AWS_PROFILE", |profile| profile.aws_profile.clone()),
    // Not empty: botocore treats the empty text as a file that does not exist. The SDKs for JavaScript, Python and Java
    // expand `~/` on every system; the SDK for Go does not.
    ("AWS_CONFIG_FILE", |_| Some("~/.aws/config".to_owned())),
    ("AWS_SHARED_CREDENTIALS_FILE", |_| Some("~/.aws/credentials".to_owned())),
    ("AWS_ENDPOINT_URL", TO_NOTHING),
    ("AWS_ENDPOINT_URL_STS", TO_NOTHING),
    ("AWS_ENDPOINT_URL_COGNITO_IDENTITY", TO_NOTHING),
    ("AWS_ENDPOINT_URL_BEDROCK", TO_NOTHING),
    ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", TO_NOTHING),
    ("AWS_ENDPOINT_URL_SSO", TO_NOTHING),
    ("AWS_ENDPOINT_URL_SSO_OIDC", TO_NOTHING),
];

/// Finds the value to which managed settings pin a variable. `None`: the variable is not pinned for this profile.
type PinnedValue = fn(&Profile) -> Option<String>;

/// Pins a variable to the empty text, which AWS's tools and this program treat as unset.
const TO_NOTHING: PinnedValue = |_| Some(String::new());

/// How Claude Code gets credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaudeCredentialSource {
    /// From the AWS profile of this name in the user's own file, as every AWS tool does.
    AwsProfile(String),
    /// From our command `export`, through a hook. Settings for all users need this, because they cannot rely on a file
    /// in each user's home.
    Export,
}

/// Builds the settings for a profile. A variable in the profile's `claude_code.env` replaces ours of the same name, so
/// an administrator can change any of them.
pub fn build_settings(
    profile: &Profile,
    source: &ClaudeCredentialSource,
    call: &CommandTemplate,
) -> Vec<ClaudeSetting> {
    let claude = &profile.claude_code;
    let exports = *source == ClaudeCredentialSource::Export;
    let telemetry = claude.env.contains_key(COLLECTOR_VARIABLE) || profile.telemetry.relay != TelemetryRelay::None;
    let hooks = HOOKS.into_iter().zip([true, exports, telemetry]).filter(|(_, is_needed)| *is_needed);
    let hooks = hooks.map(|((name, command), _)| (ClaudeSettingKey::Top(name), call.render(command, &profile.name)));
    let ours = build_variables(profile, source, telemetry).into_iter();
    let ours = ours.filter(|(name, _)| !claude.env.contains_key(*name)).map(|(name, value)| (name.to_owned(), value));
    let own = claude.env.iter().map(|(name, value)| (name.clone(), value.clone()));
    let variables = ours.chain(own).map(|(name, value)| (ClaudeSettingKey::Env(name), value));
    hooks.chain(variables).map(|(key, value)| ClaudeSetting { key, value }).collect()
}

/// The environment variables that setup itself decides on.
fn build_variables(profile: &Profile, source: &ClaudeCredentialSource, telemetry: bool) -> Vec<(&'static str, String)> {
    let region = profile.bedrock_region().to_owned();
    let mut variables = vec![("CLAUDE_CODE_USE_BEDROCK", "1".to_owned()), ("AWS_REGION", region)];
    if let ClaudeCredentialSource::AwsProfile(name) = source {
        variables.push(("AWS_PROFILE", name.clone()));
    }
    let model =
        |(rank, variable): &(&str, &'static str)| Some((*variable, profile.claude_code.models.get(*rank)?.clone()));
    variables.extend(MODEL_VARIABLES.iter().filter_map(model));
    if telemetry {
        variables.extend(build_telemetry_variables(&profile.telemetry.relay));
    }
    if *source == ClaudeCredentialSource::Export {
        variables.extend(PINNED.iter().filter_map(|(name, pin)| Some((*name, pin(profile)?))));
    }
    variables
}

/// The variables that switch telemetry on, and say where it goes if there is a relay.
fn build_telemetry_variables(relay: &TelemetryRelay) -> Vec<(&'static str, String)> {
    let (address, protocol, sends_events) = match relay {
        TelemetryRelay::None => (None, "http/protobuf", true),
        TelemetryRelay::Remote(address) => {
            (Some(address.as_str().trim_end_matches('/').to_owned()), "http/protobuf", true)
        }
        TelemetryRelay::Laptop(relay) => (Some(relay.address()), "http/json", relay.log_group.is_some()),
    };
    let mut variables = vec![("CLAUDE_CODE_ENABLE_TELEMETRY", "1".to_owned())];
    variables.push(("OTEL_METRICS_EXPORTER", "otlp".to_owned()));
    if sends_events {
        variables.push(("OTEL_LOGS_EXPORTER", "otlp".to_owned()));
    }
    variables.push((PROTOCOL_VARIABLE, protocol.to_owned()));
    if let Some(address) = address {
        variables.push((COLLECTOR_VARIABLE, address));
        variables.push(("OTEL_METRIC_EXPORT_INTERVAL", EXPORT_INTERVAL.to_owned()));
        if sends_events {
            variables.push(("OTEL_LOGS_EXPORT_INTERVAL", EXPORT_INTERVAL.to_owned()));
        }
    }
    variables
}

/// The first variable of `claude_code.env` that prevents that the relay on the computer gets telemetry, with its value.
pub fn find_variable_against_relay<'v>(
    variables: &'v BTreeMap<String, String>,
    relay: &LaptopRelay,
) -> Option<(&'v str, &'v str)> {
    let address = relay.address();
    let is_wrong = |name: &str, value: &str| match name.strip_prefix("OTEL_EXPORTER_OTLP_") {
        Some(rest) if rest.ends_with("ENDPOINT") => {
            let below = value.strip_prefix(&address);
            below.is_none_or(|path| !path.is_empty() && !path.starts_with('/'))
        }
        Some(rest) if rest.ends_with("PROTOCOL") => value != "http/json",
        Some(rest) if rest.ends_with("COMPRESSION") => value != "none",
        Some(_) | None => false,
    };
    variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).find(|(name, value)| is_wrong(name, value))
}

/// Whether managed settings pin this variable. The value may differ from ours, because an administrator may set
/// another.
pub fn is_pinned(name: &str) -> bool {
    PINNED.iter().any(|(pinned, _)| *pinned == name)
}

/// Variables that make Claude Code use other credentials, or another service, instead of the user's sign-in.
pub const CONFLICTING_VARIABLES: [&str; 4] =
    ["AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "ANTHROPIC_BASE_URL", "CLAUDE_CODE_USE_GATEWAY"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ClaudeCodeConfig, testing::profile};

    fn lines(claude: &ClaudeCodeConfig, source: &ClaudeCredentialSource) -> Vec<String> {
        let call = CommandTemplate::new("/opt/bedrock-sso".as_ref(), None).unwrap();
        let settings = build_settings(&Profile { claude_code: claude.clone(), ..profile() }, source, &call);
        settings.into_iter().map(|ClaudeSetting { key, value }| format!("{key} = {value}")).collect()
    }

    fn table(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn plain_profile_needs_one_hook_and_three_variables() {
        let found = lines(&ClaudeCodeConfig::default(), &ClaudeCredentialSource::AwsProfile("work".into()));
        let wanted = [
            "awsAuthRefresh = \"/opt/bedrock-sso\" login --profile claude",
            "env.CLAUDE_CODE_USE_BEDROCK = 1",
            "env.AWS_REGION = us-east-1",
            "env.AWS_PROFILE = work",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn managed_settings_use_the_export_hook() {
        let found = lines(&ClaudeCodeConfig::default(), &ClaudeCredentialSource::Export);
        assert!(found.contains(&"awsCredentialExport = \"/opt/bedrock-sso\" export --profile claude".into()));
        assert!(!found.iter().any(|line| line.starts_with("env.AWS_PROFILE")), "{found:?}");
    }

    fn policy(profile: &Profile) -> Vec<String> {
        let call = CommandTemplate::new("/opt/bedrock-sso".as_ref(), None).unwrap();
        let settings = build_settings(profile, &ClaudeCredentialSource::Export, &call);
        settings.into_iter().map(|ClaudeSetting { key, value }| format!("{key} = {value}")).collect()
    }

    #[test]
    fn managed_settings_pin_what_a_repository_could_set() {
        let with_aws_profile = Profile { aws_profile: Some("work".to_owned()), ..profile() };
        let found = policy(&with_aws_profile);
        let pins = [
            "env.BEDROCK_SSO_CONFIG = ",
            "env.BEDROCK_SSO_PROFILE = claude",
            "env.AWS_PROFILE = work",
            "env.AWS_CONFIG_FILE = ~/.aws/config",
            "env.AWS_SHARED_CREDENTIALS_FILE = ~/.aws/credentials",
            "env.AWS_ENDPOINT_URL = ",
            "env.AWS_ENDPOINT_URL_STS = ",
            "env.AWS_ENDPOINT_URL_COGNITO_IDENTITY = ",
            "env.AWS_ENDPOINT_URL_BEDROCK = ",
            "env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME = ",
            "env.AWS_ENDPOINT_URL_SSO = ",
            "env.AWS_ENDPOINT_URL_SSO_OIDC = ",
        ];
        assert!(found.ends_with(&pins.map(str::to_owned)), "{found:?}");
    }

    #[test]
    fn configured_variable_replaces_a_pin() {
        let env = table(&[("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://vpce.acme.example")]);
        let claude_code = ClaudeCodeConfig { env, ..ClaudeCodeConfig::default() };
        let found = policy(&Profile { claude_code, ..profile() });
        let ours = found.iter().filter(|line| line.starts_with("env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME"));
        let wanted = ["env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME = https://vpce.acme.example"];
        assert_eq!(ours.collect::<Vec<_>>(), wanted.iter().collect::<Vec<_>>());
    }

    #[test]
    fn user_settings_pin_nothing() {
        let found = lines(&ClaudeCodeConfig::default(), &ClaudeCredentialSource::AwsProfile("claude".into()));
        let pinned = |line: &&String| {
            line.strip_prefix("env.").and_then(|line| line.split_once(" = ")).is_some_and(|it| is_pinned(it.0))
        };
        assert_eq!(found.iter().filter(pinned).collect::<Vec<_>>(), ["env.AWS_PROFILE = claude"]);
    }

    fn with_relay(relay: TelemetryRelay) -> Vec<String> {
        let mut profile = profile();
        profile.telemetry.relay = relay;
        policy(&profile)
    }

    fn laptop(log_group: Option<&str>) -> LaptopRelay {
        let log_group = log_group.map(str::to_owned);
        LaptopRelay { port: 48318, endpoints: None, log_group, log_stream: "laptops".to_owned() }
    }

    #[test]
    fn laptop_relay_gets_json_each_minute() {
        let found = with_relay(TelemetryRelay::Laptop(laptop(Some("/a"))));
        for line in [
            "otelHeadersHelper = \"/opt/bedrock-sso\" otel-headers --profile claude",
            "env.CLAUDE_CODE_ENABLE_TELEMETRY = 1",
            "env.OTEL_METRICS_EXPORTER = otlp",
            "env.OTEL_LOGS_EXPORTER = otlp",
            "env.OTEL_EXPORTER_OTLP_PROTOCOL = http/json",
            "env.OTEL_EXPORTER_OTLP_ENDPOINT = http://127.0.0.1:48318",
            "env.OTEL_METRIC_EXPORT_INTERVAL = 60000",
            "env.OTEL_LOGS_EXPORT_INTERVAL = 60000",
        ] {
            assert!(found.iter().any(|one| one == line), "{line}: {found:?}");
        }
        let without_events = with_relay(TelemetryRelay::Laptop(laptop(None)));
        assert!(!without_events.iter().any(|line| line.starts_with("env.OTEL_LOGS")), "{without_events:?}");
    }

    #[test]
    fn remote_relay_is_the_endpoint() {
        let address = crate::url::SecureUrl::parse("https://relay.acme.example/").unwrap();
        let found = with_relay(TelemetryRelay::Remote(address));
        assert!(found.contains(&"env.OTEL_EXPORTER_OTLP_ENDPOINT = https://relay.acme.example".into()), "{found:?}");
        assert!(found.contains(&"env.OTEL_LOGS_EXPORT_INTERVAL = 60000".into()), "{found:?}");
        assert!(!policy(&profile()).iter().any(|line| line.contains("OTEL") || line.contains("otel")));
    }

    #[test]
    fn variables_against_the_laptop_relay_are_found() {
        let relay = laptop(None);
        for (name, value, is_wrong) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:48318", false),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:48318/v1/metrics", false),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:483180", true),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:48318", true),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", false),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf", true),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", true),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none", false),
            ("OTEL_LOG_USER_PROMPTS", "1", false),
        ] {
            let variables = table(&[(name, value)]);
            assert_eq!(find_variable_against_relay(&variables, &relay).is_some(), is_wrong, "{name}={value}");
        }
    }

    #[test]
    fn collector_enables_telemetry_and_configuration_wins() {
        let env = table(&[(COLLECTOR_VARIABLE, "https://otel.acme.example"), ("OTEL_LOGS_EXPORTER", "none")]);
        let models = table(&[("opus", "us.anthropic.opus"), ("haiku", "us.anthropic.haiku")]);
        let claude = ClaudeCodeConfig { region: "eu-west-1".into(), models, env };
        let found = lines(&claude, &ClaudeCredentialSource::AwsProfile("claude".into()));
        for line in [
            "otelHeadersHelper = \"/opt/bedrock-sso\" otel-headers --profile claude",
            "env.AWS_REGION = eu-west-1",
            "env.ANTHROPIC_DEFAULT_OPUS_MODEL = us.anthropic.opus",
            "env.CLAUDE_CODE_ENABLE_TELEMETRY = 1",
            "env.OTEL_LOGS_EXPORTER = none",
        ] {
            assert!(found.iter().any(|one| one == line), "{line}: {found:?}");
        }
        assert!(!found.contains(&"env.OTEL_LOGS_EXPORTER = otlp".into()));
    }
}
