//! How a waiting caller uses what another process's worker has stored.

use std::path::PathBuf;

use super::*;
use crate::{
    cache::{self, Cache, CredentialsRecord},
    config::{Profile, testing},
    credentials::AwsCredentials,
    hint::Hint,
    host::{Environment, Host, HostPaths},
    session::{LoginCondition, MethodPreference, SessionCredentials},
};

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
const MAY_PROMPT: CredentialsPurpose = CredentialsPurpose::Automatic(Prompting::Allowed);
const NEVER_PROMPTS: CredentialsPurpose = CredentialsPurpose::Automatic(Prompting::Never);
const LOGIN: CredentialsPurpose =
    CredentialsPurpose::Login { mode: LoginCondition::IfNeeded, method: MethodPreference::Any };

/// A machine with a cache in a folder of its own.
struct Machine {
    host: Host,
    profile: Profile,
    cache: Cache,
    _folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = PathBuf::new();
        let (user_config, system_config, data) = (nowhere.clone(), nowhere.clone(), nowhere);
        let host = Host {
            environment: Environment::fixed([]),
            paths: HostPaths { user_config, system_config, home_data: data.clone(), data },
            now: || NOW,
            fill_random: crate::host::fill_random,
        };
        let cache = cache::testing::file_cache(folder.path(), "mine");
        Self { host, profile: testing::profile(), cache, _folder: folder }
    }

    fn store_credentials(&self, seconds: u64) {
        let record = CredentialsRecord { credentials: Some(credentials(seconds)), ..CredentialsRecord::default() };
        self.cache.try_lock_credentials().unwrap().expect("free").store_credentials(&record).unwrap();
    }

    fn store_failure(&self, at: Timestamp, kind: FailureKind, slug: &str) {
        let report = FailureReport {
            kind,
            code: 4,
            slug: slug.to_owned(),
            message: "you need to sign in".to_owned(),
            hint: "run it".into(),
        };
        let locked = self.cache.try_lock_credentials().unwrap().expect("free");
        locked.update_notes(|notes| notes.last_failure = Some(LastFailure { at, report })).unwrap();
    }

    fn client(&self) -> WorkerClient<'_> {
        let caller = CallerKind::MayPrompt;
        WorkerClient::new(&self.host, &self.profile, &self.cache, caller, None, 0)
    }

    /// What the caller uses: `ready` for credentials, the slug of a failure, or nothing.
    fn take_result<R: WorkerRequest>(&self, request: R) -> Option<String> {
        let (client, report): (_, ProgressHandler<'_>) = (self.client(), &mut |_, _| {});
        match WorkerWait::new(&client, request, WaitLimits::SHORT, report).take_other_result().unwrap() {
            WaitRound::Done(_) => Some("ready".to_owned()),
            WaitRound::Failed(report) => Some(report.slug),
            WaitRound::Retry => None,
            WaitRound::WorkerDied => panic!("there was no worker"),
        }
    }
}

fn credentials(seconds: u64) -> AwsCredentials {
    AwsCredentials {
        access_key_id: "ASIA".to_owned(),
        secret_access_key: Secret::new("s"),
        session_token: Secret::new("t"),
        expiration: NOW.saturating_add(Duration::from_secs(seconds)),
    }
}

#[test]
fn fresh_credentials_of_another_process_are_used() {
    let machine = Machine::new();
    machine.store_credentials(3600);
    assert_eq!(machine.take_result(MAY_PROMPT).as_deref(), Some("ready"));
    assert_eq!(machine.take_result(LOGIN), None, "a login checks them itself");
    assert_eq!(machine.take_result(TokenUse::Now), None, "there is no ID token");
    machine.store_credentials(60);
    assert_eq!(machine.take_result(MAY_PROMPT), None, "they expire too soon");
}

#[test]
fn a_failure_older_than_the_wait_is_ignored() {
    let machine = Machine::new();
    let earlier = Timestamp::from_unix(NOW.unix_seconds() - 1);
    machine.store_failure(earlier, FailureKind::Other, "network/connect");
    assert_eq!(machine.take_result(MAY_PROMPT), None);
    machine.store_failure(NOW, FailureKind::Other, "network/connect");
    assert_eq!(machine.take_result(MAY_PROMPT).as_deref(), Some("network/connect"));
    assert_eq!(machine.take_result(LOGIN), None, "a login runs its own worker");
}

#[test]
fn a_no_prompt_failure_is_ignored_by_a_prompting_caller() {
    let machine = Machine::new();
    machine.store_failure(NOW, FailureKind::PromptNotAllowed, "sign-in/not_allowed");
    assert_eq!(machine.take_result(MAY_PROMPT), None);
    assert_eq!(machine.take_result(NEVER_PROMPTS).as_deref(), Some("sign-in/not_allowed"));
}

/// A provider may choose an error code that becomes the same slug.
#[test]
fn a_failure_is_judged_by_its_kind_not_by_its_slug() {
    let machine = Machine::new();
    machine.store_failure(NOW, FailureKind::Other, "sign-in/not_allowed");
    assert_eq!(machine.take_result(MAY_PROMPT).as_deref(), Some("sign-in/not_allowed"));
}

#[test]
fn a_no_prompt_caller_fails_while_another_process_prompts() {
    let machine = Machine::new();
    let client = machine.client();
    let note = || {
        let holder = LockHolder::for_this_process(NOW);
        Some(LockHolder { is_prompting: true, pid: 7, ..holder })
    };
    let report: ProgressHandler<'_> = &mut |_, _| panic!("no event is expected");
    let mut wait = WorkerWait::new(&client, NEVER_PROMPTS, WaitLimits::SHORT, report);
    let error = wait.handle_holder_note(note()).unwrap_err();
    assert!(matches!(&error, Error::SignInNeeded(SignInNeeded::PromptElsewhere { pid: 7, address: None })));
    assert!(error.kind().is_sign_in_needed());

    let mut shown = Vec::new();
    let report: ProgressHandler<'_> = &mut |event, _| {
        if let ProgressEvent::OtherProcess { pid } = event {
            shown.push(pid);
        }
    };
    let mut wait = WorkerWait::new(&client, MAY_PROMPT, WaitLimits::SHORT, report);
    wait.handle_holder_note(note()).unwrap();
    wait.handle_holder_note(note()).unwrap();
    assert_eq!(shown, [7], "it is shown once");
}

#[test]
fn valid_credentials_are_not_served_after_cancel_or_quota() {
    let machine = Machine::new();
    let client = machine.client();
    let serves = |kind, seconds| {
        let report =
            FailureReport { kind, code: 9, slug: "x/y".to_owned(), message: String::new(), hint: Hint::default() };
        let (session_name, role, notice) = (String::new(), None, None);
        let is_named_by_subject = false;
        let cached =
            SessionCredentials { credentials: credentials(seconds), session_name, is_named_by_subject, role, notice };
        client.serve_valid_or_fail(cached, Error::Reported(report)).is_ok()
    };
    for kind in [FailureKind::Other, FailureKind::SignInNeeded, FailureKind::PromptNotAllowed] {
        assert!(serves(kind, 60), "{kind:?}");
        assert!(!serves(kind, 10), "they expire before a request arrives");
    }
    assert!(!serves(FailureKind::Interrupted, 60) && !serves(FailureKind::Quota, 60));
}
