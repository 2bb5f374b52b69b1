//! Compares the configured models with Bedrock's two lists for the region: the models and the inference profiles.
//!
//! Claude Code needs neither list, so a model that a list lacks is only a warning. `model_probe` then calls the models,
//! which gives the final answer.

use super::{Finding, LiveContext, model_choice::ProbedModel};
use crate::{
    aws::{BedrockClient, BedrockError, FoundationModel, InferenceProfile, is_inference_profile},
    failure::doctor,
    text::sanitize_line,
};

type BedrockListResult<T> = Result<Vec<T>, BedrockError>;

/// Fetches the models and the inference profiles. Each may fail alone, because they need different permissions.
pub(super) async fn fetch_lists(
    bedrock: &BedrockClient<'_>,
) -> (BedrockListResult<FoundationModel>, BedrockListResult<InferenceProfile>) {
    let models = bedrock.list_models().await;
    // The same host answers both calls, so after a network error the second call would only cost another timeout.
    let profiles = match &models {
        Err(error @ BedrockError::Network(_)) => Err(error.clone()),
        _ => bedrock.list_profiles().await,
    };
    (models, profiles)
}

/// The check `bedrock-models`: each configured model that is no inference profile must be listed, must not require an
/// inference profile, and should not be marked as legacy.
pub(super) fn check_models(
    live: &LiveContext<'_>,
    listed: &BedrockListResult<FoundationModel>,
    wanted: &[ProbedModel],
) -> Result<Finding, Finding> {
    if listed.as_ref().is_err_and(is_denied) {
        let why = "the role may not list models (bedrock:ListFoundationModels), but Claude Code does not need to";
        return Ok(Finding::Skipped(why.to_owned()));
    }
    let models = listed.as_ref().map_err(|error| report_list_error(live, error, wanted))?;
    let region = live.region();
    for ProbedModel { id: name, .. } in wanted.iter().filter(|wanted| !is_inference_profile(&wanted.id)) {
        let id = name.rsplit('/').next().unwrap_or(name);
        let problem = match models.iter().find(|model| model.id == id) {
            None => doctor::describe_unlisted_model(name, region),
            Some(model) if !model.is_on_demand() => doctor::describe_model_without_on_demand(name),
            Some(model) if model.is_legacy() => doctor::describe_legacy_model(name),
            Some(_) => continue,
        };
        return Ok(Finding::Warn(problem));
    }
    let ours = models.iter().filter(|model| model.id.starts_with("anthropic.")).count();
    Ok(Finding::Ok(format!("{} lists {} models, {ours} of them from Anthropic", sanitize_line(region), models.len())))
}

/// The check `bedrock-profiles`: each configured inference profile must exist in the region and be active.
pub(super) async fn check_inference_profiles(
    live: &LiveContext<'_>,
    listed: &BedrockListResult<InferenceProfile>,
    wanted: &[ProbedModel],
) -> Result<Finding, Finding> {
    let profiles = listed.as_ref().map_err(|error| report_list_error(live, error, wanted))?;
    let mut active = 0;
    for ProbedModel { id: name, .. } in wanted.iter().filter(|wanted| is_inference_profile(&wanted.id)) {
        let known = profiles.iter().find(|profile| profile.has_name(name)).cloned();
        let profile = match known {
            Some(profile) => profile,
            // The list has only AWS's own inference profiles, so one of the company needs a call.
            None if name.starts_with("arn:") => {
                let found = live.bedrock.get_profile(name).await;
                found.map_err(|error| Finding::Warn(live.build_failure(error, Some(name), None)))?
            }
            None => return Ok(Finding::Warn(doctor::describe_unlisted_model(name, live.region()))),
        };
        if !profile.is_active() {
            return Ok(Finding::Warn(doctor::describe_inactive_profile(name)));
        }
        active += 1;
    }
    let region = sanitize_line(live.region());
    Ok(Finding::Ok(match active {
        0 => format!("{region} has {} inference profiles", profiles.len()),
        1 => format!("{region} has {} inference profiles; the configured one is active", profiles.len()),
        more => format!("{region} has {} inference profiles; the {more} configured ones are active", profiles.len()),
    }))
}

/// A list that could not be fetched. It is a warning if models are configured, because they may answer nevertheless.
/// Without a configured model no check after this one can run, so it is bad; a missing permission stays a warning.
fn report_list_error(live: &LiveContext<'_>, error: &BedrockError, wanted: &[ProbedModel]) -> Finding {
    let failure = live.build_failure(error.clone(), None, None);
    match wanted.is_empty() && !is_denied(error) {
        true => Finding::Bad(failure),
        false => Finding::Warn(failure),
    }
}

/// Whether a policy denies the call.
fn is_denied(error: &BedrockError) -> bool {
    error.denial().is_some()
}
