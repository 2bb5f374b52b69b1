//! `logout`: forgets what is kept, has the provider revoke it, and says on stderr what became of either.
//!
//! It asks nobody, and whatever the provider answers is no failure: what counts lies on this machine.

use std::{collections::BTreeSet, path::Path};

use super::{CommandContext, write_stderr_line};
use crate::{
    cache::{self, Cache, Session},
    cli::{GlobalArgs, LogoutArgs},
    config::{self, Profile, Storage},
    failure::Failure,
    files, lock,
    oidc::StoredClientCredentials,
    session::{RevocationOutcome, SignOutReport, StoredRecords, sign_out},
    store::{self, SealedFiles, UnlockPolicy},
    text::sanitize_line,
};

const SECRET_REMAINS: &str =
    "The secret of the application stays for the next sign-in; `bedrock-sso logout --all` forgets it too.";

/// Something that was not signed out of, and why.
struct LogoutProblem {
    subject: String,
    failure: Failure,
}

pub(super) fn run_logout(LogoutArgs { all }: &LogoutArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let desk = CommandContext::new(global)?;
    if *all {
        sign_out_everything(&desk)
    } else {
        sign_out_profile(&desk, &config::load_profile(&desk.inputs())?, false)
    }
}

fn sign_out_profile(desk: &CommandContext<'_>, profile: &Profile, is_all: bool) -> Result<(), Failure> {
    if !desk.host.paths.data.is_dir() {
        write_stderr_line(&describe_sign_out(&profile.name, &StoredRecords::Nothing, true));
        return Ok(());
    }
    let cache = open_existing_cache(desk, profile.storage, &profile.fingerprint().short_hex());
    let held = desk.take_lock(&cache, &cache.lock_path())?;
    let of_application =
        cache.load_client_credentials(&profile.application_fingerprint()).unwrap_or_default();
    let SignOutReport { removed: kept, removal: forgotten } = sign_out(&desk.host, profile, &cache, &held)?;
    // Its note would count as kept.
    drop(held);
    let forgotten = forgotten.and_then(|()| forget_earlier_keys(&desk.host.paths.data));
    write_stderr_line(&describe_sign_out(&profile.name, &kept, forgotten.is_ok()));
    if of_application != StoredClientCredentials::default() && !is_all {
        write_stderr_line(SECRET_REMAINS);
    }
    forgotten
}

/// The keys of earlier storages, which nothing needs any more. A keyring may ask a person, so it is left alone as long as
/// anything is kept.
fn forget_earlier_keys(folder: &Path) -> Result<(), Failure> {
    store::open_file_store(folder).remove_unused_key()?;
    let is_empty =
        cache::list_profile_keys(folder)?.is_empty() && cache::list_applications(folder)?.is_empty();
    if is_empty && store::has_key_in_keyring(folder) {
        open_keyring_store(folder).remove_unused_key()?;
    }
    Ok(())
}

/// Each profile by itself, then what no profile leads to, then the key: the trouble of one is not the others'.
fn sign_out_everything(desk: &CommandContext<'_>) -> Result<(), Failure> {
    let mut troubles = Vec::new();
    let mut seen = BTreeSet::new();
    let profiles = config::load_all_profiles(&desk.inputs()).unwrap_or_else(|error| {
        troubles.push(LogoutProblem {
            subject: "the profiles of the configuration".into(),
            failure: error.into(),
        });
        Vec::new()
    });
    // Of configurations that are gone nobody knows whether they had a keyring.
    let mut in_keyring = profiles.is_empty() || store::has_key_in_keyring(&desk.host.paths.data);
    for (name, profile) in profiles {
        let left = profile.map_err(Failure::from).and_then(|profile| {
            seen.insert(profile.fingerprint().short_hex());
            in_keyring |= profile.storage == Storage::Keyring;
            sign_out_profile(desk, &profile, true)
        });
        troubles.extend(left.err().map(|failure| LogoutProblem { subject: sanitize_line(&name), failure }));
    }
    if let Err(failure) = forget_client_credentials(desk) {
        troubles.push(LogoutProblem { subject: "what proves the applications".into(), failure });
    }
    if let Err(failure) = forget_orphaned_sessions(desk, &seen, in_keyring) {
        troubles.push(LogoutProblem { subject: "what no profile leads to".into(), failure });
    }
    if let Err(failure) = super::setup::forget_given_profiles(&desk.host.paths.data) {
        troubles.push(LogoutProblem { subject: "which AWS profiles were given".into(), failure });
    }
    remove_locks_and_folder(&desk.host.paths.data);
    report_problems(troubles)
}

/// What proves an application is no part of any sign-in, and serves several profiles.
fn forget_client_credentials(desk: &CommandContext<'_>) -> Result<(), Failure> {
    let names = cache::list_applications(&desk.host.paths.data)?;
    for name in &names {
        let cache = open_file_cache(desk, name);
        cache.remove_client_credentials(&desk.take_lock(&cache, &cache.lock_path())?, name)?;
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
    desk: &CommandContext<'_>,
    seen: &BTreeSet<String>,
    in_keyring: bool,
) -> Result<(), Failure> {
    let folder = &desk.host.paths.data;
    let strangers: BTreeSet<String> = &cache::list_profile_keys(folder)? - seen;
    let forget = |key: &String| {
        let cache = open_file_cache(desk, key);
        Ok(cache.remove_all(&desk.take_lock(&cache, &cache.lock_path())?)?)
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

/// Tells of all troubles, and leaves the worst for last: its exit code is the whole command's.
fn report_problems(mut troubles: Vec<LogoutProblem>) -> Result<(), Failure> {
    troubles.sort_by_key(|trouble| u8::from(trouble.failure.exit));
    let Some(last) = troubles.pop() else { return Ok(()) };
    for LogoutProblem { subject: with, failure } in troubles {
        write_stderr_line(&format!("Not signed out of {with}:\n{}", failure.to_string().trim_end()));
    }
    write_stderr_line(&format!("Not signed out of {}:", last.subject));
    Err(last.failure)
}

/// Whatever storage the profile names today: what an earlier one left is opened with that one's key, and forgotten.
fn open_existing_cache(desk: &CommandContext<'_>, storage: Storage, key: &str) -> Cache {
    let in_files = open_file_cache(desk, key);
    let folder = desk.host.paths.data.clone();
    let by_keyring = Cache::new(open_keyring_store(&folder), folder, key.to_owned());
    let opens = |cache: &Cache| cache.load_session().is_ok_and(|session| session != Session::default());
    match storage {
        _ if opens(&in_files) => in_files,
        Storage::Keyring => by_keyring,
        Storage::File | Storage::None if opens(&by_keyring) => by_keyring,
        Storage::File | Storage::None => in_files,
    }
}

/// As it is: who signs out is not asked to unlock anything.
fn open_keyring_store(folder: &Path) -> SealedFiles {
    store::open_keyring_store(folder, UnlockPolicy::NoPrompt)
}

fn open_file_cache(desk: &CommandContext<'_>, key: &str) -> Cache {
    let folder = desk.host.paths.data.clone();
    Cache::new(store::open_file_store(&folder), folder, key.to_owned())
}

fn describe_sign_out(name: &str, kept: &StoredRecords, is_forgotten: bool) -> String {
    let name = sanitize_line(name);
    let (nobody, out) = match is_forgotten {
        true => (
            format!("Nobody was signed in with {name}: only notes were kept, and they are forgotten"),
            format!("Signed out of {name}: what was kept is forgotten"),
        ),
        false => {
            let not_all = format!("Not all that was kept of {name} could be forgotten");
            (not_all.clone(), not_all)
        }
    };
    match kept {
        StoredRecords::Nothing => format!("Nobody was signed in with {name}: nothing was kept."),
        StoredRecords::Notes => format!("{nobody}."),
        StoredRecords::Session { provider, credentials_valid_until: serve_until } => {
            let until = serve_until.map_or_else(String::new, |until| {
                format!("\nAWS credentials already handed out for {name} stay valid until {until}.")
            });
            format!("{out}{}.{until}", describe_revocation(provider))
        }
    }
}

fn describe_revocation(provider: &RevocationOutcome) -> String {
    match provider {
        RevocationOutcome::Revoked => ", and the provider has revoked the session".to_owned(),
        RevocationOutcome::NotOffered => {
            "; the provider offers no revocation, so its session ends by itself".to_owned()
        }
        RevocationOutcome::NothingToRevoke => "; there was no refresh token to revoke".to_owned(),
        RevocationOutcome::Unreadable => {
            "; it could not be opened, so the provider was not told and its session ends by itself".to_owned()
        }
        RevocationOutcome::Failed(failure) => {
            format!("; the provider could not be told ({}), so its session ends by itself", failure.what)
        }
    }
}
