//! `status`: shows who is signed in, with which role and until when, from what is stored on this computer.
//!
//! It uses no network and changes nothing, so it answers at once and cannot cause a prompt. Therefore it also cannot
//! know whether the provider has ended the session meanwhile; `doctor` checks that.

mod fact_sheet;
mod quota_facts;
mod telemetry_fact;
mod utc_time;

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
        CredentialsRecord, DestinationChange, Freshness, LastFailure, RefreshObstacle, RenewalOutlook, SignInRecord,
        assess_credentials,
    },
    config::{self, CallerKind, IdentityCenterSettings, Profile, VariableStatus},
    failure::{Failure, choose_login, describe_change, describe_refresh_obstacle, describe_unmet_requirement, doctor},
    hint::{Hint, Invocation, NextCommand},
    host::{Environment, Terminal, format_local_time},
    identity,
    session::{find_unmet_requirement, predict_renewal},
    text::{escape_controls, sanitize_line},
    time::{Timestamp, format_duration},
};
use fact_sheet::{StatusFact, format_facts};
use quota_facts::StatusQuota;
use telemetry_fact::StatusTelemetry;
use utc_time::UtcTime;

/// Prints the facts, as one line each or as one JSON document. Not being signed in is a fact and not a failure, so the
/// exit code is 0 then too.
pub(super) fn run_status(as_json: bool, context: &CommandContext<'_>) -> Result<(), Failure> {
    let work = context.load_profile(CallerKind::NonInteractive)?;
    let report = build_report(context, &work)?;
    if as_json {
        return write_stdout(to_json_line(&report).as_bytes());
    }
    let (now, environment) = (work.now(), &context.host.environment);
    let paused_until = work.cache.load_sign_in_notes().prompt_backoff.blocked_until(now);
    let facts = report.to_facts(paused_until, now, &work.profile, environment, &context.invocation());
    let columns = Terminal::stdout_size().map(|(columns, _)| columns);
    write_stdout(format_facts(&facts, columns, Palette::for_stdout(environment)).as_bytes())
}

/// When credentials have less time left than this, `status` says what happens next.
const EXPIRES_SOON: Duration = Duration::from_secs(20 * 60);

/// The document of `status --json`. Scripts rely on its keys: new ones may be added, but a change of an existing one
/// needs a new `version`.
#[derive(Serialize)]
struct StatusReport {
    version: u32,
    profile: String,
    /// There are AWS credentials that have not expired.
    signed_in: bool,
    identity: Option<StatusIdentity>,
    /// `None` before the first sign-in if an identity pool or an Identity Center chooses the role.
    role_arn: Option<String>,
    account: Option<String>,
    credentials: Option<RemainingValidity>,
    sign_in: Option<SignInStatus>,
    /// What the profile requires of a sign-in. Omitted if it requires nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    requirements: Option<StatusRequirements>,
    /// There is a refresh token that gets ID tokens, so expired credentials can be replaced without a prompt.
    can_renew: bool,
    /// When the user has to sign in next. JSON has it as `can_renew` and `id_token_expires_at`.
    #[serde(skip)]
    outlook: RenewalOutlook,
    storage: &'static str,
    config: Vec<String>,
    last_error: Option<LastError>,
    /// Hosts that would receive the sign-in and that the user has not accepted. Omitted if the list is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    destination_changes: Vec<DestinationChange>,
    /// What the quota service answered last. Omitted without a quota service.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<StatusQuota>,
    /// Omitted without a telemetry relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    telemetry: Option<StatusTelemetry>,
    /// The environment variables that are set and concern this program, and why some of them are not used.
    variables: Vec<VariableStatus>,
}

/// The user, from the claims of the stored ID token. IAM Identity Center issues none, so then only the name is known.
#[derive(Serialize)]
struct StatusIdentity {
    session_name: String,
    /// The session is named after the subject, because the ID token has no claim that the profile prefers to it.
    named_by_subject: bool,
    email: Option<String>,
    /// `None` for a user of an Identity Center.
    subject: Option<String>,
    tags: BTreeMap<String, String>,
    source_identity: Option<String>,
}

/// The sign-in, which can be valid without credentials for the profile's role.
#[derive(Serialize)]
struct SignInStatus {
    /// `None`: the ID token has expired, or AWS or the provider has rejected it. Also `None` for an Identity Center.
    id_token_expires_at: Option<UtcTime>,
    /// Omitted for an OpenID provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_center: Option<PortalStatus>,
    /// The other profiles that use the same sign-in.
    shared_with: Vec<String>,
}

/// The session at the access portal of an Identity Center.
#[derive(Serialize)]
struct PortalStatus {
    start_url: String,
    region: String,
    /// `None`: the access token has expired, or AWS has rejected it.
    access_token_expires_at: Option<UtcTime>,
}

/// What `require` demands, and whether the stored sign-in proved it.
#[derive(Serialize)]
struct StatusRequirements {
    acr: Vec<String>,
    amr: Vec<String>,
    max_age_seconds: Option<u64>,
    email_domain: Vec<String>,
    /// The same in one line, for the terminal.
    #[serde(skip)]
    text: String,
    /// `None` before the first sign-in.
    met: Option<bool>,
    /// Which requirement the sign-in does not meet.
    unmet: Option<String>,
}

/// How long the AWS credentials are valid.
#[derive(Serialize)]
struct RemainingValidity {
    expires_at: UtcTime,
    seconds_left: u64,
}

/// The last failure of any command with this profile. Hosts often hide stderr, so this may be the first time that the
/// user sees it.
#[derive(Serialize)]
struct LastError {
    #[serde(serialize_with = "serialize_display")]
    at: Timestamp,
    slug: String,
    message: String,
    hint: String,
}

/// Reads the stored records. Fails if they cannot be opened, for instance because the keyring is locked.
fn build_report(context: &CommandContext<'_>, work: &ProfileContext<'_>) -> Result<StatusReport, Failure> {
    let (sign_in, stored) = (work.cache.load_sign_in()?, work.cache.load_credentials()?);
    let (notes, now) = (work.cache.load_credentials_notes(), work.now());
    let role = work.profile.final_role().or(stored.role.as_ref());
    let assigned_account = work.profile.identity_center().map(|center| center.account_id.as_str());
    let outlook = predict_renewal(&sign_in, &work.profile, now);
    let credentials = stored.credentials.as_ref().filter(|found| assess_credentials(found, now) != Freshness::Spent);
    Ok(StatusReport {
        version: 1,
        profile: work.profile.name.clone(),
        signed_in: credentials.is_some(),
        identity: read_identity(&sign_in, &stored),
        role_arn: role.map(|role| role.as_str().to_owned()),
        account: role.map(|role| role.account()).or(assigned_account).map(str::to_owned),
        credentials: credentials.map(|valid| RemainingValidity {
            expires_at: UtcTime(valid.expiration),
            seconds_left: valid.expiration.duration_since(now).as_secs(),
        }),
        sign_in: sign_in.has_session().then(|| SignInStatus {
            id_token_expires_at: sign_in.find_valid_token(now).map(|token| UtcTime(token.expires_at())),
            identity_center: work.profile.identity_center().map(|center| PortalStatus {
                start_url: center.start_url.as_str().to_owned(),
                region: center.region.clone(),
                access_token_expires_at: sign_in.find_valid_portal(now).map(|portal| UtcTime(portal.expires_at)),
            }),
            shared_with: context.list_sharing_profiles(&work.profile).into_iter().map(|other| other.name).collect(),
        }),
        requirements: read_requirements(&sign_in, &work.profile, now),
        can_renew: matches!(outlook, RenewalOutlook::Automatic | RenewalOutlook::Until(_, RefreshObstacle::MaxAge)),
        outlook,
        storage: work.profile.storage.name(),
        config: list_config_files(context),
        last_error: work.cache.load_last_failure().map(|LastFailure { at, report }| LastError {
            at,
            slug: report.slug,
            message: report.message,
            hint: report.hint.render(&context.invocation()),
        }),
        quota: work.profile.quota.as_ref().and_then(|_| StatusQuota::from_notes(&notes, now)),
        telemetry: StatusTelemetry::from_profile(&work.profile, &context.host),
        destination_changes: sign_in.destinations.find_profile_changes(&work.profile, &context.host.environment),
        variables: work.profile.list_variables(&context.host.environment, &context.host.paths),
    })
}

/// The requirements of the profile; `None` if it requires nothing.
fn read_requirements(sign_in: &SignInRecord, profile: &Profile, now: Timestamp) -> Option<StatusRequirements> {
    let require = &profile.oidc()?.require;
    if require.is_empty() {
        return None;
    }
    let unmet = find_unmet_requirement(sign_in, profile, now).map(|unmet| describe_unmet_requirement(&unmet));
    Some(StatusRequirements {
        acr: require.acr.clone(),
        amr: require.amr.clone(),
        max_age_seconds: require.max_age.map(|age| age.as_secs()),
        email_domain: require.email_domain.clone(),
        text: require.describe(),
        met: sign_in.has_token().then_some(unmet.is_none()),
        unmet,
    })
}

/// The configuration files that exist.
fn list_config_files(context: &CommandContext<'_>) -> Vec<String> {
    let places = config::list_file_locations(&context.inputs()).into_iter().filter(|place| place.is_there);
    places.map(|place| place.file.display().to_string()).collect()
}

/// Reads the user from the ID token, even from an expired one: it still shows who signed in last. For an Identity Center
/// the user is the one whom AWS named when it issued the stored credentials.
fn read_identity(sign_in: &SignInRecord, stored: &CredentialsRecord) -> Option<StatusIdentity> {
    if sign_in.portal.is_some() {
        return stored.session_name.clone().map(|session_name| StatusIdentity {
            session_name,
            named_by_subject: false,
            email: None,
            subject: None,
            tags: BTreeMap::new(),
            source_identity: None,
        });
    }
    let token = sign_in.recall_token()?;
    Some(StatusIdentity {
        session_name: stored.session_name.clone().unwrap_or_default(),
        named_by_subject: stored.is_named_by_subject,
        email: ["email", "userinfo:email"]
            .into_iter()
            .find_map(|claim| identity::read_claim(&token, claim))
            .map(str::to_owned),
        subject: Some(token.subject().to_owned()),
        tags: identity::read_session_tags(&token),
        source_identity: identity::read_source_identity(&token).map(str::to_owned),
    })
}

/// Serialises a time as it is displayed: in UTC, as RFC 3339 defines it.
fn serialize_display<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

impl StatusIdentity {
    /// The lines about the user. Every value comes from the provider, so it is sanitised for the terminal.
    fn to_facts(&self) -> Vec<StatusFact> {
        let Self { session_name, named_by_subject: _, email, subject, tags, source_identity } = self;
        let name = Some(session_name).filter(|name| !name.is_empty()).or(email.as_ref()).or(subject.as_ref());
        let mut facts: Vec<_> = name.map(|name| StatusFact::new("User", sanitize_line(name))).into_iter().collect();
        facts.extend(source_identity.iter().map(|source| StatusFact::new("Source", sanitize_line(source))));
        if !tags.is_empty() {
            let pairs: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            facts.push(StatusFact::new("Tags", sanitize_line(&pairs.join(", "))));
        }
        facts
    }
}

impl StatusRequirements {
    fn to_facts(&self) -> Vec<StatusFact> {
        let required = StatusFact::new("Requires", &self.text);
        let unmet =
            self.unmet.as_ref().map(|unmet| StatusFact::new("", format!("not met: {unmet}")).with_tone(Tone::Bad));
        std::iter::once(required).chain(unmet).collect()
    }
}

/// What is known about the role before AWS has named it.
fn describe_unknown_role(profile: &Profile) -> String {
    match profile.identity_center() {
        Some(IdentityCenterSettings { account_id, permission_set, .. }) => {
            format!("the one of the permission set {} in account {account_id}", sanitize_line(permission_set))
        }
        None => "the identity pool chooses it at the first sign-in".to_owned(),
    }
}

impl StatusReport {
    /// The facts for the terminal, the most important ones first. `paused_until` is set while automatic callers may not
    /// open a browser.
    fn to_facts(
        &self,
        paused_until: Option<Timestamp>,
        now: Timestamp,
        profile: &Profile,
        environment: &Environment,
        invocation: &Invocation,
    ) -> Vec<StatusFact> {
        let mut facts = vec![
            StatusFact::new("Profile", sanitize_line(&self.profile)),
            self.describe_sign_in(environment, invocation),
        ];
        facts.push(self.describe_credentials(environment));
        facts.extend(describe_new_hosts(&self.destination_changes, invocation));
        facts.extend(paused_until.map(|until| describe_backoff(until.duration_since(now), invocation)));
        facts.extend(self.identity.iter().flat_map(StatusIdentity::to_facts));
        if self.identity.as_ref().is_some_and(|identity| identity.named_by_subject) {
            facts.extend(describe_opaque_name(profile, invocation));
        }
        facts.push(StatusFact::new("Role", self.role_arn.clone().unwrap_or_else(|| describe_unknown_role(profile))));
        facts.extend(self.requirements.iter().flat_map(StatusRequirements::to_facts));
        facts.push(StatusFact::new("Storage", self.storage));
        facts.extend(list_facts("Config", self.config.iter().map(|origin| escape_controls(origin))));
        facts.extend(describe_variables(&self.variables));
        facts.extend(self.quota.iter().flat_map(|quota| quota.to_facts(environment)));
        facts.extend(self.telemetry.iter().map(StatusTelemetry::to_fact));
        if let Some(LastError { at, slug, message, hint }) = &self.last_error {
            let error = format!("{message} [{slug}], {} ago", format_duration(now.duration_since(*at)));
            facts.extend([
                StatusFact::new("Last error", error).with_tone(Tone::Bad),
                StatusFact::new("", format!("hint: {hint}")),
            ]);
        }
        facts
    }

    /// Whether the next command works without a prompt, and until when, where this computer knows it.
    fn describe_sign_in(&self, environment: &Environment, invocation: &Invocation) -> StatusFact {
        let shared = match self.sign_in.as_ref().map_or(&[][..], |sign_in| &sign_in.shared_with) {
            [] => String::new(),
            names => format!("; shared with {}", sanitize_line(&names.join(", "))),
        };
        let (text, tone) = match self.outlook {
            RenewalOutlook::Automatic => (format!("yes, refreshed automatically{shared}"), Tone::Good),
            RenewalOutlook::Until(end, obstacle) => {
                let until = format_local_time(end, environment);
                (format!("yes, until {until}{}{shared}", describe_refresh_obstacle(obstacle)), Tone::Good)
            }
            RenewalOutlook::SignInNeeded(obstacle) => {
                let hint = Hint::from(format!("no{}; run ", describe_refresh_obstacle(obstacle)));
                let hint = hint.command(choose_login(obstacle)).render(invocation);
                (hint, if self.signed_in { Tone::Warning } else { Tone::Bad })
            }
        };
        StatusFact::new("Signed in", text).with_tone(tone)
    }

    /// How long the credentials are valid and, if that is short, what happens next.
    fn describe_credentials(&self, environment: &Environment) -> StatusFact {
        let is_signed_in = match self.outlook {
            RenewalOutlook::Automatic | RenewalOutlook::Until(..) => true,
            RenewalOutlook::SignInNeeded(_) => false,
        };
        let (text, tone) = match &self.credentials {
            // AWS would accept them, and no program gets them.
            Some(_) if self.quota.as_ref().is_some_and(StatusQuota::is_denied) => {
                ("stored, and not handed out while the quota service denies it".to_owned(), Tone::Bad)
            }
            Some(RemainingValidity { expires_at, seconds_left }) => {
                let left = Duration::from_secs(*seconds_left);
                let (then, tone) = match (left < EXPIRES_SOON, is_signed_in) {
                    (false, _) => ("", Tone::Good),
                    (true, true) => ("; the next request refreshes them", Tone::Good),
                    (true, false) => ("; then you must sign in again", Tone::Warning),
                };
                let until = format_local_time(expires_at.0, environment);
                (format!("valid until {until} ({} left){then}", format_duration(left)), tone)
            }
            None if is_signed_in => ("none; the next request gets new ones".to_owned(), Tone::Warning),
            None => ("none".to_owned(), Tone::Bad),
        };
        StatusFact::new("Credentials", text).with_tone(tone)
    }
}

/// Why AWS shows an identifier and not the user's name, and what to do about it.
fn describe_opaque_name(profile: &Profile, invocation: &Invocation) -> [StatusFact; 2] {
    let advice = doctor::describe_opaque_session_name(profile);
    let hint = format!("hint: {}", advice.hint(invocation));
    [StatusFact::new("", advice.what()).with_tone(Tone::Warning), StatusFact::new("", hint)]
}

/// The hosts that the user must accept with `login`, and the command for it.
fn describe_new_hosts(changes: &[DestinationChange], invocation: &Invocation) -> Vec<StatusFact> {
    let mut facts: Vec<_> = changes
        .iter()
        .map(|change| StatusFact::new("New host", describe_change(change)).with_tone(Tone::Bad))
        .collect();
    if !facts.is_empty() {
        let hint = Hint::run(NextCommand::Login).text(" in a terminal to accept the new hosts");
        facts.push(StatusFact::new("", hint.render(invocation)));
    }
    facts
}

/// Lists the variables that have an effect in one line, and each variable that is not used in a line with the reason.
fn describe_variables(variables: &[VariableStatus]) -> Vec<StatusFact> {
    let used: Vec<&str> = variables
        .iter()
        .filter(|variable| variable.not_used.is_none())
        .map(|variable| variable.name.as_str())
        .collect();
    let used = (!used.is_empty()).then(|| used.join(", "));
    let unused = variables.iter().filter_map(|VariableStatus { name, not_used }| {
        not_used.as_ref().map(|why| format!("{name} is not used, because {why}"))
    });
    list_facts("Variables", used.into_iter().chain(unused)).collect()
}

/// Makes one fact of each line. Only the first one has the name.
fn list_facts(name: &'static str, lines: impl Iterator<Item = String>) -> impl Iterator<Item = StatusFact> {
    lines.enumerate().map(move |(index, line)| StatusFact::new(if index == 0 { name } else { "" }, line))
}

/// Explains why no browser opens after a failed sign-in, and how the user can sign in now.
fn describe_backoff(left: Duration, invocation: &Invocation) -> StatusFact {
    let paused = Hint::from(format!(
        "no browser opens for {}, because the last sign-in failed; to sign in now, run ",
        format_duration(left)
    ));
    let paused = paused.command(NextCommand::Login);
    StatusFact::new("Paused", paused.render(invocation)).with_tone(Tone::Warning)
}
