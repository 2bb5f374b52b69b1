//! What every command needs: the host, the global flags, and the profile with its cache.
//!
//! [`CommandContext`] exists from the start of a command and can load profiles. [`ProfileContext`] adds one profile and
//! its stored records, and is how commands reach the worker client and the locks. This file also starts the log.

use std::{cell::OnceCell, io, path::Path, time::Duration};

use super::write_stderr_if_terminal;
use crate::{
    cache::{Cache, LockedApplication, LockedCredentials, LockedRecord, LockedSignIn, RecordFolder},
    cli::GlobalArgs,
    config::{self, CallerKind, ConfigInputs, FlagOverride, Profile},
    failure::{Failure, LockWaitTimeout},
    files,
    hint::Invocation,
    host::Host,
    lock,
    log::{self, LogFilter, LogLevel},
    text::sanitize_line,
    time::Timestamp,
    worker::WorkerClient,
};

/// How long a command waits for a lock. A refresh, or another process that only writes, finishes within this time. A
/// sign-in that waits for its user does not, and the command then fails with exit code 11.
pub(super) const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The host and the global flags of one command.
pub(super) struct CommandContext<'a> {
    pub(super) host: Host,
    pub(super) global: &'a GlobalArgs,
    /// Set once, when the command has resolved its profile.
    invocation: OnceCell<Invocation>,
}

/// A command's context together with the profile that it works with, and the cache of that profile.
pub(super) struct ProfileContext<'a> {
    context: &'a CommandContext<'a>,
    pub(super) profile: Profile,
    pub(super) cache: Cache,
    caller: CallerKind,
}

impl<'a> CommandContext<'a> {
    /// Fails if the user has no home directory. The log, if it is on, goes to stderr.
    pub(super) fn new(global: &'a GlobalArgs) -> Result<Self, Failure> {
        Self::with_log(global, || Box::new(io::stderr()))
    }

    /// The same as [`CommandContext::new`], but the log goes to `default_sink` unless `BEDROCK_SSO_LOG_FILE` names a
    /// file.
    pub(super) fn with_log(
        global: &'a GlobalArgs,
        default_sink: fn() -> Box<dyn io::Write + Send>,
    ) -> Result<Self, Failure> {
        let host = Host::from_system().ok_or_else(Failure::from_missing_home)?;
        start_log(&host, global.verbose, default_sink);
        let mut context = Self { host, global, invocation: OnceCell::new() };
        // An administrator who enforces `storage` wants all sessions in one folder. A variable that a repository sets
        // must not move them.
        let paths = &context.host.paths;
        if paths.data != paths.home_data && config::enforces_storage(&context.inputs()) {
            log::info(
                "config",
                format_args!("XDG_DATA_HOME is not used, because the administrator enforces `storage`"),
            );
            context.host.paths.data = context.host.paths.home_data.clone();
        }
        Ok(context)
    }

    /// The sources of the configuration for this command: its flags, the environment and the default files.
    pub(super) fn inputs(&self) -> ConfigInputs<'_> {
        ConfigInputs {
            environment: &self.host.environment,
            paths: &self.host.paths,
            file: self.global.config.clone(),
            profile: self.global.profile.clone(),
            flags: &[],
            with_user_layers: true,
        }
    }

    /// The flags that a hint must repeat to lead to the same profile and configuration file.
    ///
    /// Until the command has loaded its profile, these are the flags of the command line.
    pub(super) fn invocation(&self) -> Invocation {
        self.invocation.get().cloned().unwrap_or_else(|| self.inputs().invocation())
    }

    /// Sets the flags that hints repeat. Only the first call has an effect.
    pub(super) fn set_invocation(&self, invocation: Invocation) {
        // The error only says that a value is set already.
        let _ = self.invocation.set(invocation);
    }

    /// Loads the profile that the user chose, or the default one, and opens its cache. `caller` says whether this
    /// command may prompt the user.
    pub(super) fn load_profile(&'a self, caller: CallerKind) -> Result<ProfileContext<'a>, Failure> {
        self.load_profile_with_flags(caller, &[])
    }

    /// The same as [`CommandContext::load_profile`], with values from the command's own flags, which override the
    /// profile unless the administrator enforces their keys.
    pub(super) fn load_profile_with_flags(
        &'a self,
        caller: CallerKind,
        flags: &[FlagOverride],
    ) -> Result<ProfileContext<'a>, Failure> {
        let profile = config::load_profile(&ConfigInputs { flags, ..self.inputs() })?;
        self.set_invocation(profile.invocation(self.global.config.as_deref()));
        let cache = Cache::for_profile(&profile, &self.host.paths.data, caller);
        Ok(ProfileContext { context: self, profile, cache, caller })
    }

    /// The other configured profiles that use the same sign-in as this one. Profiles with an error in their
    /// configuration are not in the list, since it cannot be known what they share.
    pub(super) fn list_sharing_profiles(&self, profile: &Profile) -> Vec<Profile> {
        let key = profile.fingerprints().sign_in;
        let all = config::load_all_profiles(&self.inputs()).unwrap_or_default();
        let shares = |other: &Profile| other.name != profile.name && other.fingerprints().sign_in == key;
        all.into_iter().filter_map(|(_, other)| other.ok()).filter(shares).collect()
    }

    /// Takes the lock on a profile's sign-in, and waits up to five seconds for it.
    ///
    /// Without the lock, a sign-in in progress would later overwrite the change with the older record that it has read.
    pub(super) fn lock_sign_in<'c>(&self, cache: &'c Cache) -> Result<LockedSignIn<'c>, Failure> {
        let locked = cache.lock_sign_in_within(LOCK_TIMEOUT)?;
        locked.ok_or_else(|| self.build_wait_timeout(cache, &cache.sign_in_lock_path()))
    }

    /// Takes the lock on a profile's credentials, and waits up to five seconds for it.
    pub(super) fn lock_credentials<'c>(&self, cache: &'c Cache) -> Result<LockedCredentials<'c>, Failure> {
        let locked = cache.lock_credentials_within(LOCK_TIMEOUT)?;
        locked.ok_or_else(|| self.build_wait_timeout(cache, &cache.credentials_lock_path()))
    }

    /// The failure for a lock that another process holds. It names that process, and the address at which the user can
    /// complete the sign-in that it waits for.
    fn build_wait_timeout(&self, cache: &Cache, lock_path: &Path) -> Failure {
        let (holder, now) = (lock::read_holder(lock_path), self.now());
        let address = holder.as_ref().and_then(|holder| cache.open_prompt_address(holder, now));
        LockWaitTimeout { holder, address, now }.into()
    }

    /// Takes the lock on any other record by its key: the secret of an application, or a record that no profile uses.
    pub(super) fn lock_key<'f>(&self, folder: &'f RecordFolder, key: &str) -> Result<LockedRecord<'f>, Failure> {
        let locked = folder.lock_key_within(key, LOCK_TIMEOUT)?;
        locked.ok_or_else(|| {
            let holder = lock::read_holder(&folder.lock_path(key));
            LockWaitTimeout { holder, address: None, now: self.now() }.into()
        })
    }

    /// Takes the lock on the stored secret of an application. `name` is the short form of the application's
    /// fingerprint.
    pub(super) fn lock_application<'f>(
        &self,
        folder: &'f RecordFolder,
        name: &str,
    ) -> Result<LockedApplication<'f>, Failure> {
        Ok(LockedApplication::new(self.lock_key(folder, name)?))
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.host.now)()
    }
}

impl ProfileContext<'_> {
    /// The client that serves credentials and tokens from the cache, and starts a worker process when it needs one. The
    /// worker gets the same `--config` and `-v` as this command.
    pub(super) fn worker_client(&self) -> WorkerClient<'_> {
        let GlobalArgs { profile: _, config, verbose } = self.context.global;
        WorkerClient::new(&self.context.host, &self.profile, &self.cache, self.caller, config.as_deref(), *verbose)
    }

    pub(super) fn lock_sign_in(&self) -> Result<LockedSignIn<'_>, Failure> {
        self.context.lock_sign_in(&self.cache)
    }

    pub(super) fn lock_application(&self, name: &str) -> Result<LockedApplication<'_>, Failure> {
        self.context.lock_application(self.cache.folder(), name)
    }

    pub(super) fn host(&self) -> &Host {
        &self.context.host
    }

    pub(super) fn now(&self) -> Timestamp {
        self.context.now()
    }
}

/// The first line of each log file, by which the program recognises its own logs.
///
/// `BEDROCK_SSO_LOG_FILE` may come from an untrusted repository and name a file that a shell reads at its start, such
/// as `~/.profile`. The line starts a here-document, so that shell ignores all lines of the log instead of running
/// them.
const LOG_HEREDOC: &str = ": <<'a log of bedrock-sso'";

/// Starts the log if `-v` or `BEDROCK_SSO_LOG` asks for it. The flag wins, because the user has just typed it.
fn start_log(host: &Host, verbose: u8, default_sink: fn() -> Box<dyn io::Write + Send>) {
    let filter = match (verbose, host.environment.var_text("BEDROCK_SSO_LOG")) {
        (0, None) => return,
        (0, Some(filter)) => LogFilter::parse(&filter),
        (1, _) => LogFilter::up_to(LogLevel::Info),
        _ => LogFilter::up_to(LogLevel::Debug),
    };
    if filter.is_off() {
        return;
    }
    let sink =
        match host.environment.var_path("BEDROCK_SSO_LOG_FILE").map(|path| files::open_log_file(&path, LOG_HEREDOC)) {
            Some(Ok(file)) => Box::new(file),
            Some(Err(error)) => {
                // A log that cannot be written must not prevent the command from returning credentials.
                let error = sanitize_line(&error.to_string());
                return write_stderr_if_terminal(&format!("bedrock-sso: cannot write the log: {error}"));
            }
            None => default_sink(),
        };
    log::start_logging(filter, || crate::host::now().to_string(), sink);
}
