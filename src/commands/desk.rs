//! What a command works with: the world, the profile, its records.
//!
//! It is set up from the arguments every command takes.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

use crate::{
    cache::Cache,
    cli::Global,
    config::{self, Caller, Flag, Inputs, Profile},
    errand::{Errand, LogWords},
    failure::{Busy, Denied, Failure},
    files,
    host::Host,
    lock::{self, Held},
    log::{self, Filter, Level},
    text::line,
    time::Moment,
};

/// A renewal, or whoever else writes, is done within this time.
const PATIENCE: Duration = Duration::from_secs(5);

/// The world as a command finds it.
pub(super) struct Desk<'a> {
    pub(super) host: Host,
    pub(super) global: &'a Global,
}

/// A desk with a profile on it.
pub(super) struct Work<'a> {
    desk: &'a Desk<'a>,
    pub(super) profile: Profile,
    pub(super) cache: Cache,
    caller: Caller,
}

impl<'a> Desk<'a> {
    pub(super) fn new(global: &'a Global) -> Result<Self, Failure> {
        Self::with_log(global, || Box::new(io::stderr()))
    }

    /// `elsewhere` takes the log when no file is named for it.
    pub(super) fn with_log(
        global: &'a Global,
        elsewhere: fn() -> Box<dyn io::Write + Send>,
    ) -> Result<Self, Failure> {
        let host = Host::of_system().ok_or(Denied::Home)?;
        start_log(&host, global.verbose, elsewhere);
        let mut desk = Self { host, global };
        // A fleet whose storage is enforced has it in one place, whatever a repository's variables say.
        let paths = &desk.host.paths;
        if paths.data != paths.home_data && config::enforces_storage(&desk.inputs()) {
            log::info(
                "config",
                format_args!("XDG_DATA_HOME is not used, because the administrator enforces `storage`"),
            );
            desk.host.paths.data = desk.host.paths.home_data.clone();
        }
        Ok(desk)
    }

    pub(super) fn inputs(&self) -> Inputs<'_> {
        Inputs {
            environment: &self.host.environment,
            paths: &self.host.paths,
            file: self.global.config.clone(),
            profile: self.global.profile.clone(),
            flags: &[],
            personal: true,
        }
    }

    pub(super) fn work(&'a self, caller: Caller) -> Result<Work<'a>, Failure> {
        self.work_as_told(caller, &[])
    }

    /// With what flags of the command say over the profile.
    pub(super) fn work_as_told(&'a self, caller: Caller, flags: &[Flag]) -> Result<Work<'a>, Failure> {
        let profile = config::load(&Inputs { flags, ..self.inputs() })?;
        let cache = Cache::of(&profile, &self.host.paths.data, caller);
        Ok(Work { desk: self, profile, cache, caller })
    }

    /// Takes a lock on what is kept. A sign-in that waits for a person would write everything back.
    pub(super) fn held(&self, cache: &Cache, path: &Path) -> Result<Held, Failure> {
        lock::take_within(path, PATIENCE)?.ok_or_else(|| {
            let (holder, now) = (lock::holder(path), self.now());
            let address = holder.as_ref().and_then(|holder| cache.invitation(holder, now));
            Busy { holder, address, now }.into()
        })
    }

    pub(super) fn now(&self) -> Moment {
        (self.host.now)()
    }
}

impl Work<'_> {
    pub(super) fn errand(&self) -> Errand<'_> {
        let Global { profile: _, config, verbose } = self.desk.global;
        let log = LogWords { verbose: *verbose };
        Errand::new(&self.desk.host, &self.profile, &self.cache, self.caller, config.as_deref(), log)
    }

    pub(super) fn held(&self, path: &Path) -> Result<Held, Failure> {
        self.desk.held(&self.cache, path)
    }

    pub(super) fn host(&self) -> &Host {
        &self.desk.host
    }

    pub(super) fn now(&self) -> Moment {
        self.desk.now()
    }
}

/// The first line of each log file, by which one is known again. A shell that reads the file, because somebody named one
/// of its own as the log's place, takes all that follows for one text and runs nothing of it.
const LOG_BEGINS: &str = ": <<'a log of bedrock-sso'";

fn start_log(host: &Host, verbose: u8, elsewhere: fn() -> Box<dyn io::Write + Send>) {
    let filter = match (verbose, host.environment.text("BEDROCK_SSO_LOG")) {
        (0, None) => return,
        (0, Some(filter)) => Filter::parse(&filter),
        (1, _) => Filter::up_to(Level::Info),
        _ => Filter::up_to(Level::Debug),
    };
    if filter.is_off() {
        return;
    }
    let sink = match host
        .environment
        .path("BEDROCK_SSO_LOG_FILE")
        .map(|path| files::open_begun(&path, LOG_BEGINS))
    {
        Some(Ok(file)) => Box::new(file),
        Some(Err(error)) => return no_log(&error),
        None => elsewhere(),
    };
    log::start(filter, || crate::host::now().to_string(), sink);
}

/// A log that cannot be kept costs nobody their credentials. It is told where somebody looks; programs that call us take
/// what is on stderr for a failure.
fn no_log(error: &files::Error) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        // A terminal that is gone needs no telling.
        let _ = writeln!(stderr, "bedrock-sso: no log is kept: {}", line(&error.to_string()));
    }
}
