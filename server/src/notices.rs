//! Notices about limits that are nearly spent or spent, for a webhook and a topic of SNS: one for each person, threshold and
//! period.
//!
//! The store grants the right to send a notice once, so several servers and functions do not send it twice.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::http::{Request, header};
use bedrock_sso::{http::Client, log, time::Timestamp, url::SecureUrl};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    aws_calls::{AwsClient, TopicArn},
    calendar::{Calendar, Period},
    check_answer::describe_share,
    config::Config,
    limits::{Action, Scope},
    person::Person,
    standing::{LimitStanding, Standing},
    store::{Store, StoreResult},
};

/// The shares of a limit of which somebody is notified, in percent.
const THRESHOLDS: [u8; 2] = [100, 80];

/// The pauses between the attempts to send a notice.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// How many names of notices are remembered in memory, so that the store is not asked again for each delivery.
const MAX_REMEMBERED: usize = 100_000;

/// A notice as it is sent. `text` is what chat programs show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notice {
    version: u32,
    pub person: Person,
    /// In percent.
    pub threshold: u8,
    pub period: Period,
    action: Action,
    resets_at: String,
    pub text: String,
}

/// A notice with the name under which it is claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct DueNotice {
    pub notice: Notice,
    /// The name of this notice and of those for lower thresholds, which are not sent after it.
    names: Vec<String>,
    resets_at: Timestamp,
}

/// Sends notices to the configured places.
pub struct Notifier {
    /// It leaves paths out of the log, because that of a webhook is often a secret.
    client: Client,
    webhook: Option<SecureUrl>,
    topic: Option<(AwsClient, TopicArn)>,
    /// Names of notices that this or another process has claimed.
    claimed: Mutex<HashSet<String>>,
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let webhook = self.webhook.as_ref().map(SecureUrl::authority);
        let topic = self.topic.as_ref().map(|(_, topic)| topic);
        f.debug_struct("Notifier").field("webhook", &webhook).field("topic", &topic).finish_non_exhaustive()
    }
}

/// The notices that a person's usage calls for: for each period, of the limit of which the largest share is used.
pub fn find_due_notices(person: &Person, standing: &Standing, calendar: &Calendar, now: Timestamp) -> Vec<DueNotice> {
    let mut nearest: BTreeMap<Period, (&LimitStanding, f64)> = BTreeMap::new();
    for limit in &standing.limits {
        if let Some(percent) = limit.percent()
            && nearest.get(&limit.period).is_none_or(|(_, other)| percent > *other)
        {
            nearest.insert(limit.period, (limit, percent));
        }
    }
    let due = nearest.into_values().filter_map(|(limit, percent)| {
        let passed: Vec<u8> = THRESHOLDS.into_iter().filter(|threshold| percent >= f64::from(*threshold)).collect();
        let key = calendar.key_of(limit.period, now);
        Some(DueNotice {
            notice: Notice::new(person, limit, *passed.first()?, calendar),
            names: passed.iter().map(|threshold| format!("{person} {threshold} {key}")).collect(),
            resets_at: limit.resets_at,
        })
    });
    due.collect()
}

impl Notice {
    fn new(person: &Person, limit: &LimitStanding, threshold: u8, calendar: &Calendar) -> Self {
        let effect = match (limit.refuses(), limit.action) {
            (true, _) => ", and is refused",
            (false, Action::Block) => "",
            (false, Action::Warn) => ". The limit only warns",
        };
        let share = describe_share(limit);
        let scope = match &limit.scope {
            Scope::Person(_) => "their own limit".to_owned(),
            Scope::Group(group) => format!("the limit of group {group}"),
            Scope::Default => "the default limit".to_owned(),
        };
        let reset = calendar.describe(limit.resets_at);
        Self {
            version: 1,
            person: person.clone(),
            threshold,
            period: limit.period,
            action: limit.action,
            resets_at: limit.resets_at.to_string(),
            text: format!("{person} has used {share} ({scope}){effect}. It resets on {reset}."),
        }
    }
}

impl Notifier {
    /// `None` if the configuration names no place.
    pub fn from_config(config: &Config, client: &Client, aws: Option<&AwsClient>) -> Option<Self> {
        let webhook = config.webhook.clone();
        let topic = aws.cloned().zip(config.topic.clone());
        let is_needed = webhook.is_some() || topic.is_some();
        is_needed.then(|| Self { client: client.with_hidden_paths(), webhook, topic, claimed: Mutex::default() })
    }

    /// Sends those of the notices that nobody else has sent.
    pub async fn send_new(&self, store: &dyn Store, notices: Vec<DueNotice>) -> StoreResult<()> {
        for due in notices {
            if self.claim(store, &due).await? {
                self.send(&due.notice).await;
            }
        }
        Ok(())
    }

    /// Whether this process may send the notice. Notices for lower thresholds are claimed with it.
    async fn claim(&self, store: &dyn Store, due: &DueNotice) -> StoreResult<bool> {
        let mut is_ours = false;
        for (rank, name) in due.names.iter().enumerate() {
            if self.is_remembered(name) {
                continue;
            }
            let claimed = store.claim_notice(name, due.resets_at).await?;
            is_ours |= claimed && rank == 0;
            self.remember(name);
        }
        Ok(is_ours)
    }

    fn is_remembered(&self, name: &str) -> bool {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn remember(&self, name: &str) {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        // The store still knows the names.
        if claimed.len() >= MAX_REMEMBERED {
            claimed.clear();
        }
        claimed.insert(name.to_owned());
    }

    /// Sends a notice to each place. One place that fails does not hinder the other.
    async fn send(&self, notice: &Notice) {
        tokio::join!(self.send_to_webhook(notice), self.publish(notice));
    }

    async fn publish(&self, notice: &Notice) {
        let Some((aws, topic)) = &self.topic else { return };
        let threshold = notice.threshold.to_string();
        let attributes = [
            ("person", notice.person.as_str()),
            ("threshold", &threshold),
            ("period", notice.period.name()),
            ("action", notice.action.name()),
        ];
        let subject = format!("Bedrock limit: {} at {threshold} %", notice.person);
        // The calls of AWS have attempts of their own.
        if let Err(error) = aws.publish(topic, &subject, &notice.text, &attributes).await {
            report_lost(notice, &error.to_string());
        }
    }

    /// Posts a notice, with up to three attempts.
    async fn send_to_webhook(&self, notice: &Notice) {
        let Some(webhook) = &self.webhook else { return };
        let mut pauses = RETRY_PAUSES.into_iter();
        loop {
            let fault = match self.post(webhook, notice).await {
                Ok(()) => return,
                Err(fault) => fault,
            };
            let Some(pause) = pauses.next() else {
                return report_lost(notice, &fault);
            };
            // The receiver may be busy or restarting: it gets some time before the next attempt.
            sleep(pause).await;
        }
    }

    async fn post(&self, webhook: &SecureUrl, notice: &Notice) -> Result<(), String> {
        let body = serde_json::to_vec(notice).map_err(|error| error.to_string())?;
        let request = Request::post(webhook.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| error.to_string())?;
        let answer = self.client.send(request).await.map_err(|error| format!("{error:?}"))?;
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(format!("the webhook answered with HTTP status {}", answer.status.as_u16())),
        }
    }
}

fn report_lost(notice: &Notice, fault: &str) {
    let Notice { person, threshold, .. } = notice;
    log::warn("notices", format_args!("a notice of {threshold} % for {person} is lost: {fault}"));
}
