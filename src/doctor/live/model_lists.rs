//! What the region lists, against what is configured: models by their own name, and inference profiles.
//!
//! Claude Code needs neither list to work, so that what is missing from one is a warning; the models themselves are asked
//! next.

use super::{Finding, LiveContext, model_choice::ProbedModel};
use crate::{
    aws::{BedrockClient, BedrockError, BedrockRefusalCause, FoundationModel, InferenceProfile},
    failure::doctor,
    text::sanitize_line,
};

type BedrockListResult<T> = Result<Vec<T>, BedrockError>;

pub(super) async fn fetch_lists(
    bedrock: &BedrockClient<'_>,
) -> (BedrockListResult<FoundationModel>, BedrockListResult<InferenceProfile>) {
    let models = bedrock.list_models().await;
    // Whoever does not answer the one question is not waited for with the other.
    let profiles = match &models {
        Err(error @ BedrockError::Network(_)) => Err(error.clone()),
        _ => bedrock.list_profiles().await,
    };
    (models, profiles)
}

pub(super) fn check_models(
    visit: &LiveContext<'_>,
    listed: &BedrockListResult<FoundationModel>,
    wanted: &[ProbedModel],
) -> Result<Finding, Finding> {
    if listed.as_ref().is_err_and(is_denied) {
        let why = "the role may not list models (bedrock:ListFoundationModels), which Claude Code does without";
        return Ok(Finding::Skipped(why.to_owned()));
    }
    let models = listed.as_ref().map_err(|error| report_list_error(visit, error, wanted))?;
    let region = visit.region();
    for ProbedModel { id: name, .. } in wanted.iter().filter(|wanted| !is_inference_profile(&wanted.id)) {
        let id = name.rsplit('/').next().unwrap_or(name);
        let astray = match models.iter().find(|model| model.id == id) {
            None => doctor::describe_unlisted_model(name, region),
            Some(model) if !model.is_on_demand() => doctor::describe_model_without_on_demand(name),
            Some(model) if model.is_legacy() => doctor::describe_legacy_model(name),
            Some(_) => continue,
        };
        return Ok(Finding::Warn(astray));
    }
    let ours = models.iter().filter(|model| model.id.starts_with("anthropic.")).count();
    Ok(Finding::Ok(format!("{} lists {} models, {ours} of them Anthropic's", sanitize_line(region), models.len())))
}

pub(super) async fn check_inference_profiles(
    visit: &LiveContext<'_>,
    listed: &BedrockListResult<InferenceProfile>,
    wanted: &[ProbedModel],
) -> Result<Finding, Finding> {
    let profiles = listed.as_ref().map_err(|error| report_list_error(visit, error, wanted))?;
    let mut active = 0;
    for ProbedModel { id: name, .. } in wanted.iter().filter(|wanted| is_inference_profile(&wanted.id)) {
        let known = profiles.iter().find(|profile| profile.has_name(name)).cloned();
        let profile = match known {
            Some(profile) => profile,
            // A company's own is not in the list.
            None if name.starts_with("arn:") => {
                let found = visit.bedrock.get_profile(name).await;
                found.map_err(|error| Finding::Warn(visit.build_failure(error, Some(name))))?
            }
            None => return Ok(Finding::Warn(doctor::describe_unlisted_model(name, visit.region()))),
        };
        if !profile.is_active() {
            return Ok(Finding::Warn(doctor::describe_inactive_profile(name)));
        }
        active += 1;
    }
    let region = sanitize_line(visit.region());
    Ok(Finding::Ok(match active {
        0 => format!("{region} has {} inference profiles", profiles.len()),
        1 => format!("{region} has {} inference profiles; the configured one is active", profiles.len()),
        more => format!("{region} has {} inference profiles; the {more} configured ones are active", profiles.len()),
    }))
}

/// The models that are configured may answer all the same; where none is, none can be found.
fn report_list_error(visit: &LiveContext<'_>, error: &BedrockError, wanted: &[ProbedModel]) -> Finding {
    let failure = visit.build_failure(error.clone(), None);
    match wanted.is_empty() && !is_denied(error) {
        true => Finding::Bad(failure),
        false => Finding::Warn(failure),
    }
}

/// `us.anthropic.…` or an ARN that says so; a model's own name is `anthropic.…`.
fn is_inference_profile(name: &str) -> bool {
    match name.starts_with("arn:") {
        true => name.contains("inference-profile/"),
        false => name.matches('.').count() > 1,
    }
}

fn is_denied(error: &BedrockError) -> bool {
    matches!(error.cause(), Some(BedrockRefusalCause::Denied(_)))
}
