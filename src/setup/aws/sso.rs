//! AWS profiles that sign in at IAM Identity Center with the AWS CLI: reads them from `~/.aws/config`, and removes the
//! keys of that sign-in, or restores them.

use super::{AwsConfigFile, PROCESS, parse_profile_title};

/// The keys of such a profile. Every SDK uses them before `credential_process`.
const SSO_KEYS: [&str; 6] =
    ["sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name", "sso_registration_scopes"];

/// An AWS profile with an assignment of IAM Identity Center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoProfile {
    /// The name of the AWS profile.
    pub name: String,
    pub start_url: String,
    /// The region of the Identity Center.
    pub sso_region: String,
    pub account: String,
    pub permission_set: String,
    /// The profile's own region.
    pub region: Option<String>,
}

/// Lists the profiles whose account and permission set are known, in the order of the file. Profiles that have only a
/// part of the keys are omitted, because AWS's tools cannot use them either.
///
/// The sign-in is in the section `[sso-session NAME]` that `sso_session` names, or in the profile itself. granted writes
/// the same keys with another prefix into profiles that call it.
pub fn list_sso_profiles(text: &str) -> Vec<SsoProfile> {
    let file = AwsConfigFile::parse(text);
    let profiles = file.sections().filter_map(|(header, title)| Some((header, parse_profile_title(title)?)));
    profiles.filter_map(|(header, name)| file.read_sso_profile(header, name)).collect()
}

/// Whether a profile has a key of such a sign-in.
pub fn has_sso_keys(text: &str, profile: &str) -> bool {
    let file = AwsConfigFile::parse(text);
    let headers = file.find_headers(profile);
    headers.iter().any(|header| SSO_KEYS.iter().any(|key| !file.find_keys(*header, key).is_empty()))
}

impl AwsConfigFile<'_> {
    fn read_sso_profile(&self, header: usize, name: &str) -> Option<SsoProfile> {
        let read = |section: usize, key: &str| {
            let value = self.read_value(self.find_keys(section, key).first()?);
            Some(value).filter(|value| !value.is_empty())
        };
        let own = |key: &str| read(header, key).or_else(|| read(header, &format!("granted_{key}")));
        let session = match own("sso_session") {
            Some(session) => Some(self.find_session(&session)?),
            None => None,
        };
        let shared = |key: &str| session.map_or_else(|| own(key), |section| read(section, key));
        Some(SsoProfile {
            name: name.to_owned(),
            start_url: shared("sso_start_url")?,
            sso_region: shared("sso_region")?,
            account: own("sso_account_id")?,
            permission_set: own("sso_role_name")?,
            region: read(header, "region"),
        })
    }

    /// The header line of `[sso-session NAME]`.
    fn find_session(&self, name: &str) -> Option<usize> {
        let mut sections = self.sections();
        let names_it = |title: &str| {
            let (kind, session) = title.split_once([' ', '\t'])?;
            Some(kind == "sso-session" && session.trim().trim_matches(['"', '\'']) == name)
        };
        sections.find(|(_, title)| names_it(title) == Some(true)).map(|(header, _)| header)
    }

    /// Removes the keys of the sign-in from a profile.
    pub(super) fn remove_sso_keys(&mut self, header: usize) {
        for key in SSO_KEYS {
            while let Some(found) = self.find_keys(header, key).into_iter().next() {
                self.remove_lines(found);
            }
        }
    }

    /// Restores the keys of the sign-in that [`Self::remove_sso_keys`] removed, unless the user has given the profile
    /// another source of credentials since. Must run before our `credential_process` is removed.
    pub(super) fn restore_sso_keys(&mut self, before: &AwsConfigFile<'_>, wrote: &AwsConfigFile<'_>, profile: &str) {
        let Some(header) = self.find_headers(profile).first().copied() else { return };
        let is_ours = self.find_value(profile, PROCESS) == wrote.find_value(profile, PROCESS);
        if !is_ours || SSO_KEYS.iter().any(|key| self.find_key(profile, key).is_some()) {
            return;
        }
        let removed = SSO_KEYS.iter().filter(|key| wrote.find_key(profile, key).is_none());
        let lines: Vec<String> =
            removed.filter_map(|key| Some(format!("{key} = {}", before.find_value(profile, key)?))).collect();
        for (at, line) in lines.iter().enumerate() {
            self.insert_line(header + 1 + at, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{AwsProfileEntry, add_profiles, remove_profiles},
        *,
    };
    use crate::setup::DiffLine;

    /// The shapes that `aws configure sso`, its older form, granted and aws-sso-cli write.
    const CONFIG: &str = "\
[sso-session corp]
sso_start_url = https://acme.awsapps.com/start#/
sso_region = eu-central-1
sso_registration_scopes = sso:account:access

[profile dev]
sso_session = corp
sso_account_id = 111111111111
sso_role_name = Dev
region = eu-west-1

[profile old]
sso_start_url = https://old.awsapps.com/start
sso_region = us-east-1
sso_account_id = 222222222222
sso_role_name = Ops

[profile granted]
granted_sso_start_url = https://acme.awsapps.com/start
granted_sso_region = eu-central-1
granted_sso_account_id = 333333333333
granted_sso_role_name = Audit
credential_process = granted credential-process --profile granted

[profile keys]
region = us-east-1

[profile no-role]
sso_session = corp
sso_account_id = 111111111111

[profile no-session]
sso_session = gone
sso_account_id = 111111111111
sso_role_name = Dev
";

    fn profile(name: &str, start_url: &str, sso_region: &str, account: &str, set: &str) -> SsoProfile {
        let [name, start_url, sso_region, account, permission_set] =
            [name, start_url, sso_region, account, set].map(str::to_owned);
        SsoProfile { name, start_url, sso_region, account, permission_set, region: None }
    }

    fn entry(profile: &str) -> AwsProfileEntry {
        let (process, region) = ("bedrock-sso credentials".to_owned(), "us-east-1".to_owned());
        AwsProfileEntry { profile: profile.to_owned(), process, region, replaces_sso: true }
    }

    #[test]
    fn sso_profiles_of_each_shape_are_read() {
        let dev = profile("dev", "https://acme.awsapps.com/start#/", "eu-central-1", "111111111111", "Dev");
        let expected = [
            SsoProfile { region: Some("eu-west-1".to_owned()), ..dev },
            profile("old", "https://old.awsapps.com/start", "us-east-1", "222222222222", "Ops"),
            profile("granted", "https://acme.awsapps.com/start", "eu-central-1", "333333333333", "Audit"),
        ];
        assert_eq!(list_sso_profiles(CONFIG), expected);
        assert_eq!(list_sso_profiles(&CONFIG.replace('\n', "\r\n")), expected);
        assert!(has_sso_keys(CONFIG, "dev") && !has_sso_keys(CONFIG, "keys") && !has_sso_keys(CONFIG, "none"));
    }

    #[test]
    fn replaced_sso_keys_are_shown_and_restored() {
        let edit = add_profiles(CONFIG, &[entry("dev")]).unwrap();
        let section = "[profile dev]\ncredential_process = bedrock-sso credentials\nregion = eu-west-1\n";
        assert!(edit.after.contains(section), "{}", edit.after);
        assert!(edit.diff.contains(&DiffLine::Removed("sso_session = corp".to_owned())), "{:?}", edit.diff);
        assert!(edit.after.contains("[sso-session corp]\nsso_start_url"), "other profiles use the session");
        // The user has added a line since, so the text before the edit cannot simply be put back.
        let later = edit.after.replace("[profile keys]\n", "[profile keys]\noutput = json\n");
        let undone = remove_profiles(&later, CONFIG, &edit.after, &["dev".to_owned()]).after;
        assert_eq!(undone, CONFIG.replace("[profile keys]\n", "[profile keys]\noutput = json\n"));
    }

    #[test]
    fn sso_keys_are_not_restored_beside_another_process() {
        let edit = add_profiles(CONFIG, &[entry("dev")]).unwrap();
        let later = edit.after.replace("bedrock-sso credentials", "another program");
        let undone = remove_profiles(&later, CONFIG, &edit.after, &["dev".to_owned()]).after;
        assert_eq!(undone, later);
    }
}
