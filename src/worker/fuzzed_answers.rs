//! A thousand answers of a token endpoint, to a refresh and to a code: after each of them the user can sign in again.
//!
//! The answers come from a seed, which a failure names. Most are HTTP that no provider should send. The ladder runs in
//! this process, with the real HTTP client, against a provider and STS on loopback.

use std::{
    future::pending,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use testworld::{CLIENT_ID, Fault, Knob, World, visit};
use tokio::sync::mpsc;

use crate::{
    aws::Aws,
    cache::{Cache, FailureReport, SignInRecord},
    config::{self, AwsEndpoints, CallerKind, Issuer, Profile, RedirectUri},
    failure::report_session_error,
    hint::Invocation,
    host::{Environment, ExecutionContext, Host},
    http::{Client, HttpSettings, block_on},
    oidc::ClientFiles,
    secret::Secret,
    session::{
        ClimbOutcome, CredentialsPurpose, Ladder, LadderPurpose, LoginCondition, MethodPreference, Prompting,
        SignInEvent, UserInput,
    },
    url::SecureUrl,
};

const SEEDS: u64 = 1000;
const THREADS: u64 = 4;

/// An answer of the token endpoint.
struct Answer {
    bytes: Vec<u8>,
    status: u16,
    body: Vec<u8>,
    /// Whether a complete HTTP answer arrives.
    is_complete: bool,
    fault: Fault,
}

/// Numbers that follow from a seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }
}

const STATUSES: [u16; 34] = [
    200, 200, 200, 201, 203, 206, 300, 301, 302, 303, 307, 308, 400, 400, 400, 401, 401, 402, 403, 403, 404, 405, 407,
    408, 410, 418, 422, 429, 431, 500, 502, 503, 504, 599,
];

const CODES: [&str; 14] = [
    "invalid_grant", "invalid_grant", "invalid_request", "invalid_client", "unauthorized_client", "access_denied",
    "interaction_required", "login_required", "temporarily_unavailable", "slow_down", "E-42] \u{7}", "Invalid_Grant",
    "", "\u{202e}tnarg_dilavni",
];

const HEADERS: [&str; 12] = [
    "Content-Type: application/json\r\n",
    "Content-Type: text/html; charset=utf-8\r\n",
    "Content-Type: application/json; charset=utf-16\r\n",
    "Content-Encoding: gzip\r\n",
    "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n",
    "Retry-After: 999999999999\r\n",
    "Location: https://portal.invalid/?rt=1\r\n",
    "Location: javascript:alert(1)\r\n",
    "Location: \r\n",
    "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
    "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n",
    "X-Odd: \u{e9}\t\r\n",
];

fn make_body(numbers: &mut Numbers) -> Vec<u8> {
    let code = numbers.pick(&CODES);
    let error = json!({ "error": code, "error_description": "no\u{1b}[31m" }).to_string();
    let cut = numbers.below(error.len());
    let tokens = |id_token: Value| json!({ "access_token": "at", "id_token": id_token }).to_string();
    match numbers.below(20) {
        0 => Vec::new(),
        1 => b"<!doctype html><h1>invalid_grant</h1>".to_vec(),
        2..=5 => error.into_bytes(),
        6 => error.into_bytes()[..cut].to_vec(),
        7 => json!({ "error": { "code": code } }).to_string().into_bytes(),
        8 => json!([{ "error": code }]).to_string().into_bytes(),
        9 => numbers.pick(&["null", "7", "\"invalid_grant\"", "{}", "[]", "{", "{}{}", "\u{feff}{}"]).into(),
        10 => format!("{{\"a\":{}", "[".repeat(2000)).into_bytes(),
        11 => vec![b' '; 3000],
        12 => (0..numbers.below(4000)).map(|_| numbers.next().to_be_bytes()[0]).collect(),
        13 => tokens(json!(7)).into_bytes(),
        14 => tokens(json!("a.b.c")).into_bytes(),
        15 => tokens(json!("eyJhbGciOiJub25lIn0.e30.")).into_bytes(),
        16 => json!({ "access_token": "at" }).to_string().into_bytes(),
        17 => json!({ "access_token": "", "id_token": null, "refresh_token": "" }).to_string().into_bytes(),
        18 => json!({ "error": code, "error_description": "x".repeat(5000) }).to_string().into_bytes(),
        _ => json!({ "error": code, "error_description": 7 }).to_string().into_bytes(),
    }
}

fn make_answer(seed: u64) -> Answer {
    let mut numbers = Numbers(seed);
    let (status, body) = (numbers.pick(&STATUSES), make_body(&mut numbers));
    let headers: String = (0..numbers.below(4)).map(|_| numbers.pick(&HEADERS)).collect();
    let head =
        |length: usize| format!("HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\n\r\n").into_bytes();
    let whole = [head(body.len()), body.clone()].concat();
    let cut = numbers.below(whole.len());
    let raw = |bytes: Vec<u8>| (Fault::Raw { parts: vec![bytes], pause: 0 }, false);
    let (fault, is_complete) = match numbers.below(24) {
        0 => raw(whole[..cut].to_vec()),
        1 => raw([head(body.len() + 9), body.clone()].concat()),
        2 => raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        3 => raw([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n".to_vec(), body.clone()].concat()),
        4 => (Fault::Close, false),
        5 if seed.is_multiple_of(3) => (Fault::Hang, false),
        5 => (Fault::Flood, false),
        6 => (Fault::Raw { parts: whole.chunks(whole.len() / 3 + 1).map(<[u8]>::to_vec).collect(), pause: 5 }, true),
        _ => (Fault::Raw { parts: vec![whole.clone()], pause: 0 }, true),
    };
    Answer { bytes: whole, status, body, is_complete, fault }
}

/// What the documents promise for an answer to a refresh.
struct Promise {
    is_token_spent: bool,
    exit: Option<u8>,
}

impl Answer {
    fn oauth_error(&self) -> Option<String> {
        let document: Value = serde_json::from_slice(&self.body).ok()?;
        let is_text = |value: &Value| value.is_null() || value.is_string();
        let document = document.as_object().filter(|it| it.get("error_description").is_none_or(is_text))?;
        document.get("error")?.as_str().map(str::to_owned)
    }

    fn promise(&self) -> Promise {
        let promise = |is_token_spent, exit| Promise { is_token_spent, exit };
        let oauth_error = self.oauth_error().filter(|_| !matches!(self.status, 408 | 429));
        match (self.status, oauth_error.as_deref()) {
            _ if !self.is_complete => promise(false, Some(9)),
            (400..=499, Some("invalid_grant")) => promise(true, Some(4)),
            (400..=499, Some("invalid_client" | "unauthorized_client")) => promise(false, Some(5)),
            (400..=499, Some(_)) | (400 | 401 | 404, None) => promise(false, Some(4)),
            (300..=599, _) => promise(false, Some(9)),
            // Network, no tokens, no ID token, or an ID token that fails verification.
            _ => promise(false, None),
        }
    }
}

/// One user of one world.
struct Bench {
    world: World,
    profile: Profile,
    host: Host,
    client: Client,
    aws: Aws,
    cache: Cache,
}

impl Bench {
    fn new(folder: &Path) -> Self {
        let world = World::new();
        // Neither credentials nor the ID token last long enough to be used again, so each call asks the provider.
        world.set(Knob::CredentialLifetime, 10);
        world.set(Knob::IdTokenLifetime, 10);
        let defaults = config::testing::profile_with(|oidc| {
            oidc.issuer = Issuer::parse(&world.issuer()).unwrap();
            oidc.client_id = CLIENT_ID.to_owned();
        });
        let profile = Profile {
            aws_endpoints: AwsEndpoints {
                sts: Some(SecureUrl::parse(&world.sts_endpoint()).unwrap()),
                ..AwsEndpoints::default()
            },
            redirect_uri: RedirectUri { ports: Vec::new(), ..defaults.redirect_uri.clone() },
            ..defaults
        };
        // The variables of this machine, such as those of proxies and authorities, must not matter.
        let host = Host { environment: Environment::fixed([]), ..Host::from_system().unwrap() };
        let client = Client::new(HttpSettings::from_environment(&host.environment)).unwrap();
        let aws = Aws::new(&client, &profile, &host.environment, host.now).unwrap();
        let cache = Cache::for_profile(&profile, folder, CallerKind::NonInteractive);
        cache.create_folder().unwrap();
        Self { world, profile, host, client, aws, cache }
    }

    /// Runs the ladder as a worker does. The user follows every address that it shows.
    fn climb(&self, purpose: CredentialsPurpose, client: &Client) -> Result<(), FailureReport> {
        let describe = |error| report_session_error(error, &self.profile);
        let ladder = Ladder {
            purpose: LadderPurpose::Credentials(purpose),
            profile: &self.profile,
            host: &self.host,
            client,
            client_files: &ClientFiles::read_for_profile(&self.profile),
            aws: &self.aws,
            context: &ExecutionContext { display: true, ..ExecutionContext::default() },
            report: &|event| {
                if let SignInEvent::Prompt(prompt) = event {
                    thread::spawn(move || visit(&prompt.address, false));
                }
            },
            invocation: &Invocation::default(),
            describe: &describe,
            started: Instant::now(),
        };
        let (_lines, pasted_lines) = mpsc::channel(1);
        let mut user = UserInput { cancel_signal: Box::pin(pending()), pasted_lines };
        let sign_in = self.cache.try_lock_sign_in().unwrap().unwrap();
        let credentials = self.cache.try_lock_credentials().unwrap().unwrap();
        match block_on(ladder.get_credentials(sign_in, &credentials, None, &mut user)).unwrap() {
            Ok(ClimbOutcome::Done(_)) => Ok(()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(describe(error)),
        }
    }

    fn login(&self, mode: LoginCondition, client: &Client) -> Result<(), FailureReport> {
        self.climb(CredentialsPurpose::Login { mode, method: MethodPreference::NoBrowser }, client)
    }

    fn sign_in(&self) -> SignInRecord {
        self.cache.load_sign_in().unwrap()
    }

    /// Asserts what the documents promise for this answer, first to a refresh, then to a code.
    fn check(&self, seed: u64) {
        let answer = make_answer(seed);
        let name = format!("seed {seed}: {:?}", String::from_utf8_lossy(&answer.bytes[..answer.bytes.len().min(400)]));
        let Promise { is_token_spent, exit } = answer.promise();
        // Only a silent answer is worth a short wait: on a busy machine others may take long.
        let wait = Duration::from_millis(if matches!(answer.fault, Fault::Hang) { 300 } else { 15_000 });
        let client = self.client.with_total_timeout(wait);

        let before = self.sign_in().refresh_token;
        assert!(before.is_some(), "{name}");
        self.world.next(1, Knob::RefreshFault, json!(answer.fault));
        let report = self.climb(CredentialsPurpose::Automatic(Prompting::Never), &client).expect_err(&name);
        assert_documented(&report, &name);
        assert!(exit.is_none_or(|exit| exit == report.code), "{name}: {report:?}");
        let expected = before.filter(|_| !is_token_spent);
        assert_eq!(
            self.sign_in().refresh_token.as_ref().map(Secret::expose),
            expected.as_ref().map(Secret::expose),
            "{name}"
        );

        let before = self.sign_in();
        self.world.next(1, Knob::CodeFault, json!(answer.fault));
        let report = self.login(LoginCondition::Always, &client).expect_err(&name);
        assert_documented(&report, &name);
        assert_eq!(self.sign_in(), before, "{name}: a failed sign-in changes nothing");
        // The refresh of this sign-in gets the same answer. The user reaches the browser nevertheless.
        let refreshes = self.sign_in().refresh_token.is_some();
        if refreshes && !matches!(answer.fault, Fault::Hang) {
            self.world.next(1, Knob::RefreshFault, json!(answer.fault));
        }
        self.login(LoginCondition::IfNeeded, &self.client).unwrap_or_else(|report| panic!("{name}: {report:?}"));
    }
}

/// Asserts that the documents have the slug of this failure, with its exit code.
fn assert_documented(report: &FailureReport, name: &str) {
    const FAILURES: &str = include_str!("../../docs/reference/failures.md");
    let find = |slug: &str| FAILURES.split("\n### ").find(|section| section.lines().next() == Some(slug));
    let code = report
        .slug
        .strip_prefix("sign-in/")
        .filter(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
    let section = find(&report.slug).or_else(|| code.and_then(|_| find("sign-in/CODE")));
    let section = section.unwrap_or_else(|| panic!("{name}: no document has {report:?}"));
    assert!(section.contains(&format!("Exit code `{}`", report.code)), "{name}: {report:?}");
}

#[test]
fn user_can_sign_in_after_any_answer_of_the_token_endpoint() {
    thread::scope(|scope| {
        for first in 0..THREADS {
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let bench = Bench::new(folder.path());
                bench.login(LoginCondition::IfNeeded, &bench.client).unwrap();
                for seed in (first..SEEDS).step_by(usize::try_from(THREADS).unwrap()) {
                    bench.check(seed);
                }
            });
        }
    });
}
