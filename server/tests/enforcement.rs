//! The enforcement against an IAM on loopback that is as strict as AWS's where it matters: five versions, 6,144 characters,
//! and the default version that cannot be deleted.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{Response, StatusCode},
};
use bedrock_sso::{
    host::{self, Environment},
    http::{Client, HttpSettings},
    time::Timestamp,
};
use bedrock_sso_server::{
    administration::{AdminRequest, Administration},
    api::{EnforcementRunner, Service},
    aws_calls::AwsClient,
    calendar::Period,
    config::Config,
    enforcement::EnforcementReport,
    ingest::Ingestion,
    limits::{Action, Block, Grant, Limit, Scope},
    person::Person,
    prices::PriceList,
    serve::Listening,
    store::{Store, file_store::FileStore},
    usage_watch::WakeOutcome,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const POLICIES: [&str; 4] = [
    "arn:aws:iam::123456789012:policy/quota-1",
    "arn:aws:iam::123456789012:policy/quota-2",
    "arn:aws:iam::123456789012:policy/quota-3",
    "arn:aws:iam::123456789012:policy/quota-4",
];

/// What the template writes first.
const NOBODY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Blocked","Effect":"Deny","Action":["bedrock:*","bedrock-mantle:*","cloudwatch:*","logs:*","sts:*"],"Resource":"*","Condition":{"StringLike":{"aws:userid":["*:(nobody)"]}}}]}"#;

/// The policies and topics of an account, and all requests that it has got.
#[derive(Debug, Default)]
struct Account {
    /// For each ARN the versions with their documents; the last one decides.
    policies: BTreeMap<String, Vec<(u64, String)>>,
    /// Operation and ARN of each request.
    requests: Vec<(String, String)>,
    published: Vec<BTreeMap<String, String>>,
    /// How long a write takes.
    write_time: Duration,
}

impl Account {
    fn answer(&mut self, form: &BTreeMap<String, String>) -> Result<String, (u16, &'static str)> {
        let arn = form.get("PolicyArn").or_else(|| form.get("TopicArn")).unwrap().clone();
        self.requests.push((form["Action"].clone(), arn.clone()));
        if form["Action"] == "Publish" {
            self.published.push(form.clone());
            return Ok(String::new());
        }
        let versions = self.policies.get_mut(&arn).ok_or((404, "NoSuchEntity"))?;
        let default = versions.last().unwrap().0;
        let named = form.get("VersionId").map(|id| id[1..].parse::<u64>().unwrap());
        match form["Action"].as_str() {
            "ListPolicyVersions" => Ok(versions
                .iter()
                .rev()
                .map(|(number, _)| {
                    let is_default = *number == default;
                    format!("<member><VersionId>v{number}</VersionId><IsDefaultVersion>{is_default}</IsDefaultVersion></member>")
                })
                .collect::<String>())
            .map(|members| format!("<Versions>{members}</Versions><IsTruncated>false</IsTruncated>")),
            "GetPolicyVersion" => {
                let (_, document) =
                    versions.iter().find(|(number, _)| Some(*number) == named).ok_or((404, "NoSuchEntity"))?;
                let encoded: String = form_urlencoded::byte_serialize(document.as_bytes()).collect();
                Ok(format!("<Document>{}</Document>", encoded.replace('+', "%20")))
            }
            "CreatePolicyVersion" if versions.len() == 5 => Err((409, "LimitExceeded")),
            "CreatePolicyVersion" if form["PolicyDocument"].len() > 6144 => Err((409, "LimitExceeded")),
            "CreatePolicyVersion" => {
                assert_eq!(form["SetAsDefault"], "true");
                versions.push((default + 1, form["PolicyDocument"].clone()));
                Ok(String::new())
            }
            "DeletePolicyVersion" if named == Some(default) => Err((409, "DeleteConflict")),
            "DeletePolicyVersion" => {
                versions.retain(|(number, _)| Some(*number) != named);
                Ok(String::new())
            }
            other => panic!("{other}"),
        }
    }

    fn writes(&self) -> usize {
        self.requests.iter().filter(|(operation, _)| operation == "CreatePolicyVersion").count()
    }

    /// Everybody whom the deciding versions refuse at this moment.
    fn list_refused(&self, now: Timestamp) -> BTreeSet<String> {
        let mut refused = BTreeSet::new();
        for versions in self.policies.values() {
            let document: Value = serde_json::from_str(&versions.last().unwrap().1).unwrap();
            for statement in document["Statement"].as_array().unwrap() {
                let end = statement["Condition"]["DateLessThan"]["aws:CurrentTime"].as_str();
                if end.is_none_or(|end| now.to_string().as_str() < end) {
                    let sessions = statement["Condition"]["StringLike"]["aws:userid"].as_array().unwrap();
                    refused.extend(sessions.iter().map(|session| session.as_str().unwrap()[2..].to_owned()));
                }
            }
        }
        refused.remove("(nobody)");
        refused
    }
}

/// An account on loopback, a store in a file, and the service between them.
struct Office {
    account: Arc<Mutex<Account>>,
    store: Arc<dyn Store>,
    config: Config,
    endpoint: String,
    _folder: tempfile::TempDir,
}

impl Office {
    async fn new() -> Self {
        let policies = POLICIES.map(|arn| (arn.to_owned(), vec![(1, NOBODY.to_owned())]));
        let account = Arc::new(Mutex::new(Account { policies: policies.into(), ..Account::default() }));
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "version = 1\nlisten = \"127.0.0.1:0\"\nstore = \"file:usage.redb\"\n\
             notify = {{ topic = \"arn:aws:sns:eu-west-1:123456789012:limits\" }}\nenforce = {{ policies = {} }}\n\
             [[issuer]]\nissuer = \"https://acme.okta.com\"\naudience = [\"0oa1\"]\n",
            json!(POLICIES)
        );
        let config = Config::parse(&text, folder.path()).unwrap();
        let store: Arc<dyn Store> = Arc::new(FileStore::open(&folder.path().join("usage.redb")).unwrap());
        let endpoint = serve_account(Arc::clone(&account), &config).await;
        Self { account, store, config, endpoint, _folder: folder }
    }

    /// A process of its own with the same store: a server or a function.
    fn start_process(&self, now: fn() -> Timestamp) -> Service {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", &self.endpoint),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let client = || Client::new(HttpSettings::from_environment(&Environment::Fixed(BTreeMap::new()))).unwrap();
        let aws = AwsClient::from_environment(client(), &Environment::Fixed(variables.into()), host::now).unwrap();
        let mut service = Service::with_aws(
            &self.config,
            PriceList::shipped(),
            Arc::clone(&self.store),
            client(),
            Some(aws),
            EnforcementRunner::ThisProcess,
        );
        service.now = now;
        Arc::get_mut(&mut service.watch).unwrap().now = now;
        service
    }

    fn refused(&self, now: Timestamp) -> Vec<String> {
        self.account.lock().unwrap().list_refused(now).into_iter().collect()
    }

    fn writes(&self) -> usize {
        self.account.lock().unwrap().writes()
    }

    async fn set_limit(&self, amount: &str) {
        let amount = amount.parse().unwrap();
        let limit = Limit { scope: Scope::Default, model: None, period: Period::Month, amount, action: Action::Block };
        self.store.set_limit(&limit).await.unwrap();
    }
}

/// Serves IAM and SNS until the test ends.
async fn serve_account(account: Arc<Mutex<Account>>, config: &Config) -> String {
    let handler = async move |request: Request| {
        assert!(request.headers().contains_key("authorization"));
        let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
        let form: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
        if form["Action"] == "CreatePolicyVersion" {
            let write_time = account.lock().unwrap().write_time;
            // Other enforcers would read the old version meanwhile, if nothing prevented it.
            tokio::time::sleep(write_time).await;
        }
        let (status, text) = match account.lock().unwrap().answer(&form) {
            Ok(result) => (200, format!("<Response><Result>{result}</Result></Response>")),
            Err((status, code)) => (status, format!("<R><Error><Code>{code}</Code><Message>no</Message></Error></R>")),
        };
        Response::builder().status(StatusCode::from_u16(status).unwrap()).body(Body::from(text)).unwrap()
    };
    let listening = Listening::bind(config).await.unwrap();
    let url = listening.url();
    tokio::spawn(listening.run(Router::new().fallback(handler), std::future::pending()));
    url
}

/// The moment at which all records of the tests were made.
fn today() -> Timestamp {
    Timestamp::from_rfc3339("2026-11-15T12:00:00Z").unwrap()
}

fn next_month() -> Timestamp {
    Timestamp::from_rfc3339("2026-12-01T00:00:00Z").unwrap()
}

fn person(name: &str) -> Person {
    Person::parse(name).unwrap()
}

fn record(id: &str, name: &str, tokens: u64) -> String {
    json!({
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": today().to_string(),
        "accountId": "123456789012", "region": "us-east-1", "requestId": id, "operation": "InvokeModel",
        "identity": { "arn": format!("arn:aws:sts::123456789012:assumed-role/BedrockUser/{name}") },
        "modelId": "us.anthropic.claude-opus-4-6-v1",
        "input": { "inputTokenCount": tokens }, "output": { "outputTokenCount": 0 },
    })
    .to_string()
}

/// Counts a delivery, and does what follows from it, as the functions and the server do.
async fn ingest(service: &Service, delivery: &str) {
    let Service { store, prices, calendar, now, .. } = service;
    let ingestion = Ingestion { store: store.as_ref(), prices, calendar, now: now() };
    let (_, people) = ingestion.ingest_and_list_people(delivery.as_bytes()).await.unwrap();
    let due = service.watch.review(&people).await.unwrap();
    service.watch.send_notices(due).await;
}

#[tokio::test]
async fn a_limit_refuses_until_a_grant_and_again_after_it() {
    let office = Office::new().await;
    let service = office.start_process(today);
    office.set_limit("1000").await;
    ingest(&service, &[record("1", "alice", 1000), record("2", "bob", 999)].join("\n")).await;
    assert_eq!(
        service.watch.enforce().await,
        Ok(EnforcementReport { refused: 1, blocked: 0, left_out: 0, written: 1 })
    );
    assert_eq!(office.refused(today()), ["alice"]);
    // Nothing has changed.
    assert_eq!(
        service.watch.enforce().await,
        Ok(EnforcementReport { refused: 1, blocked: 0, left_out: 0, written: 0 })
    );
    let until = today().saturating_add(Duration::from_secs(3600));
    let grant = Grant { person: person("alice"), since: today(), until, amount: None, reason: String::new() };
    office.store.add_grant(&grant).await.unwrap();
    service.watch.enforce().await.unwrap();
    assert_eq!(office.refused(today()), [""; 0]);
    // The grant has ended, and the limit is still reached, although no other record has arrived.
    let later = office.start_process(|| today().saturating_add(Duration::from_secs(3601)));
    later.watch.enforce().await.unwrap();
    assert_eq!(office.refused(today()), ["alice"]);
    office.set_limit("2000").await;
    service.watch.enforce().await.unwrap();
    assert_eq!(office.refused(today()), [""; 0]);
}

/// A person who reaches a limit during a grant or a block spends nothing after it.
#[tokio::test]
async fn a_limit_reached_during_an_exception_refuses_after_it() {
    let office = Office::new().await;
    let service = office.start_process(today);
    office.set_limit("1000").await;
    let until = today().saturating_add(Duration::from_secs(3600));
    let grant = Grant { person: person("alice"), since: today(), until, amount: None, reason: String::new() };
    office.store.add_grant(&grant).await.unwrap();
    let block = Block { person: person("bob"), since: today(), until: Some(until), reason: None };
    office.store.set_block(&block).await.unwrap();
    ingest(&service, &["alice", "bob"].map(|name| record(name, name, 1000)).join("\n")).await;
    service.watch.enforce().await.unwrap();
    assert_eq!(office.refused(today()), ["bob"]);
    let later = office.start_process(|| today().saturating_add(Duration::from_secs(3601)));
    later.watch.enforce().await.unwrap();
    assert_eq!(office.refused(today().saturating_add(Duration::from_secs(3601))), ["alice", "bob"]);
}

#[tokio::test]
async fn a_limit_of_zero_refuses_whom_it_names_at_once() {
    let office = Office::new().await;
    let service = office.start_process(today);
    let Service { store, watch, prices, calendar, .. } = &service;
    let administration = Administration { store: store.as_ref(), watch, calendar, prices, now: today() };
    let limit = |scope: Scope, model: Option<&str>| Limit {
        scope,
        model: model.map(str::to_owned),
        period: Period::Month,
        amount: "0".parse().unwrap(),
        action: Action::Block,
    };
    // Nobody has called anything. Bob may call other models.
    let limits = vec![
        limit(Scope::Person(person("alice")), None),
        limit(Scope::Person(person("bob")), Some("*opus*")),
        limit(Scope::Default, None),
    ];
    administration.carry_out(AdminRequest::SetLimits { limits }).await.unwrap();
    service.watch.enforce().await.unwrap();
    // Nobody knows whom the default one is for before they call something.
    let account = office.account.lock().unwrap();
    let refused = account.policies[POLICIES[0]].last().unwrap().1.clone();
    assert!(refused.contains("*:alice"), "{refused}");
}

#[tokio::test]
async fn a_lowered_limit_refuses_without_another_call() {
    let office = Office::new().await;
    let service = office.start_process(today);
    office.set_limit("5000").await;
    ingest(&service, &[record("1", "alice", 2000), record("2", "bob", 10)].join("\n")).await;
    let Service { store, watch, prices, calendar, .. } = &service;
    let administration = Administration { store: store.as_ref(), watch, calendar, prices, now: today() };
    let limit = Limit {
        scope: Scope::Default,
        model: None,
        period: Period::Month,
        amount: "1000".parse().unwrap(),
        action: Action::Block,
    };
    let answer = administration.carry_out(AdminRequest::SetLimits { limits: vec![limit] }).await.unwrap();
    // The loop of this process is awake.
    assert_eq!(answer.remark(), None);
    service.watch.enforce().await.unwrap();
    assert_eq!(office.refused(today()), ["alice"]);
    // Nobody has spent anything meanwhile, so nobody is reported.
    let faults = store.load_faults().await.unwrap();
    assert_eq!(faults.no_verified_token, [("alice".to_owned(), 1), ("bob".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_repeated_delivery_marks_whom_the_first_did_not() {
    let office = Office::new().await;
    let service = office.start_process(today);
    office.set_limit("1000").await;
    let delivery = record("1", "alice", 2000);
    let Service { store, prices, calendar, .. } = &service;
    // The function is ended between the count and the mark, so Lambda repeats the event.
    let ingestion = Ingestion { store: store.as_ref(), prices, calendar, now: today() };
    assert_eq!(ingestion.ingest(delivery.as_bytes()).await.unwrap().accepted, 1);
    service.watch.enforce().await.unwrap();
    assert_eq!(office.refused(today()), [""; 0]);
    ingest(&service, &delivery).await;
    service.watch.enforce().await.unwrap();
    assert_eq!(office.refused(today()), ["alice"]);
}

#[tokio::test]
async fn the_reset_lifts_a_refusal_without_any_run() {
    let office = Office::new().await;
    let service = office.start_process(today);
    office.set_limit("1000").await;
    ingest(&service, &record("1", "alice", 1000)).await;
    let block = Block { person: person("bob"), since: today(), until: None, reason: None };
    office.store.set_block(&block).await.unwrap();
    service.watch.enforce().await.unwrap();
    assert_eq!(office.refused(today()), ["alice", "bob"]);
    assert_eq!(office.refused(next_month()), ["bob"]);
    // The next run also forgets the name.
    office.start_process(next_month).watch.enforce().await.unwrap();
    assert_eq!(office.refused(today()), ["bob"]);
    assert!(office.store.remove_block(&person("bob")).await.unwrap());
    office.start_process(next_month).watch.enforce().await.unwrap();
    assert_eq!(office.refused(today()), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn enforcers_at_the_same_time_write_what_one_would() {
    let office = Office::new().await;
    office.set_limit("1000").await;
    let names: Vec<String> = (0..300).map(|number| format!("person.{number:03}@example.com")).collect();
    let records: Vec<String> = names.iter().map(|name| record(name, name, 1000)).collect();
    ingest(&office.start_process(today), &records.join("\n")).await;
    office.account.lock().unwrap().write_time = Duration::from_secs(1);
    let mut enforcers = JoinSet::new();
    for _ in 0..4 {
        let service = office.start_process(today);
        enforcers.spawn(async move { service.watch.enforce().await.unwrap().written });
    }
    let written: usize = enforcers.join_all().await.into_iter().sum();
    assert_eq!(office.refused(today()), names);
    // 300 names need two policies.
    assert_eq!((written, office.writes()), (2, 2));
}

#[tokio::test]
async fn no_other_policy_is_read_or_written() {
    let office = Office::new().await;
    let foreign = "arn:aws:iam::123456789012:policy/you-are-blocked-ask-your-administrator";
    office.account.lock().unwrap().policies.insert(foreign.to_owned(), vec![(1, NOBODY.to_owned())]);
    office.set_limit("1000").await;
    let service = office.start_process(today);
    for turn in 0..8 {
        ingest(&service, &record(&turn.to_string(), &format!("person-{turn}"), 1000)).await;
        service.watch.enforce().await.unwrap();
        let account = office.account.lock().unwrap();
        // A place stays free for CloudFormation.
        assert!(account.policies.values().all(|versions| versions.len() <= 4), "{account:?}");
    }
    let account = office.account.lock().unwrap();
    let policies: BTreeSet<&str> =
        account.requests.iter().map(|(_, arn)| arn.as_str()).filter(|arn| arn.contains(":iam:")).collect();
    assert_eq!(policies, BTreeSet::from(POLICIES));
    assert_eq!(account.policies[foreign].len(), 1);
    assert_eq!(account.list_refused(today()).len(), 8);
}

#[tokio::test]
async fn foreign_versions_are_replaced_and_a_missing_policy_is_spared() {
    let office = Office::new().await;
    {
        let policies = &mut office.account.lock().unwrap().policies;
        policies.remove(POLICIES[0]);
        // CloudFormation has written the template again, and somebody has filled all places.
        let versions = policies.get_mut(POLICIES[1]).unwrap();
        versions.extend((2..=5).map(|number| (number, NOBODY.to_owned())));
    }
    let block = Block { person: person("bob"), since: today(), until: None, reason: None };
    office.store.set_block(&block).await.unwrap();
    let service = office.start_process(today);
    assert_eq!(
        service.watch.enforce().await,
        Ok(EnforcementReport { refused: 1, blocked: 1, left_out: 0, written: 1 })
    );
    assert_eq!(office.refused(today()), ["bob"]);
    assert_eq!(office.account.lock().unwrap().policies[POLICIES[1]].len(), 4);
    office.account.lock().unwrap().policies.clear();
    assert!(service.watch.enforce().await.unwrap_err().to_string().contains("NoSuchEntity"));
    // The lease was given back after the error.
    assert!(office.store.acquire_lease("enforcement", "other", today(), next_month()).await.unwrap());
}

#[tokio::test]
async fn a_change_wakes_the_loop_of_the_server() {
    let office = Office::new().await;
    let service = Arc::new(office.start_process(today));
    let watch = Arc::clone(&service.watch);
    let running = tokio::spawn(async move { watch.enforce_in_loop().await });
    office.set_limit("1000").await;
    ingest(&service, &record("1", "alice", 1000)).await;
    let refused = async |names: &[&str]| {
        // The loop reports nothing; a minute's run would come too late for the timeout.
        while office.refused(today()) != names {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), refused(&["alice"])).await.unwrap();
    office.set_limit("2000").await;
    assert_eq!(service.watch.wake_enforcement().await, WakeOutcome::Woken);
    tokio::time::timeout(Duration::from_secs(30), refused(&[])).await.unwrap();
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_ingesters_publish_each_notice_once() {
    let office = Office::new().await;
    office.set_limit("1000").await;
    let mut ingesters = JoinSet::new();
    for writer in 0..8 {
        // Each is a function with a memory of its own.
        let service = office.start_process(today);
        ingesters.spawn(async move {
            for turn in 0..5 {
                // 40 records of 50 tokens for each of two people: both thresholds are passed, in many deliveries.
                let lines = ["alice", "bob"].map(|name| record(&format!("{name}-{writer}-{turn}"), name, 50));
                ingest(&service, &lines.join("\n")).await;
            }
        });
    }
    ingesters.join_all().await;
    let account = office.account.lock().unwrap();
    let attribute = |form: &BTreeMap<String, String>, number: usize| {
        form[&format!("MessageAttributes.entry.{number}.Value.StringValue")].clone()
    };
    let mut sent: Vec<(String, String)> =
        account.published.iter().map(|form| (attribute(form, 1), attribute(form, 2))).collect();
    sent.sort();
    // If no delivery ended between 80 % and 100 %, the notice of 100 % is the only one.
    for (name, threshold, least) in [("alice", "100", 1), ("alice", "80", 0), ("bob", "100", 1), ("bob", "80", 0)] {
        let count = sent.iter().filter(|one| **one == (name.to_owned(), threshold.to_owned())).count();
        assert!((least..=1).contains(&count), "{name} {threshold}: {sent:?}");
    }
    sent.dedup();
    assert_eq!(sent.len(), account.published.len());
    let form = &account.published[0];
    assert!(form["Message"].contains("this month") && form["Subject"].starts_with("Bedrock limit: "), "{form:?}");
}

/// Run with `--release --ignored --nocapture` to measure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn time_of_one_run_with_500_people() {
    let office = Office::new().await;
    office.set_limit("1000").await;
    let names: Vec<String> = (0..500).map(|number| format!("first.last{number:03}@example.com")).collect();
    let records: Vec<String> = names.iter().map(|name| record(name, name, 1000)).collect();
    let service = office.start_process(today);
    ingest(&service, &records.join("\n")).await;
    for what in ["all are new", "nothing changes"] {
        let begin = std::time::Instant::now();
        let report = service.watch.enforce().await.unwrap();
        println!("{what}: {report:?} in {:?}", begin.elapsed());
    }
    assert_eq!(office.refused(today()), names);
}
