//! `logout`: deletes the stored session, asks the provider to revoke it, and reports both results on stderr.
//!
//! It never prompts. It fails only if something on this computer could not be deleted: a provider that is unreachable
//! or offers no revocation must not prevent the user from signing out here.

use std::{collections::BTreeSet, path::Path};

use super::{CommandContext, context::ProfileContext, quota, write_stderr, write_stderr_line};
use crate::{
    cache::{self, Cache, RecordFolder, SignInRecord},
    config::{self, CallerKind, OidcSettings, Profile, Storage},
    failure::Failure,
    files,
    hint::{Hint, Invocation, NextCommand},
    host::{Environment, format_local_time},
    lock,
    oidc::StoredClientCredentials,
    relay,
    session::{RevocationOutcome, SignOutPageSupport, SignOutReport, StoredRecords, sign_out},
    store::{self, SealedFiles, UnlockPolicy},
    text::{join_with_and, sanitize_line},
};

/// One part of `logout --all` that failed. The other parts still run, and all problems are reported at the end.
struct LogoutProblem {
    /// The line before the failure. It says what could not be done, and ends with a colon.
    heading: String,
    failure: Failure,
    /// The flags that the hint of this failure must repeat to lead to its profile.
    invocation: Invocation,
}

/// The result for one cache. A sign-out can clear several caches of one profile, and is reported once.
struct ClearedCache {
    /// The names of the profiles that the cache belongs to.
    names: String,
    profile: Profile,
    removed: StoredRecords,
    /// Whether everything that was stored in the cache is deleted.
    is_complete: bool,
}

impl ClearedCache {
    /// Whether a page of the provider can end the session, if the provider did not revoke it.
    fn sign_out_page(&self) -> SignOutPageSupport {
        match &self.removed {
            StoredRecords::Nothing | StoredRecords::Notes => SignOutPageSupport::Unknown,
            StoredRecords::Session { provider, .. } => provider.sign_out_page(),
        }
    }
}

/// Signs out of the chosen profile. If the provider did not revoke the session and has a page that ends it, this names
/// the command for that.
pub(super) fn sign_out_one(context: &CommandContext<'_>) -> Result<(), Failure> {
    match sign_out_chosen_profile(context)? {
        SignOutPageSupport::Offered => {
            let hint = Hint::from("To end your session at the provider, run ").command(NextCommand::LogoutBrowser);
            write_stderr_line(&hint.text(".").render(&context.invocation()));
        }
        SignOutPageSupport::Unknown => {}
    }
    Ok(())
}

/// Signs out of the chosen profile. The secret of the application stays, because the next sign-in needs it again.
///
/// Returns whether a page of the provider can end a session that the provider did not revoke.
pub(super) fn sign_out_chosen_profile(context: &CommandContext<'_>) -> Result<SignOutPageSupport, Failure> {
    let ProfileContext { profile, cache, .. } = context.load_profile(CallerKind::NonInteractive)?;
    let result = sign_out_profile(context, &profile);
    if has_orphaned_sign_in(context) {
        let note = Hint::from(
            "A sign-in is stored that no configured profile uses, for example after a change of `scopes`. To sign out of everything, run ",
        );
        write_stderr_line(&note.command(NextCommand::LogoutAll).text(".").render(&context.invocation()));
    }
    let application = profile.oidc().map(OidcSettings::application_fingerprint);
    let of_application = application.and_then(|key| cache.folder().load_client_credentials(&key).ok());
    if of_application.is_some_and(|stored| stored != StoredClientCredentials::default()) {
        let note =
            Hint::from("The secret of the application remains stored for the next sign-in. To delete it too, run ")
                .command(NextCommand::LogoutAll)
                .text(".");
        write_stderr_line(&note.render(&context.invocation()));
    }
    result
}

/// Signs out of the profile, and therefore of every profile that shares its sign-in and its refresh token.
fn sign_out_profile(context: &CommandContext<'_>, profile: &Profile) -> Result<SignOutPageSupport, Failure> {
    let folder = &context.host.paths.data;
    let sharing = context.list_sharing_profiles(profile);
    let names = join_names([profile].into_iter().chain(&sharing));
    if !folder.is_dir() {
        write_stderr_line(&format!("You were not signed in with {names}: nothing was stored."));
        return Ok(SignOutPageSupport::Unknown);
    }
    let mut cleared = Vec::new();
    let result = clear_all_caches(context, profile, &names, &sharing, &mut cleared);
    let page = cleared.iter().map(ClearedCache::sign_out_page).find(|page| *page == SignOutPageSupport::Offered);
    // After a failure, this reports the caches that are cleared already.
    for line in describe_sign_outs(cleared, &context.host.environment) {
        write_stderr_line(&line);
    }
    // It has the user's name.
    let page_removal = files::remove_file(&quota::page_path(folder));
    result.and_then(|()| Ok(page_removal?)).map(|()| page.unwrap_or(SignOutPageSupport::Unknown))
}

/// Signs out of each cache of the profile and of the profiles that share its sign-in. Stops at the first failure, and
/// adds each cache that it has cleared, completely or in part, to `cleared`.
fn clear_all_caches(
    context: &CommandContext<'_>,
    profile: &Profile,
    names: &str,
    sharing: &[Profile],
    cleared: &mut Vec<ClearedCache>,
) -> Result<(), Failure> {
    let mut caches = open_existing_caches(context, profile)?;
    // An empty cache still goes through the sign-out, so that it reports that the user was not signed in.
    if caches.is_empty() {
        caches.push((profile.clone(), open_cache(context, profile)));
    }
    for (profile, cache) in caches {
        clear_cache(context, names.to_owned(), profile, &cache, cleared)?;
    }
    // Version 0.1 stored a separate sign-in for each profile, which only that profile's cache finds.
    for other in sharing {
        for (profile, cache) in open_existing_caches(context, other)? {
            clear_cache(context, sanitize_line(&other.name), profile, &cache, cleared)?;
        }
    }
    Ok(())
}

/// Deletes the records of one cache, lets the provider revoke the refresh token, and adds the result to `cleared`.
fn clear_cache(
    context: &CommandContext<'_>,
    names: String,
    profile: Profile,
    cache: &Cache,
    cleared: &mut Vec<ClearedCache>,
) -> Result<(), Failure> {
    let sign_in = context.lock_sign_in(cache)?;
    let signed_out = sign_out(&context.host, &profile, &sign_in);
    let SignOutReport { removed, removal } =
        signed_out.map_err(|error| Failure::from_session_error(error, &profile))?;
    // A held lock has a note about its holder beside it, which would count as a stored record: the keys would stay.
    drop(sign_in);
    let removal = removal.map_err(Failure::from).and_then(|()| forget_earlier_keys(&context.host.paths.data));
    cleared.push(ClearedCache { names, profile, removed, is_complete: removal.is_ok() });
    removal
}

/// Deletes the AWS credentials of the profile. The sign-in stays, so the profile gets new credentials without a prompt,
/// and profiles that share the sign-in are not affected.
pub(super) fn forget_credentials(context: &CommandContext<'_>) -> Result<(), Failure> {
    let ProfileContext { profile, cache, .. } = context.load_profile(CallerKind::NonInteractive)?;
    let name = sanitize_line(&profile.name);
    if context.host.paths.data.is_dir() {
        // `move_former_session` skips a record of version 0.1 that is in use, so this waits for processes that use it.
        drop((context.lock_sign_in(&cache)?, context.lock_credentials(&cache)?));
        cache.move_former_session()?;
    }
    let was_stored = cache.has_credentials()?;
    if was_stored {
        context.lock_credentials(&cache)?.remove_all()?;
    }
    write_stderr_line(&match was_stored {
        true => format!("Deleted the stored AWS credentials of {name}. You are still signed in."),
        false => format!("No AWS credentials are stored for {name}."),
    });
    Ok(())
}

/// Deletes the sealing keys of storages that no record uses any more.
///
/// Access to a keyring can make the system prompt the user. The keyring is therefore opened only if nothing is stored
/// at all, because only then its key is certainly unused.
fn forget_earlier_keys(folder: &Path) -> Result<(), Failure> {
    store::open_file_store(folder).remove_unused_key()?;
    let is_empty = cache::list_record_keys(folder)?.is_empty() && cache::list_applications(folder)?.is_empty();
    if is_empty && store::has_key_in_keyring(folder) {
        open_keyring_store(folder).remove_unused_key()?;
    }
    Ok(())
}

/// Signs out of every profile, and then deletes everything else: secrets of applications, records that no profile uses,
/// the sealing keys, and the folder itself.
///
/// A failure of one part does not stop the others. Otherwise one broken profile would leave all the other sessions
/// behind.
pub(super) fn sign_out_everything(context: &CommandContext<'_>) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    let config = context.global.config.as_deref();
    let problem = |heading: &str, failure| LogoutProblem {
        heading: heading.to_owned(),
        failure,
        invocation: Invocation::new(None, config),
    };
    let profiles = config::load_all_profiles(&context.inputs()).unwrap_or_else(|error| {
        problems.push(problem("Could not read the profiles of the configuration:", error.into()));
        Vec::new()
    });
    // A profile that is gone may have used the keyring, so without any profile the keyring is searched too.
    let mut in_keyring = profiles.is_empty() || store::has_key_in_keyring(&context.host.paths.data);
    for (name, profile) in profiles {
        let invocation = match &profile {
            Ok(profile) => profile.invocation(config),
            Err(_) => Invocation::new(Some(&name), config),
        };
        let result = profile.map_err(Failure::from).and_then(|profile| {
            in_keyring |= profile.storage.uses_keyring();
            let is_first = seen.insert(open_cache(context, &profile).sign_in_key().to_owned());
            seen.extend(list_sign_in_keys(context, &profile));
            // A profile that shares the sign-in of an earlier one is signed out already. Records that are left, such as
            // those of version 0.1 or of another storage, still need a sign-out.
            let has_records = !open_existing_caches(context, &profile)?.is_empty();
            if is_first || has_records { sign_out_profile(context, &profile).map(|_| ()) } else { Ok(()) }
        });
        let heading = format!("Could not sign out of {}:", sanitize_line(&name));
        problems.extend(result.err().map(|failure| LogoutProblem { heading, failure, invocation }));
    }
    let rest = [
        ("Could not delete the secrets of the applications:", forget_client_credentials(context)),
        (
            "Could not delete the stored sign-ins that no configured profile uses:",
            forget_orphaned_sessions(context, &seen, in_keyring),
        ),
        (
            "Could not delete the list of AWS profiles that sign-ins have added:",
            super::setup::forget_given_profiles(&context.host.paths.data),
        ),
        ("Could not end the telemetry relay:", relay::forget_relays(&context.host).map_err(Failure::from)),
    ];
    problems.extend(rest.into_iter().filter_map(|(heading, result)| Some(problem(heading, result.err()?))));
    remove_locks_and_folder(&context.host.paths.data);
    report_problems(context, problems)
}

/// The keys under which sign-ins of this profile are stored, whatever storage it names today.
fn list_sign_in_keys(context: &CommandContext<'_>, profile: &Profile) -> Vec<String> {
    let variants = list_storage_variants(profile).into_iter();
    let keys = variants.flat_map(|variant| {
        let [sign_in, _, former] = open_cache(context, &variant).record_keys();
        [sign_in, former]
    });
    keys.collect()
}

/// Whether a sign-in is stored that no configured profile uses. `false` if a profile cannot be read, because the sign-in
/// may be its own.
fn has_orphaned_sign_in(context: &CommandContext<'_>) -> bool {
    let Ok(profiles) = config::load_all_profiles(&context.inputs()) else { return false };
    let Ok(profiles): Result<Vec<Profile>, _> = profiles.into_iter().map(|(_, profile)| profile).collect() else {
        return false;
    };
    let known: BTreeSet<String> = profiles.iter().flat_map(|profile| list_sign_in_keys(context, profile)).collect();
    let sessions = cache::list_session_keys(&context.host.paths.data).unwrap_or_default();
    sessions.iter().any(|key| !known.contains(sign_in_part(key)))
}

/// The key of the sign-in to which a record belongs: a key of credentials begins with it.
fn sign_in_part(key: &str) -> &str {
    key.split('-').next().unwrap_or_default()
}

/// Deletes the client secrets and key passphrases of all applications. They belong to no profile alone, so only
/// `logout --all` deletes them.
fn forget_client_credentials(context: &CommandContext<'_>) -> Result<(), Failure> {
    let names = cache::list_applications(&context.host.paths.data)?;
    let folder = open_record_folder(context);
    for name in &names {
        context.lock_application(&folder, name)?.remove_credentials()?;
    }
    match names.len() {
        0 => {}
        1 => write_stderr_line("Deleted the stored secret of the application."),
        many => write_stderr_line(&format!("Deleted the stored secrets of {many} applications.")),
    }
    Ok(())
}

/// Deletes the records of profiles that are no longer configured. `seen` has the record keys of the configured ones.
///
/// The provider cannot revoke these sign-ins, because its address was in the configuration that is gone.
fn forget_orphaned_sessions(
    context: &CommandContext<'_>,
    seen: &BTreeSet<String>,
    in_keyring: bool,
) -> Result<(), Failure> {
    let folder = &context.host.paths.data;
    let records = open_record_folder(context);
    let mut orphans = cache::list_record_keys(folder)?;
    orphans.retain(|key| !seen.contains(sign_in_part(key)));
    // A sign-in that was never completed has only notes and provider data. The report must not call it a sign-in.
    let sessions = cache::list_session_keys(folder)?;
    let forget = |key: &String| Ok(context.lock_key(&records, key)?.remove_all()?);
    let ends: Vec<Result<(), Failure>> = orphans.iter().map(forget).collect();
    let removed: Vec<&String> = orphans.iter().zip(&ends).filter(|(_, end)| end.is_ok()).map(|(key, _)| key).collect();
    // A sign-in and its credentials count as one in the report.
    let sign_ins = removed.iter().filter(|key| sessions.contains(**key)).map(|key| sign_in_part(key));
    match sign_ins.collect::<BTreeSet<_>>().len() {
        0 if seen.is_empty() && orphans.is_empty() => write_stderr_line("Nothing was stored for any profile."),
        0 if removed.is_empty() => {}
        0 => write_stderr_line("Deleted cached provider data and error notes that no configured profile uses."),
        1 => write_stderr_line(
            "Deleted 1 stored sign-in that no configured profile uses, without revoking it at the provider.",
        ),
        many => write_stderr_line(&format!(
            "Deleted {many} stored sign-ins that no configured profile uses, without revoking them at the provider."
        )),
    }
    if !folder.is_dir() {
        return ends.into_iter().collect();
    }
    let stores = [Some(store::open_file_store(folder)), in_keyring.then(|| open_keyring_store(folder))];
    let keys = stores.into_iter().flatten().map(|store| Ok(store.remove_unused_key()?));
    ends.into_iter().chain(keys).collect()
}

/// Deletes the lock files that no process holds, and then the folder if it is empty. Both remain if a process is
/// signing in again at this moment.
fn remove_locks_and_folder(folder: &Path) {
    cache::list_lock_files(folder).unwrap_or_default().iter().for_each(|lock| lock::remove_if_free(lock));
    files::remove_empty_folder(folder);
}

/// Reports all problems. The command fails with the one that has the highest exit code, which is printed last.
fn report_problems(context: &CommandContext<'_>, mut problems: Vec<LogoutProblem>) -> Result<(), Failure> {
    problems.sort_by_key(|problem| u8::from(problem.failure.exit()));
    let Some(worst) = problems.pop() else { return Ok(()) };
    for LogoutProblem { heading, failure, invocation } in problems {
        write_stderr(&format!("{heading}\n{}", failure.render(&invocation)));
    }
    write_stderr_line(&worst.heading);
    context.set_invocation(worst.invocation);
    Err(worst.failure)
}

/// The caches of this profile that contain records, whatever storage it names today: the user may have changed
/// `storage` after signing in, and the old records must go too.
///
/// Caches with a readable sign-in come first: a sign-out deletes the files whatever storage has sealed them, and only a
/// refresh token that could be read can be revoked.
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

/// The profile with its own storage, and with each other one: `storage = "none"` stores notes, too.
fn list_storage_variants(profile: &Profile) -> [Profile; 4] {
    let with_storage = |storage| Profile { storage, ..profile.clone() };
    [profile.clone(), with_storage(Storage::File), with_storage(Storage::Keyring), with_storage(Storage::None)]
}

/// Opens the cache of the profile, without a prompt to unlock the keyring.
fn open_cache(context: &CommandContext<'_>, profile: &Profile) -> Cache {
    Cache::for_profile(profile, &context.host.paths.data, CallerKind::NonInteractive)
}

fn open_keyring_store(folder: &Path) -> SealedFiles {
    store::open_keyring_store(folder, UnlockPolicy::NoPrompt)
}

/// A folder for records that are deleted without being read, so it does not matter which key sealed them.
fn open_record_folder(context: &CommandContext<'_>) -> RecordFolder {
    let folder = &context.host.paths.data;
    RecordFolder::new(store::open_file_store(folder), folder.clone())
}

/// Joins the names of profiles in alphabetical order, as in `a, b and c`.
fn join_names<'p>(profiles: impl Iterator<Item = &'p Profile>) -> String {
    let names: BTreeSet<String> = profiles.map(|profile| sanitize_line(&profile.name)).collect();
    join_with_and(&names.into_iter().collect::<Vec<_>>())
}

/// The report on all caches that one sign-out has cleared. If one of them held a session, the others are not mentioned:
/// the user may have changed `storage`, and would otherwise read that they were and were not signed in.
fn describe_sign_outs(mut cleared: Vec<ClearedCache>, environment: &Environment) -> Vec<String> {
    let has_session = |cache: &ClearedCache| matches!(cache.removed, StoredRecords::Session { .. });
    if cleared.iter().any(has_session) {
        cleared.retain(|cache| has_session(cache) || !cache.is_complete);
    } else {
        // One line for all of them. An incomplete one is last, because the sign-out stops there.
        cleared = cleared.pop().into_iter().collect();
    }
    let mut lines: Vec<String> = cleared.into_iter().map(|cache| describe_cleared_cache(cache, environment)).collect();
    // Two storages with a session each usually end in the same way.
    lines.dedup();
    lines
}

/// What the user reads after a sign-out: what was deleted, whether the provider revoked it, and until when programs can
/// still use the credentials that they have.
fn describe_cleared_cache(cleared: ClearedCache, environment: &Environment) -> String {
    let ClearedCache { names: name, profile, removed, is_complete } = cleared;
    let incomplete = (!is_complete).then(|| format!("Could not delete everything that is stored for {name}."));
    match removed {
        StoredRecords::Nothing => format!("You were not signed in with {name}: nothing was stored."),
        StoredRecords::Notes => incomplete.unwrap_or_else(|| {
            format!("You were not signed in with {name}: deleted only cached provider data and error notes.")
        }),
        StoredRecords::Session { provider, credentials_valid_until } => {
            let deletion = incomplete.unwrap_or_else(|| format!("Signed out of {name}: deleted the stored session."));
            let rest = credentials_valid_until.map_or_else(String::new, |until| {
                let until = format_local_time(until, environment);
                format!("\nAWS credentials that programs already received for {name} stay valid until {until}.")
            });
            format!("{deletion} {}{rest}", describe_revocation(provider, &profile))
        }
    }
}

/// One sentence about the refresh token at the provider. Without a revocation, a stolen copy of it would still work.
fn describe_revocation(provider: RevocationOutcome, profile: &Profile) -> String {
    if profile.identity_center().is_some() {
        return describe_portal_sign_out(provider, profile);
    }
    match provider {
        RevocationOutcome::Revoked => "The provider revoked the refresh token.".to_owned(),
        RevocationOutcome::NotOffered { .. } => {
            "The provider offers no revocation, so the refresh token stays valid until it expires.".to_owned()
        }
        RevocationOutcome::NothingToRevoke => "There was no refresh token to revoke.".to_owned(),
        RevocationOutcome::Unreadable => {
            "The refresh token was unreadable, so it stays valid at the provider until it expires.".to_owned()
        }
        RevocationOutcome::Failed { error, .. } => {
            let failure = Failure::from_session_error(*error, profile);
            format!(
                "The provider did not confirm the revocation: {}. The refresh token may stay valid until it expires.",
                failure.what()
            )
        }
    }
}

/// One sentence about the session at IAM Identity Center, which the sign-out ends for all of its programs.
fn describe_portal_sign_out(outcome: RevocationOutcome, profile: &Profile) -> String {
    match outcome {
        RevocationOutcome::Revoked | RevocationOutcome::NotOffered { .. } => {
            "IAM Identity Center ended the session.".to_owned()
        }
        RevocationOutcome::NothingToRevoke => "It had already ended at IAM Identity Center.".to_owned(),
        RevocationOutcome::Unreadable => {
            "The session was unreadable, so it stays valid at IAM Identity Center until it expires.".to_owned()
        }
        RevocationOutcome::Failed { error, .. } => {
            let failure = Failure::from_session_error(*error, profile);
            format!(
                "IAM Identity Center did not confirm the sign-out: {}. The session may stay valid until it expires.",
                failure.what()
            )
        }
    }
}
