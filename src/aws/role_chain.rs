//! AssumeRole, link by link: each role is assumed with the credentials of the one before it.
//!
//! Those in the middle live in memory alone, and as briefly as AWS allows.

use aws_sdk_sts::{Client, types::Tag};

use super::{Aws, Error, ExchangeStep, FailedStep, credential_check};
use crate::{
    config::{ChainedRole, ClaimTemplate},
    credentials::AwsCredentials,
    identity::{self, MissingTemplateClaim},
    oidc::VerifiedToken,
};

/// A link with everything that the token fills in.
struct ResolvedLink<'l> {
    link: &'l ChainedRole,
    session_name: String,
    source_identity: Option<String>,
    tags: Vec<Tag>,
}

impl Aws {
    /// The last link's credentials; the same ones where there is no chain.
    pub(super) async fn assume_role_chain(
        &self,
        first: AwsCredentials,
        token: &VerifiedToken,
        session_name: &str,
    ) -> Result<AwsCredentials, FailedStep> {
        let mut credentials = first;
        for (at, link) in self.chain.iter().enumerate() {
            let failed = |error| FailedStep { step: ExchangeStep::ChainLink(at), error };
            let wish = resolve_link(link, token, session_name)
                .map_err(|MissingTemplateClaim { claim }| failed(Error::MissingClaim { claim }))?;
            let next =
                self.sts.ask_regions(Some(&credentials), async |client| self.assume_chained_role(client, &wish).await);
            credentials = next.await.map_err(|error| failed(error.redact_token(&credentials.session_token)))?;
        }
        Ok(credentials)
    }

    async fn assume_chained_role(&self, client: Client, wish: &ResolvedLink<'_>) -> Result<AwsCredentials, Error> {
        let ResolvedLink { link, session_name, source_identity, tags } = wish;
        let filled = |list: &Vec<String>| Some(list.clone()).filter(|list| !list.is_empty());
        let seconds = i32::try_from(link.duration.as_secs()).unwrap_or(i32::MAX);
        let answer = client
            .assume_role()
            .role_arn(link.role.as_str())
            .role_session_name(session_name)
            .duration_seconds(seconds)
            .set_external_id(link.external_id.clone())
            .set_source_identity(source_identity.clone())
            .set_tags(Some(tags.clone()).filter(|tags| !tags.is_empty()))
            .set_transitive_tag_keys(filled(&link.transitive))
            .send();
        let answer = Box::pin(answer).await?;
        credential_check::validate_sts_answer(answer.credentials, answer.assumed_role_user, &link.role, (self.now)())
    }
}

fn resolve_link<'l>(
    link: &'l ChainedRole,
    token: &VerifiedToken,
    session_name: &str,
) -> Result<ResolvedLink<'l>, MissingTemplateClaim> {
    let legal = |template: &ClaimTemplate| Ok(identity::make_legal_name(&identity::fill_template(template, token)?));
    let tag = |(name, template): (&String, &ClaimTemplate)| {
        let value = identity::fill_template(template, token)?;
        Ok(Tag::builder().key(name).value(value).build().expect("both parts of the tag are there"))
    };
    Ok(ResolvedLink {
        link,
        session_name: link.session_name.as_ref().map_or_else(|| Ok(session_name.to_owned()), legal)?,
        source_identity: link.source_identity.as_ref().map(legal).transpose()?,
        tags: link.tags.iter().map(tag).collect::<Result<_, _>>()?,
    })
}
