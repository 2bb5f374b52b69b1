//! Access to the operating system: clock, environment, paths, browser, terminal, other programs and randomness.
//!
//! Other modules reach the system through this one only, so that tests can replace it by fixed values. It reports
//! facts and makes no decisions.

mod browser;
mod environment;
mod external_config;
mod local_time;
mod paths;
mod programs;
mod process;
mod proxy;
mod hidden_input;
mod exec;
mod interrupt;
mod execution_context;
mod terminal;
mod trust;
#[cfg(windows)]
mod windows;

pub use browser::{Browser, BrowserLaunch, is_relative_command};
pub use environment::{Environment, VariableUse};
pub use exec::exec_command;
pub use execution_context::ExecutionContext;
pub use external_config::{ExternalConfigPaths, can_others_replace, find_home, find_stable_program_path};
pub use hidden_input::{EchoGuard, HiddenInput, read_hidden_input};
pub use interrupt::{InterruptResponse, listen_for_interrupts};
pub use local_time::format_local_time;
pub use paths::HostPaths;
pub use process::{build_self_command, detach_session, exit_immediately, harden_process, leave_current_folder};
pub use programs::{describe_system, find_on_path, find_program, is_this_program, query_version};
pub use proxy::{SystemProxy, read_system_proxy};
pub use terminal::Terminal;
pub use trust::{
    FolderTrust, UntrustedWriter, check_folder_trust, create_admin_folder, find_untrusted_writer,
    find_untrusted_writer_at,
};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::time::Timestamp;

/// The operating system as one command sees it. Tests replace each part.
#[derive(Clone, Debug)]
pub struct Host {
    pub environment: Environment,
    pub paths: HostPaths,
    pub now: fn() -> Timestamp,
    pub fill_random: fn(&mut [u8]),
}

impl Host {
    /// The real system; `None` if the system does not name a home folder for this user.
    pub fn from_system() -> Option<Self> {
        Some(Self { environment: Environment::Process, paths: HostPaths::from_system()?, now, fill_random })
    }
}

/// The shell syntax to print if the user does not choose one.
pub const NATIVE_SHELL: &str = if cfg!(windows) { "powershell" } else { "sh" };

/// The system's clock, in whole seconds. A clock before 1970 counts as 1970.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Fills the bytes with randomness from the operating system. Secrets such as `state` and the PKCE verifier depend on
/// it.
pub fn fill_random(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the operating system provides randomness");
}
