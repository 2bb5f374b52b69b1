//! Decides whether the ID token may be sent to the telemetry collector.
//!
//! The environment names the collector, and an untrusted repository may have set it. So the token is released only if
//! the configuration lists that collector.

use std::fmt;

use crate::{
    host::Environment,
    url::{SecureUrl, SecureUrlError},
};

/// The variables from which OpenTelemetry's exporters take the address: one for all signals, and one for each of them
/// (OpenTelemetry Protocol Exporter specification).
const VARIABLES: [&str; 4] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// Why the token must not be sent to the collector.
#[derive(Debug, PartialEq, Eq)]
pub enum CollectorRejected {
    /// No variable names a collector, so the destination is unknown.
    NoAddress,
    /// The address is not that of a collector in the profile.
    NotListed { variable: &'static str },
    /// The address is malformed, contains a password, or is plain http to another machine.
    Insecure { variable: &'static str, why: SecureUrlError },
}

/// Checks every variable that is set: its address must be safe to send a token to, and have the origin of one of
/// `collectors`. One wrong address is enough to refuse, because the exporters send the same headers to all of them.
pub fn check_token_collectors(environment: &Environment, collectors: &[SecureUrl]) -> Result<(), CollectorRejected> {
    let mut is_known = false;
    for variable in VARIABLES {
        let Some(address) = environment.var_os(variable) else { continue };
        is_known = true;
        let parsed = address.to_str().ok_or(SecureUrlError::Malformed).and_then(SecureUrl::parse);
        let address = parsed.map_err(|why| CollectorRejected::Insecure { variable, why })?;
        let has_same_origin = |collector: &SecureUrl| collector.as_url().origin() == address.as_url().origin();
        if !collectors.iter().any(has_same_origin) {
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
                write!(f, "{variable} names a collector that is not in `telemetry.collectors`")
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

    fn check<const N: usize>(variables: [(&str, &str); N]) -> Result<(), CollectorRejected> {
        let collectors = ["https://otel.example.com/v1", "http://localhost:4318", "http://127.0.0.1:4318"];
        check_token_collectors(
            &Environment::fixed(variables),
            &collectors.map(|collector| SecureUrl::parse(collector).unwrap()),
        )
    }

    #[test]
    fn token_is_sent_over_https_or_to_loopback() {
        for address in ["https://otel.example.com", "http://localhost:4318", "http://127.0.0.1:4318/v1/logs"] {
            assert_eq!(check([(ALL, address)]), Ok(()), "{address}");
        }
    }

    #[test]
    fn token_is_not_sent_to_insecure_or_unknown_collectors() {
        assert_eq!(check([]), Err(CollectorRejected::NoAddress));
        for address in ["http://otel.example.com", "otel.example.com:4317", "https://me:pw@otel.example.com", "x"] {
            assert!(
                matches!(check([(ALL, address)]), Err(CollectorRejected::Insecure { variable: ALL, .. })),
                "{address}"
            );
        }
    }

    #[test]
    fn collector_only_in_the_environment_gets_no_token() {
        for address in
            ["https://elsewhere.example", "https://otel.example.com:8443", "https://otel.example.com.evil.example"]
        {
            assert_eq!(check([(ALL, address)]), Err(CollectorRejected::NotListed { variable: ALL }), "{address}");
        }
        let one_of_two = [(ALL, "https://otel.example.com"), (LOGS, "https://elsewhere.example")];
        assert_eq!(check(one_of_two), Err(CollectorRejected::NotListed { variable: LOGS }));
    }

    #[test]
    fn one_insecure_signal_address_withholds_the_token() {
        let exposed = CollectorRejected::Insecure { variable: LOGS, why: SecureUrlError::NotSecure };
        let checked = check([(ALL, "https://otel.example.com"), (LOGS, "http://10.0.0.7:4318")]);
        assert_eq!(checked, Err(exposed));
    }
}
