//! The questions of people who have no ID token: users of IAM Identity Center, who sign their requests with the
//! credentials of their permission set.
//!
//! API Gateway's IAM authorizer verifies the signature, and says in the event of the function who has signed. Only that is
//! believed: a client chooses its headers, and only an administrator can invoke the function with an event. So these
//! routes exist in AWS Lambda only.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Extension, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use bedrock_sso::log;
use lambda_http::request::RequestContext;

use crate::{
    api::{Refusal, Service, answer_error},
    check_answer::CheckAnswer,
    config::TrustedAssignment,
    me_answer::MeAnswer,
    person::Person,
    standing::Standing,
};

/// The routes, for [`build_router_with`](crate::api::build_router_with).
pub fn build_signed_routes() -> Router<Arc<Service>> {
    Router::new().route("/signed/check", get(answer_check)).route("/signed/me", get(answer_me))
}

/// What `lambda_http` attaches to a request of its event.
type EventContext = Option<Extension<RequestContext>>;

/// Why a request says nothing about a person.
#[derive(Debug, PartialEq, Eq)]
enum SignerError {
    /// API Gateway has verified no signature.
    NotSigned,
    /// The signer is somebody else than a user of a configured permission set.
    NotTrusted { arn: String },
}

async fn answer_check(State(service): State<Arc<Service>>, context: EventContext) -> Response {
    match load_signers_standing(&service, context).await {
        Ok((person, standing)) => {
            Json(CheckAnswer::from_standing(&person, &standing, service.answer_context())).into_response()
        }
        Err(refusal) => refusal,
    }
}

async fn answer_me(State(service): State<Arc<Service>>, context: EventContext) -> Response {
    match load_signers_standing(&service, context).await {
        Ok((person, standing)) => Json(MeAnswer::new(person, &standing, service.contact.as_deref())).into_response(),
        Err(refusal) => refusal,
    }
}

/// What holds for the signer, who has no groups: nothing in the request proves any.
async fn load_signers_standing(service: &Service, context: EventContext) -> Result<(Person, Standing), Response> {
    let person = identify_signer(context.as_deref(), &service.identity_center).map_err(|error| match error {
        SignerError::NotSigned => answer_error(StatusCode::UNAUTHORIZED, "Unauthorized"),
        SignerError::NotTrusted { arn } => {
            log::info("api", format_args!("a signature by {arn} is not of a configured permission set"));
            answer_error(StatusCode::FORBIDDEN, "Forbidden")
        }
    })?;
    let standing = service.load_standing(&person, None).await;
    Ok((person, standing.map_err(|error| Refusal::Store(error).into_response())?))
}

/// The person who has signed the request, by the event's own description of the signer.
fn identify_signer(context: Option<&RequestContext>, trusted: &[TrustedAssignment]) -> Result<Person, SignerError> {
    let Some(RequestContext::ApiGatewayV2(context)) = context else { return Err(SignerError::NotSigned) };
    let signer = context.authorizer.as_ref().and_then(|authorizer| authorizer.iam.as_ref());
    let signer = signer.ok_or(SignerError::NotSigned)?;
    let arn = signer.user_arn.as_deref().unwrap_or_default();
    let session = AssignedSession::parse(arn).filter(|session| {
        let is_same_account = signer.account_id.as_deref() == Some(session.account);
        is_same_account && trusted.iter().any(|trusted| session.belongs_to(trusted))
    });
    let person = session.and_then(|session| Person::parse(session.name).ok());
    person.ok_or_else(|| SignerError::NotTrusted { arn: arn.to_owned() })
}

/// A session of a role that Identity Center has made for a permission set.
#[derive(Debug, PartialEq, Eq)]
struct AssignedSession<'a> {
    account: &'a str,
    permission_set: &'a str,
    /// The name of the user, which Identity Center gives to the session.
    name: &'a str,
}

impl<'a> AssignedSession<'a> {
    /// Parses `arn:PARTITION:sts::ACCOUNT:assumed-role/AWSReservedSSO_PERMISSION-SET_0123456789abcdef/NAME`.
    ///
    /// The role's name ends with sixteen digits and letters, and the name of a permission set may contain `_`, so it is
    /// everything before the last one.
    fn parse(arn: &'a str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "sts", "", account, resource] = parts.as_slice() else { return None };
        let resource: Vec<&str> = resource.split('/').collect();
        let ["assumed-role", role, name] = resource.as_slice() else { return None };
        let (permission_set, suffix) = role.strip_prefix("AWSReservedSSO_")?.rsplit_once('_')?;
        let is_suffix = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_made_by_aws = suffix.len() == 16 && suffix.bytes().all(is_suffix);
        let is_partition = *partition == "aws" || partition.starts_with("aws-");
        (is_made_by_aws && is_partition).then_some(Self { account, permission_set, name })
    }

    fn belongs_to(&self, trusted: &TrustedAssignment) -> bool {
        self.account == trusted.account_id && self.permission_set == trusted.permission_set
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::{aws_lambda_events::apigw::ApiGatewayV2httpRequestContext, request::RequestContext};
    use serde_json::{Value, json};

    use super::*;

    const ACCOUNT: &str = "123456789012";
    const ARN: &str = "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_claude_0123456789abcdef/alice@example.com";

    fn identify(authorizer: &Value) -> Result<Person, SignerError> {
        let trusted = ["claude", "claude_ro"].map(|permission_set| TrustedAssignment {
            account_id: ACCOUNT.to_owned(),
            permission_set: permission_set.to_owned(),
        });
        let context: ApiGatewayV2httpRequestContext =
            serde_json::from_value(json!({ "http": { "method": "GET" }, "authorizer": authorizer, "timeEpoch": 1 }))
                .unwrap();
        identify_signer(Some(&RequestContext::ApiGatewayV2(context)), &trusted)
    }

    fn identify_arn(arn: &str) -> Option<String> {
        let account = arn.split(':').nth(4).unwrap_or_default();
        identify(&json!({ "iam": { "accountId": account, "userArn": arn } })).ok().map(String::from)
    }

    #[test]
    fn session_of_a_configured_permission_set_is_believed() {
        for (from, to) in
            [("", ""), ("arn:aws:", "arn:aws-cn:"), ("arn:aws:", "arn:aws-us-gov:"), ("_claude_", "_claude_ro_")]
        {
            assert_eq!(identify_arn(&ARN.replacen(from, to, 1)).as_deref(), Some("alice@example.com"), "{to}");
        }
    }

    #[test]
    fn every_other_signer_is_refused() {
        for (from, to) in [
            // Another account, also with a role of the same name.
            ("123456789012", "210987654321"),
            ("123456789012", ""),
            // Another permission set, and names that begin or end like a configured one.
            ("_claude_", "_admin_"),
            ("_claude_", "_claude_admin_"),
            ("_claude_", "_claude_0123456789abcdef_"),
            ("_claude_", "_CLAUDE_"),
            ("_claude_", "__claude_"),
            ("_claude_", "_"),
            // A role that Identity Center has not made.
            ("AWSReservedSSO_claude_0123456789abcdef", "claude"),
            ("AWSReservedSSO_", "awsreservedsso_"),
            ("AWSReservedSSO_", "x-AWSReservedSSO_"),
            ("0123456789abcdef", "0123456789abcde"),
            ("0123456789abcdef", "0123456789abcdef0"),
            ("0123456789abcdef", "0123456789ABCDEF"),
            ("0123456789abcdef", "0123456789abcdeg"),
            // Another kind of caller.
            ("assumed-role/AWSReservedSSO_claude_0123456789abcdef/", "federated-user/"),
            ("sts::123456789012:assumed-role", "iam::123456789012:role"),
            (":sts:", ":iam:"),
            ("arn:aws:sts::", "arn:aws:sts:us-east-1:"),
            ("arn:aws:", "arn:evil:"),
            ("arn:aws:", ""),
            // A name that no session has, or that hides another segment.
            ("alice@example.com", ""),
            ("alice@example.com", "x"),
            ("alice@example.com", "alice@example.com/bob"),
            ("alice@example.com", "alice:bob"),
            ("alice@example.com", "CognitoIdentity Credentials"),
        ] {
            let arn = ARN.replacen(from, to, 1);
            assert_ne!(arn, ARN, "{from}");
            assert_eq!(identify_arn(&arn), None, "{arn}");
        }
    }

    #[test]
    fn account_of_the_signer_and_of_the_session_are_the_same() {
        let other = json!({ "iam": { "accountId": "210987654321", "userArn": ARN } });
        assert_eq!(identify(&other), Err(SignerError::NotTrusted { arn: ARN.to_owned() }));
        assert!(identify(&json!({ "iam": { "userArn": ARN } })).is_err());
    }

    #[test]
    fn request_without_a_verified_signature_is_not_signed() {
        for authorizer in [json!(null), json!({}), json!({ "iam": null }), json!({ "lambda": { "userArn": ARN } })] {
            assert_eq!(identify(&authorizer), Err(SignerError::NotSigned), "{authorizer}");
        }
        let jwt = json!({ "jwt": { "claims": { "userArn": ARN }, "scopes": [] } });
        assert_eq!(identify(&jwt), Err(SignerError::NotSigned));
        assert_eq!(identify_signer(None, &[]), Err(SignerError::NotSigned));
    }
}
