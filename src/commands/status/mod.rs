//! `status`: who is signed in, as what, until when; read from what is kept, without network.
//!
//! It renews nothing and changes nothing; how the facts are laid out is for `sheet`.

mod fact_sheet;

use std::{collections::BTreeMap, time::Duration};

use serde::{Serialize, Serializer};

use super::{
    CommandContext,
    color::{Palette, Tone},
    context::ProfileContext,
    to_json_line, write_stdout,
};
use crate::{
    cache::{DestinationChange, FailureReport, Freshness, LastFailure, Session, assess_credentials},
    config::{self, CallerKind, VariableStatus},
    failure::{Failure, describe_change},
    hint::{Hint, Invocation, NextCommand},
    host::Terminal,
    identity,
    quota::QuotaUsage,
    text::{escape_controls, sanitize_line},
    time::{Timestamp, format_duration},
};
use fact_sheet::{StatusFact, format_facts};

pub(super) fn run_status(as_json: bool, context: &CommandContext<'_>) -> Result<(), Failure> {
    let work = context.load_profile(CallerKind::NonInteractive)?;
    let report = build_report(context, &work)?;
    if as_json {
        return write_stdout(to_json_line(&report).as_bytes());
    }
    let (now, environment) = (work.now(), &context.host.environment);
    let closed = work.cache.load_notes().door.blocked_until(now);
    let facts = report.to_facts(closed, now, &context.invocation());
    let columns = Terminal::stdout_size().map(|(columns, _)| columns);
    write_stdout(format_facts(&facts, columns, Palette::for_stdout(environment)).as_bytes())
}

/// From here on a person who has to sign in again wants to know.
const EXPIRES_SOON: Duration = Duration::from_secs(20 * 60);

/// The contract of `status --json`; additions keep `version`.
#[derive(Serialize)]
struct StatusReport {
    version: u32,
    profile: String,
    signed_in: bool,
    identity: Option<StatusIdentity>,
    /// `None` before the first sign-in, where an identity pool chooses the role.
    role_arn: Option<String>,
    account: Option<String>,
    credentials: Option<RemainingValidity>,
    can_renew: bool,
    storage: &'static str,
    config: Vec<String>,
    last_error: Option<LastError>,
    /// Hosts that the sign-in would be sent to and was not made for; only where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    destination_changes: Vec<DestinationChange>,
    /// What the quota service counted last; only where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<QuotaUsage>,
    /// The environment variables that are set, and what becomes of them.
    variables: Vec<VariableStatus>,
}

#[derive(Serialize)]
struct StatusIdentity {
    session_name: String,
    email: Option<String>,
    subject: String,
    tags: BTreeMap<String, String>,
    source_identity: Option<String>,
}

#[derive(Serialize)]
struct RemainingValidity {
    #[serde(serialize_with = "serialize_display")]
    expires_at: Timestamp,
    seconds_left: u64,
}

#[derive(Serialize)]
struct LastError {
    #[serde(serialize_with = "serialize_display")]
    at: Timestamp,
    slug: String,
    message: String,
    hint: String,
}

fn build_report(context: &CommandContext<'_>, work: &ProfileContext<'_>) -> Result<StatusReport, Failure> {
    let (session, notes, now) = (work.cache.load_session()?, work.cache.load_notes(), work.now());
    let role = work.profile.final_role().or(session.role.as_ref());
    let credentials = session.credentials.as_ref().filter(|kept| assess_credentials(kept, now) != Freshness::Spent);
    Ok(StatusReport {
        version: 1,
        profile: work.profile.name.clone(),
        signed_in: credentials.is_some(),
        identity: read_identity(&session),
        role_arn: role.map(|role| role.as_str().to_owned()),
        account: role.map(|role| role.account().to_owned()),
        credentials: credentials.map(|kept| RemainingValidity {
            expires_at: kept.expiration,
            seconds_left: kept.expiration.duration_since(now).as_secs(),
        }),
        can_renew: session.refresh_token.is_some(),
        storage: work.profile.storage.name(),
        config: list_config_files(context),
        last_error: notes.last_failure.map(|last| LastError::from_last_failure(last, &context.invocation())),
        quota: notes.usage.filter(|_| work.profile.quota.is_some()),
        destination_changes: session.find_destination_changes(&work.profile, &context.host.environment),
        variables: work.profile.list_variables(&context.host.environment, &context.host.paths),
    })
}

fn list_config_files(context: &CommandContext<'_>) -> Vec<String> {
    let places = config::list_file_locations(&context.inputs()).into_iter().filter(|place| place.is_there);
    places.map(|place| place.file.display().to_string()).collect()
}

fn read_identity(session: &Session) -> Option<StatusIdentity> {
    let token = session.recall_token()?;
    Some(StatusIdentity {
        session_name: session.session_name.clone().unwrap_or_default(),
        email: identity::read_claim(&token, "email").map(str::to_owned),
        subject: token.subject().to_owned(),
        tags: identity::read_session_tags(&token),
        source_identity: identity::read_source_identity(&token).map(str::to_owned),
    })
}

fn serialize_display<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

impl LastError {
    fn from_last_failure(
        LastFailure { at, report: FailureReport { slug, message, hint, .. } }: LastFailure,
        invocation: &Invocation,
    ) -> Self {
        Self { at, slug, message, hint: hint.render(invocation) }
    }
}

impl StatusIdentity {
    fn to_facts(&self) -> Vec<StatusFact> {
        let Self { session_name, email, subject, tags, source_identity } = self;
        let who = if session_name.is_empty() { email.as_ref().unwrap_or(subject) } else { session_name };
        let mut facts = vec![StatusFact::new("Who", sanitize_line(who))];
        facts.extend(source_identity.iter().map(|source| StatusFact::new("Source", sanitize_line(source))));
        if !tags.is_empty() {
            let pairs: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            facts.push(StatusFact::new("Tags", sanitize_line(&pairs.join(", "))));
        }
        facts
    }
}

impl RemainingValidity {
    fn to_fact(&self, can_renew: bool) -> StatusFact {
        let Self { expires_at, seconds_left } = self;
        let left = Duration::from_secs(*seconds_left);
        let (then, news) = match (left < EXPIRES_SOON, can_renew) {
            (false, _) => ("", Tone::Good),
            (true, true) => ("; the next request renews them", Tone::Good),
            (true, false) => ("; then you are asked to sign in again", Tone::Warning),
        };
        StatusFact::new("Signed in", format!("yes, until {expires_at} ({} left){then}", format_duration(left)))
            .with_tone(news)
    }
}

impl StatusReport {
    /// One screen, a line a fact.
    fn to_facts(&self, closed: Option<Timestamp>, now: Timestamp, invocation: &Invocation) -> Vec<StatusFact> {
        let mut facts =
            vec![StatusFact::new("Profile", sanitize_line(&self.profile)), self.describe_sign_in(invocation)];
        facts.extend(describe_new_hosts(&self.destination_changes, invocation));
        facts.extend(closed.map(|until| describe_backoff(until.duration_since(now), invocation)));
        facts.extend(self.identity.iter().flat_map(StatusIdentity::to_facts));
        let role = self.role_arn.as_deref().unwrap_or("the identity pool's, not known yet");
        facts.push(StatusFact::new("Role", role));
        let renewal = if self.can_renew { "silently, with the refresh token" } else { "by signing in again" };
        facts.push(StatusFact::new("Renewal", renewal));
        facts.push(StatusFact::new("Storage", self.storage));
        facts.extend(list_facts("Config", self.config.iter().map(|origin| escape_controls(origin))));
        facts.extend(describe_variables(&self.variables));
        facts.extend(self.quota.as_ref().and_then(describe_quota));
        if let Some(LastError { at, slug, message, hint }) = &self.last_error {
            let told = format!("{message} [{slug}], {} ago", format_duration(now.duration_since(*at)));
            facts.extend([
                StatusFact::new("Last error", told).with_tone(Tone::Bad),
                StatusFact::new("", format!("hint: {hint}")),
            ]);
        }
        facts
    }

    fn describe_sign_in(&self, invocation: &Invocation) -> StatusFact {
        match &self.credentials {
            Some(left) => left.to_fact(self.can_renew),
            None if self.can_renew => {
                StatusFact::new("Signed in", "no valid credentials; the next request renews them")
                    .with_tone(Tone::Warning)
            }
            None => {
                let hint = Hint::from("no; run ").command(NextCommand::Login);
                StatusFact::new("Signed in", hint.render(invocation)).with_tone(Tone::Bad)
            }
        }
    }
}

/// The hosts that `login` would have the user accept.
fn describe_new_hosts(changes: &[DestinationChange], invocation: &Invocation) -> Vec<StatusFact> {
    let mut facts: Vec<_> = changes
        .iter()
        .map(|change| StatusFact::new("New host", describe_change(change)).with_tone(Tone::Bad))
        .collect();
    if !facts.is_empty() {
        let hint = Hint::run(NextCommand::Login).text(" in a terminal to accept it");
        facts.push(StatusFact::new("", hint.render(invocation)));
    }
    facts
}

/// Those that have an effect in one line, and each that is not used with the reason.
fn describe_variables(variables: &[VariableStatus]) -> Vec<StatusFact> {
    let used: Vec<&str> = variables.iter().filter(|it| it.not_used.is_none()).map(|it| it.name.as_str()).collect();
    let used = (!used.is_empty()).then(|| used.join(", "));
    let unused = variables.iter().filter_map(|VariableStatus { name, not_used }| {
        not_used.as_ref().map(|why| format!("{name} is not used, because {why}"))
    });
    list_facts("Variables", used.into_iter().chain(unused)).collect()
}

/// A line for each; the name stands before the first.
fn list_facts(name: &'static str, lines: impl Iterator<Item = String>) -> impl Iterator<Item = StatusFact> {
    lines.enumerate().map(move |(index, line)| StatusFact::new(if index == 0 { name } else { "" }, line))
}

fn describe_backoff(left: Duration, invocation: &Invocation) -> StatusFact {
    let paused = Hint::from(format!(
        "for {} programs that ask get no browser, since the last sign-in led nowhere; ",
        format_duration(left)
    ));
    let paused = paused.command(NextCommand::Login).text(" ends that");
    StatusFact::new("Paused", paused.render(invocation)).with_tone(Tone::Warning)
}

fn describe_quota(usage: &QuotaUsage) -> Option<StatusFact> {
    let news = if usage.is_almost_spent() { Tone::Warning } else { Tone::Plain };
    Some(StatusFact::new("Quota", usage.describe_shares()?).with_tone(news))
}
