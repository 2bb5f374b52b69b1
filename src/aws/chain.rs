//! AssumeRole, link by link: each role is assumed with the credentials of the one before it.
//!
//! Those in the middle live in memory alone, and as briefly as AWS allows.

use aws_sdk_sts::{Client, types::Tag};

use super::{Aws, Error, Failed, Step, answer};
use crate::{
    config::{Link, Template},
    credentials::Credentials,
    identity::{self, Unfilled},
    oidc::VerifiedToken,
};

/// A link with everything that the token fills in.
struct Wish<'l> {
    link: &'l Link,
    session_name: String,
    source_identity: Option<String>,
    tags: Vec<Tag>,
}

impl Aws {
    /// The last link's credentials; the same ones where there is no chain.
    pub(super) async fn along_the_chain(
        &self,
        first: Credentials,
        token: &VerifiedToken,
        session_name: &str,
    ) -> Result<Credentials, Failed> {
        let mut credentials = first;
        for (at, link) in self.chain.iter().enumerate() {
            let failed = |error| Failed { step: Step::Link(at), error };
            let wish = wish(link, token, session_name)
                .map_err(|Unfilled { claim }| failed(Error::LacksClaim { claim }))?;
            let next = self.reach.ask(Some(&credentials), async |client| self.follow(client, &wish).await);
            credentials = next.await.map_err(|error| failed(error.without(&credentials.session_token)))?;
        }
        Ok(credentials)
    }

    async fn follow(&self, client: Client, wish: &Wish<'_>) -> Result<Credentials, Error> {
        let Wish { link, session_name, source_identity, tags } = wish;
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
        answer::checked(answer.credentials, answer.assumed_role_user, &link.role, (self.now)())
    }
}

fn wish<'l>(link: &'l Link, token: &VerifiedToken, session_name: &str) -> Result<Wish<'l>, Unfilled> {
    let legal = |template: &Template| Ok(identity::legal_name(&identity::filled(template, token)?));
    let tag = |(name, template): (&String, &Template)| {
        let value = identity::filled(template, token)?;
        Ok(Tag::builder().key(name).value(value).build().expect("both parts of the tag are there"))
    };
    Ok(Wish {
        link,
        session_name: link.session_name.as_ref().map_or_else(|| Ok(session_name.to_owned()), legal)?,
        source_identity: link.source_identity.as_ref().map(legal).transpose()?,
        tags: link.tags.iter().map(tag).collect::<Result<_, _>>()?,
    })
}
