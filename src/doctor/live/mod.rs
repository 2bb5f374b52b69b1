//! The checks of `doctor --live`: from the exchange with AWS to a word of a model, each step on the one before it.
//!
//! Real calls, and nothing of them is kept; nobody is signed in. What each costs is in `docs/live.md`.

mod choice;
mod exchange;
mod lists;
mod word;

use std::time::Duration;

use super::{Checked, Finding, Patient, together};
use crate::{
    aws::{Bedrock, BedrockError, Guardrail},
    config::{self, ClaudeCode, Profile},
    credentials::Credentials,
    failure::{Denied, Failure, UnansweredError},
    http::{self, Client},
};
use choice::Choice;

/// What one call may take. A model that has not been asked for a while thinks for seconds before its first word.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// Every check by its name, in the order in which they are told.
const EXCHANGE: &str = "exchange";
const IDENTITY: &str = "identity";
const MODELS: &str = "bedrock-models";
const PROFILES: &str = "bedrock-profiles";
const GUARDRAIL: &str = "guardrail";
const WORD: &str = "converse";
const STREAM: &str = "streaming";

/// What was found so far.
#[derive(Default)]
struct Report(Vec<Checked>);

impl Report {
    fn note(&mut self, name: &'static str, finding: Finding) {
        self.0.push(finding.under(name));
    }

    fn skip(&mut self, names: &[&'static str], why: &str) {
        names.iter().for_each(|name| self.note(name, Finding::Skipped(why.to_owned())));
    }
}

/// Makes the checks, one after the other: each needs what the one before it brought.
pub(super) fn examine(patient: &Patient<'_>) -> Result<Vec<Checked>, Failure> {
    let mut report = Report::default();
    let Ok((profile, claude)) = config::load_with_claude_code(&patient.inputs) else {
        report.note(EXCHANGE, Finding::no_profile());
        report.skip(&[IDENTITY, MODELS, PROFILES, WORD, STREAM], "there are no credentials, see `exchange`");
        return Ok(report.0);
    };
    let proof = exchange::proof(patient, &profile);
    http::block_on(visited(patient, &profile, &claude, proof, &mut report)).map_err(Denied::Runtime)?;
    Ok(report.0)
}

async fn visited(
    patient: &Patient<'_>,
    profile: &Profile,
    claude: &ClaudeCode,
    proof: exchange::Proof,
    report: &mut Report,
) {
    let (finding, credentials) = exchange::exchanged(patient, profile, proof).await;
    report.note(EXCHANGE, finding);
    let Some(credentials) = credentials else {
        let why = "there are no credentials, see `exchange`";
        return report.skip(&[IDENTITY, MODELS, PROFILES, WORD, STREAM], why);
    };
    let (finding, role) = exchange::identity(patient, profile, &credentials).await;
    let is_known = !matches!(finding, Finding::Bad(_));
    report.note(IDENTITY, finding);
    if !is_known {
        let why = "AWS does not take the credentials for what they should be, see `identity`";
        return report.skip(&[MODELS, PROFILES, WORD, STREAM], why);
    }
    let visit = Visit { patient, profile, claude, credentials: &credentials, role: &role };
    let client = patient.live_client(profile).map_err(Clone::clone);
    match client.and_then(|client| visit.bedrock(client)) {
        Ok(bedrock) => visit.speak(&bedrock, report).await,
        Err(failure) => {
            report.note(MODELS, Finding::Bad(failure));
            report.skip(&[PROFILES, WORD, STREAM], "Amazon Bedrock cannot be asked, see `bedrock-models`");
        }
    }
}

/// What Bedrock is visited with.
#[derive(Clone, Copy)]
struct Visit<'v> {
    patient: &'v Patient<'v>,
    profile: &'v Profile,
    claude: &'v ClaudeCode,
    credentials: &'v Credentials,
    /// Whose they are, in AWS's words.
    role: &'v str,
}

impl<'v> Visit<'v> {
    fn region(&self) -> &'v str {
        self.claude.region(self.profile)
    }

    fn bedrock(&self, client: &'v Client) -> Result<Bedrock<'v>, Failure> {
        let Self { patient, credentials, .. } = *self;
        let host = patient.host;
        Ok(Bedrock::new(client, self.profile, self.region(), &host.environment, credentials, host.now)?)
    }

    async fn speak(&self, bedrock: &Bedrock<'_>, report: &mut Report) {
        let environment = &self.patient.host.environment;
        let wanted = choice::wanted(self.claude, environment);
        let (models, profiles) = lists::both(bedrock).await;
        report.note(MODELS, lists::judged_models(self, &models, &wanted));
        report.note(PROFILES, lists::judged_profiles(self, bedrock, &profiles, &wanted).await);
        let choice = choice::made(wanted, models.ok().as_deref(), profiles.ok().as_deref());
        let Some(choice) = choice else {
            let why = "there is no model to ask: name one in [profiles.NAME.claude_code] `models`";
            return report.skip(&[WORD, STREAM], why);
        };
        match choice::guardrail(self.claude, environment) {
            Ok(guardrail) => self.words(bedrock, &choice, guardrail.as_ref(), report).await,
            Err(failure) => {
                report.note(GUARDRAIL, Finding::Bad(failure));
                report.skip(&[WORD, STREAM], "Claude Code would be refused as well, see `guardrail`");
            }
        }
    }

    /// All models at once: each takes a second or two to answer.
    async fn words(
        &self,
        bedrock: &Bedrock<'_>,
        choice: &Choice,
        guardrail: Option<&Guardrail>,
        report: &mut Report,
    ) {
        let asked = choice.models.iter().map(|wanted| word::of(bedrock, wanted, guardrail));
        let words = together::all(asked.collect()).await;
        if let (Some(guardrail), Some(first)) = (guardrail, words.first()) {
            report.note(GUARDRAIL, word::guardrail(self, guardrail, first));
        }
        for word in words {
            word.told(self, choice, report);
        }
    }

    fn unanswered(&self, error: BedrockError, model: Option<&str>) -> Failure {
        UnansweredError { error, region: self.region(), role: self.role, model }.into()
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Instant};

    use super::*;
    use crate::{
        config::testing,
        host::{Environment, Host, Paths},
        http::{
            Trust,
            testing::{block_on, client},
        },
        secret::Secret,
        time::Moment,
    };

    const NOW: Moment = Moment::from_unix(1_800_000_000);

    fn host(bedrock: &str) -> Host {
        let address = format!("http://{bedrock}");
        let variables = ["AWS_ENDPOINT_URL_BEDROCK", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"];
        let (user_config, system_config, data, home_data) = Default::default();
        Host {
            environment: Environment::fixed(variables.map(|name| (name, address.as_str()))),
            paths: Paths { user_config, system_config, data, home_data },
            now: || NOW,
            random: crate::host::random,
        }
    }

    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new("secret"),
            session_token: Secret::new("token"),
            expiration: NOW.plus(Duration::from_secs(3600)),
        }
    }

    /// Bedrock takes every connection and says nothing.
    #[test]
    fn each_call_that_is_not_answered_is_named_and_waited_for_with_its_own_patience() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = listener.local_addr().unwrap().to_string();
        let (host, profile, credentials) = (host(&silent), testing::profile(), credentials());
        let inputs = config::Inputs {
            environment: &host.environment,
            paths: &host.paths,
            file: None,
            profile: None,
            flags: &[],
            personal: true,
        };
        let patient = Patient::new(&host, inputs).unwrap();
        let models = [("default".to_owned(), "us.anthropic.claude".to_owned())].into();
        let claude = ClaudeCode { region: String::new(), models, env: [].into() };
        let visit = Visit {
            patient: &patient,
            profile: &profile,
            claude: &claude,
            credentials: &credentials,
            role: "BedrockUser",
        };
        let client = client(&Trust::default()).within(Duration::from_millis(80));
        let mut report = Report::default();
        let began = Instant::now();
        block_on(visit.speak(&visit.bedrock(&client).unwrap(), &mut report));
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        let told: Vec<_> = report.0.iter().map(|checked| (checked.name, checked.message.clone())).collect();
        let unanswered = format!("{silent} did not answer within 0 s");
        assert_eq!(
            told,
            [
                (MODELS, unanswered.clone()),
                (PROFILES, unanswered.clone()),
                (WORD, format!("us.anthropic.claude: {unanswered}")),
                (STREAM, "us.anthropic.claude does not answer, see `converse`".to_owned()),
            ]
        );
    }
}
