//! What follows when usage has grown: people over a limit are marked and refused in AWS, notices are sent, and names that
//! nobody has proven are reported.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bedrock_sso::{log, time::Timestamp};
use tokio::{sync::Notify, task::JoinSet, time::sleep};

use crate::{
    aws_calls::{AwsClient, FunctionName},
    calendar::{Calendar, Period},
    config::GroupRule,
    dashboard_metrics::DashboardMetrics,
    enforcement::{EnforcementError, EnforcementInputs, EnforcementOutcome, EnforcementReport, Enforcer},
    ingest::DeliveredPeople,
    name_alarms::{NameAlarms, NameFault},
    notices::{DueNotice, Notifier, find_due_notices},
    person::Person,
    standing::{Verdict, current_periods, evaluate},
    store::{Store, StoreError, StoreResult},
};

/// How many people are evaluated at a time.
const MAX_CONCURRENT: usize = 8;

/// How often the policies are compared with the store, even if nobody has asked for it: blocks and grants end, and other
/// processes change the store.
const ENFORCEMENT_INTERVAL: Duration = Duration::from_secs(60);

/// The pause before another attempt, while another process has the lease.
const BUSY_PAUSE: Duration = Duration::from_millis(250);

/// How often an attempt is repeated. After an error the next regular run does the work.
const MAX_ATTEMPTS: usize = 100;

/// Watches the people whose usage grows.
#[derive(Debug)]
pub struct UsageWatch {
    pub store: Arc<dyn Store>,
    pub calendar: Calendar,
    pub group_rule: GroupRule,
    pub names: NameAlarms,
    /// Whether tokens can name anybody. Without an issuer, nobody has a verified token.
    pub expects_tokens: bool,
    /// `None` if nobody is notified.
    pub notifier: Option<Notifier>,
    /// `None` if nobody is refused in AWS.
    pub enforcement: Option<Enforcement>,
    /// `None` if no dashboard gets the numbers of the runs.
    pub metrics: Option<DashboardMetrics>,
    pub now: fn() -> Timestamp,
}

/// Refusals in AWS, and how this process causes them.
#[derive(Debug)]
pub struct Enforcement {
    /// `None` without credentials: then this process only wakes another one.
    pub enforcer: Option<Enforcer>,
    pub waker: EnforcementWaker,
}

/// How a run of the enforcement is caused.
#[derive(Debug)]
pub enum EnforcementWaker {
    /// The loop of this process runs it.
    Loop(Notify),
    /// A function runs it.
    Function { aws: Box<AwsClient>, function: FunctionName },
    /// Another process runs it, each minute.
    Schedule,
}

/// How soon the policies follow a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeOutcome {
    /// Nobody is refused in AWS.
    NoEnforcement,
    /// A run follows at once.
    Woken,
    /// The next regular run sees the change.
    WithinAMinute,
}

/// Whom a change by an administrator may refuse although they call nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AffectedPeople {
    These(BTreeSet<Person>),
    /// Everybody who has used something this month, and these, who may have used nothing: a limit of zero is reached
    /// before the first call.
    AllAnd(BTreeSet<Person>),
}

impl UsageWatch {
    /// Marks people who have reached a limit, causes a run of the enforcement for them, and returns the notices that are
    /// due. If it fails, the caller repeats it.
    pub async fn review(self: &Arc<Self>, people: &DeliveredPeople) -> StoreResult<Vec<DueNotice>> {
        self.review_people(people, NameCheck::Report).await
    }

    /// Marks those who are over a limit that was lowered just now. Without it, their next call would do so.
    pub async fn review_after_change(self: &Arc<Self>, affected: AffectedPeople) -> StoreResult<()> {
        if self.enforcement.is_none() {
            return Ok(());
        }
        let all = match affected {
            AffectedPeople::These(people) => people,
            AffectedPeople::AllAnd(mut people) => {
                let month = self.calendar.key_of(Period::Month, (self.now)());
                people.extend(self.store.list_usage(&month).await?.into_iter().map(|(person, _)| person));
                people
            }
        };
        self.review_people(&DeliveredPeople { all, ..DeliveredPeople::default() }, NameCheck::Skip).await.map(|_| ())
    }

    async fn review_people(
        self: &Arc<Self>,
        people: &DeliveredPeople,
        name_check: NameCheck,
    ) -> StoreResult<Vec<DueNotice>> {
        let needs_standing = self.enforcement.is_some() || self.notifier.is_some();
        let is_unproven = |person: &Person| self.expects_tokens && !self.names.is_proven(person);
        let mut waiting = people.all.iter().filter(|person| needs_standing || is_unproven(person));
        let mut tasks = JoinSet::new();
        let (mut due, mut is_anybody_refused) = (Vec::new(), false);
        loop {
            while tasks.len() < MAX_CONCURRENT
                && let Some(person) = waiting.next()
            {
                let (watch, person) = (Arc::clone(self), person.clone());
                let name_check = if people.assigned.contains(&person) { NameCheck::AssignedByAws } else { name_check };
                tasks.spawn(async move { watch.review_person(&person, name_check).await });
            }
            let Some(reviewed) = tasks.join_next().await else { break };
            let failed = |error| StoreError::Unavailable(format!("a task has failed: {error}"));
            let reviewed = reviewed.map_err(failed)??;
            due.extend(reviewed.due);
            is_anybody_refused |= reviewed.is_refused;
        }
        if is_anybody_refused {
            self.wake_enforcement().await;
        }
        Ok(due)
    }

    async fn review_person(&self, person: &Person, name_check: NameCheck) -> StoreResult<ReviewedPerson> {
        let now = (self.now)();
        let account = self.store.load_account(person, &current_periods(&self.calendar, now)).await?;
        match (account.record.is_some(), name_check) {
            (true, _) | (_, NameCheck::AssignedByAws) => self.names.remember_proven(person),
            (false, NameCheck::Report) if self.expects_tokens => {
                self.report_name(person, &NameFault::NoVerifiedToken).await;
            }
            (false, NameCheck::Report | NameCheck::Skip) => {}
        }
        let standing = evaluate(&account, &self.calendar, self.group_rule, now)?;
        let mut is_refused = false;
        if let (Some(_), Some(limit)) = (&self.enforcement, standing.find_spent_limit()) {
            // Also during a grant or a block: no call may follow that would mark the person after it.
            self.store.mark_over_limit(person, limit.resets_at).await?;
            is_refused = matches!(standing.verdict(), Verdict::LimitReached(_));
        }
        let due = match &self.notifier {
            Some(_) => find_due_notices(person, &standing, &self.calendar, now),
            None => Vec::new(),
        };
        Ok(ReviewedPerson { due, is_refused })
    }

    /// Sends those of the notices that nobody else has sent. The usage is counted already, so nothing fails if a notice
    /// does.
    pub async fn send_notices(&self, due: Vec<DueNotice>) {
        let Some(notifier) = &self.notifier else { return };
        if let Err(error) = notifier.send_new(self.store.as_ref(), due).await {
            log::warn("notices", format_args!("a notice may be missing: {error:?}"));
        }
    }

    /// Reports a name. No answer depends on it, so a store that fails only costs the count.
    pub async fn report_name(&self, person: &Person, fault: &NameFault) {
        if let Err(error) = self.names.report(self.store.as_ref(), person, fault, (self.now)()).await {
            log::warn("names", format_args!("a fault of {person} is not counted: {error:?}"));
        }
    }

    /// Makes the policies follow what the store says now.
    pub async fn wake_enforcement(&self) -> WakeOutcome {
        match self.enforcement.as_ref().map(|enforcement| &enforcement.waker) {
            None => WakeOutcome::NoEnforcement,
            Some(EnforcementWaker::Schedule) => WakeOutcome::WithinAMinute,
            Some(EnforcementWaker::Loop(notify)) => {
                notify.notify_one();
                WakeOutcome::Woken
            }
            Some(EnforcementWaker::Function { aws, function }) => {
                match aws.invoke_function(function, r#"{"wake":true}"#).await {
                    Ok(()) => WakeOutcome::Woken,
                    Err(error) => {
                        log::warn("enforcement", format_args!("the enforcement runs within a minute only: {error}"));
                        WakeOutcome::WithinAMinute
                    }
                }
            }
        }
    }

    /// Runs the enforcement. While another process does so, it waits: what that process has read may be older than what
    /// this run is for.
    pub async fn enforce(&self) -> Result<EnforcementReport, EnforcementError> {
        let enforcer = self.enforcement.as_ref().and_then(|enforcement| enforcement.enforcer.as_ref());
        let Some(enforcer) = enforcer else { return Ok(EnforcementReport::default()) };
        for _ in 0..MAX_ATTEMPTS {
            let inputs = EnforcementInputs {
                store: Arc::clone(&self.store),
                calendar: self.calendar.clone(),
                group_rule: self.group_rule,
                now: (self.now)(),
            };
            match enforcer.enforce(&inputs).await? {
                EnforcementOutcome::Done(report) => {
                    let EnforcementReport { refused, written, .. } = report;
                    log::info("enforcement", format_args!("{refused} people are refused, {written} policies written"));
                    if let Some(metrics) = &self.metrics {
                        metrics.publish(&inputs, &report).await;
                    }
                    return Ok(report);
                }
                // The other process reports no event when it gives the lease back.
                EnforcementOutcome::Busy => sleep(BUSY_PAUSE).await,
            }
        }
        Err(EnforcementError::Busy)
    }

    /// Runs the enforcement now, when it is woken, and each minute.
    pub async fn enforce_in_loop(&self) {
        let Some(Enforcement { waker: EnforcementWaker::Loop(notify), .. }) = &self.enforcement else { return };
        loop {
            if let Err(error) = self.enforce().await {
                log::warn("enforcement", format_args!("the policies may not refuse whom they should: {error}"));
            }
            tokio::select! {
                () = notify.notified() => {}
                // What ends at its time wakes nobody.
                () = sleep(ENFORCEMENT_INTERVAL) => {}
            }
        }
    }
}

/// What is done about a name that no token has proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameCheck {
    Report,
    /// IAM Identity Center has named the session, so nothing.
    AssignedByAws,
    /// Nobody has spent anything now.
    Skip,
}

/// What has followed from one person's usage.
struct ReviewedPerson {
    due: Vec<DueNotice>,
    is_refused: bool,
}
