//! The keys of `[profiles.NAME.claude_code]`, which `setup` writes into Claude Code's settings and `doctor` checks.

use std::collections::BTreeMap;

/// The ranks of models in the configuration, each with the variable from which Claude Code reads the model of this
/// rank.
pub const MODEL_VARIABLES: [(&str, &str); 4] = [
    ("default", "ANTHROPIC_MODEL"),
    ("opus", "ANTHROPIC_DEFAULT_OPUS_MODEL"),
    ("sonnet", "ANTHROPIC_DEFAULT_SONNET_MODEL"),
    ("haiku", "ANTHROPIC_DEFAULT_HAIKU_MODEL"),
];

/// The values for Claude Code's settings that do not follow from the rest of the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaudeCodeConfig {
    /// Empty for the profile's region; see `Profile::bedrock_region`.
    pub region: String,
    /// Model IDs by rank. The ranks are those of [`MODEL_VARIABLES`].
    pub models: BTreeMap<String, String>,
    /// Further environment variables.
    pub env: BTreeMap<String, String>,
}

impl ClaudeCodeConfig {
    /// The addresses to which Claude Code sends telemetry, as `env` names them.
    pub fn collectors(&self) -> impl Iterator<Item = &str> {
        self.env.iter().filter(|(name, _)| is_collector_variable(name)).map(|(_, address)| address.as_str())
    }
}

/// Whether the value of this variable is the address of an OpenTelemetry collector.
pub(super) fn is_collector_variable(variable: &str) -> bool {
    variable.starts_with("OTEL_EXPORTER_OTLP_") && variable.ends_with("ENDPOINT")
}
