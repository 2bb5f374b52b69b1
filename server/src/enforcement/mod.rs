//! Refusals in AWS: people who may not spend are named in policies that end their live sessions too.
//!
//! The policies are attached to the developers' roles by the account's template, and deny to those whom they name. This
//! module decides what the policies should say, and writes the difference. It writes no other resource.

mod bans;
mod document;
mod enforcer;
mod plan;

pub use self::{
    bans::{BanScope, ModelBan, find_model_bans, needs_people},
    document::{MAX_DOCUMENT, is_expressible},
    enforcer::{EnforcementError, EnforcementInputs, EnforcementOutcome, EnforcementReport, Enforcer},
    plan::{DesiredRefusals, EnforcementPlan, PolicyWrite, Refusal, RefusalCause, plan_policies},
};
