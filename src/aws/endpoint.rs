//! Which STS is asked, where someone said so: the profile, else AWS's own variables.
//!
//! The region's own endpoint, FIPS and dual stack among its forms, is the SDK's knowledge.

use super::Error;
use crate::{config::Profile, host::Environment, url::SecureUrl};

/// `None`: the region's. A named endpoint is taken as it is, so FIPS and dual stack do not alter it.
pub(super) fn explicit(profile: &Profile, environment: &Environment) -> Result<Option<SecureUrl>, Error> {
    if let Some(url) = &profile.sts_endpoint {
        return Ok(Some(url.clone()));
    }
    if environment.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
        return Ok(None);
    }
    let named = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]
        .into_iter()
        .find_map(|variable| Some((variable, environment.text(variable)?)));
    let Some((variable, text)) = named else { return Ok(None) };
    SecureUrl::parse(&text).map(Some).map_err(|refusal| Error::BadEndpoint { variable, refusal })
}
