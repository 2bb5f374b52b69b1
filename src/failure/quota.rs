//! What a person can do who may not spend any more, or of whom nobody could say so.
//!
//! Who may spend what is for the service; what it answered, for `quota`.

use crate::{
    failure::{Exit, Failure},
    quota::{NoQuotaAnswer, QuotaDenied, QuotaError, QuotaPeriod},
    time::{Timestamp, format_duration},
};

impl Failure {
    /// The moment of the refusal counts: the time until a limit begins anew is counted from it.
    pub fn from_quota_error(error: QuotaError, now: Timestamp) -> Self {
        match error {
            QuotaError::Denied(refusal) => describe_exceeded_quota(&refusal, now),
            QuotaError::NoAnswer(silence) => describe_missing_answer(silence),
        }
    }
}

fn describe_exceeded_quota(refusal: &QuotaDenied, now: Timestamp) -> Failure {
    let QuotaDenied { reason, message, usage, policy, period: scope } = refusal;
    let mut what = match scope {
        QuotaPeriod::Day => "today's quota is used up".to_owned(),
        QuotaPeriod::Month => "this month's quota is used up".to_owned(),
        QuotaPeriod::NotPeriodic => format!("the quota service says no ({})", reason.to_safe_line()),
    };
    if let Some(usage) = usage.as_ref().and_then(crate::quota::QuotaUsage::describe_shares) {
        what.push_str(&format!(": {usage}"));
    }
    if let Some(policy) = policy {
        what.push_str(&format!(" (limit of {})", policy.to_safe_line()));
    }
    if !message.is_empty() {
        what.push_str(&format!("; {}", message.to_safe_line()));
    }
    let ask = "ask your administrator for more";
    let hint = match compute_reset_span(*scope, now) {
        Some(span) => format!("it begins anew in {span}; until then {ask}, nobody has to sign in again"),
        None => "ask your administrator, and tell them this line".to_owned(),
    };
    Failure::new(Exit::OverQuota, slug_from_reason(&reason.to_safe_line()), what, hint)
}

/// The service's reason, where it is a word that can stand in a slug.
fn slug_from_reason(reason: &str) -> String {
    let is_word =
        (1..=40).contains(&reason.len()) && reason.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
    format!("quota/{}", if is_word { reason } else { "refused" })
}

/// How long until the next day or month begins, in UTC, by which the service counts.
fn compute_reset_span(scope: QuotaPeriod, now: Timestamp) -> Option<String> {
    use chrono::{Datelike as _, Days, Months, NaiveTime};
    let today = now.to_utc().date_naive();
    let begins = match scope {
        QuotaPeriod::Day => today.checked_add_days(Days::new(1))?,
        QuotaPeriod::Month => today.with_day(1)?.checked_add_months(Months::new(1))?,
        QuotaPeriod::NotPeriodic => return None,
    };
    let begins = Timestamp::from_unix(begins.and_time(NaiveTime::MIN).and_utc().timestamp());
    let span = begins.duration_since(now);
    let days = span.as_secs() / 86_400;
    Some(if days > 1 { format!("{days} days") } else { format_duration(span) })
}

fn describe_missing_answer(silence: NoQuotaAnswer) -> Failure {
    let later = "try again in a minute; if it stays so, tell your administrator";
    let (slug, what, hint) = match silence {
        NoQuotaAnswer::Network(error) => {
            let Failure { what, hint, .. } = error.into();
            ("quota/no_answer", format!(": {what}"), hint)
        }
        NoQuotaAnswer::Timeout { host, seconds } => {
            ("quota/no_answer", format!(", and {host} gave no answer within {seconds} s"), later.into())
        }
        NoQuotaAnswer::Unauthorized { host, status } => (
            "quota/unwelcome",
            format!(", and {host} does not accept your sign-in ({})", status.as_u16()),
            "tell your administrator: the service must trust the issuer and the client of this profile".into(),
        ),
        NoQuotaAnswer::Status { host, status } => {
            ("quota/no_answer", format!(", and {host} answered {}", status.as_u16()), later.into())
        }
        NoQuotaAnswer::Malformed { host } => (
            "quota/no_answer",
            format!(", and what {host} answered says neither yes nor no"),
            "check quota.endpoint, or tell your administrator".into(),
        ),
    };
    Failure::new(Exit::OverQuota, slug, format!("the quota service must be asked first{what}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hint::Invocation, quota::QuotaUsage, text::UntrustedText};

    /// 2027-01-15, eight in the morning.
    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn refusal(reason: &str, scope: QuotaPeriod) -> QuotaError {
        let usage = QuotaUsage { monthly_percent: Some(103.0), ..QuotaUsage::default() };
        QuotaError::Denied(Box::new(QuotaDenied {
            reason: UntrustedText::new(reason),
            message: UntrustedText::new("Contact\u{1b} FinOps"),
            usage: Some(usage),
            policy: Some(UntrustedText::new("group engineering")),
            period: scope,
        }))
    }

    fn told(denied: QuotaError) -> String {
        Failure::from_quota_error(denied, NOW).render(&Invocation::default())
    }

    #[test]
    fn a_refusal_says_usage_limit_reset_and_whom_to_ask() {
        assert_eq!(
            told(refusal("monthly_exceeded", QuotaPeriod::Month)),
            "bedrock-sso: this month's quota is used up: 103 % of this month's tokens (limit of group engineering); \
             Contact\\u{1b} FinOps [quota/monthly_exceeded]\n  hint: it begins anew in 16 days; until then ask your \
             administrator for more, nobody has to sign in again\n"
        );
        assert!(told(refusal("daily_exceeded", QuotaPeriod::Day)).contains("begins anew in 16 h;"));
    }

    #[test]
    fn a_reason_that_is_no_word_does_not_become_a_slug() {
        assert!(told(refusal("Odd Reason]", QuotaPeriod::NotPeriodic)).contains("[quota/refused]"));
        assert!(told(refusal("missing_identity", QuotaPeriod::NotPeriodic)).contains("[quota/missing_identity]"));
    }
}
