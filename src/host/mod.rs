//! Everything outside the process: clock, environment, paths, browser, terminal, randomness.
//!
//! Function values and snapshots, so that a test can stand in for the world; no decisions.

mod browser;
mod environment;
mod neighbours;
mod paths;
mod programs;
mod process;
mod proxy;
mod unseen;
mod replace;
mod surroundings;
mod terminal;
mod trust;
#[cfg(windows)]
mod windows;

pub use browser::{Browser, BrowserVariable, Opened, is_relative};
pub use environment::Environment;
pub use neighbours::{Neighbours, home, lasting_path, others_may_replace, working_folder};
pub use paths::Paths;
pub use process::{detach, end_at_once, guard, itself};
pub use programs::{named_on_path, system, version_of};
pub use proxy::{SystemProxy, system_proxy};
pub use replace::replace_with;
pub use surroundings::Surroundings;
pub use terminal::{Hushed, Terminal};
pub use trust::{FolderTrust, Stranger, judge_folder, make_folder_for_all, stranger, stranger_at};
pub use unseen::{Unseen, read_unseen};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::time::Moment;

/// The world as one command sees it.
#[derive(Clone, Debug)]
pub struct Host {
    pub environment: Environment,
    pub paths: Paths,
    pub now: fn() -> Moment,
    pub random: fn(&mut [u8]),
}

impl Host {
    /// The real one; `None` when the system names no home for this user.
    pub fn of_system() -> Option<Self> {
        Some(Self { environment: Environment::Process, paths: Paths::of_system()?, now, random })
    }
}

/// What people type into where nothing says otherwise.
pub const NATIVE_SHELL: &str = if cfg!(windows) { "powershell" } else { "sh" };

/// The system's clock, in whole seconds.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Moment::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Randomness from the operating system.
pub fn random(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the operating system gives randomness to every process");
}
