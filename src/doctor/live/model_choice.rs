//! Chooses the models that the live checks call, and the guardrail: those that Claude Code would use.
//!
//! If no model is configured, the choice is a small and cheap one of the region. The choice uses only configuration and
//! lists; `model_probe` finds out whether the models answer.

use crate::{
    aws::{FoundationModel, Guardrail, InferenceProfile},
    config::{ClaudeCodeConfig, MODEL_VARIABLES},
    failure::{Failure, doctor},
    host::Environment,
};

/// The variable with which Claude Code is configured to send a guardrail: each line is one header.
const HEADERS: &str = "ANTHROPIC_CUSTOM_HEADERS";
const IDENTIFIER: &str = "x-amzn-bedrock-guardrailidentifier";
const VERSION: &str = "x-amzn-bedrock-guardrailversion";

/// The names of the two checks of each rank, in the order of [`MODEL_VARIABLES`].
const CHECKS: [(&str, &str); 4] = [
    (super::CONVERSE, super::STREAMING),
    ("converse-opus", "streaming-opus"),
    ("converse-sonnet", "streaming-sonnet"),
    ("converse-haiku", "streaming-haiku"),
];

/// A model to call, with the names of the checks that report its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProbedModel {
    pub(super) id: String,
    pub(super) converse_check: &'static str,
    pub(super) streaming_check: &'static str,
}

pub(super) struct ModelChoice {
    pub(super) models: Vec<ProbedModel>,
    /// No model is configured, so the one in `models` was chosen from the region's lists.
    pub(super) is_fallback: bool,
}

/// The configured model of each rank. As in Claude Code, a variable in `claude_code.env` takes precedence over
/// `models`, and both over this environment. A model of several ranks appears once, under the first of them.
pub(super) fn list_configured_models(claude: &ClaudeCodeConfig, environment: &Environment) -> Vec<ProbedModel> {
    let mut wanted: Vec<ProbedModel> = Vec::new();
    for ((rank, variable), (converse_check, streaming_check)) in MODEL_VARIABLES.into_iter().zip(CHECKS) {
        let configured = claude.env.get(variable).or_else(|| claude.models.get(rank)).cloned();
        let named = configured.or_else(|| environment.var_text(variable));
        let Some(model) = named.as_deref().and_then(parse_model_id) else { continue };
        if wanted.iter().all(|one| one.id != model) {
            wanted.push(ProbedModel { id: model.to_owned(), converse_check, streaming_check });
        }
    }
    wanted
}

/// The model ID in a model name of Claude Code: without the suffix for a larger context window (`[1m]`). Returns `None`
/// for an alias such as `opus`, which only Claude Code understands.
fn parse_model_id(name: &str) -> Option<&str> {
    let plain = name.split('[').next().unwrap_or_default().trim();
    plain.contains(['.', ':']).then_some(plain)
}

/// The configured models, or else a small one from the lists. Returns `None` if no model is configured and the lists
/// have no suitable one.
pub(super) fn choose_models(
    wanted: Vec<ProbedModel>,
    models: Option<&[FoundationModel]>,
    profiles: Option<&[InferenceProfile]>,
) -> Option<ModelChoice> {
    if !wanted.is_empty() {
        return Some(ModelChoice { models: wanted, is_fallback: false });
    }
    let model = find_small_model(models.unwrap_or_default(), profiles.unwrap_or_default())?;
    let wanted = ProbedModel { id: model, converse_check: super::CONVERSE, streaming_check: super::STREAMING };
    Some(ModelChoice { models: vec![wanted], is_fallback: true })
}

/// The newest small model of Anthropic (Haiku) that is not marked as legacy. An inference profile of the region's own
/// part of the world is preferred to a global one. Newer models sort after older ones of the same family, so the
/// greatest name is the newest.
fn find_small_model(models: &[FoundationModel], profiles: &[InferenceProfile]) -> Option<String> {
    let is_legacy = |id: &str| models.iter().any(|model| model.id == id && model.is_legacy());
    let profiles = profiles.iter().filter(|profile| profile.is_active());
    let profiles = profiles.filter(|profile| !profile.model_id().is_some_and(is_legacy)).map(|profile| &profile.id);
    let models = models.iter().filter(|model| model.is_on_demand() && !model.is_legacy()).map(|model| &model.id);
    let ours = profiles.chain(models).filter(|id| id.contains("anthropic."));
    let rank = |id: &&String| {
        let (place, name) = id.split_once("anthropic.").unwrap_or_default();
        (name.contains("haiku"), name.to_owned(), place != "global.")
    };
    ours.max_by_key(rank).cloned()
}

/// The guardrail that Claude Code is configured to send, if any. Fails if the header with the version
/// is missing: Bedrock refuses a guardrail without a version.
pub(super) fn parse_guardrail(
    claude: &ClaudeCodeConfig,
    environment: &Environment,
) -> Result<Option<Guardrail>, Failure> {
    let headers = claude.env.get(HEADERS).cloned().or_else(|| environment.var_text(HEADERS)).unwrap_or_default();
    let value = |wanted: &str| {
        let pairs = headers.lines().filter_map(|line| line.split_once(':'));
        let value = pairs.rev().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        value.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    match (value(IDENTIFIER), value(VERSION)) {
        (None, _) => Ok(None),
        (Some(_), None) => Err(doctor::describe_missing_guardrail_version()),
        (Some(identifier), Some(version)) => Ok(Some(Guardrail { identifier, version })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claude(models: &[(&str, &str)], env: &[(&str, &str)]) -> ClaudeCodeConfig {
        let table = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        ClaudeCodeConfig { region: String::new(), models: table(models), env: table(env) }
    }

    fn names(claude: &ClaudeCodeConfig, environment: &Environment) -> Vec<(String, &'static str)> {
        list_configured_models(claude, environment)
            .into_iter()
            .map(|wanted| (wanted.id, wanted.converse_check))
            .collect()
    }

    #[test]
    fn model_of_several_ranks_is_called_once_under_the_first() {
        let claude = claude(
            &[("default", "us.anthropic.a"), ("opus", "us.anthropic.b"), ("sonnet", "us.anthropic.a[1m]")],
            &[("ANTHROPIC_DEFAULT_OPUS_MODEL", "us.anthropic.c")],
        );
        let environment = Environment::fixed([
            ("ANTHROPIC_DEFAULT_HAIKU_MODEL", "us.anthropic.h"),
            ("ANTHROPIC_MODEL", "us.anthropic.other"),
        ]);
        let expected =
            [("us.anthropic.a", "converse"), ("us.anthropic.c", "converse-opus"), ("us.anthropic.h", "converse-haiku")];
        assert_eq!(names(&claude, &environment), expected.map(|(model, name)| (model.to_owned(), name)));
    }

    #[test]
    fn alias_of_claude_code_is_not_a_bedrock_model() {
        let claude =
            claude(&[("default", "opusplan"), ("opus", "arn:aws:bedrock:us-east-1:1:inference-profile/x")], &[]);
        let found = names(&claude, &Environment::fixed([]));
        assert_eq!(found, [("arn:aws:bedrock:us-east-1:1:inference-profile/x".to_owned(), "converse-opus")]);
    }

    fn profile(id: &str) -> serde_json::Value {
        serde_json::json!({
            "inferenceProfileId": id,
            "inferenceProfileArn": format!("arn:aws:bedrock:us-east-1:123456789012:inference-profile/{id}"),
            "status": "ACTIVE",
            "models": [{ "modelArn": format!("arn:aws:bedrock:us-east-1::foundation-model/{}", id.split_once('.').unwrap().1) }],
        })
    }

    #[test]
    fn newest_small_model_is_chosen_when_none_is_configured() {
        let profiles: Vec<InferenceProfile> = [
            "global.anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.anthropic.claude-3-5-haiku-20241022-v1:0",
            "us.anthropic.claude-haiku-9-v1:0",
            "us.anthropic.claude-opus-4-6-v1",
            "us.amazon.nova-micro-v1:0",
        ]
        .map(|id| serde_json::from_value(profile(id)).unwrap())
        .into();
        let model = serde_json::json!({
            "modelId": "anthropic.claude-haiku-9-v1:0", "modelLifecycle": { "status": "LEGACY" },
        });
        let models: Vec<FoundationModel> = vec![serde_json::from_value(model).unwrap()];
        let choice = choose_models(Vec::new(), Some(&models), Some(&profiles)).unwrap();
        let found: Vec<_> = choice.models.iter().map(|wanted| wanted.id.as_str()).collect();
        assert!(choice.is_fallback);
        assert_eq!(found, ["us.anthropic.claude-haiku-4-5-20251001-v1:0"]);
        assert!(choose_models(Vec::new(), None, None).is_none());
    }

    #[test]
    fn guardrail_is_read_from_claude_codes_custom_headers() {
        let parse = |headers: &str| parse_guardrail(&claude(&[], &[(HEADERS, headers)]), &Environment::fixed([]));
        let whole = "X-Other: 1\nX-Amzn-Bedrock-GuardrailIdentifier: abc123\nx-amzn-bedrock-guardrailversion:  2 ";
        let expected = Guardrail { identifier: "abc123".into(), version: "2".into() };
        assert_eq!(parse(whole), Ok(Some(expected)));
        assert_eq!(parse("X-Other: 1"), Ok(None));
        let failure = parse("X-Amzn-Bedrock-GuardrailIdentifier: abc123").unwrap_err();
        assert_eq!(failure.slug(), "config/guardrail");
    }
}
