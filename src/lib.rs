//! bedrock-sso: corporate single sign-on to short-lived AWS credentials.
//!
//! Modules stand in reading order: each imports only from those below it. A test keeps it so.

mod commands;
pub mod doctor;
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
