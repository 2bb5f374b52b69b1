//! What the region lists, against what is configured: models by their own name, and inference profiles.
//!
//! Claude Code needs neither list to work, so that what is missing from one is a warning; the models themselves are asked
//! next.

use super::{Finding, Visit, choice::Wanted};
use crate::{
    aws::{Bedrock, BedrockError, Cause, InferenceProfile, Model},
    failure::Astray,
    text::line,
};

type Listed<T> = Result<Vec<T>, BedrockError>;

pub(super) async fn both(bedrock: &Bedrock<'_>) -> (Listed<Model>, Listed<InferenceProfile>) {
    let models = bedrock.models().await;
    // Whoever does not answer the one question is not waited for with the other.
    let profiles = match &models {
        Err(error @ BedrockError::Network(_)) => Err(error.clone()),
        _ => bedrock.inference_profiles().await,
    };
    (models, profiles)
}

pub(super) fn judged_models(visit: &Visit<'_>, listed: &Listed<Model>, wanted: &[Wanted]) -> Finding {
    let models = match listed {
        Ok(models) => models,
        Err(error) if is_denied(error) => {
            let why =
                "the role may not list models (bedrock:ListFoundationModels), which Claude Code does without";
            return Finding::Skipped(why.to_owned());
        }
        Err(error) => return unlisted(visit, error, wanted),
    };
    let region = visit.region();
    for Wanted { model: name, .. } in wanted.iter().filter(|wanted| !is_profile(&wanted.model)) {
        let id = name.rsplit('/').next().unwrap_or(name);
        let astray = match models.iter().find(|model| model.id == id) {
            None => Astray::Unlisted { model: name, region },
            Some(model) if !model.is_on_demand() => Astray::NotOnDemand { model: name },
            Some(model) if model.is_legacy() => Astray::Legacy { model: name },
            Some(_) => continue,
        };
        return Finding::Warning(astray.into());
    }
    let ours = models.iter().filter(|model| model.id.starts_with("anthropic.")).count();
    Finding::Fine(format!("{} lists {} models, {ours} of them Anthropic's", line(region), models.len()))
}

pub(super) async fn judged_profiles(
    visit: &Visit<'_>,
    bedrock: &Bedrock<'_>,
    listed: &Listed<InferenceProfile>,
    wanted: &[Wanted],
) -> Finding {
    let profiles = match listed {
        Ok(profiles) => profiles,
        Err(error) => return unlisted(visit, error, wanted),
    };
    let mut active = 0;
    for Wanted { model: name, .. } in wanted.iter().filter(|wanted| is_profile(&wanted.model)) {
        let known = profiles.iter().find(|profile| profile.is_called(name)).cloned();
        let profile = match known {
            Some(profile) => profile,
            // A company's own is not in the list.
            None if name.starts_with("arn:") => match bedrock.inference_profile(name).await {
                Ok(profile) => profile,
                Err(error) => return Finding::Warning(visit.unanswered(error, Some(name))),
            },
            None => {
                let astray = Astray::Unlisted { model: name, region: visit.region() };
                return Finding::Warning(astray.into());
            }
        };
        if !profile.is_active() {
            return Finding::Warning(Astray::Inactive { profile: name }.into());
        }
        active += 1;
    }
    let region = line(visit.region());
    Finding::Fine(match active {
        0 => format!("{region} has {} inference profiles", profiles.len()),
        1 => format!("{region} has {} inference profiles; the configured one is active", profiles.len()),
        more => format!(
            "{region} has {} inference profiles; the {more} configured ones are active",
            profiles.len()
        ),
    })
}

/// The models that are configured may answer all the same; where none is, none can be found.
fn unlisted(visit: &Visit<'_>, error: &BedrockError, wanted: &[Wanted]) -> Finding {
    let failure = visit.unanswered(error.clone(), None);
    match wanted.is_empty() && !is_denied(error) {
        true => Finding::Bad(failure),
        false => Finding::Warning(failure),
    }
}

/// `us.anthropic.…` or an ARN that says so; a model's own name is `anthropic.…`.
fn is_profile(name: &str) -> bool {
    match name.starts_with("arn:") {
        true => name.contains("inference-profile/"),
        false => name.matches('.').count() > 1,
    }
}

fn is_denied(error: &BedrockError) -> bool {
    matches!(error.cause(), Some(Cause::Denied(_)))
}
