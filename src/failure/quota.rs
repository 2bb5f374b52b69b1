//! Messages and hints for the quota service: it denied the user, or it gave no usable answer.
//!
//! Every one of these failures ends with exit code 8. `quota` asks the service and reads the answer. A failed answer
//! arises here only with `quota.on_error = "deny"`, because otherwise the program goes on without an approval.

use std::time::Duration;

use crate::{
    config::Profile,
    failure::{Exit, Failure},
    host::{Environment, format_local_time},
    quota::{NoQuotaAnswer, ProofMethod, QuotaDenied, QuotaError, QuotaPeriod},
    text::sanitize_line,
    time::{Timestamp, format_duration},
};

impl Failure {
    /// `now` is the time of the answer. A stored failure is shown later, and its time until the reset was computed from
    /// then.
    pub fn from_quota_error(error: QuotaError, now: Timestamp) -> Self {
        match error {
            QuotaError::Denied(refusal) => describe_exceeded_quota(&refusal, now),
            QuotaError::NoAnswer(silence) => describe_missing_answer(silence, "the required quota check failed"),
        }
    }

    /// The service did not report the user's limits.
    pub fn from_missing_overview(silence: NoQuotaAnswer) -> Self {
        describe_missing_answer(silence, "your limits are unknown")
    }

    /// The profile names no quota service, so there is nothing to show.
    pub fn from_missing_quota_service(profile: &Profile) -> Self {
        let what = format!("the profile \"{}\" names no quota service", sanitize_line(&profile.name));
        let hint = "nothing here limits what you spend; an administrator can set quota.endpoint";
        Self::new(Exit::Configuration, "config/no_quota_service", what, hint)
    }
}

/// The service denied the user. The message has all facts that the administrator needs to raise a limit: how much was
/// used, which limit it was, and the service's own sentence. Its texts are foreign and are escaped.
fn describe_exceeded_quota(refusal: &QuotaDenied, now: Timestamp) -> Failure {
    let QuotaDenied { reason, message, usage, policy, period, resets_at } = refusal;
    let mut what = match period {
        QuotaPeriod::Hour => "this hour's quota is used up".to_owned(),
        QuotaPeriod::Blocked => "your administrator has blocked you".to_owned(),
        QuotaPeriod::Day => "today's quota is used up".to_owned(),
        QuotaPeriod::Month => "this month's quota is used up".to_owned(),
        QuotaPeriod::NotPeriodic => format!("the quota service denied access ({})", reason.to_safe_line()),
    };
    if let Some(usage) = usage.as_ref().and_then(crate::quota::QuotaUsage::describe_shares) {
        what.push_str(&format!(": {usage}"));
    }
    if let Some(policy) = policy {
        what.push_str(&format!(", limit of {}", policy.to_safe_line()));
    }
    if !message.is_empty() {
        what.push_str(&format!("; {}", message.to_safe_line()));
    }
    // A new sign-in would not help: the service counts by user, not by session.
    let hint = match resets_at.or_else(|| compute_reset(*period, now)) {
        Some(end) if *period == QuotaPeriod::Blocked => {
            format!(
                "wait until the block ends on {}, or ask your administrator",
                format_local_time(end, &Environment::Process)
            )
        }
        Some(reset) => {
            let (span, at) = (format_days(reset.duration_since(now)), format_local_time(reset, &Environment::Process));
            format!("wait {span} until the quota resets on {at}, or ask your administrator for more")
        }
        None => "ask your administrator, and show them this message".to_owned(),
    };
    Failure::new(Exit::OverQuota, slug_from_reason(&reason.to_safe_line()), what, hint)
}

/// The service's reason as a slug, such as `quota/monthly_exceeded`, so that scripts can distinguish a limit from a
/// missing permission. A reason that is not one lower-case word becomes `quota/refused`: a slug must stay easy to
/// search for, and foreign text could otherwise imitate another slug.
fn slug_from_reason(reason: &str) -> String {
    let is_word =
        (1..=40).contains(&reason.len()) && reason.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
    format!("quota/{}", if is_word { reason } else { "refused" })
}

/// When the next day or month begins in UTC, because AWS's guidance sample counts in UTC. `None` if the limit has no
/// such period.
fn compute_reset(period: QuotaPeriod, now: Timestamp) -> Option<Timestamp> {
    use chrono::{Datelike as _, Days, Months, NaiveTime};
    let today = now.to_utc().date_naive();
    let begins = match period {
        QuotaPeriod::Day => today.checked_add_days(Days::new(1))?,
        QuotaPeriod::Month => today.with_day(1)?.checked_add_months(Months::new(1))?,
        // A service that has hours and blocks says when they end.
        QuotaPeriod::Hour | QuotaPeriod::Blocked | QuotaPeriod::NotPeriodic => return None,
    };
    Some(Timestamp::from_unix(begins.and_time(NaiveTime::MIN).and_utc().timestamp()))
}

/// Whole days for a long span.
fn format_days(span: Duration) -> String {
    let days = span.as_secs() / 86_400;
    if days > 1 { format!("{days} days") } else { format_duration(span) }
}

/// The profile requires an approval, and the service gave none. A network failure has its own hint, since the user may
/// be able to solve it. Everything else is for the administrator of the service.
fn describe_missing_answer(silence: NoQuotaAnswer, subject: &str) -> Failure {
    let later = "try again in a minute; if it fails again, ask your administrator";
    let (slug, what, hint) = match silence {
        NoQuotaAnswer::Network(error) => {
            let Failure { what, hint, .. } = error.into();
            ("quota/no_answer", what, hint)
        }
        NoQuotaAnswer::Timeout { host, seconds } => {
            ("quota/no_answer", format!("{host} did not answer within {seconds} s"), later.into())
        }
        NoQuotaAnswer::Unauthorized { host, status, method } => {
            let hint = match method {
                ProofMethod::IdToken => {
                    "ask your administrator to make the service trust this profile's issuer and client"
                }
                // API Gateway refuses a role without execute-api:Invoke, a signature for another region, and an old one.
                ProofMethod::Signature => {
                    "check this computer's clock, then ask your administrator to let your permission set call the service"
                }
            };
            let what = format!("{host} does not accept your sign-in (HTTP status {})", status.as_u16());
            ("quota/unwelcome", what, hint.into())
        }
        NoQuotaAnswer::Status { host, status } => {
            ("quota/no_answer", format!("{host} answered with HTTP status {}", status.as_u16()), later.into())
        }
        NoQuotaAnswer::Malformed { host } => (
            "quota/no_answer",
            format!("the answer of {host} neither allows nor denies access"),
            "check quota.endpoint, or ask your administrator".into(),
        ),
    };
    Failure::new(Exit::OverQuota, slug, format!("{subject}: {what}"), hint)
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
            resets_at: None,
        }))
    }

    fn render(denied: QuotaError) -> String {
        Failure::from_quota_error(denied, NOW).render(&Invocation::default())
    }

    #[test]
    fn denied_quota_names_usage_limit_and_reset() {
        let reset = format_local_time(Timestamp::from_unix(1_801_440_000), &Environment::Process);
        let expected = format!(
            "bedrock-sso: this month's quota is used up: 103 % of the tokens this month, limit of group engineering; \
             Contact\\u{{1b}} FinOps [quota/monthly_exceeded]\n  hint: wait 16 days until the quota resets on {reset}, \
             or ask your administrator for more\n"
        );
        assert_eq!(render(refusal("monthly_exceeded", QuotaPeriod::Month)), expected);
        assert!(render(refusal("daily_exceeded", QuotaPeriod::Day)).contains("wait 16 h until"));
    }

    #[test]
    fn reason_that_is_not_one_word_is_not_used_as_slug() {
        assert!(render(refusal("Odd Reason]", QuotaPeriod::NotPeriodic)).contains("[quota/refused]"));
        assert!(render(refusal("missing_identity", QuotaPeriod::NotPeriodic)).contains("[quota/missing_identity]"));
    }
}
