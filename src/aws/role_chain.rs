//! Assumes the configured chain of roles (AssumeRole), each with the credentials of the one before it.
//!
//! Credentials of intermediate roles are never stored. Only the last role's leave this module.

use aws_sdk_sts::{
    operation::assume_role::{AssumeRoleInput, builders::AssumeRoleInputBuilder},
    types::Tag,
};

use super::{Aws, Error, ExchangeStep, FailedStep, credential_check::validate_sts_answer};
use crate::{
    config::{ChainedRole, ClaimTemplate},
    credentials::AwsCredentials,
    identity::{self, MissingTemplateClaim},
    oidc::VerifiedToken,
};

impl Aws {
    /// Returns the credentials of the last role, or `first` if there is no chain. An error names the link, counted
    /// from 0.
    pub(super) async fn assume_role_chain(
        &self,
        first: AwsCredentials,
        token: Option<&VerifiedToken>,
        session_name: &str,
    ) -> Result<AwsCredentials, FailedStep> {
        let mut credentials = first;
        for (at, link) in self.chain.iter().enumerate() {
            let failed = |error| FailedStep { step: ExchangeStep::ChainLink(at), error };
            let request = build_request(link, token, session_name)
                .map_err(|MissingTemplateClaim { claim }| failed(Error::MissingClaim { claim }))?;
            let ask = async |client| {
                let answer = Box::pin(request.clone().send_with(&client)).await?;
                validate_sts_answer(answer.credentials, answer.assumed_role_user, &link.role, (self.now)())
            };
            let next = self.sts.ask_regions(Some(&credentials), ask).await;
            credentials = next.map_err(|error| failed(error.redact_token(&credentials.session_token)))?;
        }
        Ok(credentials)
    }
}

/// Builds the request for one link: session name, source identity and tags are filled from the token's claims. Only
/// claims of a verified token are used, so that CloudTrail shows the real user. Without a token a claim is missing.
fn build_request(
    link: &ChainedRole,
    token: Option<&VerifiedToken>,
    session_name: &str,
) -> Result<AssumeRoleInputBuilder, MissingTemplateClaim> {
    let legal = |template: &ClaimTemplate| Ok(identity::make_legal_name(&identity::fill_template(template, token)?));
    let tag = |(name, template): (&String, &ClaimTemplate)| {
        let value = identity::fill_template(template, token)?;
        Ok(Tag::builder().key(name).value(value).build().expect("both parts of the tag are set"))
    };
    let tags: Vec<_> = link.tags.iter().map(tag).collect::<Result<_, _>>()?;
    Ok(AssumeRoleInput::builder()
        .role_arn(link.role.as_str())
        .role_session_name(link.session_name.as_ref().map_or_else(|| Ok(session_name.to_owned()), legal)?)
        .duration_seconds(i32::try_from(link.duration.as_secs()).unwrap_or(i32::MAX))
        .set_external_id(link.external_id.clone())
        .set_source_identity(link.source_identity.as_ref().map(legal).transpose()?)
        .set_tags(Some(tags).filter(|tags| !tags.is_empty()))
        .set_transitive_tag_keys(Some(link.transitive.clone()).filter(|keys| !keys.is_empty())))
}
