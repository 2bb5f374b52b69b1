//! `status`: who is signed in, as what, until when; read from what is kept, without network.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::{Desk, desk::Work, print};
use crate::{
    cache::{Freshness, LastFailure, Session, freshness},
    cli::{Global, Status},
    config,
    failure::Failure,
    identity,
    oidc::VerifiedToken,
    quota::Usage,
    secret::Secret,
    text::line,
    time::{Moment, spoken},
};

pub(super) fn run(Status { json }: &Status, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    let work = desk.work()?;
    let report = report(&desk, &work)?;
    if *json {
        let mut text = serde_json::to_string(&report).expect("a report holds texts and numbers");
        text.push('\n');
        return print(text.as_bytes());
    }
    print(report.for_people(work.now()).as_bytes())
}

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
    /// What the quota service counted last; only where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<Usage>,
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
        last_error: notes.last_failure.map(LastError::from),
        quota: notes.usage.filter(|_| work.profile.quota.is_some()),
    })
}

fn config_files(desk: &Desk<'_>) -> Vec<String> {
    let places = config::locations(&desk.inputs()).into_iter().filter(|place| place.is_there);
    places.map(|place| place.file.display().to_string()).collect()
}

fn identity(session: &Session) -> Option<Identity> {
    let token =
        session.id_token.clone().and_then(|raw: Secret| VerifiedToken::recalled_from_our_own_store(raw))?;
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

impl From<LastFailure> for LastError {
    fn from(LastFailure { at, code: _, slug, message, hint }: LastFailure) -> Self {
        Self { at, slug, message, hint }
    }
}

impl Identity {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Self { session_name, email, subject, tags, source_identity } = self;
        let who = if session_name.is_empty() { email.as_ref().unwrap_or(subject) } else { session_name };
        let mut lines = vec![("Who", line(who))];
        if let Some(source) = source_identity {
            lines.push(("Source", line(source)));
        }
        if !tags.is_empty() {
            let pairs: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            lines.push(("Tags", line(&pairs.join(", "))));
        }
        lines
    }
}

impl Report {
    /// One screen, a line a fact.
    fn for_people(&self, now: Moment) -> String {
        let mut lines = vec![("Profile", line(&self.profile)), ("Signed in", self.signed_in_line())];
        lines.extend(self.identity.iter().flat_map(Identity::lines));
        let role = self.role_arn.as_deref().unwrap_or("the identity pool's, not known yet");
        lines.push(("Role", role.to_owned()));
        let renewal = if self.can_renew { "silently, with the refresh token" } else { "by signing in again" };
        lines.push(("Renewal", renewal.to_owned()));
        lines.push(("Storage", self.storage.to_owned()));
        lines.push(("Config", self.config.join(", ")));
        if let Some(spoken) = self.quota.as_ref().and_then(Usage::spoken) {
            lines.push(("Quota", spoken));
        }
        if let Some(LastError { at, slug, message, hint }) = &self.last_error {
            lines.push(("Last error", format!("{message} [{slug}], {} ago", spoken(now.since(*at)))));
            lines.push(("", format!("hint: {hint}")));
        }
        lines.iter().map(|(name, value)| format!("{name:<11} {value}\n")).collect()
    }

    fn signed_in_line(&self) -> String {
        match &self.credentials {
            Some(Left { expires_at, seconds_left }) => {
                format!(
                    "yes, until {expires_at} ({} left)",
                    spoken(std::time::Duration::from_secs(*seconds_left))
                )
            }
            None if self.can_renew => "no valid credentials; the next request renews them".to_owned(),
            None => "no; run `bedrock-sso login`".to_owned(),
        }
    }
}
