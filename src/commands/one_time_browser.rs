//! Opens a local address in the browser, and waits until the browser has got the answer there.
//!
//! The local address stops working when this process ends, so it has to wait. Some browsers report their failure only
//! after the start, so it waits for that report at the same time.

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};

use crate::{
    host::{Browser, BrowserLaunch},
    log,
    oidc::callback::{BindAttempt, OneTimeAddress, OneTimeAnswer},
    race::{RaceWinner, race_futures},
    session::await_browser_failure,
};

/// How long the local address waits for the browser. A browser opens the address within seconds, because the user does
/// not have to type anything first.
pub(super) const OPENING_TIMEOUT: Duration = Duration::from_secs(60);

/// Why no browser has got the answer.
pub(super) enum BrowserNotServed {
    NoPort(BindAttempt),
    NotConfigured,
    Failed(String),
    NotOpened,
}

/// Opens the browser. `announce` gets the address as soon as the browser has started, to show it to the user. `subject`
/// is the part of the log.
pub(super) async fn serve_browser_once(
    browser: &Browser,
    answer: OneTimeAnswer,
    limit: Duration,
    subject: &'static str,
    announce: impl FnOnce(&str),
) -> Result<(), BrowserNotServed> {
    let report = move |event| log::debug(subject, format_args!("{event}"));
    let mut local = OneTimeAddress::start(answer, report).await.map_err(BrowserNotServed::NoPort)?;
    let (failures, mut failure) = mpsc::channel(1);
    match browser.open_url(local.address(), move |why| drop(failures.try_send(why))) {
        BrowserLaunch::Started => {}
        BrowserLaunch::Failed(why) => return Err(BrowserNotServed::Failed(why)),
        BrowserLaunch::Manual => return Err(BrowserNotServed::NotConfigured),
    }
    announce(local.address());
    let opened = race_futures(local.wait_until_used(), await_browser_failure(&mut failure));
    match timeout(limit, opened).await {
        Ok(RaceWinner::Left(())) => Ok(()),
        Ok(RaceWinner::Right(why)) => Err(BrowserNotServed::Failed(why)),
        Err(_) => Err(BrowserNotServed::NotOpened),
    }
}
