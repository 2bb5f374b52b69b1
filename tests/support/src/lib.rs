//! The world bedrock-sso is tested in: an OpenID provider, an STS, an identity pool, a Bedrock and a person at a browser, on
//! loopback.
//!
//! It judges requests as strictly as the real ones do; what a scenario bends is a knob. It never imports the program.

mod authority;
mod bedrock;
mod chain;
mod claims;
mod client;
mod client_auth;
mod client_keys;
mod cognito;
mod console;
mod control;
mod desk;
mod devices;
mod event_stream;
#[cfg(unix)]
mod executable;
mod fault;
mod golden;
#[cfg(unix)]
mod host;
mod keys;
mod knobs;
mod ledger;
mod manners;
mod outcome;
mod page;
mod person;
mod picture;
mod places;
mod port;
mod processes;
mod provider;
mod quota;
mod sigv4;
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
pub use desk::{Desk, Running};
#[cfg(unix)]
pub use executable::{copy_program, make_fifo, write_script};
pub use fault::Fault;
pub use golden::{expect_bytes, expect_failure, expect_file, expect_listed, expect_part, expect_wording};
#[cfg(unix)]
pub use host::{Answer, Call, Host, Session};
pub use keys::Algorithm;
pub use knobs::{Knob, Knobs};
pub use ledger::{Endpoint, Entry, Leak, Ledger, Secret};
pub use outcome::{Failed, Outcome};
pub use person::{address_in, arrive, code_in, enter_code, person, visit};
pub use picture::TerminalPicture;
pub use port::{Port, stop_listening};
#[cfg(unix)]
pub use processes::{interrupt, kill, terminate};
#[cfg(target_os = "linux")]
pub use terminal::{AtTerminal, Seen, Streams};
pub use wait::wait_until;
pub use wire::{Fields, field};
pub use world::{BEHIND, CLIENT_ID, POOL_ID, POOL_ROLE_ARN, ROLE_ARN, World, serve_until_stdin_closes};
