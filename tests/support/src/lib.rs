//! The world in which bedrock-sso is tested: an OpenID provider, STS, an identity pool, IAM Identity Center, Bedrock, and
//! a user at a browser, all on loopback.
//!
//! Each part checks requests as strictly as the real service does. Tests change its behaviour through knobs. This crate
//! never imports the program.

mod authority;
mod bedrock;
mod chain;
mod claims;
mod client;
mod client_auth;
mod client_keys;
mod cloudwatch;
mod cognito;
mod console;
mod control;
mod desk;
mod devices;
mod event_stream;
#[cfg(unix)]
mod executable;
mod fault;
#[cfg(target_os = "linux")]
mod first_hour;
mod golden;
#[cfg(unix)]
mod host;
mod identity_center;
mod keys;
mod knobs;
mod ledger;
mod vendor_rules;
mod outcome;
mod page;
mod person;
mod picture;
mod placeholders;
mod port;
mod processes;
mod provider;
mod quota;
mod sigv4;
mod sso_oidc;
mod sso_pages;
mod sso_portal;
mod sts;
#[cfg(target_os = "linux")]
mod terminal;
mod tokens;
mod wait;
mod wire;
mod world;

pub use bedrock::{APPLICATION_PROFILE, GUARDRAIL, HAIKU};
pub use client::{Browser, Got};
pub use client_keys::{ClientKey, PASSPHRASE};
pub use cloudwatch::TakenExport;
pub use desk::{Desk, Running};
#[cfg(unix)]
pub use executable::{copy_program, make_fifo, write_script};
pub use fault::Fault;
#[cfg(target_os = "linux")]
pub use first_hour::{FirstSignIn, KeyringWorks, STORAGE_QUESTION};
pub use golden::{expect_bytes, expect_failure, expect_file, expect_listed, expect_part, expect_wording};
#[cfg(unix)]
pub use host::{Answer, Call, Host, Session};
pub use identity_center::AWS_START_URL;
pub use keys::Algorithm;
pub use knobs::{Knob, Knobs};
pub use ledger::{Endpoint, Entry, Leak, Ledger, Secret};
pub use outcome::{Failed, Outcome};
pub use person::{address_in, code_in, enter_code, person, sign_in_to_unreachable_callback, visit};
pub use picture::{TerminalBackground, TerminalPicture};
pub use port::{Port, stop_listening};
#[cfg(unix)]
pub use processes::{interrupt, kill, terminate};
#[cfg(target_os = "linux")]
pub use terminal::{AtTerminal, Streams, TerminalOutcome};
pub use wait::wait_until;
pub use wire::{Fields, field};
pub use world::{CLIENT_ID, CLOCK_LAG, POOL_ID, POOL_ROLE_ARN, ROLE_ARN, World, serve_until_stdin_closes};
