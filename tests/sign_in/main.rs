//! The sign-in: its requests, the verification of answers and tokens, and what the user sees.
//!
//! `ladder` tests the cache and the refresh, and `exchange` tests the exchange with AWS.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod asking;
pub(crate) mod address;
mod browser;
mod device;
mod provider;
mod refused_request;
mod terminal;
mod verification;
mod trust;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use testworld::{Desk, Endpoint, Failed, Running, World};

use crate::{PROGRAM, desk};

/// A home with more lines of TOML in the profile.
fn desk_with<'w>(world: &'w World, more: &str) -> Desk<'w> {
    Desk::with(world, PROGRAM, more)
}

/// Asserts that `credentials` fails with this exit code and slug.
#[track_caller]
fn fails(desk: &Desk<'_>, code: i32, slug: &str) -> Failed {
    desk.run(["credentials"]).fails(code, slug)
}

/// Waits until another process has produced a value.
#[track_caller]
fn wait_for<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(seen) = seen() {
            return seen;
        }
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The final page that the user sees. The browser can get it a moment after the caller has its answer.
#[track_caller]
fn final_page(desk: &Desk<'_>) -> String {
    wait_for("the final page", || desk.page().filter(|page| page.contains("</html>")))
}

/// The parameters of each authorization request.
fn authorization_requests(world: &World) -> Vec<BTreeMap<String, String>> {
    let requests = world.ledger().requests().into_iter();
    let authorize = requests.filter(|request| request.endpoint == Endpoint::Authorize);
    authorize.map(|request| query_parameters(&request.target)).collect()
}

fn query_parameters(target: &str) -> BTreeMap<String, String> {
    let (_, query) = target.split_once('?').unwrap();
    openidconnect::url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// A sign-in whose simulated user does nothing, so that the test acts instead.
struct Pending {
    call: Running,
    /// The address that the browser was opened with.
    start: String,
}

fn pending(desk: &Desk<'_>) -> Pending {
    let tabs: PathBuf = desk.home().join("tabs.txt");
    desk.person("closes-the-tab");
    desk.set_variable("PERSON_TABS", &tabs);
    let call = desk.start(["credentials"]);
    let start = wait_for("a browser", || fs::read_to_string(&tabs).ok()?.lines().next().map(str::to_owned));
    Pending { call, start }
}
