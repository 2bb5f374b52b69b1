//! AssumeRole, with the conditions that a real trust policy can have.
//!
//! The knob `ChainRoles` lists the roles and whom they trust.

use serde_json::Value;

use crate::{
    keys,
    knobs::Knob,
    sts::{self, Issued, NAMESPACE, Refused, escaped, refused},
    wire::{Fields, Reply, Request, field},
    world::Common,
};

pub(crate) fn assume(world: &Common, request: &Request, form: &Fields) -> Result<Reply, Refused> {
    let caller = sts::caller(world, request, "sts")?;
    let name = sts::checked_session_name(form)?;
    let wanted = sts::checked_length(form, "RoleArn", 20, 2048)?;
    let seconds = checked_duration(form)?;
    let denied = |action: &str| {
        let Issued { arn, .. } = &caller;
        let message = format!("User: {arn} is not authorized to perform: {action} on resource: {wanted}");
        refused(403, "AccessDenied", message)
    };
    let role = role(world, wanted).ok_or_else(|| denied("sts:AssumeRole"))?;
    if role["trusts"] != caller.role.as_str() || role["external_id"].as_str() != field(form, "ExternalId") {
        return Err(denied("sts:AssumeRole"));
    }
    if form.iter().any(|(name, _)| name.starts_with("Tags.")) && role["tags"] != true {
        return Err(denied("sts:TagSession"));
    }
    let source = source_identity(form, &caller, &role).ok_or_else(|| denied("sts:SetSourceIdentity"))?;
    let issued = world.sts.issue(world, wanted, name, seconds, source);
    Ok(answer(world, &issued, name))
}

/// The caller is already a role's session, so AWS limits the duration to an hour, whatever the role's own maximum is.
fn checked_duration(form: &Fields) -> Result<i64, Refused> {
    let seconds = field(form, "DurationSeconds").map_or(Ok(3600), str::parse::<i64>);
    match seconds {
        Ok(..900) | Err(_) => {
            Err(sts::constraint_error("", "durationSeconds", "have value greater than or equal to 900"))
        }
        Ok(3601..) => Err(refused(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        )),
        Ok(seconds) => Ok(seconds),
    }
}

fn role(world: &Common, arn: &str) -> Option<Value> {
    let all = world.knobs.peek(Knob::ChainRoles)?;
    all.as_array()?.iter().find(|role| role["arn"] == arn).cloned()
}

/// Once a session has a source identity, its later sessions can repeat it but not change it.
fn source_identity(form: &Fields, caller: &Issued, role: &Value) -> Option<Option<String>> {
    let asked = field(form, "SourceIdentity").map(str::to_owned);
    match (&caller.source_identity, asked) {
        (None, None) => Some(None),
        (earlier, asked) if role["source_identity"] == true => match (earlier, asked) {
            (Some(earlier), Some(asked)) if *earlier != asked => None,
            (earlier, asked) => Some(asked.or_else(|| earlier.clone())),
        },
        _ => None,
    }
}

fn answer(world: &Common, issued: &Issued, name: &str) -> Reply {
    let Issued { access_key, secret_key, session_token, expires, arn, source_identity, .. } = issued;
    let source = source_identity.as_deref().map(escaped).unwrap_or_default();
    let body = format!(
        "<AssumeRoleResponse xmlns=\"{NAMESPACE}\">\n  <AssumeRoleResult>\n    <SourceIdentity>{source}</SourceIdentity>\n    \
         <AssumedRoleUser>\n      <AssumedRoleId>AROADEMODEMODEMODEMOO:{name}</AssumedRoleId>\n      <Arn>{arn}</Arn>\n    \
         </AssumedRoleUser>\n    <Credentials>\n      <AccessKeyId>{access_key}</AccessKeyId>\n      \
         <SecretAccessKey>{secret_key}</SecretAccessKey>\n      <SessionToken>{session_token}</SessionToken>\n      \
         <Expiration>{}</Expiration>\n    </Credentials>\n  </AssumeRoleResult>\n  \
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\n</AssumeRoleResponse>\n",
        world.iso_date(*expires),
        keys::unguessable(12)
    );
    Reply::new(200, "text/xml", &body)
}
