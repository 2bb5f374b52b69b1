//! `logout`: forgets what is kept, has the provider revoke it, and says on stderr what became of either.
//!
//! It asks nobody, and whatever the provider answers is no failure: what counts lies on this machine.

use std::{collections::BTreeSet, path::Path};

use super::{CommandContext, write_stderr, write_stderr_line};
use crate::{
    cache::{self, Cache, RecordFolder, SignInRecord},
    config::{self, CallerKind, Profile, Storage},
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

/// Signs out of the profile that is chosen.
pub(super) fn sign_out_one(context: &CommandContext<'_>) -> Result<(), Failure> {
    let profile = load_profile(context)?;
    let left = sign_out_profile(context, &profile);
    let of_application =
        open_cache(context, &profile).folder().load_client_credentials(&profile.application_fingerprint());
    if of_application.is_ok_and(|stored| stored != StoredClientCredentials::default()) {
        let stays = Hint::from("The secret of the application stays for the next sign-in; ")
            .command(NextCommand::LogoutAll)
            .text(" forgets it too.");
        write_stderr_line(&stays.render(&context.invocation()));
    }
    left
}

/// Signs out of the profile, and so of every profile that shares its sign-in.
fn sign_out_profile(context: &CommandContext<'_>, profile: &Profile) -> Result<(), Failure> {
    let folder = &context.host.paths.data;
    let sharing = context.list_sharing_profiles(profile);
    let names = join_names([profile].into_iter().chain(&sharing));
    if !folder.is_dir() {
        write_stderr_line(&describe_sign_out(&names, profile, StoredRecords::Nothing, true));
        return Ok(());
    }
    let mut caches = open_existing_caches(context, profile)?;
    if caches.is_empty() {
        caches.push((profile.clone(), open_cache(context, profile)));
    }
    for (profile, cache) in caches {
        sign_out_of_cache(context, &names, &profile, &cache)?;
    }
    // Version 0.1 stored a sign-in for each profile.
    for other in sharing {
        for (profile, cache) in open_existing_caches(context, &other)? {
            sign_out_of_cache(context, &sanitize_line(&other.name), &profile, &cache)?;
        }
    }
    Ok(())
}

fn sign_out_of_cache(
    context: &CommandContext<'_>,
    names: &str,
    profile: &Profile,
    cache: &Cache,
) -> Result<(), Failure> {
    let sign_in = context.lock_sign_in(cache)?;
    let signed_out = sign_out(&context.host, profile, &sign_in);
    let SignOutReport { removed, removal } = signed_out.map_err(|error| Failure::from_session_error(error, profile))?;
    // The holder's note would count as a stored record.
    drop(sign_in);
    let removal = removal.map_err(Failure::from).and_then(|()| forget_earlier_keys(&context.host.paths.data));
    write_stderr_line(&describe_sign_out(names, profile, removed, removal.is_ok()));
    removal
}

fn load_profile(context: &CommandContext<'_>) -> Result<Profile, Failure> {
    let profile = config::load_profile(&context.inputs())?;
    context.set_invocation(profile.invocation(context.global.config.as_deref()));
    Ok(profile)
}

/// Forgets the credentials of the profile's role. The sign-in stays, and other profiles with it.
pub(super) fn forget_credentials(context: &CommandContext<'_>) -> Result<(), Failure> {
    let profile = load_profile(context)?;
    let name = sanitize_line(&profile.name);
    let cache = open_cache(context, &profile);
    if context.host.paths.data.is_dir() {
        // Processes that are at work are waited for, because the record of version 0.1 cannot be moved meanwhile.
        drop((context.lock_sign_in(&cache)?, context.lock_credentials(&cache)?));
        cache.move_former_session()?;
    }
    let was_stored = cache.has_credentials()?;
    if was_stored {
        context.lock_credentials(&cache)?.remove_all()?;
    }
    write_stderr_line(&match was_stored {
        true => format!("The AWS credentials of {name} are forgotten. You are still signed in."),
        false => format!("No AWS credentials of {name} are stored."),
    });
    Ok(())
}

/// The keys of earlier storages, which nothing needs any more. A keyring may ask a person, so it is left alone as long as
/// anything is kept.
fn forget_earlier_keys(folder: &Path) -> Result<(), Failure> {
    store::open_file_store(folder).remove_unused_key()?;
    let is_empty = cache::list_record_keys(folder)?.is_empty() && cache::list_applications(folder)?.is_empty();
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
            in_keyring |= profile.storage.uses_keyring();
            let is_first = seen.insert(open_cache(context, &profile).sign_in_key().to_owned());
            for variant in list_storage_variants(&profile) {
                let [sign_in, _, former] = open_cache(context, &variant).record_keys();
                seen.extend([sign_in, former]);
            }
            // A profile that shares the sign-in of an earlier one is signed out already.
            let has_records = !open_existing_caches(context, &profile)?.is_empty();
            if is_first || has_records { sign_out_profile(context, &profile) } else { Ok(()) }
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
    let folder = open_record_folder(context);
    for name in &names {
        context.lock_application(&folder, name)?.remove_credentials()?;
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
    let records = open_record_folder(context);
    let mut strangers = cache::list_record_keys(folder)?;
    let sign_in_part = |key: &str| key.split('-').next().unwrap_or_default().to_owned();
    strangers.retain(|key| !seen.contains(&sign_in_part(key)));
    let forget = |key: &String| Ok(context.lock_key(&records, key)?.remove_all()?);
    let ends: Vec<Result<(), Failure>> = strangers.iter().map(forget).collect();
    let removed = strangers.iter().zip(&ends).filter(|(_, end)| end.is_ok()).map(|(key, _)| sign_in_part(key));
    match removed.collect::<BTreeSet<_>>().len() {
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

/// Whatever storage the profile names today: what is stored under it, and what was stored under an earlier one. Records that
/// can be opened come first, because the provider is asked to revoke what they contain.
fn open_existing_caches(context: &CommandContext<'_>, profile: &Profile) -> Result<Vec<(Profile, Cache)>, Failure> {
    let mut found = Vec::new();
    for variant in list_storage_variants(profile) {
        let cache = open_cache(context, &variant);
        if !cache.is_empty()? && !found.iter().any(|(known, _): &(Profile, Cache)| known.storage == variant.storage) {
            found.push((variant, cache));
        }
    }
    found.sort_by_key(|(_, cache)| !cache.load_sign_in().is_ok_and(|sign_in| sign_in != SignInRecord::default()));
    Ok(found)
}

/// The profile as it is, and with each storage that has a sealing key.
fn list_storage_variants(profile: &Profile) -> [Profile; 3] {
    let with_storage = |storage| Profile { storage, ..profile.clone() };
    [profile.clone(), with_storage(Storage::File), with_storage(Storage::Keyring)]
}

/// As it is: who signs out is not asked to unlock anything.
fn open_cache(context: &CommandContext<'_>, profile: &Profile) -> Cache {
    Cache::for_profile(profile, &context.host.paths.data, CallerKind::NonInteractive)
}

fn open_keyring_store(folder: &Path) -> SealedFiles {
    store::open_keyring_store(folder, UnlockPolicy::NoPrompt)
}

/// For what is removed without being read.
fn open_record_folder(context: &CommandContext<'_>) -> RecordFolder {
    let folder = &context.host.paths.data;
    RecordFolder::new(store::open_file_store(folder), folder.clone())
}

/// The names in their order: `a, b and c`.
fn join_names<'p>(profiles: impl Iterator<Item = &'p Profile>) -> String {
    let names: BTreeSet<String> = profiles.map(|profile| sanitize_line(&profile.name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn describe_sign_out(name: &str, profile: &Profile, kept: StoredRecords, is_forgotten: bool) -> String {
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
