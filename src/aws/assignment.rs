//! Gets the credentials of an assignment from the access portal of an Identity Center, and assumes the chain of roles.
//!
//! The portal does not say who the user is. AWS STS does: Identity Center names each session after its user. Between the
//! two steps the quota service is asked: the credentials leave the first one uncleared, and the second one takes only
//! cleared ones.

use super::{
    Aws, Error, ExchangeStep, FailedStep, FirstExchange, IdentityCenterClient, IdentityCenterError, PortalRefusal,
    credential_check::check_session_account,
};
use crate::{
    config::RoleArn,
    credentials::AwsCredentials,
    identity, log,
    quota::{CredentialsClearance, UnclearedCredentials},
    secret::Secret,
};

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

/// The session that the portal has started for an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedSession {
    /// The credentials of the session, whose name Identity Center has set: they show the quota service who asks.
    pub credentials: UnclearedCredentials,
    /// The role and the user, as far as AWS has named them in time.
    pub holder: SessionHolder,
}

/// Whom AWS knows a session as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionHolder {
    role: Option<RoleArn>,
    user_name: Option<String>,
}

/// The credentials of an assignment, or of the last role of its chain, and whom AWS knows them as.
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

    /// Gets the credentials of the profile's assignment.
    pub async fn request_assigned_session(&self, access_token: &Secret) -> Result<AssignedSession, AssignmentError> {
        let FirstExchange::IdentityCenter(portal) = &self.first_exchange else {
            return Err(AssignmentError::Portal(IdentityCenterError::Incomplete("assignment")));
        };
        let (account, permission_set) = (&portal.assignment.account_id, &portal.assignment.permission_set);
        let asked = portal.client.get_role_credentials(access_token, account, permission_set, (self.now)()).await;
        let first = asked.map_err(AssignmentError::Portal)?;
        let arn = self.find_session_arn(&first).await;
        let role = arn.as_deref().and_then(RoleArn::from_session_arn);
        if let Some(arn) = &arn {
            // Every session counts, not only those of roles: the portal could also return those of a federated user.
            check_session_account(arn, account).map_err(|flaw| {
                let error = Error::Flawed(flaw);
                AssignmentError::Exchange(FailedStep { step: ExchangeStep::WebIdentity, error })
            })?;
        }
        let user_name = arn.as_deref().and_then(|arn| arn.rsplit('/').next()).map(str::to_owned);
        if user_name.is_none() {
            log::info("aws", format_args!("AWS did not name the user of the session"));
        }
        let holder = SessionHolder { role, user_name };
        Ok(AssignedSession { credentials: UnclearedCredentials::new(first), holder })
    }

    /// Assumes each role of the chain with the credentials of the assignment. `known_name` names the sessions of the
    /// chain if AWS has not named the user.
    pub async fn finish_assigned_session(
        &self,
        clearance: CredentialsClearance,
        holder: SessionHolder,
        known_name: Option<&str>,
    ) -> Result<AssignedCredentials, AssignmentError> {
        let SessionHolder { role, user_name } = holder;
        let permission_set = match &self.first_exchange {
            FirstExchange::IdentityCenter(portal) => Some(portal.assignment.permission_set.as_str()),
            FirstExchange::Sts(_) | FirstExchange::Pool(_) => None,
        };
        let name = user_name.as_deref().or(known_name).or(permission_set).unwrap_or_default();
        let first = clearance.into_credentials();
        let chained = self.assume_role_chain(first, None, &identity::make_legal_name(name)).await;
        let credentials = chained.map_err(AssignmentError::Exchange)?;
        Ok(AssignedCredentials { credentials, role: self.role.clone().or(role), user_name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{
            CredentialsFlaw,
            testing::{ACCOUNT, NOW, build_credentials, build_profile},
        },
        config::{IdentityCenterSettings, Profile, SignInSettings},
        host::Environment,
        http::{
            TrustConfig,
            testing::{LoopbackServer, block_on, test_client, write_response},
        },
        quota::clear_credentials,
        text::UntrustedText,
        url::SecureUrl,
    };

    /// The credentials of an assignment whose session has this ARN. One server is the portal and STS.
    fn get_credentials(arn: &'static str) -> Result<AssignedCredentials, AssignmentError> {
        let server = LoopbackServer::start_plain(move |request, out| {
            let body = if request.starts_with("GET /federation/credentials?") {
                let expiration = build_credentials().expiration.unix_seconds() * 1000;
                let members =
                    r#""accessKeyId":"ASIAEXAMPLE","secretAccessKey":"secret","sessionToken":"session-token""#;
                format!(r#"{{"roleCredentials":{{{members},"expiration":{expiration}}}}}"#)
            } else {
                format!(
                    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn><Account>{ACCOUNT}</Account>\
                     </GetCallerIdentityResult></GetCallerIdentityResponse>"
                )
            };
            write_response(out, "200 OK", "", &body);
        });
        let center = IdentityCenterSettings {
            start_url: SecureUrl::parse("https://acme.awsapps.com/start").unwrap(),
            region: "eu-west-1".into(),
            account_id: ACCOUNT.into(),
            permission_set: "BedrockUser".into(),
        };
        let profile = Profile { sign_in: SignInSettings::IdentityCenter(center), ..build_profile() };
        let environment = Environment::fixed([("AWS_ENDPOINT_URL", server.base_url("http").as_str())]);
        let client = test_client(&TrustConfig::default());
        let aws = Aws::new(&client, &profile, &environment, || NOW).unwrap();
        block_on(async {
            let session = aws.request_assigned_session(&Secret::new("portal-token")).await?;
            let cleared = clear_credentials(&client, None, session.credentials, "us-east-1", NOW).await;
            aws.finish_assigned_session(cleared.unwrap(), session.holder, None).await
        })
    }

    #[test]
    fn user_is_named_by_the_session_of_the_assignment() {
        let arn = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_BedrockUser_0a1b/jane@example.com";
        let assigned = get_credentials(arn).unwrap();
        assert_eq!(assigned.credentials, build_credentials());
        assert_eq!(assigned.user_name.as_deref(), Some("jane@example.com"));
    }

    #[test]
    fn session_in_another_account_is_never_used() {
        for arn in [
            "arn:aws:sts::999999999999:assumed-role/AWSReservedSSO_BedrockUser_0a1b/jane@example.com",
            "arn:aws:sts::999999999999:federated-user/jane@example.com",
        ] {
            let error = Error::Flawed(CredentialsFlaw::OtherAccount { answered: UntrustedText::new("999999999999") });
            let failed = FailedStep { step: ExchangeStep::WebIdentity, error };
            assert_eq!(get_credentials(arn), Err(AssignmentError::Exchange(failed)));
        }
    }
}
