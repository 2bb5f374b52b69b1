//! Several roles in one run of `setup`: a profile for each, named after its role, with one of them as the default.

use super::{SetupContext, SetupPlan};
use crate::{
    config::{self, ConfigInputs, KeyValue, Profile, ProfileDraft, RoleArn, keys},
    failure::Failure,
    setup::{DEFAULT_NAME_TEMPLATE, Error, FileEdit, diff_lines, name_roles},
};

/// The profiles of several roles, and the values that they share.
pub(super) struct RoleProfiles {
    pub drafts: Vec<ProfileDraft>,
    pub shared: Vec<KeyValue>,
}

/// The profiles that this run writes into other programs' files.
pub(super) struct PlannedProfiles {
    /// The one that commands choose without a flag, and Claude Code uses.
    pub default: Profile,
    /// One for each of several roles, in their order.
    pub of_roles: Vec<Profile>,
}

impl RoleProfiles {
    pub(super) fn names(&self) -> Vec<String> {
        self.drafts.iter().map(|draft| draft.name.clone()).collect()
    }
}

impl PlannedProfiles {
    pub(super) fn of_one(default: Profile) -> Self {
        Self { default, of_roles: Vec::new() }
    }

    /// Each of them once.
    pub(super) fn all(&self) -> impl Iterator<Item = &Profile> {
        let is_among = self.of_roles.iter().any(|profile| profile.name == self.default.name);
        std::iter::once(&self.default).filter(move |_| !is_among).chain(&self.of_roles)
    }

    /// What a user must know of several profiles besides that they are set up.
    pub(super) fn describe_choice(&self) -> String {
        if self.of_roles.is_empty() {
            return String::new();
        }
        let name = &self.default.name;
        format!(
            "The default profile is {name}. Choose another with --profile NAME, in AWS tools also with AWS_PROFILE=NAME.\n"
        )
    }
}

impl SetupContext<'_> {
    /// A profile for each role, where there are several or a template names the profile; else `None`.
    pub(super) fn draft_role_profiles(&self, facts: &[KeyValue]) -> Result<Option<RoleProfiles>, Failure> {
        let (roles, shared): (Vec<_>, Vec<_>) = facts.iter().cloned().partition(|(key, _)| **key == *keys::ROLE_ARN);
        let template = self.arguments.profile_name_template.as_deref();
        if roles.len() < 2 && template.is_none() || roles.is_empty() {
            return Ok(None);
        }
        if roles.len() > 1 && self.arguments.aws_profile.is_some() {
            return Err(Error::OneAwsProfileForRoles.into());
        }
        let arns = roles.iter().map(|(_, arn)| config::parse_role_flag(arn)).collect::<Result<Vec<RoleArn>, _>>()?;
        let names = name_roles(template.unwrap_or(DEFAULT_NAME_TEMPLATE), &arns)?;
        names.iter().try_for_each(|name| config::check_profile_name("--profile-name-template", name))?;
        let draft = |(name, role)| ProfileDraft { name, values: vec![role] };
        Ok(Some(RoleProfiles { drafts: names.into_iter().zip(roles).map(draft).collect(), shared }))
    }

    /// Adds the profiles that are not there yet to our own file, and changes nothing else in it.
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
            if !config::file_matches_values(&inputs, &path, &before, &name, &values)? {
                return Err(Error::ProfileDiffers { path, profile: name }.into());
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
        let planned = PlannedProfiles { default: preview(&default)?, of_roles };
        if after != start {
            let diff = diff_lines(&before, &after);
            plan.add_configuration(&path, FileEdit { after, diff })?;
        }
        Ok(planned)
    }

    /// The inputs with which a planned text of our own file is judged.
    pub(super) fn preview_inputs(&self, profile: Option<&str>) -> ConfigInputs<'_> {
        let file = self.named_config().map(ToOwned::to_owned);
        ConfigInputs { profile: profile.map(str::to_owned), file, ..self.inputs() }
    }
}
