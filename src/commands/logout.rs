//! `logout`: forgets what is kept, has the provider revoke it, and says on stderr what became of either.
//!
//! It asks nobody, and whatever the provider answers is no failure: what counts lies on this machine.

use std::{collections::BTreeSet, path::Path};

use super::{CommandContext, write_stderr, write_stderr_line};
use crate::{
    cache::{self, Cache, Session},
    config::{self, Profile, Storage},
    failure::Failure,
    files,
    hint::{Hint, Invocation, NextCommand},
    lock,
    oidc::StoredClientCredentials,
    session::{RevocationOutcome, SignOutReport, StoredRecords, sign_out},
    store::{self, SealedFiles, UnlockPolicy},
    text::sanitize_line,
};

/// Something that was not signed out of, and why. A hint leads to the profile that it is about.
struct LogoutProblem {
    subject: String,
    failure: Failure,
    invocation: Invocation,
}

pub(super) fn sign_out_one(context: &CommandContext<'_>) -> Result<(), Failure> {
    let profile = config::load_profile(&context.inputs())?;
    context.set_invocation(profile.invocation(context.global.config.as_deref()));
    sign_out_profile(context, &profile, false)
}

fn sign_out_profile(context: &CommandContext<'_>, profile: &Profile, is_all: bool) -> Result<(), Failure> {
    if !context.host.paths.data.is_dir() {
        write_stderr_line(&describe_sign_out(profile, StoredRecords::Nothing, true));
        return Ok(());
    }
    let cache = open_existing_cache(context, profile.storage, &profile.fingerprint().short_hex());
    let cache = context.lock_cache(&cache)?;
    let of_application = cache.load_client_credentials(&profile.application_fingerprint()).unwrap_or_default();
    let SignOutReport { removed: kept, removal: forgotten } = sign_out(&context.host, profile, &cache)?;
    // The holder's note would count as a stored record.
    drop(cache);
    let forgotten = forgotten.map_err(Failure::from).and_then(|()| forget_earlier_keys(&context.host.paths.data));
    write_stderr_line(&describe_sign_out(profile, kept, forgotten.is_ok()));
    if of_application != StoredClientCredentials::default() && !is_all {
        let stays = Hint::from("The secret of the application stays for the next sign-in; ")
            .command(NextCommand::LogoutAll)
            .text(" forgets it too.");
        write_stderr_line(&stays.render(&context.invocation()));
    }
    forgotten
}

/// The keys of earlier storages, which nothing needs any more. A keyring may ask a person, so it is left alone as long as
/// anything is kept.
fn forget_earlier_keys(folder: &Path) -> Result<(), Failure> {
    store::open_file_store(folder).remove_unused_key()?;
    let is_empty = cache::list_profile_keys(folder)?.is_empty() && cache::list_applications(folder)?.is_empty();
    if is_empty && store::has_key_in_keyring(folder) {
        open_keyring_store(folder).remove_unused_key()?;
    }
    Ok(())
}

/// Each profile by itself, then what no profile leads to, then the key: the trouble of one is not the others'.
pub(super) fn sign_out_everything(context: &CommandContext<'_>) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    let config = context.global.config.as_deref();
    let problem = |subject: &str, failure| LogoutProblem {
        subject: subject.to_owned(),
        failure,
        invocation: Invocation::new(None, config),
    };
    let profiles = config::load_all_profiles(&context.inputs()).unwrap_or_else(|error| {
        problems.push(problem("the profiles of the configuration", error.into()));
        Vec::new()
    });
    // Of configurations that are gone nobody knows whether they had a keyring.
    let mut in_keyring = profiles.is_empty() || store::has_key_in_keyring(&context.host.paths.data);
    for (name, profile) in profiles {
        let invocation = match &profile {
            Ok(profile) => profile.invocation(config),
            Err(_) => Invocation::new(Some(&name), config),
        };
        let left = profile.map_err(Failure::from).and_then(|profile| {
            seen.insert(profile.fingerprint().short_hex());
            in_keyring |= profile.storage.uses_keyring();
            sign_out_profile(context, &profile, true)
        });
        let subject = sanitize_line(&name);
        problems.extend(left.err().map(|failure| LogoutProblem { subject, failure, invocation }));
    }
    let rest = [
        ("what proves the applications", forget_client_credentials(context)),
        ("what no profile leads to", forget_orphaned_sessions(context, &seen, in_keyring)),
        ("which AWS profiles were given", super::setup::forget_given_profiles(&context.host.paths.data)),
    ];
    problems.extend(rest.into_iter().filter_map(|(subject, result)| Some(problem(subject, result.err()?))));
    remove_locks_and_folder(&context.host.paths.data);
    report_problems(context, problems)
}

/// What proves an application is no part of any sign-in, and serves several profiles.
fn forget_client_credentials(context: &CommandContext<'_>) -> Result<(), Failure> {
    let names = cache::list_applications(&context.host.paths.data)?;
    for name in &names {
        let cache = open_file_cache(context, name);
        context.lock_application(&cache, name)?.remove_credentials()?;
    }
    match names.len() {
        0 => {}
        1 => write_stderr_line("The secret of the application is forgotten."),
        many => write_stderr_line(&format!("The secrets of {many} applications are forgotten.")),
    }
    Ok(())
}

/// Forgets what was kept under configurations that are gone. Nothing says any more who could revoke it.
fn forget_orphaned_sessions(
    context: &CommandContext<'_>,
    seen: &BTreeSet<String>,
    in_keyring: bool,
) -> Result<(), Failure> {
    let folder = &context.host.paths.data;
    let strangers: BTreeSet<String> = &cache::list_profile_keys(folder)? - seen;
    let forget = |key: &String| {
        let cache = open_file_cache(context, key);
        Ok(context.lock_cache(&cache)?.remove_all()?)
    };
    let ends: Vec<Result<(), Failure>> = strangers.iter().map(forget).collect();
    match ends.iter().filter(|end| end.is_ok()).count() {
        0 if seen.is_empty() && strangers.is_empty() => write_stderr_line("Nothing was kept of any profile."),
        0 => {}
        1 => write_stderr_line(&describe_orphans("one sign-in")),
        many => write_stderr_line(&describe_orphans(&format!("{many} sign-ins"))),
    }
    if !folder.is_dir() {
        return ends.into_iter().collect();
    }
    let keepers = [Some(store::open_file_store(folder)), in_keyring.then(|| open_keyring_store(folder))];
    let keys = keepers.into_iter().flatten().map(|keeper| Ok(keeper.remove_unused_key()?));
    ends.into_iter().chain(keys).collect()
}

/// Empty locks are left, and the folder: they go, unless somebody is signing in again at this moment.
fn remove_locks_and_folder(folder: &Path) {
    cache::list_lock_files(folder).unwrap_or_default().iter().for_each(|lock| lock::remove_if_free(lock));
    files::remove_empty_folder(folder);
}

fn describe_orphans(whose: &str) -> String {
    format!("What was kept of {whose} that no profile leads to is forgotten; no provider was told.")
}

/// Reports all problems, the worst one last: the command ends with its exit code.
fn report_problems(context: &CommandContext<'_>, mut problems: Vec<LogoutProblem>) -> Result<(), Failure> {
    problems.sort_by_key(|problem| u8::from(problem.failure.exit()));
    let Some(worst) = problems.pop() else { return Ok(()) };
    for LogoutProblem { subject, failure, invocation } in problems {
        write_stderr(&format!("Not signed out of {subject}:\n{}", failure.render(&invocation)));
    }
    write_stderr_line(&format!("Not signed out of {}:", worst.subject));
    context.set_invocation(worst.invocation);
    Err(worst.failure)
}

/// Whatever storage the profile names today: what an earlier one left is opened with that one's key, and forgotten.
fn open_existing_cache(context: &CommandContext<'_>, storage: Storage, key: &str) -> Cache {
    let in_files = open_file_cache(context, key);
    let folder = context.host.paths.data.clone();
    let by_keyring = Cache::new(open_keyring_store(&folder), folder, key.to_owned());
    let opens = |cache: &Cache| cache.load_session().is_ok_and(|session| session != Session::default());
    let is_in_keyring = !opens(&in_files) && (storage.uses_keyring() || opens(&by_keyring));
    if is_in_keyring { by_keyring } else { in_files }
}

/// As it is: who signs out is not asked to unlock anything.
fn open_keyring_store(folder: &Path) -> SealedFiles {
    store::open_keyring_store(folder, UnlockPolicy::NoPrompt)
}

fn open_file_cache(context: &CommandContext<'_>, key: &str) -> Cache {
    let folder = context.host.paths.data.clone();
    Cache::new(store::open_file_store(&folder), folder, key.to_owned())
}

fn describe_sign_out(profile: &Profile, kept: StoredRecords, is_forgotten: bool) -> String {
    let name = sanitize_line(&profile.name);
    let incomplete = (!is_forgotten).then(|| format!("Not all that was kept of {name} could be forgotten"));
    match kept {
        StoredRecords::Nothing => format!("Nobody was signed in with {name}: nothing was kept."),
        StoredRecords::Notes => {
            let nobody = format!("Nobody was signed in with {name}: only notes were kept, and they are forgotten");
            format!("{}.", incomplete.unwrap_or(nobody))
        }
        StoredRecords::Session { provider, credentials_valid_until: serve_until } => {
            let out = incomplete.unwrap_or_else(|| format!("Signed out of {name}: what was kept is forgotten"));
            let until = serve_until.map_or_else(String::new, |until| {
                format!("\nAWS credentials already handed out for {name} stay valid until {until}.")
            });
            format!("{out}{}.{until}", describe_revocation(provider, profile))
        }
    }
}

fn describe_revocation(provider: RevocationOutcome, profile: &Profile) -> String {
    match provider {
        RevocationOutcome::Revoked => ", and the provider has revoked the session".to_owned(),
        RevocationOutcome::NotOffered => {
            "; the provider offers no revocation, so its session ends by itself".to_owned()
        }
        RevocationOutcome::NothingToRevoke => "; there was no refresh token to revoke".to_owned(),
        RevocationOutcome::Unreadable => {
            "; it could not be opened, so the provider was not told and its session ends by itself".to_owned()
        }
        RevocationOutcome::Failed(error) => {
            let failure = Failure::from_session_error(*error, profile);
            format!("; the provider could not be told ({}), so its session ends by itself", failure.what())
        }
    }
}
