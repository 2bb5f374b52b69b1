//! Calls a model twice: once for a whole answer, once for a streamed one, which is how Claude Code calls it.
//!
//! Each call allows one token of output, so that it costs almost nothing. The content of the answer is ignored: the
//! finding is that the model answers.

use super::{Finding, LiveContext, LiveReport, ModelChoice, model_choice::ProbedModel};
use crate::{
    aws::{BedrockClient, BedrockError, BedrockRefusalCause, ConverseRequest, Guardrail, IamDenial, TokenUsage},
    text::sanitize_line,
};

/// The results of the two calls of one model.
pub(super) struct ModelProbeResult<'w> {
    model: &'w ProbedModel,
    converse: Result<TokenUsage, BedrockError>,
    /// `None` if the first call failed in a way that the second one would repeat.
    stream: Option<Result<TokenUsage, BedrockError>>,
    guardrail: Option<&'w Guardrail>,
}

/// Calls the model with the guardrail, as Claude Code would.
pub(super) async fn probe_model<'w>(
    bedrock: &BedrockClient<'_>,
    wanted: &'w ProbedModel,
    guardrail: Option<&'w Guardrail>,
) -> ModelProbeResult<'w> {
    let request = ConverseRequest { model: &wanted.id, guardrail };
    let whole = bedrock.converse(&request).await;
    // The two calls need two permissions, so a role that lacks the first may still have the second.
    let tries_stream = match &whole {
        Ok(_) => true,
        Err(error) => error.denial().is_some_and(|denial| !denial.is_for_guardrail()),
    };
    let stream = if tries_stream { Some(bedrock.converse_stream(&request).await) } else { None };
    ModelProbeResult { model: wanted, converse: whole, stream, guardrail }
}

/// The check `guardrail`. It makes no call of its own: Bedrock applies the guardrail to every call of a model, so the
/// first model's answer shows whether that works.
pub(super) fn check_guardrail(live: &LiveContext<'_>, guardrail: &Guardrail, first: &ModelProbeResult<'_>) -> Finding {
    let named = format!("{} version {}", sanitize_line(&guardrail.identifier), sanitize_line(&guardrail.version));
    match &first.converse {
        Ok(_) => Finding::Ok(format!("AWS applies guardrail {named}")),
        Err(error) if is_guardrail_error(error) => {
            Finding::Bad(live.build_failure(error.clone(), None, Some(guardrail)))
        }
        Err(_) => Finding::Skipped(format!("guardrail {named} was not tested, see `{}`", first.model.converse_check)),
    }
}

/// Whether an error concerns the guardrail and not the model. Such an error is reported once, by the check `guardrail`.
fn is_guardrail_error(error: &BedrockError) -> bool {
    error.denial().is_some_and(IamDenial::is_for_guardrail) || error.cause() == Some(BedrockRefusalCause::NoGuardrail)
}

impl ModelProbeResult<'_> {
    /// Adds the findings of both calls under the names of the model's rank.
    pub(super) fn add_to_report(self, live: &LiveContext<'_>, choice: &ModelChoice, report: &mut LiveReport) {
        let Self { model: wanted, converse: whole, stream, guardrail } = self;
        let model = sanitize_line(&wanted.id);
        let why = if choice.is_fallback { "; no model is configured, so this one was chosen" } else { "" };
        let tokens =
            |TokenUsage { input_tokens, output_tokens }| format!("tokens: {input_tokens} in, {output_tokens} out");
        let hidden = guardrail.is_some() && whole.as_ref().is_err_and(is_guardrail_error);
        report.add_finding(
            wanted.converse_check,
            match whole {
                Ok(spent) => Finding::Ok(format!("{model} answers ({}){why}", tokens(spent))),
                Err(_) if hidden => Finding::Skipped(format!("{model} was not tested, see `guardrail`")),
                Err(error) => Finding::Bad(live.build_failure(error, Some(&wanted.id), guardrail)),
            },
        );
        report.add_finding(
            wanted.streaming_check,
            match stream {
                None => Finding::Skipped(format!("{model} does not answer, see `{}`", wanted.converse_check)),
                Some(Ok(spent)) => Finding::Ok(format!("{model} streams its answer ({})", tokens(spent))),
                Some(Err(error)) => Finding::Bad(live.build_failure(error, Some(&wanted.id), guardrail)),
            },
        );
    }
}
