//! What Claude Code's settings say so that it works through this program.
//!
//! It decides on keys and values; putting them into a file is for `settings`.

use super::{
    call::Call,
    settings::{Key, Setting},
};
use crate::config::{ClaudeCode, Profile};

/// The variables that name the model of each rank.
pub const RANKS: [(&str, &str); 4] = [
    ("default", "ANTHROPIC_MODEL"),
    ("opus", "ANTHROPIC_DEFAULT_OPUS_MODEL"),
    ("sonnet", "ANTHROPIC_DEFAULT_SONNET_MODEL"),
    ("haiku", "ANTHROPIC_DEFAULT_HAIKU_MODEL"),
];

/// Where telemetry goes; with it come the variables that switch telemetry on, and the hook that says whose it is.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TELEMETRY: [(&str, &str); 4] = [
    ("CLAUDE_CODE_ENABLE_TELEMETRY", "1"),
    ("OTEL_METRICS_EXPORTER", "otlp"),
    ("OTEL_LOGS_EXPORTER", "otlp"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
];

/// How Claude Code comes by credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The AWS profile of this name, in the user's own file.
    AwsProfile(String),
    /// Ours alone: a policy for all users cannot rely on any user's file.
    Export,
}

/// The settings for a profile, those that configuration adds last, for they win.
pub fn settings(profile: &Profile, claude: &ClaudeCode, source: &Source, call: &Call) -> Vec<Setting> {
    let top = |key, verb| Setting { key: Key::Top(key), value: call.to_shell(verb, &profile.name) };
    let mut settings = vec![top("awsAuthRefresh", "login")];
    if *source == Source::Export {
        settings.push(top("awsCredentialExport", "export"));
    }
    let telemetry = claude.env.contains_key(COLLECTOR);
    if telemetry {
        settings.push(top("otelHeadersHelper", "otel-headers"));
    }
    for (name, value) in variables(profile, claude, source, telemetry) {
        if !claude.env.contains_key(name) {
            settings.push(Setting { key: Key::Env(name.to_owned()), value });
        }
    }
    let own = claude.env.iter().map(|(name, value)| (name.clone(), value.clone()));
    settings.extend(own.map(|(name, value)| Setting { key: Key::Env(name), value }));
    settings
}

fn variables(
    profile: &Profile,
    claude: &ClaudeCode,
    source: &Source,
    telemetry: bool,
) -> Vec<(&'static str, String)> {
    let region = claude.region(profile);
    let mut variables = vec![("CLAUDE_CODE_USE_BEDROCK", "1".to_owned()), ("AWS_REGION", region.to_owned())];
    if let Source::AwsProfile(name) = source {
        variables.push(("AWS_PROFILE", name.clone()));
    }
    let model =
        |(rank, variable): &(&str, &'static str)| Some((*variable, claude.models.get(*rank)?.clone()));
    variables.extend(RANKS.iter().filter_map(model));
    if telemetry {
        variables.extend(TELEMETRY.map(|(name, value)| (name, value.to_owned())));
    }
    variables
}

/// Variables in a settings file that keep Claude Code from asking AWS through us.
pub const SHADOWS: [&str; 3] = ["AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "ANTHROPIC_BASE_URL"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn each_rank_that_can_be_configured_has_its_variable() {
        assert_eq!(RANKS.map(|(rank, _)| rank), config::RANKS);
    }
    use crate::config::testing::profile;

    fn lines(claude: &ClaudeCode, source: &Source) -> Vec<String> {
        let call = Call::new("/opt/bedrock-sso".as_ref(), None).unwrap();
        let settings = settings(&profile(), claude, source, &call);
        settings.into_iter().map(|Setting { key, value }| format!("{key} = {value}")).collect()
    }

    fn table(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_plain_profile_needs_one_hook_and_three_variables() {
        let found = lines(&ClaudeCode::default(), &Source::AwsProfile("work".into()));
        let wanted = [
            "awsAuthRefresh = \"/opt/bedrock-sso\" login --profile claude",
            "env.CLAUDE_CODE_USE_BEDROCK = 1",
            "env.AWS_REGION = us-east-1",
            "env.AWS_PROFILE = work",
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_policy_for_all_users_brings_credentials_itself() {
        let found = lines(&ClaudeCode::default(), &Source::Export);
        assert!(found.contains(&"awsCredentialExport = \"/opt/bedrock-sso\" export --profile claude".into()));
        assert!(!found.iter().any(|line| line.starts_with("env.AWS_PROFILE")), "{found:?}");
    }

    #[test]
    fn a_collector_switches_telemetry_on_and_the_configuration_wins() {
        let env = table(&[(COLLECTOR, "https://otel.acme.example"), ("OTEL_LOGS_EXPORTER", "none")]);
        let models = table(&[("opus", "us.anthropic.opus"), ("haiku", "us.anthropic.haiku")]);
        let claude = ClaudeCode { region: "eu-west-1".into(), models, env };
        let found = lines(&claude, &Source::AwsProfile("claude".into()));
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
