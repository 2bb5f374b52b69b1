//! `logout`: forgets what is kept, has the provider revoke it, and says on stderr what became of either.
//!
//! It asks nobody, and whatever the provider answers is no failure: what counts lies on this machine.

use std::{collections::BTreeSet, path::Path};

use super::{Desk, say_line};
use crate::{
    cache::{self, Cache, Session},
    cli::{Global, Logout},
    config::{self, Profile, Storage},
    failure::Failure,
    files, lock,
    oidc::Keepsakes,
    session::{Kept, SignedOut, Told, sign_out},
    store::{self, SealedFiles, Store as _, WhenLocked},
    text::line,
};

const SECRET_STAYS: &str =
    "The secret of the application stays for the next sign-in; `bedrock-sso logout --all` forgets it too.";

/// Something that was not signed out of, and why.
struct Trouble {
    with: String,
    failure: Failure,
}

pub(super) fn run(Logout { all }: &Logout, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    if *all { leave_everything(&desk) } else { leave(&desk, &config::load(&desk.inputs())?, false) }
}

fn leave(desk: &Desk<'_>, profile: &Profile, is_all: bool) -> Result<(), Failure> {
    if !desk.host.paths.data.is_dir() {
        say_line(&told(&profile.name, &Kept::Nothing, true));
        return Ok(());
    }
    let cache = kept_under(desk, profile.storage, &profile.fingerprint().name());
    let held = desk.held(&cache, &cache.lock_path())?;
    let of_application = cache.keepsakes(&profile.application()).unwrap_or_default();
    let SignedOut { kept, forgotten } = sign_out(&desk.host, profile, &cache, &held)?;
    // Its note would count as kept.
    drop(held);
    let forgotten = forgotten.and_then(|()| forget_earlier_keys(&desk.host.paths.data));
    say_line(&told(&profile.name, &kept, forgotten.is_ok()));
    if of_application != Keepsakes::default() && !is_all {
        say_line(SECRET_STAYS);
    }
    forgotten
}

/// The keys of earlier storages, which nothing needs any more. A keyring may ask a person, so it is left alone as long as
/// anything is kept.
fn forget_earlier_keys(folder: &Path) -> Result<(), Failure> {
    store::sealed_files(folder).forget_key()?;
    let is_empty = cache::keys_in(folder)?.is_empty() && cache::applications_in(folder)?.is_empty();
    if is_empty && store::is_in_keyring(folder) {
        by_keyring(folder).forget_key()?;
    }
    Ok(())
}

/// Each profile by itself, then what no profile leads to, then the key: the trouble of one is not the others'.
fn leave_everything(desk: &Desk<'_>) -> Result<(), Failure> {
    let mut troubles = Vec::new();
    let mut seen = BTreeSet::new();
    let profiles = config::all(&desk.inputs()).unwrap_or_else(|error| {
        troubles.push(Trouble { with: "the profiles of the configuration".into(), failure: error.into() });
        Vec::new()
    });
    // Of configurations that are gone nobody knows whether they had a keyring.
    let mut in_keyring = profiles.is_empty() || store::is_in_keyring(&desk.host.paths.data);
    for (name, profile) in profiles {
        let left = profile.map_err(Failure::from).and_then(|profile| {
            seen.insert(profile.fingerprint().name());
            in_keyring |= profile.storage == Storage::Keyring;
            leave(desk, &profile, true)
        });
        troubles.extend(left.err().map(|failure| Trouble { with: line(&name), failure }));
    }
    if let Err(failure) = forget_applications(desk) {
        troubles.push(Trouble { with: "what proves the applications".into(), failure });
    }
    if let Err(failure) = forget_strangers(desk, &seen, in_keyring) {
        troubles.push(Trouble { with: "what no profile leads to".into(), failure });
    }
    if let Err(failure) = super::setup::forget_given_profiles(&desk.host.paths.data) {
        troubles.push(Trouble { with: "which AWS profiles were given".into(), failure });
    }
    leave_no_trace(&desk.host.paths.data);
    worst(troubles)
}

/// What proves an application is no part of any sign-in, and serves several profiles.
fn forget_applications(desk: &Desk<'_>) -> Result<(), Failure> {
    let names = cache::applications_in(&desk.host.paths.data)?;
    for name in &names {
        let cache = in_files(desk, name);
        cache.forget_keepsakes(&desk.held(&cache, &cache.lock_path())?, name)?;
    }
    match names.len() {
        0 => {}
        1 => say_line("The secret of the application is forgotten."),
        many => say_line(&format!("The secrets of {many} applications are forgotten.")),
    }
    Ok(())
}

/// Forgets what was kept under configurations that are gone. Nothing says any more who could revoke it.
fn forget_strangers(desk: &Desk<'_>, seen: &BTreeSet<String>, in_keyring: bool) -> Result<(), Failure> {
    let folder = &desk.host.paths.data;
    let strangers: BTreeSet<String> = &cache::keys_in(folder)? - seen;
    let forget = |key: &String| {
        let cache = in_files(desk, key);
        Ok(cache.forget(&desk.held(&cache, &cache.lock_path())?)?)
    };
    let ends: Vec<Result<(), Failure>> = strangers.iter().map(forget).collect();
    match ends.iter().filter(|end| end.is_ok()).count() {
        0 if seen.is_empty() && strangers.is_empty() => say_line("Nothing was kept of any profile."),
        0 => {}
        1 => say_line(&strangers_told("one sign-in")),
        many => say_line(&strangers_told(&format!("{many} sign-ins"))),
    }
    if !folder.is_dir() {
        return ends.into_iter().collect();
    }
    let keepers = [Some(store::sealed_files(folder)), in_keyring.then(|| by_keyring(folder))];
    let keys = keepers.into_iter().flatten().map(|keeper| Ok(keeper.forget_key()?));
    ends.into_iter().chain(keys).collect()
}

/// Empty locks are left, and the folder: they go, unless somebody is signing in again at this moment.
fn leave_no_trace(folder: &Path) {
    cache::locks_in(folder).unwrap_or_default().iter().for_each(|lock| lock::forget(lock));
    files::remove_empty_folder(folder);
}

fn strangers_told(whose: &str) -> String {
    format!("What was kept of {whose} that no profile leads to is forgotten; no provider was told.")
}

/// Tells of all troubles, and leaves the worst for last: its exit code is the whole command's.
fn worst(mut troubles: Vec<Trouble>) -> Result<(), Failure> {
    troubles.sort_by_key(|trouble| u8::from(trouble.failure.exit));
    let Some(last) = troubles.pop() else { return Ok(()) };
    for Trouble { with, failure } in troubles {
        say_line(&format!("Not signed out of {with}:\n{}", failure.to_string().trim_end()));
    }
    say_line(&format!("Not signed out of {}:", last.with));
    Err(last.failure)
}

/// Whatever storage the profile names today: what an earlier one left is opened with that one's key, and forgotten.
fn kept_under(desk: &Desk<'_>, storage: Storage, key: &str) -> Cache {
    let in_files = in_files(desk, key);
    let folder = desk.host.paths.data.clone();
    let by_keyring = Cache::new(Box::new(by_keyring(&folder)), folder, key.to_owned());
    let opens = |cache: &Cache| cache.session().is_ok_and(|session| session != Session::default());
    match storage {
        _ if opens(&in_files) => in_files,
        Storage::Keyring => by_keyring,
        Storage::File | Storage::None if opens(&by_keyring) => by_keyring,
        Storage::File | Storage::None => in_files,
    }
}

/// As it is: who signs out is not asked to unlock anything.
fn by_keyring(folder: &Path) -> SealedFiles {
    store::sealed_by_keyring(folder, WhenLocked::LeaveIt)
}

fn in_files(desk: &Desk<'_>, key: &str) -> Cache {
    let folder = desk.host.paths.data.clone();
    Cache::new(Box::new(store::sealed_files(&folder)), folder, key.to_owned())
}

fn told(name: &str, kept: &Kept, is_forgotten: bool) -> String {
    let name = line(name);
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
        Kept::Nothing => format!("Nobody was signed in with {name}: nothing was kept."),
        Kept::Notes => format!("{nobody}."),
        Kept::Session { provider, serve_until } => {
            let until = serve_until.map_or_else(String::new, |until| {
                format!("\nAWS credentials already handed out for {name} stay valid until {until}.")
            });
            format!("{out}{}.{until}", end_of_session(provider))
        }
    }
}

fn end_of_session(provider: &Told) -> String {
    match provider {
        Told::Revoked => ", and the provider has revoked the session".to_owned(),
        Told::NotOffered => "; the provider offers no revocation, so its session ends by itself".to_owned(),
        Told::NothingToRevoke => "; there was no refresh token to revoke".to_owned(),
        Told::Unreadable => {
            "; it could not be opened, so the provider was not told and its session ends by itself".to_owned()
        }
        Told::Untold(failure) => {
            format!("; the provider could not be told ({}), so its session ends by itself", failure.what)
        }
    }
}
