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
    cache::{
        CredentialsRecord, DestinationChange, FailureReport, Freshness, LastFailure, SignInRecord, assess_credentials,
    },
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
    let closed = work.cache.load_sign_in_notes().prompt_backoff.blocked_until(now);
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
    sign_in: Option<SignInStatus>,
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

/// The sign-in by itself, without the credentials of the profile's role.
#[derive(Serialize)]
struct SignInStatus {
    /// `None`: AWS or the provider does not accept the ID token any more, or it has expired.
    #[serde(serialize_with = "serialize_optional")]
    id_token_expires_at: Option<Timestamp>,
    /// The other profiles that use it.
    shared_with: Vec<String>,
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
    let (sign_in, stored) = (work.cache.load_sign_in()?, work.cache.load_credentials()?);
    let (notes, now) = (work.cache.load_credentials_notes(), work.now());
    let role = work.profile.final_role().or(stored.role.as_ref());
    let credentials = stored.credentials.as_ref().filter(|kept| assess_credentials(kept, now) != Freshness::Spent);
    Ok(StatusReport {
        version: 1,
        profile: work.profile.name.clone(),
        signed_in: credentials.is_some(),
        identity: read_identity(&sign_in, &stored),
        role_arn: role.map(|role| role.as_str().to_owned()),
        account: role.map(|role| role.account().to_owned()),
        credentials: credentials.map(|kept| RemainingValidity {
            expires_at: kept.expiration,
            seconds_left: kept.expiration.duration_since(now).as_secs(),
        }),
        sign_in: sign_in.has_token().then(|| SignInStatus {
            id_token_expires_at: sign_in.find_valid_token(now).map(|token| token.expires_at()),
            shared_with: context.list_sharing_profiles(&work.profile).into_iter().map(|other| other.name).collect(),
        }),
        can_renew: sign_in.refresh_token.is_some(),
        storage: work.profile.storage.name(),
        config: list_config_files(context),
        last_error: work
            .cache
            .load_last_failure()
            .map(|last| LastError::from_last_failure(last, &context.invocation())),
        quota: notes.usage.filter(|_| work.profile.quota.is_some()),
        destination_changes: sign_in.destinations.find_profile_changes(&work.profile, &context.host.environment),
        variables: work.profile.list_variables(&context.host.environment, &context.host.paths),
    })
}

fn list_config_files(context: &CommandContext<'_>) -> Vec<String> {
    let places = config::list_file_locations(&context.inputs()).into_iter().filter(|place| place.is_there);
    places.map(|place| place.file.display().to_string()).collect()
}

fn read_identity(sign_in: &SignInRecord, stored: &CredentialsRecord) -> Option<StatusIdentity> {
    let token = sign_in.recall_token()?;
    Some(StatusIdentity {
        session_name: stored.session_name.clone().unwrap_or_default(),
        email: identity::read_claim(&token, "email").map(str::to_owned),
        subject: token.subject().to_owned(),
        tags: identity::read_session_tags(&token),
        source_identity: identity::read_source_identity(&token).map(str::to_owned),
    })
}

fn serialize_display<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

fn serialize_optional<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => serializer.collect_str(moment),
        None => serializer.serialize_none(),
    }
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

impl StatusReport {
    /// One screen, a line a fact.
    fn to_facts(&self, closed: Option<Timestamp>, now: Timestamp, invocation: &Invocation) -> Vec<StatusFact> {
        let mut facts =
            vec![StatusFact::new("Profile", sanitize_line(&self.profile)), self.describe_sign_in(invocation)];
        facts.push(self.describe_credentials());
        facts.extend(describe_new_hosts(&self.destination_changes, invocation));
        facts.extend(closed.map(|until| describe_backoff(until.duration_since(now), invocation)));
        facts.extend(self.identity.iter().flat_map(StatusIdentity::to_facts));
        let role = self.role_arn.as_deref().unwrap_or("the identity pool's, not known yet");
        facts.push(StatusFact::new("Role", role));
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
        let shared = match self.sign_in.as_ref().map_or(&[][..], |sign_in| &sign_in.shared_with) {
            [] => String::new(),
            names => format!("; shared with {}", sanitize_line(&names.join(", "))),
        };
        let id_token_expires_at = self.sign_in.as_ref().and_then(|sign_in| sign_in.id_token_expires_at);
        let (text, tone) = match (self.can_renew, id_token_expires_at) {
            (true, _) => (format!("yes, renewed silently{shared}"), Tone::Good),
            (false, Some(until)) => (format!("yes, until {until}{shared}"), Tone::Good),
            (false, None) => {
                let hint = Hint::from("no; run ").command(NextCommand::Login).render(invocation);
                (hint, if self.signed_in { Tone::Warning } else { Tone::Bad })
            }
        };
        StatusFact::new("Signed in", text).with_tone(tone)
    }

    fn describe_credentials(&self) -> StatusFact {
        let is_signed_in = self.can_renew || self.sign_in.as_ref().is_some_and(|it| it.id_token_expires_at.is_some());
        let (text, tone) = match &self.credentials {
            Some(RemainingValidity { expires_at, seconds_left }) => {
                let left = Duration::from_secs(*seconds_left);
                let (then, tone) = match (left < EXPIRES_SOON, is_signed_in) {
                    (false, _) => ("", Tone::Good),
                    (true, true) => ("; the next request renews them", Tone::Good),
                    (true, false) => ("; then you are asked to sign in again", Tone::Warning),
                };
                (format!("valid until {expires_at} ({} left){then}", format_duration(left)), tone)
            }
            None if is_signed_in => ("none; the next request gets them".to_owned(), Tone::Warning),
            None => ("none".to_owned(), Tone::Bad),
        };
        StatusFact::new("Credentials", text).with_tone(tone)
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
