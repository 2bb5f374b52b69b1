//! Failures of AWS IAM Identity Center: of its sign-in service, and of its access portal, which issues the credentials.
//!
//! The message quotes AWS. The hint names the assignment or the key of the configuration that has to change, because the
//! portal says only "No access".

use super::{
    AwsErrorDetails, Error, Failure, Hint, IDENTITY_CENTER, SET_CLOCK, SHOW_ADMINISTRATOR, advise_on_common_refusal,
    describe_general_error, make_aws_failure, quote_refusal, role_chain,
};
use crate::{
    aws::{AssignmentError, CommonRefusal, ExchangeStep, FailedStep, IdentityCenterError, PortalRefusal},
    config::{IdentityCenterSettings, Profile},
    failure::Exit,
    hint::NextCommand,
    text::sanitize_line,
};

impl Failure {
    /// Identity Center did not sign the user in, or did not answer.
    pub fn from_identity_center_error(error: IdentityCenterError, profile: &Profile) -> Self {
        let name = IDENTITY_CENTER.name;
        match error {
            IdentityCenterError::Refused { reason, details } => describe_refusal(reason, &details, profile),
            IdentityCenterError::Network(error) => error.into(),
            IdentityCenterError::Unexpected { status, content_type } => {
                describe_general_error(Error::Unexpected { status, content_type }, &IDENTITY_CENTER)
            }
            IdentityCenterError::Flawed(flaw) => describe_general_error(Error::Flawed(flaw), &IDENTITY_CENTER),
            IdentityCenterError::Incomplete(member) => {
                let what = format!("the answer of {name} has no usable `{member}`");
                make_aws_failure("incomplete", what, format!("check {}", IDENTITY_CENTER.endpoint))
            }
            IdentityCenterError::RegistrationExpired => {
                let what = format!("{name} issued a registration of this program that has already expired");
                make_aws_failure("clock", what, SET_CLOCK)
            }
            IdentityCenterError::UnusablePage { stated, refusal } => {
                let what = format!("{name} names a page that cannot be opened, {}: {refusal}", stated.to_safe_line());
                make_aws_failure("identity_center_page", what, format!("check {}", IDENTITY_CENTER.endpoint))
            }
            IdentityCenterError::EndlessList => {
                let what = format!("a list of {name} does not end");
                make_aws_failure("identity_center_list", what, SHOW_ADMINISTRATOR)
            }
        }
    }

    /// Identity Center issued no credentials, or a role of the chain was not assumed with them.
    pub fn from_assignment_error(error: AssignmentError, profile: &Profile) -> Self {
        match error {
            AssignmentError::Portal(error) => Self::from_identity_center_error(error, profile),
            AssignmentError::Exchange(FailedStep { step: ExchangeStep::ChainLink(at), error }) => {
                role_chain::describe_link_failure(error, at, profile)
            }
            AssignmentError::Exchange(FailedStep { step: _, error }) => describe_general_error(error, &IDENTITY_CENTER),
        }
    }

    /// The user has no account or permission set that `setup` could choose. The names are those of the command line.
    pub fn from_missing_assignment(account: Option<&str>, permission_set: Option<&str>) -> Self {
        let set = permission_set.map_or_else(String::new, |set| format!(" {}", sanitize_line(set)));
        let account = account.map_or_else(|| "any account".to_owned(), |id| format!("account {}", sanitize_line(id)));
        let what = format!("IAM Identity Center assigns you no permission set{set} in {account}");
        make_aws_failure("no_assignment", what, "ask your AWS administrator to assign it to you, or choose another one")
    }

    /// `setup` got no list of accounts, or of the permission sets in this account. The assignment of its draft profile is
    /// a placeholder, and no command can use that profile, so the failure names neither.
    pub fn from_assignment_list_error(error: IdentityCenterError, draft: &Profile, account: Option<&str>) -> Self {
        if error.is_refused_for(PortalRefusal::NoAssignment) {
            return Self::from_missing_assignment(account, None);
        }
        let has_session_ended = error.is_refused_for(PortalRefusal::Unauthorized);
        let failure = Self::from_identity_center_error(error, draft);
        match has_session_ended {
            true => failure.with_hint("run the same command again: the session at the access portal has ended"),
            false => failure,
        }
    }

    /// `token` was called, or another command that needs an ID token.
    pub fn from_missing_id_token(profile: &Profile) -> Self {
        let name = sanitize_line(&profile.name);
        let what = format!("the profile {name} has no ID token, because IAM Identity Center issues none");
        let hint = "use a profile with an OpenID provider for servers that need an ID token";
        Self::new(Exit::Configuration, "config/no_id_token", what, hint)
    }
}

/// What AWS refused. The codes are those of the API references of SSO OIDC and of the portal.
fn describe_refusal(reason: PortalRefusal, said: &AwsErrorDetails, profile: &Profile) -> Failure {
    let what = quote_refusal(said, IDENTITY_CENTER.name);
    let sign_in_refused = |slug: &'static str, hint: Hint| Failure::new(Exit::Refused, slug, what.clone(), hint);
    let (slug, hint): (&str, Hint) = match reason {
        PortalRefusal::AccessDenied => {
            let hint =
                Hint::from("ask your AWS administrator whether you may sign in, then run ").command(NextCommand::Login);
            return sign_in_refused("sign-in/access_denied", hint);
        }
        // The code was used already, or the user took too long.
        PortalRefusal::InvalidGrant => {
            return sign_in_refused("sign-in/code_refused", Hint::run(NextCommand::Login).text(" again"));
        }
        PortalRefusal::InvalidClient | PortalRefusal::FlowNotPermitted => {
            return sign_in_refused("sign-in/registration", Hint::run(NextCommand::Login).text(" again"));
        }
        PortalRefusal::Unauthorized => {
            ("session_ended", Hint::run(NextCommand::LoginForce).text(": the session at the access portal has ended"))
        }
        PortalRefusal::NoAssignment => ("no_assignment", suggest_assignment(profile.identity_center())),
        // `setup` gets them from flags, and a profile has them in its table, so the hint names neither.
        PortalRefusal::WrongRegion => (
            "identity_center_region",
            "compare the start URL and its region with those under Access keys in the AWS access portal".into(),
        ),
        PortalRefusal::EncryptionKey => (
            "identity_center_key",
            "ask your AWS administrator to restore the encryption key of IAM Identity Center".into(),
        ),
        PortalRefusal::InvalidRequest => {
            ("identity_center_request", "check the keys in the profile's table `identity_center`".into())
        }
        PortalRefusal::Throttled => advise_on_common_refusal(CommonRefusal::Throttled),
        PortalRefusal::Server => advise_on_common_refusal(CommonRefusal::Server),
        PortalRefusal::Other => ("refused", SHOW_ADMINISTRATOR.into()),
    };
    make_aws_failure(slug, what, hint)
}

/// The portal gives the same answer for an account, a permission set and an assignment that does not exist.
fn suggest_assignment(center: Option<&IdentityCenterSettings>) -> Hint {
    let Some(IdentityCenterSettings { account_id, permission_set, .. }) = center else {
        return SHOW_ADMINISTRATOR.into();
    };
    let (account, set) = (sanitize_line(account_id), sanitize_line(permission_set));
    let ask =
        format!("ask your AWS administrator to assign the permission set {set} in account {account} to you, or run ");
    Hint::from(ask).command(NextCommand::Setup).text(" to choose another one")
}
