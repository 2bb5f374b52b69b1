//! A word of a model: whole, then as a stream, which is how Claude Code takes all of its answers.
//!
//! What the model says is nobody's business; that it speaks is the finding.

use super::{Choice, Finding, Report, Visit, choice::Wanted};
use crate::{
    aws::{Bedrock, BedrockError, Cause, Guardrail, Line, Spent},
    text::line,
};

/// What a model answered.
pub(super) struct Word<'w> {
    wanted: &'w Wanted,
    whole: Result<Spent, BedrockError>,
    /// Not tried where the model itself would not answer.
    stream: Option<Result<Spent, BedrockError>>,
    guardrail: Option<&'w Guardrail>,
}

pub(super) async fn of<'w>(
    bedrock: &Bedrock<'_>,
    wanted: &'w Wanted,
    guardrail: Option<&'w Guardrail>,
) -> Word<'w> {
    let line = Line { model: &wanted.model, guardrail };
    let whole = bedrock.word(&line).await;
    // Who may not call the one may still call the other: they are two permissions.
    let goes_on = match &whole {
        Ok(_) => true,
        Err(error) => matches!(error.cause(), Some(Cause::Denied(denial)) if !denial.is_of_guardrail()),
    };
    let stream = if goes_on { Some(bedrock.stream(&line).await) } else { None };
    Word { wanted, whole, stream, guardrail }
}

/// What the first model's answer says of the guardrail.
pub(super) fn guardrail(visit: &Visit<'_>, guardrail: &Guardrail, first: &Word<'_>) -> Finding {
    let named = format!("{} version {}", line(&guardrail.identifier), line(&guardrail.version));
    match &first.whole {
        Ok(_) => Finding::Fine(format!("{named} is applied")),
        Err(error) if is_of_guardrail(error) => Finding::Bad(visit.unanswered(error.clone(), None)),
        Err(_) => Finding::Skipped(format!("{named} was not reached, see `{}`", first.wanted.word)),
    }
}

fn is_of_guardrail(error: &BedrockError) -> bool {
    match error.cause() {
        Some(Cause::Denied(denial)) => denial.is_of_guardrail(),
        Some(cause) => *cause == Cause::NoGuardrail,
        None => false,
    }
}

impl Word<'_> {
    pub(super) fn told(self, visit: &Visit<'_>, choice: &Choice, report: &mut Report) {
        let Self { wanted, whole, stream, guardrail } = self;
        let model = line(&wanted.model);
        let why = if choice.is_ours { "; it was chosen because none is configured" } else { "" };
        let tokens = |Spent { input_tokens, output_tokens }| {
            format!("{input_tokens} tokens there, {output_tokens} back")
        };
        let hidden = guardrail.is_some() && whole.as_ref().is_err_and(is_of_guardrail);
        report.note(
            wanted.word,
            match whole {
                Ok(spent) => Finding::Fine(format!("{model} answers ({}){why}", tokens(spent))),
                Err(_) if hidden => Finding::Skipped(format!("{model} was not reached, see `guardrail`")),
                Err(error) => Finding::Bad(visit.unanswered(error, Some(&wanted.model))),
            },
        );
        report.note(
            wanted.stream,
            match stream {
                None => Finding::Skipped(format!("{model} does not answer, see `{}`", wanted.word)),
                Some(Ok(spent)) => Finding::Fine(format!("{model} streams its answer ({})", tokens(spent))),
                Some(Err(error)) => Finding::Bad(visit.unanswered(error, Some(&wanted.model))),
            },
        );
    }
}
