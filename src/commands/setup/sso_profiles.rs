//! AWS profiles that sign in at IAM Identity Center with the AWS CLI: `--from` imports them, and `setup` either leaves
//! them as they are or, if the user agrees, replaces their `sso_*` keys.
//!
//! AWS's tools prefer the `sso_*` keys to `credential_process`, so one AWS profile cannot have both.

use super::{
    SetupContext, can_prompt,
    prompts::read_yes_no,
    roles::{PlannedProfiles, RoleProfiles, SsoReplacement, is_of_one_role},
    values::{SourceValues, has_value, list_start_url_values, read_source},
};
use crate::{
    config::{self, KeyValue, ProfileDraft, keys},
    failure::Failure,
    setup::{
        Error, ImportError, NamedRole, SetupPlan,
        aws::{self, SsoProfile},
        name_roles, normalize_start_url,
    },
    text::{join_with_and, sanitize_line},
};

/// The ending of the name of an AWS profile beside one that signs in with the AWS CLI.
const SUFFIX: &str = "-bedrock";

impl SetupContext<'_> {
    /// The profiles of an AWS configuration, if `--from` names one that has several and no profile is chosen.
    pub(super) fn import_sso_profiles(&self) -> Result<Option<RoleProfiles>, Failure> {
        let is_open = self.requested_profile().is_none() && self.arguments.fleet.is_none();
        let imported = if is_open { self.read_sso_source()? } else { Vec::new() };
        if imported.len() < 2 {
            return Ok(None);
        }
        if self.arguments.aws_profile.is_some() {
            return Err(Error::OneAwsProfileForRoles.into());
        }
        let names = self.name_sso_profiles(&imported)?;
        names.iter().try_for_each(|name| config::check_profile_name("--profile-name-template", name))?;
        let flags = self.flag_values()?;
        let all: Vec<Vec<KeyValue>> = imported.iter().map(|profile| self.combine_values(profile, &flags)).collect();
        let is_shared = |value: &KeyValue| !is_of_one_role(value.0) && all.iter().all(|values| values.contains(value));
        let shared = all.first().into_iter().flatten().filter(|value| is_shared(value)).cloned().collect();
        let own = |values: &Vec<KeyValue>| values.iter().filter(|value| !is_shared(value)).cloned().collect();
        let drafts = names.into_iter().zip(&all).map(|(name, values)| ProfileDraft { name, values: own(values) });
        Ok(Some(RoleProfiles { drafts: drafts.collect(), shared }))
    }

    /// The name and the values of one profile of an AWS configuration: the chosen one, or the only one. `None` if the
    /// text has no such profile at all.
    pub(super) fn read_sso_profile(&self, text: &str) -> Result<Option<SourceValues>, ImportError> {
        let profiles = aws::list_sso_profiles(text);
        let wanted = self.requested_profile();
        let found = match (wanted, profiles.as_slice()) {
            (_, []) => return Ok(None),
            (Some(name), all) => {
                let found = all.iter().find(|profile| profile.name == name);
                found.ok_or(ImportError::NoSuchProfile(name))?
            }
            (None, [only]) => only,
            (None, all) => {
                return Err(ImportError::SeveralProfiles(all.iter().map(|profile| profile.name.clone()).collect()));
            }
        };
        let name = name_roles("{role}", &[describe_profile(found)]).unwrap_or_default().pop();
        Ok(Some((name, list_values(found))))
    }

    /// Decides about the AWS profiles that `planned` would write and that sign in with the AWS CLI. Prompts for the
    /// consent to replace their keys, if they come from `--from`.
    pub(super) fn decide_sso_replacement(&self, planned: &PlannedProfiles) -> Result<SsoReplacement, Failure> {
        let text = SetupPlan::read_text(&self.neighbours.aws_config)?.unwrap_or_default();
        let mut names: Vec<&str> = planned.all().map(|profile| self.aws_profile_name(profile)).collect();
        names.retain(|name| aws::has_sso_keys(&text, name));
        if self.arguments.system || names.is_empty() {
            return Ok(SsoReplacement::default());
        }
        let is_agreed = SsoReplacement { is_agreed: true, ..SsoReplacement::default() };
        if self.arguments.replace_sso_keys {
            return Ok(is_agreed);
        }
        // An AWS profile that nobody has named here is not renamed: the edit fails, and says why.
        if self.arguments.aws_profile.is_some() || self.read_sso_source()?.is_empty() {
            return Ok(SsoReplacement::default());
        }
        let arguments = self.arguments;
        if can_prompt() && !arguments.yes && !arguments.dry_run {
            let listed: Vec<String> = names.iter().map(|name| sanitize_line(name)).collect();
            let (plural, listed) = (if names.len() == 1 { "" } else { "s" }, join_with_and(&listed));
            let question = format!(
                "Replace the sso_* keys of the AWS profile{plural} {listed}? Otherwise new AWS profiles end in {SUFFIX}."
            );
            if read_yes_no(&question, false)? {
                return Ok(is_agreed);
            }
        }
        let other_names = names.iter().map(|name| ((*name).to_owned(), format!("{name}{SUFFIX}"))).collect();
        Ok(SsoReplacement { other_names, is_agreed: false })
    }

    /// The profiles in the file of `--from`, if it is an AWS configuration.
    fn read_sso_source(&self) -> Result<Vec<SsoProfile>, Failure> {
        let source = self.source_path().filter(|path| !self.is_config_file(path));
        Ok(source.map(read_source).transpose()?.map(|text| aws::list_sso_profiles(&text)).unwrap_or_default())
    }

    /// Names each profile by the template of the command line, else after the AWS profile.
    fn name_sso_profiles(&self, imported: &[SsoProfile]) -> Result<Vec<String>, Error> {
        match self.arguments.profile_name_template.as_deref() {
            Some(template) => {
                let assigned = |one: &SsoProfile| NamedRole::from_assignment(&one.account, &one.permission_set);
                name_roles(template, &imported.iter().map(assigned).collect::<Vec<_>>())
            }
            None => name_roles("{role}", &imported.iter().map(describe_profile).collect::<Vec<_>>()),
        }
    }

    /// The values of an imported profile, which those of the command line replace.
    fn combine_values(&self, profile: &SsoProfile, flags: &[KeyValue]) -> Vec<KeyValue> {
        let mut values = list_values(profile);
        values.retain(|(key, _)| !has_value(flags, key));
        values.extend(flags.iter().cloned());
        values
    }
}

/// An AWS profile as a role that is named like it.
fn describe_profile(SsoProfile { name, account, .. }: &SsoProfile) -> NamedRole {
    NamedRole { account: account.clone(), name: name.clone(), shown: format!("the AWS profile {name}") }
}

fn list_values(profile: &SsoProfile) -> Vec<KeyValue> {
    let mut values = list_start_url_values(normalize_start_url(&profile.start_url));
    values.retain(|(key, _)| **key != *keys::IDENTITY_CENTER_REGION);
    let region = profile.region.as_ref().unwrap_or(&profile.sso_region);
    values.push((&keys::IDENTITY_CENTER_REGION, profile.sso_region.clone()));
    values.push((&keys::IDENTITY_CENTER_ACCOUNT_ID, profile.account.clone()));
    values.push((&keys::IDENTITY_CENTER_PERMISSION_SET, profile.permission_set.clone()));
    values.push((&keys::REGION, region.clone()));
    values
}
