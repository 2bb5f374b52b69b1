//! What a command works with: the world, the profile, its records.
//!
//! It is set up from the arguments every command takes.

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
    worker::{LogFlags, WorkerClient},
};

/// How long to wait for a lock. A renewal, or another process that writes, is done within this time.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The world as a command finds it.
pub(super) struct CommandContext<'a> {
    pub(super) host: Host,
    pub(super) global: &'a GlobalArgs,
    invocation: OnceCell<Invocation>,
}

/// A desk with a profile on it.
pub(super) struct ProfileContext<'a> {
    context: &'a CommandContext<'a>,
    pub(super) profile: Profile,
    pub(super) cache: Cache,
    caller: CallerKind,
}

impl<'a> CommandContext<'a> {
    pub(super) fn new(global: &'a GlobalArgs) -> Result<Self, Failure> {
        Self::with_log(global, || Box::new(io::stderr()))
    }

    /// `elsewhere` takes the log when no file is named for it.
    pub(super) fn with_log(
        global: &'a GlobalArgs,
        elsewhere: fn() -> Box<dyn io::Write + Send>,
    ) -> Result<Self, Failure> {
        let host = Host::from_system().ok_or_else(Failure::from_missing_home)?;
        start_log(&host, global.verbose, elsewhere);
        let mut context = Self { host, global, invocation: OnceCell::new() };
        // A fleet whose storage is enforced has it in one place, whatever a repository's variables say.
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

    /// How a hint of this command leads to the same profile and file: as the user called, until the profile is known.
    pub(super) fn invocation(&self) -> Invocation {
        self.invocation.get().cloned().unwrap_or_else(|| self.inputs().invocation())
    }

    /// Has hints of this command lead there, unless they lead to another place already.
    pub(super) fn set_invocation(&self, invocation: Invocation) {
        let _ = self.invocation.set(invocation);
    }

    pub(super) fn load_profile(&'a self, caller: CallerKind) -> Result<ProfileContext<'a>, Failure> {
        self.load_profile_with_flags(caller, &[])
    }

    /// With what flags of the command say over the profile.
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

    /// The other configured profiles that share the sign-in of this one.
    pub(super) fn list_sharing_profiles(&self, profile: &Profile) -> Vec<Profile> {
        let key = profile.fingerprints().sign_in;
        let all = config::load_all_profiles(&self.inputs()).unwrap_or_default();
        let shares = |other: &Profile| other.name != profile.name && other.fingerprints().sign_in == key;
        all.into_iter().filter_map(|(_, other)| other.ok()).filter(shares).collect()
    }

    /// Takes the lock of a profile's sign-in, and waits for it: a sign-in that waits for the user would otherwise write
    /// its older record over the change.
    pub(super) fn lock_sign_in<'c>(&self, cache: &'c Cache) -> Result<LockedSignIn<'c>, Failure> {
        let locked = cache.lock_sign_in_within(LOCK_TIMEOUT)?;
        locked.ok_or_else(|| self.build_wait_timeout(cache, &cache.sign_in_lock_path()))
    }

    /// Takes the lock of a profile's credentials, and waits for it.
    pub(super) fn lock_credentials<'c>(&self, cache: &'c Cache) -> Result<LockedCredentials<'c>, Failure> {
        let locked = cache.lock_credentials_within(LOCK_TIMEOUT)?;
        locked.ok_or_else(|| self.build_wait_timeout(cache, &cache.credentials_lock_path()))
    }

    fn build_wait_timeout(&self, cache: &Cache, lock_path: &Path) -> Failure {
        let (holder, now) = (lock::read_holder(lock_path), self.now());
        let address = holder.as_ref().and_then(|holder| cache.open_prompt_address(holder, now));
        LockWaitTimeout { holder, address, now }.into()
    }

    /// Takes the lock of anything else that is stored: of an application's secret, or of records that no profile leads to.
    pub(super) fn lock_key<'f>(&self, folder: &'f RecordFolder, key: &str) -> Result<LockedRecord<'f>, Failure> {
        let locked = folder.lock_key_within(key, LOCK_TIMEOUT)?;
        locked.ok_or_else(|| {
            let holder = lock::read_holder(&folder.lock_path(key));
            LockWaitTimeout { holder, address: None, now: self.now() }.into()
        })
    }

    /// Takes the lock on an application's credentials, and waits for it.
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
    pub(super) fn worker_client(&self) -> WorkerClient<'_> {
        let GlobalArgs { profile: _, config, verbose } = self.context.global;
        let log = LogFlags { verbose: *verbose };
        WorkerClient::new(&self.context.host, &self.profile, &self.cache, self.caller, config.as_deref(), log)
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

/// The first line of each log file, by which one is known again. A shell that reads the file, because somebody named one
/// of its own as the log's place, takes all that follows for one text and runs nothing of it.
const LOG_HEREDOC: &str = ": <<'a log of bedrock-sso'";

fn start_log(host: &Host, verbose: u8, elsewhere: fn() -> Box<dyn io::Write + Send>) {
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
                // A log that cannot be kept costs nobody their credentials.
                let error = sanitize_line(&error.to_string());
                return write_stderr_if_terminal(&format!("bedrock-sso: no log is kept: {error}"));
            }
            None => elsewhere(),
        };
    log::start_logging(filter, || crate::host::now().to_string(), sink);
}
