//! What a profile says about Claude Code: the keys of `[profiles.NAME.claude_code]`.
//!
//! Values only; writing them into Claude Code's settings is for `setup`.

use std::collections::BTreeMap;

/// The ranks of models, and the variable that names Claude Code the model of each.
pub const MODEL_VARIABLES: [(&str, &str); 4] = [
    ("default", "ANTHROPIC_MODEL"),
    ("opus", "ANTHROPIC_DEFAULT_OPUS_MODEL"),
    ("sonnet", "ANTHROPIC_DEFAULT_SONNET_MODEL"),
    ("haiku", "ANTHROPIC_DEFAULT_HAIKU_MODEL"),
];

/// What `setup` writes into Claude Code's settings, besides the profile's own facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaudeCodeConfig {
    /// Empty: the profile's.
    pub region: String,
    /// By rank.
    pub models: BTreeMap<String, String>,
    pub env: BTreeMap<String, String>,
}

impl ClaudeCodeConfig {
    /// Where it sends telemetry.
    pub fn collectors(&self) -> impl Iterator<Item = &str> {
        self.env.iter().filter(|(name, _)| is_collector_variable(name)).map(|(_, address)| address.as_str())
    }
}

/// Whether a variable of OpenTelemetry's holds the address of a collector.
pub(super) fn is_collector_variable(variable: &str) -> bool {
    variable.starts_with("OTEL_EXPORTER_OTLP_") && variable.ends_with("ENDPOINT")
}
