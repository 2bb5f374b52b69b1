//! Several roles in one run of `setup`: each role, or assignment of IAM Identity Center, gets a profile that is named
//! after it, and one of them is the default.
//!
//! The profiles share their other values in `[defaults]`, so they also share one sign-in. Existing profiles are never
//! changed: a run adds the missing ones and refuses to continue if an existing one has other values.

use std::collections::BTreeMap;

use super::{SetupContext, SetupPlan};
use crate::{
    config::{self, ConfigInputs, ConfigKey, KeyValue, Profile, ProfileDraft, keys},
    failure::Failure,
    setup::{DEFAULT_NAME_TEMPLATE, Error, FileEdit, NamedRole, diff_lines, name_roles},
};

/// Profiles that are to be written, and the values that all of them share.
pub(super) struct RoleProfiles {
    /// One for each role, in the order of the command line. Their names differ.
    pub drafts: Vec<ProfileDraft>,
    /// Everything except the role.
    pub shared: Vec<KeyValue>,
}

/// The profiles that this run writes into the files of AWS and Claude Code.
pub(super) struct PlannedProfiles {
    /// The profile that Claude Code uses, and that commands use without `--profile`. If this run adds
    /// several roles, it can be a profile that existed before.
    pub default: Profile,
    /// One for each of several roles, in their order. Empty when `setup` configures a single profile.
    pub of_roles: Vec<Profile>,
    /// What happens to AWS profiles of the same names that sign in with the AWS CLI.
    pub sso: SsoReplacement,
}

/// What happens to AWS profiles that sign in with the AWS CLI.
#[derive(Debug, Default)]
pub(super) struct SsoReplacement {
    /// The AWS profiles to write instead of those, by their usual names.
    pub other_names: BTreeMap<String, String>,
    /// Whether the user has agreed that their keys are replaced.
    pub is_agreed: bool,
}

impl RoleProfiles {
    /// The names of the profiles, in order.
    pub(super) fn names(&self) -> Vec<String> {
        self.drafts.iter().map(|draft| draft.name.clone()).collect()
    }
}

impl PlannedProfiles {
    /// A plan for a single profile.
    pub(super) fn of_one(default: Profile) -> Self {
        Self { default, of_roles: Vec::new(), sso: SsoReplacement::default() }
    }

    /// Every profile exactly once, also if the default is among the profiles of the roles.
    pub(super) fn all(&self) -> impl Iterator<Item = &Profile> {
        let is_among = self.of_roles.iter().any(|profile| profile.name == self.default.name);
        std::iter::once(&self.default).filter(move |_| !is_among).chain(&self.of_roles)
    }

    /// Explains how to choose among several profiles. Empty for a single one.
    pub(super) fn describe_choice(&self) -> String {
        if self.of_roles.is_empty() {
            return String::new();
        }
        let name = &self.default.name;
        format!(
            "The default profile is {name}. \
             To use another one, pass --profile NAME, or set AWS_PROFILE=NAME for AWS tools.\n"
        )
    }
}

impl SetupContext<'_> {
    /// Makes a profile for each role or assignment, if there are several or the command line has a name template.
    /// Otherwise it returns `None`, and `setup` configures a single profile.
    ///
    /// The values of an assignment are its account and its permission set, in this order. Fails for an illegal role,
    /// for names that collide, and for `--aws-profile`, which can name only one profile.
    pub(super) fn draft_role_profiles(&self, values: &[KeyValue]) -> Result<Option<RoleProfiles>, Failure> {
        let (own, shared): (Vec<_>, Vec<_>) = values.iter().cloned().partition(|(key, _)| is_of_one_role(key));
        let roles = group_by_role(own)?;
        let template = self.arguments.profile_name_template.as_deref();
        let is_single = roles.len() < 2 && template.is_none() && !self.arguments.all_roles;
        if is_single || roles.is_empty() {
            return Ok(None);
        }
        if roles.len() > 1 && self.arguments.aws_profile.is_some() {
            return Err(Error::OneAwsProfileForRoles.into());
        }
        let (named, roles): (Vec<NamedRole>, Vec<_>) = roles.into_iter().unzip();
        let names = name_roles(template.unwrap_or(DEFAULT_NAME_TEMPLATE), &named)?;
        names.iter().try_for_each(|name| config::check_profile_name("--profile-name-template", name))?;
        let draft = |(name, values)| ProfileDraft { name, values };
        Ok(Some(RoleProfiles { drafts: names.into_iter().zip(roles).map(draft).collect(), shared }))
    }

    /// Plans our own configuration file: it adds the missing profiles, sets the default profile, and changes nothing
    /// else.
    ///
    /// Without `wanted_default` the file's present default stays, else the first role becomes the default. Fails with
    /// `ProfileDiffers` if a profile exists with other values, and with `UnknownDefaultProfile` if no profile has the
    /// wanted name.
    pub(super) fn plan_role_profiles(
        &self,
        plan: &mut SetupPlan,
        RoleProfiles { drafts, shared }: &RoleProfiles,
        wanted_default: Option<String>,
    ) -> Result<PlannedProfiles, Failure> {
        let path = self.config_path();
        let before = SetupPlan::read_text(&path)?.unwrap_or_default();
        let inputs = self.preview_inputs(None);
        let known = config::list_profile_names(&inputs, &path, &before);
        let (there, missing): (Vec<_>, Vec<_>) = drafts.iter().cloned().partition(|draft| known.contains(&draft.name));
        for ProfileDraft { name, values } in there {
            let values = [&values, shared.as_slice()].concat();
            let keys = config::find_differing_keys(&inputs, &path, &before, &name, &values)?;
            if !keys.is_empty() {
                return Err(Error::ProfileDiffers { path, profile: name, keys }.into());
            }
        }
        let start = if before.is_empty() { config::render_empty_file() } else { before.clone() };
        let default = match wanted_default {
            Some(name) => name,
            None => {
                let held = config::find_default_profile(&inputs, &path, &start)?;
                held.or_else(|| drafts.first().map(|draft| draft.name.clone())).unwrap_or_default()
            }
        };
        if !known.contains(&default) && !drafts.iter().any(|draft| draft.name == default) {
            let names = drafts.iter().map(|draft| draft.name.clone()).collect();
            return Err(Error::UnknownDefaultProfile { name: default, names }.into());
        }
        let mut after = config::add_profiles(&inputs, &path, &start, &missing, shared)?;
        if config::find_default_profile(&inputs, &path, &after)?.as_ref() != Some(&default) {
            after = config::set_default_profile(&inputs, &path, &after, &default)?;
        }
        let preview = |name: &str| config::preview_file(&self.preview_inputs(Some(name)), &path, &after);
        let of_roles = drafts.iter().map(|draft| preview(&draft.name)).collect::<Result<_, _>>()?;
        let planned = PlannedProfiles { default: preview(&default)?, of_roles, sso: SsoReplacement::default() };
        if after != start {
            let diff = diff_lines(&before, &after);
            plan.add_configuration(&path, FileEdit { after, diff })?;
        }
        Ok(planned)
    }

    /// The inputs for checking the planned text of our own file before it is written.
    pub(super) fn preview_inputs(&self, profile: Option<&str>) -> ConfigInputs<'_> {
        let file = self.named_config().map(ToOwned::to_owned);
        ConfigInputs { profile: profile.map(str::to_owned), file, ..self.inputs() }
    }
}

/// Whether this key belongs to one role, and not to the sign-in that all roles share.
pub(super) fn is_of_one_role(key: &ConfigKey) -> bool {
    [&*keys::ROLE_ARN, &keys::IDENTITY_CENTER_ACCOUNT_ID, &keys::IDENTITY_CENTER_PERMISSION_SET].contains(&key)
}

/// Each role with its values. Values that make no complete assignment give none.
fn group_by_role(values: Vec<KeyValue>) -> Result<Vec<(NamedRole, Vec<KeyValue>)>, config::Error> {
    let (arns, assigned): (Vec<_>, Vec<_>) = values.into_iter().partition(|(key, _)| **key == *keys::ROLE_ARN);
    let of_arn = |arn: KeyValue| Ok((NamedRole::from_arn(&config::parse_role_flag(&arn.1)?), vec![arn]));
    let mut roles = arns.into_iter().map(of_arn).collect::<Result<Vec<_>, _>>()?;
    for pair in assigned.chunks(2) {
        if let [account, set] = pair {
            roles.push((NamedRole::from_assignment(&account.1, &set.1), pair.to_vec()));
        }
    }
    Ok(roles)
}
