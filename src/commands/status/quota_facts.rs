//! What `status` shows of the quota service's latest answer: how much is used, and whether it has denied the user.

use serde::Serialize;

use super::{fact_sheet::StatusFact, utc_time::UtcTime};
use crate::{
    cache::CredentialsNotes,
    commands::color::Tone,
    host::{Environment, format_local_time},
    quota::{QuotaPeriod, QuotaUsage, StoredDenial},
    text::sanitize_line,
    time::Timestamp,
};

/// The part `quota` of the JSON document: the usage as the service reported it, and the denial if there is one.
#[derive(Serialize)]
pub(super) struct StatusQuota {
    #[serde(flatten)]
    usage: Option<QuotaUsage>,
    /// Omitted unless the service has denied the last request, and the denial can still hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<StatusDenial>,
}

#[derive(Serialize)]
struct StatusDenial {
    /// An administrator has blocked the user; otherwise a limit is reached, or the user is unknown.
    blocked: bool,
    reason: String,
    /// The service's own sentence, which says whom to ask.
    message: String,
    /// For whom the limit is.
    policy: Option<String>,
    at: UtcTime,
    until: Option<UtcTime>,
    #[serde(skip)]
    period: QuotaPeriod,
}

impl StatusQuota {
    /// `None` if the service has reported nothing.
    pub(super) fn from_notes(notes: &CredentialsNotes, now: Timestamp) -> Option<Self> {
        let denied = notes.denial.clone().filter(|denial| denial.holds_at(now)).map(StatusDenial::new);
        let usage = notes.usage.clone();
        (usage.is_some() || denied.is_some()).then_some(Self { usage, denied })
    }

    pub(super) fn is_denied(&self) -> bool {
        self.denied.is_some()
    }

    /// The denial first, because it is why nothing works.
    pub(super) fn to_facts(&self, environment: &Environment) -> Vec<StatusFact> {
        let mut facts = Vec::new();
        if let Some(denied) = &self.denied {
            facts.push(StatusFact::new("Quota", denied.describe(environment)).with_tone(Tone::Bad));
            if !denied.message.is_empty() {
                facts.push(StatusFact::new("", sanitize_line(&denied.message)));
            }
        }
        if let Some((usage, shares)) = self.usage.as_ref().and_then(|usage| Some((usage, usage.describe_shares()?))) {
            let tone = if usage.is_almost_spent() { Tone::Warning } else { Tone::Plain };
            facts.push(StatusFact::new(if facts.is_empty() { "Quota" } else { "" }, shares).with_tone(tone));
        }
        facts
    }
}

impl StatusDenial {
    fn new(denial: StoredDenial) -> Self {
        let period = denial.period();
        let StoredDenial { at, reason, message, policy, until } = denial;
        let (at, until) = (UtcTime(at), until.map(UtcTime));
        Self { blocked: period == QuotaPeriod::Blocked, reason, message, policy, at, until, period }
    }

    fn describe(&self, environment: &Environment) -> String {
        let until = self.until.map(|until| format_local_time(until.0, environment));
        match (self.period, until) {
            (QuotaPeriod::Blocked, Some(until)) => format!("you are blocked until {until}"),
            (QuotaPeriod::Blocked, None) => "you are blocked until an administrator ends it".to_owned(),
            (QuotaPeriod::Hour | QuotaPeriod::Day | QuotaPeriod::Month, Some(until)) => {
                format!("used up until {until}")
            }
            (QuotaPeriod::Hour, None) => "used up for this hour".to_owned(),
            (QuotaPeriod::Day, None) => "used up for today".to_owned(),
            (QuotaPeriod::Month, None) => "used up for this month".to_owned(),
            (QuotaPeriod::NotPeriodic, _) => format!("denied ({})", sanitize_line(&self.reason)),
        }
    }
}
