//! The provider: whether it can be reached, and says of itself what a sign-in needs.

use super::{Finding, Patient};

pub(super) async fn discovery(patient: &Patient<'_>) -> Finding {
    let Ok(profile) = patient.profile() else { return Finding::no_profile() };
    match patient.described(profile).await {
        Ok(metadata) => Finding::Fine(format!("{} describes itself", metadata.issuer)),
        Err(failure) => Finding::Bad(failure.clone()),
    }
}
