//! Whether a token may go where the telemetry goes.
//!
//! The environment says where that is, to us as to the program that asks; the configuration says where it may be.

use std::fmt;

use crate::{
    host::Environment,
    url::{SecureUrl, SecureUrlError},
};

/// Where OpenTelemetry's exporters look for the address: for all signals, and for each (OTLP exporter specification).
const VARIABLES: [&str; 4] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// Why a token must not go along.
#[derive(Debug, PartialEq, Eq)]
pub enum CollectorRejected {
    /// Nothing says where it would go.
    NoAddress,
    /// It is none of the profile's collectors.
    NotListed { variable: &'static str },
    /// It is an address that no token is sent to.
    Insecure { variable: &'static str, why: SecureUrlError },
}

/// Every address that is named must be one of the profile's collectors, and as safe as those that tokens are sent to
/// otherwise.
pub fn check_token_collectors(environment: &Environment, collectors: &[SecureUrl]) -> Result<(), CollectorRejected> {
    let mut is_known = false;
    for variable in VARIABLES {
        let Some(address) = environment.var_os(variable) else { continue };
        is_known = true;
        let judged = address.to_str().ok_or(SecureUrlError::Malformed).and_then(SecureUrl::parse);
        let address = judged.map_err(|why| CollectorRejected::Insecure { variable, why })?;
        let is_there = |collector: &SecureUrl| collector.as_url().origin() == address.as_url().origin();
        if !collectors.iter().any(is_there) {
            return Err(CollectorRejected::NotListed { variable });
        }
    }
    if is_known { Ok(()) } else { Err(CollectorRejected::NoAddress) }
}

impl fmt::Display for CollectorRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => write!(f, "{} is not set", VARIABLES[0]),
            Self::NotListed { variable } => {
                write!(f, "{variable} is none of the collectors in `telemetry.collectors`")
            }
            Self::Insecure { variable, why } => write!(f, "{variable}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const LOGS: &str = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT";

    fn judged<const N: usize>(variables: [(&str, &str); N]) -> Result<(), CollectorRejected> {
        let collectors = ["https://otel.example.com/v1", "http://localhost:4318", "http://127.0.0.1:4318"];
        check_token_collectors(
            &Environment::fixed(variables),
            &collectors.map(|collector| SecureUrl::parse(collector).unwrap()),
        )
    }

    #[test]
    fn a_token_goes_over_https_or_to_this_machine() {
        for address in ["https://otel.example.com", "http://localhost:4318", "http://127.0.0.1:4318/v1/logs"] {
            assert_eq!(judged([(ALL, address)]), Ok(()), "{address}");
        }
    }

    #[test]
    fn a_token_goes_nowhere_else_and_not_into_the_dark() {
        assert_eq!(judged([]), Err(CollectorRejected::NoAddress));
        for address in ["http://otel.example.com", "otel.example.com:4317", "https://me:pw@otel.example.com", "x"] {
            assert!(
                matches!(judged([(ALL, address)]), Err(CollectorRejected::Insecure { variable: ALL, .. })),
                "{address}"
            );
        }
    }

    #[test]
    fn a_collector_that_only_the_environment_names_gets_no_token() {
        for address in
            ["https://elsewhere.example", "https://otel.example.com:8443", "https://otel.example.com.evil.example"]
        {
            assert_eq!(judged([(ALL, address)]), Err(CollectorRejected::NotListed { variable: ALL }), "{address}");
        }
        let one_of_two = [(ALL, "https://otel.example.com"), (LOGS, "https://elsewhere.example")];
        assert_eq!(judged(one_of_two), Err(CollectorRejected::NotListed { variable: LOGS }));
    }

    #[test]
    fn one_signal_in_the_open_is_enough_to_keep_it() {
        let exposed = CollectorRejected::Insecure { variable: LOGS, why: SecureUrlError::NotSecure };
        let judged = judged([(ALL, "https://otel.example.com"), (LOGS, "http://10.0.0.7:4318")]);
        assert_eq!(judged, Err(exposed));
    }
}
