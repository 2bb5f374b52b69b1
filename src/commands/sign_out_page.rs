//! `logout --browser`: signs out, and then opens the provider's page that ends the session in the browser.
//!
//! The provider's session outlives the sign-out here: the next sign-in needs no password until that session ends. Its
//! page is opened directly, because its address contains no secret.

use std::time::Duration;

use super::{CommandContext, context::ProfileContext, logout, write_stderr_line};
use crate::{
    config::{CallerKind, OidcSettings, SignInSettings},
    failure::Failure,
    host::{BrowserLaunch, ExecutionContext, Terminal},
    http::{self, Client},
    oidc::{NoSignOutPage, ProviderMetadata, discover_provider, find_sign_out_page},
    session::check_browser,
    url::SecureUrl,
};

/// How long the provider may take to describe itself. The user is signed out here by then.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Signs out as `logout` does, and opens the page. Where no browser can open it, the user gets the address.
pub(super) fn sign_out_with_browser(context: &CommandContext<'_>) -> Result<(), Failure> {
    let work = context.load_profile(CallerKind::NonInteractive)?;
    let oidc = match &work.profile.sign_in {
        SignInSettings::Oidc(oidc) => Ok(oidc),
        SignInSettings::IdentityCenter(center) => Err(Failure::from_missing_portal_sign_out_page(center)),
    };
    // The sign-out may delete it. If it cannot be read, the page is searched with a new copy.
    let known = work.cache.load_provider(work.now()).ok().flatten();
    logout::sign_out_chosen_profile(context)?;
    let oidc = oidc?;
    let page = match find_sign_out_page(oidc, known.as_ref().map(|known| &known.metadata)) {
        Err(NoSignOutPage::NotNamed) if known.is_none() => {
            find_sign_out_page(oidc, Some(&fetch_metadata(&work, oidc)?))
        }
        found => found,
    };
    let page = page.map_err(|reason| Failure::from_missing_sign_out_page(reason, &work.profile))?;
    open_page(&work, &page);
    Ok(())
}

fn fetch_metadata(work: &ProfileContext<'_>, oidc: &OidcSettings) -> Result<ProviderMetadata, Failure> {
    let client = Client::new(work.profile.network_settings(&work.host().environment))?;
    let client = client.with_total_timeout(DISCOVERY_TIMEOUT);
    Ok(http::block_on(discover_provider(&client, oidc)).map_err(Failure::from_runtime_error)??)
}

fn open_page(work: &ProfileContext<'_>, page: &SecureUrl) {
    let environment = &work.host().environment;
    let browser = work.profile.chosen_browser(environment);
    let around = ExecutionContext::detect(environment, Terminal::open_foreground().is_some());
    let launch = match check_browser(&work.profile, &browser, &around) {
        Ok(()) => browser.open_url(page.as_str(), |_| {}),
        Err(_) => BrowserLaunch::Manual,
    };
    let page = page.as_str();
    write_stderr_line(&match launch {
        BrowserLaunch::Started => {
            format!("Opening your browser to sign out at the provider. If it does not open, go to {page}")
        }
        BrowserLaunch::Manual | BrowserLaunch::Failed(_) => format!("To sign out at the provider, go to {page}"),
    });
}
