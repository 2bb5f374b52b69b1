//! What a person can do who may not spend any more, or of whom nobody could say so.
//!
//! Who may spend what is for the service; what it answered, for `quota`.

use crate::{
    failure::{Exit, Failure},
    quota::{Denied, Refusal, Scope, Silence},
    time::{Moment, spoken},
};

/// The refusal, and the moment: when a limit begins anew is counted from it.
#[derive(Debug)]
pub struct NotCleared {
    pub denied: Denied,
    pub now: Moment,
}

impl From<NotCleared> for Failure {
    fn from(NotCleared { denied, now }: NotCleared) -> Self {
        match denied {
            Denied::Over(refusal) => over(&refusal, now),
            Denied::NoAnswer(silence) => no_answer(silence),
        }
    }
}

fn over(refusal: &Refusal, now: Moment) -> Failure {
    let Refusal { reason, message, usage, policy, scope } = refusal;
    let mut what = match scope {
        Scope::Day => "today's quota is used up".to_owned(),
        Scope::Month => "this month's quota is used up".to_owned(),
        Scope::None => format!("the quota service says no ({})", reason.line()),
    };
    if let Some(usage) = usage.as_ref().and_then(crate::quota::Usage::spoken) {
        what.push_str(&format!(": {usage}"));
    }
    if let Some(policy) = policy {
        what.push_str(&format!(" (limit of {})", policy.line()));
    }
    if !message.is_empty() {
        what.push_str(&format!("; {}", message.line()));
    }
    let ask = "ask your administrator for more";
    let hint = match anew(*scope, now) {
        Some(span) => format!("it begins anew in {span}; until then {ask}, nobody has to sign in again"),
        None => "ask your administrator, and tell them this line".to_owned(),
    };
    Failure::new(Exit::OverQuota, slug(&reason.line().to_string()), what, hint)
}

/// The service's reason, where it is a word that can stand in a slug.
fn slug(reason: &str) -> String {
    let is_word = (1..=40).contains(&reason.len())
        && reason.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
    format!("quota/{}", if is_word { reason } else { "refused" })
}

/// How long until the next day or month begins, in UTC, by which the service counts.
fn anew(scope: Scope, now: Moment) -> Option<String> {
    use chrono::{Datelike as _, Days, Months, NaiveTime};
    let today = now.to_utc().date_naive();
    let begins = match scope {
        Scope::Day => today.checked_add_days(Days::new(1))?,
        Scope::Month => today.with_day(1)?.checked_add_months(Months::new(1))?,
        Scope::None => return None,
    };
    let begins = Moment::from_unix(begins.and_time(NaiveTime::MIN).and_utc().timestamp());
    let span = begins.since(now);
    let days = span.as_secs() / 86_400;
    Some(if days > 1 { format!("{days} days") } else { spoken(span) })
}

fn no_answer(silence: Silence) -> Failure {
    let later = "try again in a minute; if it stays so, tell your administrator";
    let (slug, what, hint) = match silence {
        Silence::Network(error) => {
            let Failure { what, hint, .. } = error.into();
            ("quota/no_answer", format!("the quota service must be asked first: {what}"), hint)
        }
        Silence::Late { host, seconds } => (
            "quota/no_answer",
            format!("the quota service must be asked first, and {host} gave no answer within {seconds} s"),
            later.to_owned(),
        ),
        Silence::Unwelcome { host, status } => (
            "quota/unwelcome",
            format!(
                "the quota service must be asked first, and {host} does not accept your sign-in ({})",
                status.as_u16()
            ),
            "tell your administrator: the service must trust the issuer and the client of this profile"
                .to_owned(),
        ),
        Silence::Status { host, status } => (
            "quota/no_answer",
            format!("the quota service must be asked first, and {host} answered {}", status.as_u16()),
            later.to_owned(),
        ),
        Silence::Malformed { host } => (
            "quota/no_answer",
            format!(
                "the quota service must be asked first, and what {host} answered says neither yes nor no"
            ),
            "check quota.endpoint, or tell your administrator".to_owned(),
        ),
    };
    Failure::new(Exit::OverQuota, slug, what, hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{quota::Usage, text::Foreign};

    /// 2027-01-15, eight in the morning.
    const NOW: Moment = Moment::from_unix(1_800_000_000);

    fn refusal(reason: &str, scope: Scope) -> Denied {
        let usage = Usage { monthly_percent: Some(103.0), ..Usage::default() };
        Denied::Over(Box::new(Refusal {
            reason: Foreign::new(reason),
            message: Foreign::new("Contact\u{1b} FinOps"),
            usage: Some(usage),
            policy: Some(Foreign::new("group engineering")),
            scope,
        }))
    }

    fn told(denied: Denied) -> String {
        Failure::from(NotCleared { denied, now: NOW }).to_string()
    }

    #[test]
    fn a_refusal_says_usage_limit_reset_and_whom_to_ask() {
        assert_eq!(
            told(refusal("monthly_exceeded", Scope::Month)),
            "bedrock-sso: this month's quota is used up: 103 % of this month's tokens (limit of group engineering); \
             Contact\\u{1b} FinOps [quota/monthly_exceeded]\n  hint: it begins anew in 16 days; until then ask your \
             administrator for more, nobody has to sign in again\n"
        );
        assert!(told(refusal("daily_exceeded", Scope::Day)).contains("begins anew in 16 h;"));
    }

    #[test]
    fn a_reason_that_is_no_word_does_not_become_a_slug() {
        assert!(told(refusal("Odd Reason]", Scope::None)).contains("[quota/refused]"));
        assert!(told(refusal("missing_identity", Scope::None)).contains("[quota/missing_identity]"));
    }
}
