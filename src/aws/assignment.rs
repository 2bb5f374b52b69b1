//! Gets the credentials of an assignment from the access portal of an Identity Center, and assumes the chain of roles.
//!
//! The portal does not say who the user is. AWS STS does: Identity Center names each session after its user.

use super::{
    Aws, CredentialsFlaw, Error, ExchangeStep, FailedStep, FirstExchange, IdentityCenterClient, IdentityCenterError,
    PortalRefusal,
};
use crate::{config::RoleArn, credentials::AwsCredentials, identity, log, secret::Secret, text::UntrustedText};

/// Why an assignment yielded no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssignmentError {
    /// The portal issued no credentials.
    Portal(IdentityCenterError),
    /// A role of the chain was not assumed, or the credentials are those of another account.
    Exchange(FailedStep),
}

impl AssignmentError {
    /// Returns whether the portal no longer accepts the access token.
    pub fn is_token_refused(&self) -> bool {
        match self {
            Self::Portal(error) => error.is_refused_for(PortalRefusal::Unauthorized),
            Self::Exchange(_) => false,
        }
    }
}

/// The credentials of an assignment, and whom AWS knows them as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedCredentials {
    pub credentials: AwsCredentials,
    /// The role of the credentials; `None` if AWS did not name it in time.
    pub role: Option<RoleArn>,
    /// The user's name in Identity Center; `None` if AWS did not name it in time.
    pub user_name: Option<String>,
}

impl Aws {
    /// The client of the profile's Identity Center; `None` if the profile has an OpenID provider.
    pub fn identity_center(&self) -> Option<&IdentityCenterClient> {
        match &self.first_exchange {
            FirstExchange::IdentityCenter(portal) => Some(&portal.client),
            FirstExchange::Sts(_) | FirstExchange::Pool(_) => None,
        }
    }

    /// Gets the credentials of the profile's assignment, and then assumes each role of the chain. `known_name` names the
    /// sessions of the chain if AWS does not name the user.
    pub async fn get_assigned_credentials(
        &self,
        access_token: &Secret,
        known_name: Option<&str>,
    ) -> Result<AssignedCredentials, AssignmentError> {
        let FirstExchange::IdentityCenter(portal) = &self.first_exchange else {
            return Err(AssignmentError::Portal(IdentityCenterError::Incomplete("assignment")));
        };
        let (account, permission_set) = (&portal.assignment.account_id, &portal.assignment.permission_set);
        let asked = portal.client.get_role_credentials(access_token, account, permission_set, (self.now)()).await;
        let first = asked.map_err(AssignmentError::Portal)?;
        let arn = self.find_session_arn(&first).await;
        let role = arn.as_deref().and_then(RoleArn::from_session_arn);
        if let Some(role) = role.as_ref().filter(|role| role.account() != account) {
            let answered = UntrustedText::new(role.account());
            let error = Error::Flawed(CredentialsFlaw::OtherAccount { answered });
            return Err(AssignmentError::Exchange(FailedStep { step: ExchangeStep::WebIdentity, error }));
        }
        let user_name = arn.as_deref().and_then(|arn| arn.rsplit('/').next()).map(str::to_owned);
        if user_name.is_none() {
            log::info("aws", format_args!("AWS did not name the user of the session"));
        }
        let name = user_name.as_deref().or(known_name).unwrap_or(permission_set);
        let chained = self.assume_role_chain(first, None, &identity::make_legal_name(name)).await;
        let credentials = chained.map_err(AssignmentError::Exchange)?;
        Ok(AssignedCredentials { credentials, role: self.role.clone().or(role), user_name })
    }
}
