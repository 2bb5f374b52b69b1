//! Names the profiles of several roles after one template, such as `{account}-{role}`.
//!
//! The names also appear in command lines and in AWS's configuration, so they contain only letters, digits, `-`, `_`
//! and `.`, whatever the role is called.

use super::Error;
use crate::config::RoleArn;

/// The longest name that the configuration accepts for a profile.
const MAX_LENGTH: usize = 64;

/// The template that is used unless the command line has another.
pub const DEFAULT_NAME_TEMPLATE: &str = "{account}-{role}";

/// What the name of a profile is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRole {
    /// The account, which replaces `{account}`.
    pub account: String,
    /// The name of the role or of the permission set, which replaces `{role}`.
    pub name: String,
    /// The role as messages show it.
    pub shown: String,
}

impl NamedRole {
    pub fn from_arn(role: &RoleArn) -> Self {
        Self { account: role.account().to_owned(), name: role.name().to_owned(), shown: role.as_str().to_owned() }
    }

    /// For a permission set in an account.
    pub fn from_assignment(account: &str, permission_set: &str) -> Self {
        let shown = format!("{permission_set} in account {account}");
        Self { account: account.to_owned(), name: permission_set.to_owned(), shown }
    }
}

/// Names each role, in order, after a template with the placeholders `{account}` and `{role}`. Fails if two roles get
/// the same name, because the profiles would replace each other.
pub fn name_roles(template: &str, roles: &[NamedRole]) -> Result<Vec<String>, Error> {
    let names: Vec<String> = roles.iter().map(|role| name_role(template, role)).collect();
    for (at, name) in names.iter().enumerate() {
        if let Some(first) = names.iter().position(|earlier| earlier == name).filter(|first| *first < at) {
            let roles = [first, at].map(|at| roles.get(at).map_or_else(String::new, |role| role.shown.clone()));
            return Err(Error::ProfileNameCollision { name: name.clone(), roles });
        }
    }
    Ok(names)
}

/// Names one role. Each character that a profile's name cannot have becomes a dash, and a name that is too long is cut.
fn name_role(template: &str, role: &NamedRole) -> String {
    let filled = template.replace("{account}", &role.account).replace("{role}", &role.name);
    let is_legal = |part: char| part.is_ascii_alphanumeric() || "-_.".contains(part);
    let legal = filled.chars().map(|part| if is_legal(part) { part } else { '-' });
    // A name must not begin with a dash: command lines would read it as a flag.
    legal.skip_while(|part| !part.is_ascii_alphanumeric()).take(MAX_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> Vec<NamedRole> {
        let parse = |name| RoleArn::parse(&format!("arn:aws:iam::{name}")).unwrap();
        names.iter().map(|name| NamedRole::from_arn(&parse(name))).collect()
    }

    fn names(template: &str, names: &[&str]) -> Vec<String> {
        name_roles(template, &roles(names)).unwrap()
    }

    #[test]
    fn template_names_each_role_by_account_and_name() {
        let two = ["111111111111:role/Dev", "222222222222:role/team/path/Dev"];
        let by_default = name_roles(DEFAULT_NAME_TEMPLATE, &roles(&two)).unwrap();
        assert_eq!(by_default, ["111111111111-Dev", "222222222222-Dev"]);
        assert_eq!(names("acme.{role}.{account}", &two), ["acme.Dev.111111111111", "acme.Dev.222222222222"]);
    }

    #[test]
    fn profile_name_has_only_legal_characters() {
        assert_eq!(names("{role}", &["111111111111:role/a+b=c,d@e"]), ["a-b-c-d-e"]);
        assert_eq!(names("-/{role} ü", &["111111111111:role/_a"]), ["a--"]);
        let long = format!("111111111111:role/{}", "x".repeat(64));
        let [name] = names("{account}-{role}", &[&long]).try_into().unwrap();
        assert_eq!(name, format!("111111111111-{}", "x".repeat(51)));
    }

    #[test]
    fn colliding_profile_names_are_refused() {
        for (template, second) in [
            ("{role}", "222222222222:role/Dev"),
            ("{account}", "111111111111:role/Ops"),
            ("x", "222222222222:role/Ops"),
            ("{account}-{role}", "111111111111:role/Dev"),
        ] {
            let both = roles(&["111111111111:role/Dev", second]);
            let refused = name_roles(template, &both).unwrap_err();
            let Error::ProfileNameCollision { roles, .. } = refused else { panic!("{template}: {refused:?}") };
            assert_eq!(roles, [both[0].shown.clone(), both[1].shown.clone()]);
        }
    }

    #[test]
    fn template_names_a_permission_set_like_a_role() {
        let assigned = NamedRole::from_assignment("111111111111", "Bedrock@User");
        assert_eq!(name_roles(DEFAULT_NAME_TEMPLATE, &[assigned]).unwrap(), ["111111111111-Bedrock-User"]);
    }
}
