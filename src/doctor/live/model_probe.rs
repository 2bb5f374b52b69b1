//! A word of a model: whole, then as a stream, which is how Claude Code takes all of its answers.
//!
//! What the model says is nobody's business; that it speaks is the finding.

use super::{Finding, LiveContext, LiveReport, ModelChoice, model_choice::ProbedModel};
use crate::{
    aws::{BedrockClient, BedrockError, BedrockRefusalCause, ConverseRequest, Guardrail, TokenUsage},
    text::sanitize_line,
};

/// What a model answered.
pub(super) struct ModelProbeResult<'w> {
    model: &'w ProbedModel,
    converse: Result<TokenUsage, BedrockError>,
    /// Not tried where the model itself would not answer.
    stream: Option<Result<TokenUsage, BedrockError>>,
    guardrail: Option<&'w Guardrail>,
}

pub(super) async fn probe_model<'w>(
    bedrock: &BedrockClient<'_>,
    wanted: &'w ProbedModel,
    guardrail: Option<&'w Guardrail>,
) -> ModelProbeResult<'w> {
    let line = ConverseRequest { model: &wanted.id, guardrail };
    let whole = bedrock.converse(&line).await;
    // Who may not call the one may still call the other: they are two permissions.
    let goes_on = match &whole {
        Ok(_) => true,
        Err(error) => {
            matches!(error.cause(), Some(BedrockRefusalCause::Denied(denial)) if !denial.is_for_guardrail())
        }
    };
    let stream = if goes_on { Some(bedrock.converse_stream(&line).await) } else { None };
    ModelProbeResult { model: wanted, converse: whole, stream, guardrail }
}

/// What the first model's answer says of the guardrail.
pub(super) fn check_guardrail(visit: &LiveContext<'_>, guardrail: &Guardrail, first: &ModelProbeResult<'_>) -> Finding {
    let named = format!("{} version {}", sanitize_line(&guardrail.identifier), sanitize_line(&guardrail.version));
    match &first.converse {
        Ok(_) => Finding::Ok(format!("{named} is applied")),
        Err(error) if is_guardrail_error(error) => Finding::Bad(visit.build_failure(error.clone(), None)),
        Err(_) => Finding::Skipped(format!("{named} was not reached, see `{}`", first.model.converse_check)),
    }
}

fn is_guardrail_error(error: &BedrockError) -> bool {
    match error.cause() {
        Some(BedrockRefusalCause::Denied(denial)) => denial.is_for_guardrail(),
        Some(cause) => *cause == BedrockRefusalCause::NoGuardrail,
        None => false,
    }
}

impl ModelProbeResult<'_> {
    pub(super) fn add_to_report(self, visit: &LiveContext<'_>, choice: &ModelChoice, report: &mut LiveReport) {
        let Self { model: wanted, converse: whole, stream, guardrail } = self;
        let model = sanitize_line(&wanted.id);
        let why = if choice.is_fallback { "; it was chosen because none is configured" } else { "" };
        let tokens =
            |TokenUsage { input_tokens, output_tokens }| format!("{input_tokens} tokens there, {output_tokens} back");
        let hidden = guardrail.is_some() && whole.as_ref().is_err_and(is_guardrail_error);
        report.add_finding(
            wanted.converse_check,
            match whole {
                Ok(spent) => Finding::Ok(format!("{model} answers ({}){why}", tokens(spent))),
                Err(_) if hidden => Finding::Skipped(format!("{model} was not reached, see `guardrail`")),
                Err(error) => Finding::Bad(visit.build_failure(error, Some(&wanted.id))),
            },
        );
        report.add_finding(
            wanted.streaming_check,
            match stream {
                None => Finding::Skipped(format!("{model} does not answer, see `{}`", wanted.converse_check)),
                Some(Ok(spent)) => Finding::Ok(format!("{model} streams its answer ({})", tokens(spent))),
                Some(Err(error)) => Finding::Bad(visit.build_failure(error, Some(&wanted.id))),
            },
        );
    }
}
