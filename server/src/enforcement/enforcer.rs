//! One run of the enforcement: from the store's blocks, marks and limits to the policies in IAM.

use std::{fmt, sync::Arc, time::Duration};

use bedrock_sso::{host, log, time::Timestamp};
use serde::Serialize;
use tokio::{task::JoinSet, time::timeout};

use super::{
    bans::{ModelBan, find_model_bans, needs_people},
    document::is_expressible,
    plan::{DesiredRefusals, EnforcementPlan, Refusal, RefusalCause, plan_policies},
};
use crate::{
    aws_calls::{AwsCallError, AwsClient, PolicyArn, PolicyVersion},
    calendar::Calendar,
    config::GroupRule,
    standing::{Standing, Verdict, current_periods, evaluate},
    store::{OverLimitMark, Store, StoreError, StoreResult},
};

/// Who has this lease writes the policies.
const LEASE: &str = "enforcement";

/// How long a lease lasts that nobody gives back, because the process was ended.
const LEASE_TIME: Duration = Duration::from_secs(60);
/// How long a run may take. It is shorter than the lease, so that nobody else writes at the same time.
const RUN_DEADLINE: Duration = Duration::from_secs(45);

/// IAM stores five versions of a policy. One place stays free for CloudFormation, and one is for the next version.
const VERSIONS_BEFORE_A_WRITE: usize = 3;

/// How many people are evaluated at a time.
const MAX_CONCURRENT: usize = 16;

/// Writes the policies of refused people. It touches nothing but the policies that it was given.
#[derive(Clone, Debug)]
pub struct Enforcer {
    aws: AwsClient,
    policies: Vec<PolicyArn>,
}

/// What decides who is refused.
#[derive(Clone, Debug)]
pub struct EnforcementInputs {
    pub store: Arc<dyn Store>,
    pub calendar: Calendar,
    pub group_rule: GroupRule,
    pub now: Timestamp,
}

/// What a run has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnforcementOutcome {
    Done(EnforcementReport),
    /// Another process does it at this moment. What it has not seen yet needs another run.
    Busy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EnforcementReport {
    /// People whom the policies refuse.
    pub refused: usize,
    /// People whom an administrator has blocked.
    pub blocked: usize,
    /// People for whom the policies have no room.
    pub left_out: usize,
    /// Policies that were written.
    pub written: usize,
}

/// Why a run has failed. The policies then say what they said before, or a part of what they should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnforcementError {
    Store(StoreError),
    Aws(AwsCallError),
    /// Another process does not come to an end.
    Busy,
    Deadline,
}

impl fmt::Display for EnforcementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "the store gives no answer: {error:?}"),
            Self::Aws(error) => error.fmt(f),
            Self::Busy => f.write_str("another process has been writing the policies for a long time"),
            Self::Deadline => write!(f, "it took longer than {} s", RUN_DEADLINE.as_secs()),
        }
    }
}

impl std::error::Error for EnforcementError {}

impl From<StoreError> for EnforcementError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AwsCallError> for EnforcementError {
    fn from(error: AwsCallError) -> Self {
        Self::Aws(error)
    }
}

/// A policy as it is now.
struct PolicyState {
    arn: PolicyArn,
    versions: Vec<PolicyVersion>,
    document: String,
}

impl Enforcer {
    pub fn new(aws: AwsClient, policies: Vec<PolicyArn>) -> Self {
        Self { aws, policies }
    }

    /// Makes the policies refuse whom they should, unless another process does so at this moment.
    pub async fn enforce(&self, inputs: &EnforcementInputs) -> Result<EnforcementOutcome, EnforcementError> {
        let EnforcementInputs { store, now, .. } = inputs;
        let holder = create_holder();
        if !store.acquire_lease(LEASE, &holder, *now, now.saturating_add(LEASE_TIME)).await? {
            return Ok(EnforcementOutcome::Busy);
        }
        let report = timeout(RUN_DEADLINE, self.run(inputs)).await.unwrap_or(Err(EnforcementError::Deadline));
        // A lease that stays ends soon.
        if let Err(error) = store.release_lease(LEASE, &holder).await {
            log::info("enforcement", format_args!("the lease stays for a minute: {error:?}"));
        }
        report.map(EnforcementOutcome::Done)
    }

    async fn run(&self, inputs: &EnforcementInputs) -> Result<EnforcementReport, EnforcementError> {
        let desired = find_desired_refusals(inputs).await?;
        let policies = self.read_policies().await?;
        let documents: Vec<String> = policies.iter().map(|policy| policy.document.clone()).collect();
        let partition = self.policies.first().map_or("aws", PolicyArn::partition);
        let plan = plan_policies(&documents, &desired, partition);
        for write in &plan.writes {
            if let Some(policy) = policies.get(write.policy) {
                self.write_policy(policy, &write.document).await?;
            }
        }
        report_missing_room(&plan);
        let refused = desired.count_people();
        let left_out = plan.left_out.len();
        Ok(EnforcementReport {
            refused: refused.saturating_sub(left_out),
            blocked: desired.count_blocked(),
            left_out,
            written: plan.writes.len(),
        })
    }

    /// Reads all policies at the same time. One that does not exist is left out, and the others do its work.
    async fn read_policies(&self) -> Result<Vec<PolicyState>, AwsCallError> {
        let mut tasks = JoinSet::new();
        for (place, arn) in self.policies.iter().cloned().enumerate() {
            let aws = self.aws.clone();
            tasks.spawn(async move { (place, read_policy(&aws, arn).await) });
        }
        let mut found = tasks.join_all().await;
        found.sort_by_key(|(place, _)| *place);
        let mut policies = Vec::new();
        let mut absent = None;
        for (_, policy) in found {
            match policy {
                Ok(policy) => policies.push(policy),
                Err(error) if error.has_code("NoSuchEntity") => {
                    log::warn("enforcement", format_args!("a policy is missing: {error}"));
                    absent = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match absent {
            Some(error) if policies.is_empty() => Err(error),
            _ => Ok(policies),
        }
    }

    async fn write_policy(&self, policy: &PolicyState, document: &str) -> Result<(), AwsCallError> {
        self.delete_old_versions(policy, &policy.versions).await?;
        match self.aws.create_policy_version(&policy.arn, document).await {
            // A version that was written although its answer got lost, or by another hand.
            Err(error) if error.has_code("LimitExceeded") => {
                let versions = self.aws.list_policy_versions(&policy.arn).await?;
                self.delete_old_versions(policy, &versions).await?;
                self.aws.create_policy_version(&policy.arn, document).await
            }
            settled => settled,
        }
    }

    async fn delete_old_versions(&self, policy: &PolicyState, versions: &[PolicyVersion]) -> Result<(), AwsCallError> {
        let surplus = versions.len().saturating_sub(VERSIONS_BEFORE_A_WRITE);
        for version in versions.iter().filter(|version| !version.is_default).take(surplus) {
            match self.aws.delete_policy_version(&policy.arn, version).await {
                Err(error) if !error.has_code("NoSuchEntity") => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

async fn read_policy(aws: &AwsClient, arn: PolicyArn) -> Result<PolicyState, AwsCallError> {
    let versions = aws.list_policy_versions(&arn).await?;
    let document = match versions.iter().find(|version| version.is_default) {
        Some(version) => aws.get_policy_document(&arn, version).await?,
        // IAM always has one. An empty document is replaced.
        None => String::new(),
    };
    Ok(PolicyState { arn, versions, document })
}

/// Who should be refused now. People who were marked, and may spend, lose their mark.
async fn find_desired_refusals(inputs: &EnforcementInputs) -> Result<DesiredRefusals, EnforcementError> {
    let EnforcementInputs { store, now, .. } = inputs;
    let (blocks, marks, limits) =
        tokio::try_join!(store.list_blocks(*now), store.list_over_limit(*now), store.list_model_limits())?;
    let mut refusals: Vec<Refusal> = blocks
        .into_iter()
        .map(|block| Refusal { person: block.person, until: block.until, cause: RefusalCause::Block })
        .collect();
    for (mark, standing) in evaluate_marked(inputs, marks).await? {
        match standing.verdict() {
            Verdict::LimitReached(limit) => {
                let until = Some(limit.resets_at);
                refusals.push(Refusal { person: mark.person, until, cause: RefusalCause::Limit });
            }
            // The limit is still reached, and refuses again when the grant or the block ends before it.
            Verdict::Granted(_) | Verdict::Blocked(_) => {}
            Verdict::WithinLimits | Verdict::NoLimits => {
                store.unmark_over_limit(&mark).await?;
            }
        }
    }
    Ok(DesiredRefusals { refusals, bans: find_bans(inputs, &limits).await? })
}

async fn find_bans(inputs: &EnforcementInputs, limits: &[crate::limits::Limit]) -> StoreResult<Vec<ModelBan>> {
    // Only limits of groups need their members, whom only a list of everybody has.
    let people = if needs_people(limits) { inputs.store.list_people().await? } else { Vec::new() };
    let mut bans = find_model_bans(limits, &people, inputs.group_rule);
    bans.retain(|ban| {
        let is_expressible = is_expressible(&ban.pattern);
        if !is_expressible {
            let pattern = bedrock_sso::text::sanitize_line(&ban.pattern);
            log::warn("enforcement", format_args!("no policy can name the models \"{pattern}\", whose limit is zero"));
        }
        is_expressible
    });
    Ok(bans)
}

async fn evaluate_marked(
    inputs: &EnforcementInputs,
    marks: Vec<OverLimitMark>,
) -> Result<Vec<(OverLimitMark, Standing)>, EnforcementError> {
    let mut tasks = JoinSet::new();
    let mut waiting = marks.into_iter();
    let mut evaluated = Vec::new();
    loop {
        while tasks.len() < MAX_CONCURRENT
            && let Some(mark) = waiting.next()
        {
            let EnforcementInputs { store, calendar, group_rule, now } = inputs.clone();
            tasks.spawn(async move {
                let account = store.load_account(&mark.person, &current_periods(&calendar, now)).await?;
                let standing = evaluate(&account, &calendar, group_rule, now)?;
                Ok::<_, StoreError>((mark, standing))
            });
        }
        let Some(finished) = tasks.join_next().await else { return Ok(evaluated) };
        let finished = finished.map_err(|error| StoreError::Unavailable(format!("a task has failed: {error}")))?;
        evaluated.push(finished?);
    }
}

/// Alarms find these lines by their first words.
fn report_missing_room(plan: &EnforcementPlan) {
    if !plan.left_out.is_empty() {
        let people = plan.left_out.len();
        log::warn("enforcement", format_args!("policies are full: {people} people are refused by /check only"));
    }
    for pattern in &plan.bans_left_out {
        log::warn(
            "enforcement",
            format_args!("policies are full: the limit of zero for {pattern} does not hold for all"),
        );
    }
}

/// A name that no other run has.
fn create_holder() -> String {
    let mut random = [0; 16];
    host::fill_random(&mut random);
    format!("{:032x}", u128::from_ne_bytes(random))
}
