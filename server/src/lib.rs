//! bedrock-sso-server: who may spend how much on Amazon Bedrock.
//!
//! The server counts what Bedrock's invocation log says, decides who has reached a limit, and answers the clients'
//! question whether a person may spend. The modules are listed from top to bottom: each imports only from modules below
//! it.
//!
//! `ingest` turns records of the log into counted calls, `store` remembers them, and `standing` compares them with the
//! limits. `token` decides whose questions are answered, and `signed_requests` does for people without a token.
//! `relay` passes telemetry on under the name of its verified sender.
//! `usage_watch` does what follows when usage has grown, and `enforcement` refuses people in AWS.

mod commands;
pub mod lambda;
pub mod lambda_events;
pub mod serve;
pub mod signed_requests;
pub mod relay;
pub mod api;
pub mod administration;
pub mod report;
pub mod usage_watch;
pub mod ingest;
pub mod name_alarms;
pub mod dashboard_metrics;
pub mod enforcement;
pub mod notices;
pub mod me_answer;
pub mod check_answer;
pub mod standing;
pub mod token;
pub mod cli;
pub mod config;
pub mod aws_calls;
pub mod failure;
pub mod store;
pub mod prices;
pub mod limits;
pub mod calendar;
pub mod usage;
pub mod person;

pub use commands::run;
