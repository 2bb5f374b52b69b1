//! bedrock-sso: corporate single sign-on to short-lived AWS credentials.
//!
//! The modules are listed from top to bottom: each module imports only from modules below it. So a reader who starts at
//! the bottom never meets an unknown name, and no two modules depend on each other. `tests/house` checks this.
//!
//! `commands` contains one file for each command. `session` obtains a session step by step, `worker` runs these steps
//! in a process of its own, and `cache` stores the results. `oidc` talks to the identity provider and `aws` to AWS.

mod commands;
pub mod doctor;
pub mod relay;
pub mod worker;
pub mod failure;
pub mod session;
pub mod setup;
pub mod telemetry;
pub mod cache;
pub mod aws;
pub mod quota;
pub mod identity;
pub mod oidc;
pub mod store;
pub mod lock;
pub mod config;
pub mod cli;
pub mod http;
pub mod signature;
pub mod credentials;
pub mod hint;
pub mod shell;
pub mod host;
pub mod files;
pub mod url;
pub mod time;
mod race;
pub mod log;
pub mod text;
pub mod secret;
mod trait_impls;

pub use commands::run;
