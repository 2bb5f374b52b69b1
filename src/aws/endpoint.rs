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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{
            Aws,
            testing::{NOW, profile, token},
        },
        http::{
            self,
            testing::{Server, block_on, client_through, respond},
        },
        url::Refusal,
    };

    /// The host that a profile of this region turns to. A proxy that lets nobody through writes it down.
    fn asked_host(region: &str, environment: &Environment) -> String {
        let proxy = Server::plain(|_, out| respond(out, "403 Forbidden", "", ""));
        let client = client_through(&format!("http://{}", proxy.address));
        let profile = Profile { region: region.to_owned(), ..profile() };
        let aws = Aws::new(&client, &profile, environment, || NOW).unwrap();
        match block_on(aws.assume_role(&token(), "jane", 3600)) {
            Err(Error::Network(http::Error::Proxy { host, .. })) => host,
            other => panic!("the proxy let something through: {other:?}"),
        }
    }

    #[test]
    fn the_regions_endpoint_takes_its_form_from_awss_switches() {
        for (region, variables, host) in [
            ("eu-west-1", [("", ""), ("", "")], "sts.eu-west-1.amazonaws.com"),
            ("us-east-1", [("AWS_USE_FIPS_ENDPOINT", "true"), ("", "")], "sts-fips.us-east-1.amazonaws.com"),
            ("eu-west-1", [("AWS_USE_DUALSTACK_ENDPOINT", "true"), ("", "")], "sts.eu-west-1.api.aws"),
            ("cn-north-1", [("", ""), ("", "")], "sts.cn-north-1.amazonaws.com.cn"),
            (
                "us-east-1",
                [("AWS_ENDPOINT_URL", "https://vpce-1.example"), ("AWS_USE_FIPS_ENDPOINT", "true")],
                "vpce-1.example",
            ),
        ] {
            assert_eq!(asked_host(region, &Environment::fixed(variables)), host);
        }
    }

    #[test]
    fn the_profile_goes_first_and_the_nearer_variable_before_the_farther() {
        let variables = [
            ("AWS_ENDPOINT_URL_STS", "https://sts.example"),
            ("AWS_ENDPOINT_URL", "https://all.example"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ];
        let [near, far, ignore] = variables;
        let named = |profile: &Profile, environment: Environment| {
            explicit(profile, &environment).unwrap().map(|url| url.to_string())
        };
        let own = Profile { sts_endpoint: SecureUrl::parse("https://own.example").ok(), ..profile() };
        assert_eq!(named(&own, Environment::fixed(variables)).as_deref(), Some("https://own.example/"));
        assert_eq!(
            named(&profile(), Environment::fixed([near, far])).as_deref(),
            Some("https://sts.example/")
        );
        assert_eq!(named(&profile(), Environment::fixed([far])).as_deref(), Some("https://all.example/"));
        assert_eq!(named(&profile(), Environment::fixed([near, ignore])), None);
    }

    #[test]
    fn an_endpoint_that_would_show_the_token_is_refused() {
        let environment = Environment::fixed([("AWS_ENDPOINT_URL", "http://sts.example")]);
        let error = explicit(&profile(), &environment).unwrap_err();
        assert_eq!(error, Error::BadEndpoint { variable: "AWS_ENDPOINT_URL", refusal: Refusal::NotSecure });
    }
}
