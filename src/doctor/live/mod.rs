//! The checks of `doctor --live`: from the exchange with AWS to a word of a model, each step on the one before it.
//!
//! Real calls, and nothing of them is kept; nobody is signed in. What each costs is in `docs/live.md`.

mod model_choice;
mod exchange;
mod model_lists;
mod model_probe;

use futures_util::future::join_all;

use super::{CheckReport, DoctorContext, Finding};
use crate::{
    aws::{BedrockClient, BedrockError, Guardrail},
    config::Profile,
    failure::Failure,
    host::Environment,
    http,
};
use model_choice::ModelChoice;

/// Every check by its name, in the order in which they are told.
const EXCHANGE: &str = "exchange";
const IDENTITY: &str = "identity";
const MODELS: &str = "bedrock-models";
const PROFILES: &str = "bedrock-profiles";
const GUARDRAIL: &str = "guardrail";
const CONVERSE: &str = "converse";
const STREAMING: &str = "streaming";

const NO_CREDENTIALS: &str = "there are no credentials, see `exchange`";

/// The checks that are skipped where one before them fails.
const DEPENDENT_CHECKS: [&str; 5] = [IDENTITY, MODELS, PROFILES, CONVERSE, STREAMING];

/// What a check found, with what the next one needs of it; or what ends the visit.
type LiveOutcome<T> = Result<(Finding, T), Finding>;

/// What was found so far, each under the name of its check.
#[derive(Default)]
struct LiveReport(Vec<(&'static str, Finding)>);

impl LiveReport {
    fn add_finding(&mut self, name: &'static str, finding: Finding) {
        self.0.push((name, finding));
    }

    /// Adds what ends the visit, and with which reason all that depends on it is skipped.
    fn end_with(&mut self, name: &'static str, finding: Finding, why: &str) {
        self.add_finding(name, finding);
        self.skip_remaining(why);
    }

    fn skip_remaining(&mut self, why: &str) {
        for name in DEPENDENT_CHECKS {
            if self.0.iter().all(|(known, _)| *known != name) {
                self.add_finding(name, Finding::Skipped(why.to_owned()));
            }
        }
    }

    /// What the next check needs; `None` if the visit ends here.
    fn add_step<T>(&mut self, name: &'static str, outcome: LiveOutcome<T>, why: &str) -> Option<T> {
        match outcome {
            Ok((finding, found)) => {
                self.add_finding(name, finding);
                Some(found)
            }
            Err(finding) => {
                self.end_with(name, finding, why);
                None
            }
        }
    }

    fn into_reports(self, context: &DoctorContext<'_>) -> Vec<CheckReport> {
        self.0.into_iter().map(|(name, finding)| finding.into_report(name, &context.invocation)).collect()
    }
}

/// Makes the checks, one after the other: each needs what the one before it brought.
pub(super) fn run_live_checks(context: &DoctorContext<'_>) -> Result<Vec<CheckReport>, Failure> {
    let mut report = LiveReport::default();
    let prepared = context.profile().and_then(|profile| Ok((profile, exchange::prepare_exchange(context, profile)?)));
    match prepared {
        Ok((profile, proof)) => {
            http::block_on(check_aws_access(context, profile, proof, &mut report))
                .map_err(Failure::from_runtime_error)?;
        }
        Err(finding) => report.end_with(EXCHANGE, finding, NO_CREDENTIALS),
    }
    Ok(report.into_reports(context))
}

/// `None` where it ended early.
async fn check_aws_access(
    context: &DoctorContext<'_>,
    profile: &Profile,
    proof: exchange::ExchangeInput,
    report: &mut LiveReport,
) -> Option<()> {
    let exchanged = exchange::check_exchange(context, profile, proof).await;
    let credentials = report.add_step(EXCHANGE, exchanged, NO_CREDENTIALS)?;
    let identified = exchange::check_identity(context, profile, &credentials).await;
    let why = "AWS does not take the credentials for what they should be, see `identity`";
    let role = report.add_step(IDENTITY, identified, why)?;
    let (region, host) = (profile.bedrock_region(), context.host);
    let bedrock = context
        .live_client(profile)
        .and_then(|client| Ok(BedrockClient::new(client, profile, region, &host.environment, &credentials, host.now)?));
    match bedrock {
        Ok(bedrock) => {
            let visit = LiveContext { environment: &host.environment, profile, bedrock, role: &role };
            visit.check_bedrock(report).await;
        }
        Err(failure) => {
            report.end_with(MODELS, failure.into(), "Amazon Bedrock cannot be asked, see `bedrock-models`");
        }
    }
    Some(())
}

/// What Bedrock is visited with.
struct LiveContext<'v> {
    environment: &'v Environment,
    profile: &'v Profile,
    bedrock: BedrockClient<'v>,
    /// Whose they are, in AWS's words.
    role: &'v str,
}

impl<'v> LiveContext<'v> {
    fn region(&self) -> &'v str {
        self.profile.bedrock_region()
    }

    async fn check_bedrock(&self, report: &mut LiveReport) {
        let wanted = model_choice::list_configured_models(&self.profile.claude_code, self.environment);
        let (models, profiles) = model_lists::fetch_lists(&self.bedrock).await;
        let (Ok(listed) | Err(listed)) = model_lists::check_models(self, &models, &wanted);
        report.add_finding(MODELS, listed);
        let (Ok(listed) | Err(listed)) = model_lists::check_inference_profiles(self, &profiles, &wanted).await;
        report.add_finding(PROFILES, listed);
        let choice = model_choice::choose_models(wanted, models.ok().as_deref(), profiles.ok().as_deref());
        let Some(choice) = choice else {
            let why = "there is no model to ask: name one in [profiles.NAME.claude_code] `models`";
            return report.skip_remaining(why);
        };
        match model_choice::parse_guardrail(&self.profile.claude_code, self.environment) {
            Ok(guardrail) => self.probe_models(&choice, guardrail.as_ref(), report).await,
            Err(failure) => {
                report.end_with(GUARDRAIL, failure.into(), "Claude Code would be refused as well, see `guardrail`");
            }
        }
    }

    /// All models at once: each takes a second or two to answer.
    async fn probe_models(&self, choice: &ModelChoice, guardrail: Option<&Guardrail>, report: &mut LiveReport) {
        let asked = choice.models.iter().map(|wanted| model_probe::probe_model(&self.bedrock, wanted, guardrail));
        let words = join_all(asked).await;
        if let (Some(guardrail), Some(first)) = (guardrail, words.first()) {
            report.add_finding(GUARDRAIL, model_probe::check_guardrail(self, guardrail, first));
        }
        for word in words {
            word.add_to_report(self, choice, report);
        }
    }

    fn build_failure(&self, error: BedrockError, model: Option<&str>) -> Failure {
        Failure::from_bedrock_error(error, self.region(), self.role, model)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::{
        config::{ClaudeCodeConfig, ConfigInputs, testing},
        credentials::AwsCredentials,
        host::{Host, HostPaths},
        http::{
            TrustConfig,
            testing::{block_on, test_client},
        },
        secret::Secret,
        time::Timestamp,
    };

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn host(bedrock: &str) -> Host {
        let address = format!("http://{bedrock}");
        let variables = ["AWS_ENDPOINT_URL_BEDROCK", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"];
        let (user_config, system_config, data, home_data) = Default::default();
        Host {
            environment: Environment::fixed(variables.map(|name| (name, address.as_str()))),
            paths: HostPaths { user_config, system_config, data, home_data },
            now: || NOW,
            fill_random: crate::host::fill_random,
        }
    }

    fn credentials() -> AwsCredentials {
        AwsCredentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: Secret::new("secret"),
            session_token: Secret::new("token"),
            expiration: NOW.saturating_add(Duration::from_secs(3600)),
        }
    }

    /// Bedrock takes every connection and says nothing.
    #[test]
    fn each_call_that_is_not_answered_is_named_and_waited_for_with_its_own_patience() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = listener.local_addr().unwrap().to_string();
        let (host, profile, credentials) = (host(&silent), testing::profile(), credentials());
        let inputs = ConfigInputs {
            environment: &host.environment,
            paths: &host.paths,
            file: None,
            profile: None,
            flags: &[],
            with_user_layers: true,
        };
        let context = DoctorContext::new(&host, inputs).unwrap();
        let models = [("default".to_owned(), "us.anthropic.claude".to_owned())].into();
        let claude_code = ClaudeCodeConfig { region: String::new(), models, env: [].into() };
        let profile = Profile { claude_code, ..profile };
        let client = test_client(&TrustConfig::default()).with_total_timeout(Duration::from_millis(80));
        let (environment, region) = (&host.environment, profile.bedrock_region());
        let bedrock = BedrockClient::new(&client, &profile, region, environment, &credentials, host.now).unwrap();
        let visit = LiveContext { environment, profile: &profile, bedrock, role: "BedrockUser" };
        let mut report = LiveReport::default();
        let began = Instant::now();
        block_on(visit.check_bedrock(&mut report));
        assert!(began.elapsed() < super::super::LIVE_CALL_TIMEOUT, "{:?}", began.elapsed());
        let reports = report.into_reports(&context);
        let told: Vec<_> = reports.iter().map(|checked| (checked.name, checked.message.clone())).collect();
        let unanswered = format!("{silent} did not answer within 0 s");
        assert_eq!(
            told,
            [
                (MODELS, unanswered.clone()),
                (PROFILES, unanswered.clone()),
                (CONVERSE, format!("us.anthropic.claude: {unanswered}")),
                (STREAMING, "us.anthropic.claude does not answer, see `converse`".to_owned()),
            ]
        );
    }
}
