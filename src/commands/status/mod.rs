//! `status`: who is signed in, as what, until when; read from what is kept, without network.
//!
//! It renews nothing and changes nothing; how the facts are laid out is for `sheet`.

mod sheet;

use std::{collections::BTreeMap, time::Duration};

use serde::{Serialize, Serializer};

use super::{Desk, desk::Work, document, paint::Paint, print, spelt};
use crate::{
    cache::{DestinationChange, Freshness, LastFailure, Session, freshness},
    cli::{Global, Status},
    config::{self, Caller, Seen},
    failure::{Failure, describe_change},
    host::Terminal,
    identity,
    oidc::VerifiedToken,
    quota::Usage,
    text::{line, verbatim},
    time::{Moment, spoken},
};
use sheet::{Fact, News, laid_out};

pub(super) fn run(Status { json }: &Status, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    let work = desk.work(Caller::Silent)?;
    let report = report(&desk, &work)?;
    if *json {
        return print(document(&report).as_bytes());
    }
    let (now, environment) = (work.now(), &desk.host.environment);
    let closed = work.cache.notes().door.closed_until(now);
    let facts = report.for_people(closed, now, |hint| spelt(hint, global));
    let columns = Terminal::size_of_stdout().map(|(columns, _)| columns);
    print(laid_out(&facts, columns, Paint::of_stdout(environment)).as_bytes())
}

/// From here on a person who has to sign in again wants to know.
const SOON: Duration = Duration::from_secs(20 * 60);

/// The contract of `status --json`; additions keep `version`.
#[derive(Serialize)]
struct Report {
    version: u32,
    profile: String,
    signed_in: bool,
    identity: Option<Identity>,
    /// `None` before the first sign-in, where an identity pool chooses the role.
    role_arn: Option<String>,
    account: Option<String>,
    credentials: Option<Left>,
    can_renew: bool,
    storage: &'static str,
    config: Vec<String>,
    last_error: Option<LastError>,
    /// Hosts that the sign-in would be sent to and was not made for; only where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    destination_changes: Vec<DestinationChange>,
    /// What the quota service counted last; only where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<Usage>,
    /// The environment variables that are set, and what becomes of them.
    variables: Vec<Seen>,
}

#[derive(Serialize)]
struct Identity {
    session_name: String,
    email: Option<String>,
    subject: String,
    tags: BTreeMap<String, String>,
    source_identity: Option<String>,
}

#[derive(Serialize)]
struct Left {
    #[serde(serialize_with = "as_text")]
    expires_at: Moment,
    seconds_left: u64,
}

#[derive(Serialize)]
struct LastError {
    #[serde(serialize_with = "as_text")]
    at: Moment,
    slug: String,
    message: String,
    hint: String,
}

fn report(desk: &Desk<'_>, work: &Work<'_>) -> Result<Report, Failure> {
    let (session, notes, now) = (work.cache.session()?, work.cache.notes(), work.now());
    let role = work.profile.role().or(session.role.as_ref());
    let credentials = session.credentials.as_ref().filter(|kept| freshness(kept, now) != Freshness::Spent);
    Ok(Report {
        version: 1,
        profile: work.profile.name.clone(),
        signed_in: credentials.is_some(),
        identity: identity(&session),
        role_arn: role.map(|role| role.as_str().to_owned()),
        account: role.map(|role| role.account().to_owned()),
        credentials: credentials.map(|kept| Left {
            expires_at: kept.expiration,
            seconds_left: kept.expiration.since(now).as_secs(),
        }),
        can_renew: session.refresh_token.is_some(),
        storage: work.profile.storage.word(),
        config: config_files(desk),
        last_error: notes.last_failure.map(|last| LastError::of(last, desk.global)),
        quota: notes.usage.filter(|_| work.profile.quota.is_some()),
        destination_changes: session.destination_changes(&work.profile, &desk.host.environment),
        variables: work.profile.variables(&desk.host.environment, &desk.host.paths),
    })
}

fn config_files(desk: &Desk<'_>) -> Vec<String> {
    let places = config::locations(&desk.inputs()).into_iter().filter(|place| place.is_there);
    places.map(|place| place.file.display().to_string()).collect()
}

fn identity(session: &Session) -> Option<Identity> {
    let token = session.id_token.clone().and_then(VerifiedToken::recalled_from_our_own_store)?;
    Some(Identity {
        session_name: session.session_name.clone().unwrap_or_default(),
        email: identity::said(&token, "email").map(str::to_owned),
        subject: token.subject().to_owned(),
        tags: identity::tags(&token),
        source_identity: identity::source_identity(&token).map(str::to_owned),
    })
}

fn as_text<S: Serializer>(moment: &Moment, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

impl LastError {
    fn of(LastFailure { at, code: _, slug, message, hint }: LastFailure, global: &Global) -> Self {
        Self { at, slug, message, hint: spelt(&hint, global) }
    }
}

impl Identity {
    fn facts(&self) -> Vec<Fact> {
        let Self { session_name, email, subject, tags, source_identity } = self;
        let who = if session_name.is_empty() { email.as_ref().unwrap_or(subject) } else { session_name };
        let mut facts = vec![Fact::new("Who", line(who))];
        facts.extend(source_identity.iter().map(|source| Fact::new("Source", line(source))));
        if !tags.is_empty() {
            let pairs: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            facts.push(Fact::new("Tags", line(&pairs.join(", "))));
        }
        facts
    }
}

impl Left {
    fn fact(&self, can_renew: bool) -> Fact {
        let Self { expires_at, seconds_left } = self;
        let left = Duration::from_secs(*seconds_left);
        let (then, news) = match (left < SOON, can_renew) {
            (false, _) => ("", News::Good),
            (true, true) => ("; the next request renews them", News::Good),
            (true, false) => ("; then you are asked to sign in again", News::Doubtful),
        };
        Fact::new("Signed in", format!("yes, until {expires_at} ({} left){then}", spoken(left))).with(news)
    }
}

impl Report {
    /// One screen, a line a fact.
    fn for_people(&self, closed: Option<Moment>, now: Moment, spelt: impl Fn(&str) -> String) -> Vec<Fact> {
        let mut facts = vec![Fact::new("Profile", line(&self.profile)), self.signed_in_fact(&spelt)];
        facts.extend(new_hosts(&self.destination_changes, &spelt));
        facts.extend(closed.map(|until| paused(until.since(now), &spelt)));
        facts.extend(self.identity.iter().flat_map(Identity::facts));
        let role = self.role_arn.as_deref().unwrap_or("the identity pool's, not known yet");
        facts.push(Fact::new("Role", role));
        let renewal = if self.can_renew { "silently, with the refresh token" } else { "by signing in again" };
        facts.push(Fact::new("Renewal", renewal));
        facts.push(Fact::new("Storage", self.storage));
        let origins = self.config.iter().enumerate();
        facts.extend(
            origins
                .map(|(index, origin)| Fact::new(if index == 0 { "Config" } else { "" }, verbatim(origin))),
        );
        facts.extend(variable_facts(&self.variables));
        facts.extend(self.quota.as_ref().and_then(spent));
        if let Some(LastError { at, slug, message, hint }) = &self.last_error {
            let told = format!("{message} [{slug}], {} ago", spoken(now.since(*at)));
            facts.extend([
                Fact::new("Last error", told).with(News::Bad),
                Fact::new("", format!("hint: {hint}")),
            ]);
        }
        facts
    }

    fn signed_in_fact(&self, spelt: impl Fn(&str) -> String) -> Fact {
        match &self.credentials {
            Some(left) => left.fact(self.can_renew),
            None if self.can_renew => {
                Fact::new("Signed in", "no valid credentials; the next request renews them")
                    .with(News::Doubtful)
            }
            None => Fact::new("Signed in", spelt("no; run `bedrock-sso login`")).with(News::Bad),
        }
    }
}

/// The hosts that `login` would have the user accept.
fn new_hosts(changes: &[DestinationChange], spelt: impl Fn(&str) -> String) -> Vec<Fact> {
    let mut facts: Vec<_> =
        changes.iter().map(|change| Fact::new("New host", describe_change(change)).with(News::Bad)).collect();
    if !facts.is_empty() {
        facts.push(Fact::new("", spelt("run `bedrock-sso login` in a terminal to accept it")));
    }
    facts
}

/// Those that have an effect in one line, and each that is not used with the reason.
fn variable_facts(variables: &[Seen]) -> Vec<Fact> {
    let used: Vec<&str> =
        variables.iter().filter(|it| it.not_used.is_none()).map(|it| it.name.as_str()).collect();
    let used = (!used.is_empty()).then(|| used.join(", "));
    let unused = variables.iter().filter_map(|Seen { name, not_used }| {
        not_used.as_ref().map(|why| format!("{name} is not used, because {why}"))
    });
    let lines = used.into_iter().chain(unused).enumerate();
    lines.map(|(index, line)| Fact::new(if index == 0 { "Variables" } else { "" }, line)).collect()
}

fn paused(left: Duration, spelt: impl Fn(&str) -> String) -> Fact {
    let told = format!(
        "for {} programs that ask get no browser, since the last sign-in led nowhere; `bedrock-sso login` ends that",
        spoken(left)
    );
    Fact::new("Paused", spelt(&told)).with(News::Doubtful)
}

fn spent(usage: &Usage) -> Option<Fact> {
    let news = if usage.is_almost_spent() { News::Doubtful } else { News::Plain };
    Some(Fact::new("Quota", usage.spoken()?).with(news))
}
