//! The checks of `doctor --live`: real calls to AWS, from the token exchange to a model's streamed answer.
//!
//! Most checks need the result of an earlier one, and are skipped if that one failed. They use the stored sign-in, never
//! prompt, and store none of the results. `docs/live.md` lists what each call costs and which permission it needs.

mod model_choice;
mod exchange;
mod model_lists;
mod model_probe;

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::{CheckReport, DoctorContext, Finding, QUOTA, quota};
use crate::{
    aws::{BedrockClient, BedrockError, Guardrail},
    config::Profile,
    failure::{BedrockCall, Failure},
    host::Environment,
    http,
};
use model_choice::ModelChoice;

// The names of the checks, in the order of the output. They are part of the contract.
const EXCHANGE: &str = "exchange";
const IDENTITY: &str = "identity";
const MODELS: &str = "bedrock-models";
const PROFILES: &str = "bedrock-profiles";
const GUARDRAIL: &str = "guardrail";
const CONVERSE: &str = "converse";
const STREAMING: &str = "streaming";

/// Why a check is skipped if the exchange failed.
const NO_CREDENTIALS: &str = "no credentials are available, see `exchange`";

/// The checks that depend on an earlier one. `guardrail` is not among them: it appears only if a guardrail is
/// configured.
const DEPENDENT_CHECKS: [&str; 5] = [IDENTITY, MODELS, PROFILES, CONVERSE, STREAMING];

/// The finding of a check with the value that the next check needs, or the finding that ends the run.
type LiveOutcome<T> = Result<(Finding, T), Finding>;

/// The findings so far, each with the name of its check.
#[derive(Default)]
struct LiveReport(Vec<(&'static str, Finding)>);

impl LiveReport {
    fn add_finding(&mut self, name: &'static str, finding: Finding) {
        self.0.push((name, finding));
    }

    /// Adds the finding that ends the run, and skips all remaining checks with the reason `why`.
    fn end_with(&mut self, name: &'static str, finding: Finding, why: &str) {
        self.add_finding(name, finding);
        self.skip_remaining(why);
    }

    /// Adds every dependent check that has no finding yet as skipped, so that scripts always find all names.
    fn skip_remaining(&mut self, why: &str) {
        for name in DEPENDENT_CHECKS {
            if self.0.iter().all(|(known, _)| *known != name) {
                self.add_finding(name, Finding::Skipped(why.to_owned()));
            }
        }
    }

    /// Adds the finding of a check. Returns the value for the next check, or `None` if the run ends here.
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

/// Runs the live checks one after the other. Fails only if the async runtime cannot start.
pub(super) fn run_live_checks(context: &DoctorContext<'_>) -> Result<Vec<CheckReport>, Failure> {
    let mut report = LiveReport::default();
    report.add_finding(QUOTA, quota::check_quota_live(context)?);
    let prepared = context.profile().and_then(|profile| Ok((profile, exchange::prepare_exchange(context, profile)?)));
    match prepared {
        Ok((profile, input)) => {
            http::block_on(check_aws_access(context, profile, input, &mut report))
                .map_err(Failure::from_runtime_error)?;
        }
        Err(finding) => report.end_with(EXCHANGE, finding, NO_CREDENTIALS),
    }
    Ok(report.into_reports(context))
}

/// The checks that call AWS. Returns `None` if a failure ended them early, which lets `?` end the run; the report has
/// the reason.
async fn check_aws_access(
    context: &DoctorContext<'_>,
    profile: &Profile,
    input: exchange::ExchangeInput,
    report: &mut LiveReport,
) -> Option<()> {
    let tags = exchange::find_session_tags(profile, &input);
    let exchanged = exchange::check_exchange(context, profile, input).await;
    let credentials = report.add_step(EXCHANGE, exchanged, NO_CREDENTIALS)?;
    let identified = exchange::check_identity(context, profile, &credentials).await;
    let why = "AWS did not confirm the role of the credentials, see `identity`";
    let role = report.add_step(IDENTITY, identified, why)?;
    let (region, host) = (profile.bedrock_region(), context.host);
    let bedrock = context
        .live_client(profile)
        .and_then(|client| Ok(BedrockClient::new(client, profile, region, &host.environment, &credentials, host.now)?));
    match bedrock {
        Ok(bedrock) => {
            let client = context.live_client(profile).ok();
            let proxy = client.and_then(|client| client.proxy_for(bedrock.runtime_endpoint()));
            let live = LiveContext {
                environment: &host.environment,
                profile,
                bedrock,
                role: &role,
                tags: tags.as_ref(),
                proxy,
            };
            live.check_bedrock(report).await;
        }
        Err(failure) => {
            report.end_with(MODELS, failure.into(), "Amazon Bedrock cannot be called, see `bedrock-models`");
        }
    }
    Some(())
}

/// What the checks of Amazon Bedrock share.
struct LiveContext<'a> {
    environment: &'a Environment,
    profile: &'a Profile,
    /// Signs its requests with the credentials of the exchange.
    bedrock: BedrockClient<'a>,
    /// The role of the credentials, for messages about missing permissions.
    role: &'a str,
    /// The session tags of the credentials; `None` if they are not known.
    tags: Option<&'a BTreeMap<String, String>>,
    /// Host and port of the proxy for Bedrock, if there is one.
    proxy: Option<&'a str>,
}

impl<'a> LiveContext<'a> {
    fn region(&self) -> &'a str {
        self.profile.bedrock_region()
    }

    /// The lists first, because the choice of a model needs them if none is configured. A list that cannot be fetched
    /// does not end the run: a configured model may answer nevertheless.
    async fn check_bedrock(&self, report: &mut LiveReport) {
        let wanted = model_choice::list_configured_models(&self.profile.claude_code, self.environment);
        let (models, profiles) = model_lists::fetch_lists(&self.bedrock).await;
        if let Err(error) = &models
            && error.denial().is_some_and(|denial| denial.block.is_some())
        {
            // Every other call would be refused in the same way.
            let blocked = self.build_failure(error.clone(), None, None);
            return report.end_with(MODELS, blocked.into(), "a policy blocks you, see `bedrock-models`");
        }
        let (Ok(listed) | Err(listed)) = model_lists::check_models(self, &models, &wanted);
        report.add_finding(MODELS, listed);
        let (Ok(listed) | Err(listed)) = model_lists::check_inference_profiles(self, &profiles, &wanted).await;
        report.add_finding(PROFILES, listed);
        let choice = model_choice::choose_models(wanted, models.ok().as_deref(), profiles.ok().as_deref());
        let Some(choice) = choice else {
            let why = "no model to call: name one in [profiles.NAME.claude_code] `models`";
            return report.skip_remaining(why);
        };
        match model_choice::parse_guardrail(&self.profile.claude_code, self.environment) {
            Ok(guardrail) => self.probe_models(&choice, guardrail.as_ref(), report).await,
            Err(failure) => {
                report.end_with(
                    GUARDRAIL,
                    failure.into(),
                    "the guardrail is not configured correctly, see `guardrail`",
                );
            }
        }
    }

    /// Calls all models at the same time, because each takes a second or two to answer. The answer of the first
    /// configured model also shows whether AWS applies the guardrail.
    async fn probe_models(&self, choice: &ModelChoice, guardrail: Option<&Guardrail>, report: &mut LiveReport) {
        let probes = choice.models.iter().map(|wanted| model_probe::probe_model(&self.bedrock, wanted, guardrail));
        let results = join_all(probes).await;
        if let (Some(guardrail), Some(first)) = (guardrail, results.first()) {
            report.add_finding(GUARDRAIL, model_probe::check_guardrail(self, guardrail, first));
        }
        for result in results {
            result.add_to_report(self, choice, report);
        }
    }

    /// Describes the failure of a call, with the model and the guardrail that it named.
    fn build_failure(&self, error: BedrockError, model: Option<&str>, guardrail: Option<&Guardrail>) -> Failure {
        let call = BedrockCall {
            region: self.region(),
            role: self.role,
            model,
            guardrail,
            tags: self.tags,
            endpoint: self.bedrock.runtime_endpoint(),
            proxy: self.proxy,
        };
        Failure::from_bedrock_error(error, &call)
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

    /// Bedrock accepts every connection and never answers.
    #[test]
    fn unanswered_bedrock_calls_are_named_after_the_timeout() {
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
        let live =
            LiveContext { environment, profile: &profile, bedrock, role: "BedrockUser", tags: None, proxy: None };
        let mut report = LiveReport::default();
        let began = Instant::now();
        block_on(live.check_bedrock(&mut report));
        assert!(began.elapsed() < super::super::LIVE_CALL_TIMEOUT, "{:?}", began.elapsed());
        let reports = report.into_reports(&context);
        let messages: Vec<_> = reports.iter().map(|checked| (checked.name, checked.message.clone())).collect();
        let unanswered = format!("{silent} did not answer within 0 s");
        assert_eq!(
            messages,
            [
                (MODELS, unanswered.clone()),
                (PROFILES, unanswered.clone()),
                (CONVERSE, format!("us.anthropic.claude: {unanswered}")),
                (STREAMING, "us.anthropic.claude does not answer, see `converse`".to_owned()),
            ]
        );
    }
}
