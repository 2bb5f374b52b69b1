//! Compares the wording of failures with a golden list, `tests/expected/bedrock_sso/failures.txt`.
//!
//! It covers failures that the tests of the whole program cannot cause: a locked keyring, a revoked certificate, a
//! system without resources. The list is the place to review how these messages read.

use std::{io, net::SocketAddr, time::Duration};

use crate::{
    aws::BedrockError,
    failure::{BedrockCall, Failure},
    files::FileKind,
    hint::Invocation,
    http::{BundleFault, Error, ProxyFault, TlsFault},
    oidc::callback::{BindAttempt, BindObstacle, PortHolder},
    store::{KeyringContext, KeyringError, KeyringFault, MissingPart},
    text::UntrustedText,
    url::SecureUrl,
};

/// Adds the two lines of a failure to the golden list, or compares them with it. Rendered without flags, as for a user
/// with one profile.
#[track_caller]
fn expect_wording(failure: impl Into<Failure>) {
    let failure = failure.into();
    testworld::expect_failure(&failure.render(&Invocation::default()));
}

/// A host that stands for any host of the user's company.
fn host() -> String {
    "sso.acme.com".to_owned()
}

/// A proxy script that failed is reported like the direct connection that was tried after it.
#[test]
fn network_failures_have_the_expected_wording() {
    let after = Duration::from_secs(10);
    for error in [
        Error::Dns { host: host() },
        Error::DnsTimeout { host: host(), after },
        Error::Connect { host: host() },
        Error::Timeout { host: host(), after },
        Error::Interrupted { host: host() },
        Error::TooLarge { host: host(), limit: 1 << 20 },
        Error::PacScriptNotRun(Box::new(Error::Connect { host: host() })),
        Error::BadProxy { variable: Some("HTTPS_PROXY") },
        Error::BadProxy { variable: None },
        Error::NotSecure { host: host() },
        Error::NoRoots,
        Error::Internal,
    ] {
        expect_wording(error);
    }
}

#[test]
fn missing_bedrock_region_has_the_expected_wording() {
    let dns = || Error::Dns { host: "bedrock-runtime.eu-nowhere-1.amazonaws.com".to_owned() };
    for error in [dns(), Error::PacScriptNotRun(Box::new(dns()))] {
        let (error, endpoint) = (BedrockError::Network(error), SecureUrl::parse("https://bedrock.example").unwrap());
        let call = BedrockCall {
            region: "eu-nowhere-1",
            role: "BedrockUser",
            model: None,
            guardrail: None,
            tags: None,
            endpoint: &endpoint,
            proxy: None,
        };
        expect_wording(Failure::from_bedrock_error(error, &call));
    }
}

#[test]
fn console_failures_have_the_expected_wording() {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    expect_wording(Failure::from_missing_address(&BindAttempt { address, obstacle: BindObstacle::Denied }));
    expect_wording(Failure::from_unopened_console(Duration::from_secs(60)));
}

#[test]
fn proxy_failures_have_the_expected_wording() {
    let refused = |status, words: &str| ProxyFault::Refused(Some((status, UntrustedText::new(words))));
    for fault in [
        ProxyFault::Unreachable,
        ProxyFault::Timeout(Duration::from_secs(10)),
        ProxyFault::PasswordMissing,
        ProxyFault::PasswordRefused,
        ProxyFault::UnsupportedSchemes(UntrustedText::new("Negotiate, NTLM")),
        refused(403, "403 Filtered\u{1b}"),
        refused(502, "502 Bad Gateway"),
        ProxyFault::Refused(None),
    ] {
        expect_wording(Error::Proxy { proxy: "proxy:3128".into(), host: host(), fault });
    }
}

#[test]
fn certificate_failures_have_the_expected_wording() {
    let tls = |fault, issuer: Option<&str>| Error::Tls { host: host(), fault, issuer: issuer.map(UntrustedText::new) };
    for fault in [
        TlsFault::WrongName,
        TlsFault::Expired,
        TlsFault::NotYetValid,
        TlsFault::Revoked,
        TlsFault::Certificate(UntrustedText::new("bad encoding")),
        TlsFault::Handshake(UntrustedText::new("no common version")),
        TlsFault::Untrusted,
    ] {
        expect_wording(tls(fault, None));
    }
    expect_wording(tls(TlsFault::Untrusted, Some("Zscaler Root\u{1b} CA")));
}

#[test]
fn certificate_bundle_failures_have_expected_wording() {
    for fault in [
        BundleFault::Unreadable(io::ErrorKind::NotFound),
        BundleFault::NotRegular(FileKind::Folder),
        BundleFault::TooLarge,
        BundleFault::Empty,
        BundleFault::Relative,
        BundleFault::Binary,
        BundleFault::NoCertificate,
    ] {
        for variable in [None, Some("AWS_CA_BUNDLE")] {
            expect_wording(Error::BadBundle { path: "/etc/ca.pem".into(), variable, fault });
        }
    }
}

#[test]
fn keyring_failures_have_the_expected_wording() {
    let after = Duration::from_secs(3);
    for context in [
        KeyringContext::Plain,
        KeyringContext::KWallet,
        KeyringContext::Wsl,
        KeyringContext::Container,
        KeyringContext::Ssh,
    ] {
        for fault in [
            KeyringFault::Absent { what: MissingPart::Bus },
            KeyringFault::Absent { what: MissingPart::Service },
            KeyringFault::Absent { what: MissingPart::Vault },
            KeyringFault::Locked,
            KeyringFault::LockedNoPrompt,
            KeyringFault::Denied,
            KeyringFault::TimedOut { after },
            KeyringFault::Failed(UntrustedText::new("a\u{1b}[31m message")),
        ] {
            expect_wording(KeyringError { fault, context });
        }
    }
}

#[test]
fn system_failures_have_the_expected_wording() {
    let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
    for error in [
        Failure::from_missing_home(),
        Failure::from_runtime_error(denied()),
        Failure::from_stdin_error(denied()),
        Failure::from_stdout_error(denied()),
        Failure::from_program_path_error(denied()),
        Failure::from_worker_start_error(denied()),
        Failure::from_dead_worker(),
        Failure::from_stuck_worker(Duration::from_secs(190)),
    ] {
        expect_wording(error);
    }
}

#[test]
fn relay_failures_have_the_expected_wording() {
    let holder = PortHolder { name: UntrustedText::new("nginx"), pid: 4711 };
    expect_wording(Failure::from_taken_relay_port(48318, Some(&holder)));
    expect_wording(Failure::from_taken_relay_port(48318, None));
    let address = SocketAddr::from(([127, 0, 0, 1], 80));
    expect_wording(Failure::from_missing_relay_port(&BindAttempt { address, obstacle: BindObstacle::Denied }));
    expect_wording(Failure::from_silent_relay(48318));
    expect_wording(Failure::from_unstarted_relay(&io::ErrorKind::TimedOut.into()));
}
