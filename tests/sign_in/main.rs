//! The first sign-in, from end to end with the whole program: what is asked, what is believed, what the person sees.
//!
//! The rungs before and after it are the business of `ladder` and `exchange`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod asking;
pub(crate) mod address;
mod browser;
mod device;
mod provider;
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

/// With further lines of TOML for the profile.
fn desk_with<'w>(world: &'w World, more: &str) -> Desk<'w> {
    Desk::with(world, PROGRAM, more)
}

/// The failure of a call for credentials.
#[track_caller]
fn fails(desk: &Desk<'_>, code: i32, slug: &str) -> Failed {
    desk.run(["credentials"]).fails(code, slug)
}

/// Waits for something that happens in another process.
#[track_caller]
fn until<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(seen) = seen() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The whole of the page the person saw last; their browser may write it a moment after the caller was served.
#[track_caller]
fn page(desk: &Desk<'_>) -> String {
    until("the final page", || desk.page().filter(|page| page.contains("</html>")))
}

/// The parameters of each authorization request so far.
fn asked(world: &World) -> Vec<BTreeMap<String, String>> {
    let requests = world.ledger().requests().into_iter();
    let authorize = requests.filter(|request| request.endpoint == Endpoint::Authorize);
    authorize.map(|request| query(&request.target)).collect()
}

fn query(target: &str) -> BTreeMap<String, String> {
    let (_, query) = target.split_once('?').unwrap();
    openidconnect::url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// A sign-in whose person does nothing, so that the test can act in their place.
struct Pending {
    call: Running,
    /// What the browser was given.
    start: String,
}

fn pending(desk: &Desk<'_>) -> Pending {
    let tabs: PathBuf = desk.home().join("tabs.txt");
    desk.person("closes-the-tab");
    desk.set_variable("PERSON_TABS", &tabs);
    let call = desk.start(["credentials"]);
    let start = until("a browser", || fs::read_to_string(&tabs).ok()?.lines().next().map(str::to_owned));
    Pending { call, start }
}
