//! The assignments of IAM Identity Center: signs the user in with a start URL, lists the user's accounts and permission
//! sets, and lets the user choose.
//!
//! The sign-in is that of `login`. It needs a profile, but an assignment is not known yet, so it uses a draft with a
//! placeholder. The draft has the same sign-in as the profile that follows, so the user signs in once. The draft exists
//! in a private file only while the worker runs.

use std::path::PathBuf;

use super::{
    SetupContext, append_profile, can_prompt,
    picker::choose_line,
    prompts::{InputEnded, prompt_for_region},
    values::has_value,
    wizard::prompt_for_storage,
    write_stderr,
};
use crate::{
    aws::{AssignedAccount, Aws, IdentityCenterClient, IdentityCenterError, PortalRefusal},
    cache::Cache,
    commands::SignInScreen,
    config::{self, CallerKind, ConfigKey, KeyValue, Profile, Storage, keys},
    failure::Failure,
    files,
    http::{self, Client},
    secret::Secret,
    session::PortalTokenUse,
    setup::SetupPlan,
    worker::{self, WorkerClient},
};

/// The assignment of the draft. No request contains it.
const PLACEHOLDER: [&str; 2] = ["000000000000", "setup"];

/// Values for one or more profiles of IAM Identity Center.
pub(super) struct ChosenAssignments {
    /// The given values, and an account and a permission set for each profile.
    pub values: Vec<KeyValue>,
    /// Whether the profiles have a place for the session.
    pub has_storage: bool,
}

/// The user's session at the access portal, for lists.
struct PortalList {
    profile: Profile,
    client: IdentityCenterClient,
    token: Secret,
    accounts: Vec<AssignedAccount>,
}

impl SetupContext<'_> {
    /// Lets the user choose what `values` lack for a profile of IAM Identity Center, or adds every assignment with
    /// `--all-roles`. Returns `None` if the values are complete, are for another sign-in, or nobody can be asked.
    ///
    /// Signs in first. That stores a session, but writes nothing else.
    pub(super) fn choose_assignments(&self, values: &[KeyValue]) -> Result<Option<ChosenAssignments>, Failure> {
        let arguments = self.arguments;
        let assigned = [&*keys::IDENTITY_CENTER_ACCOUNT_ID, &keys::IDENTITY_CENTER_PERMISSION_SET];
        let is_complete = assigned.iter().all(|key| has_value(values, key));
        let is_wanted = has_value(values, &keys::IDENTITY_CENTER_START_URL) && !is_complete && can_prompt();
        if arguments.system || !(is_wanted || arguments.all_roles) {
            return Ok(None);
        }
        let wanted = assigned.map(|key| find_value(values, key).map(str::to_owned));
        let is_shared = |(key, _): &&KeyValue| !assigned.contains(key);
        let mut values: Vec<KeyValue> = values.iter().filter(is_shared).cloned().collect();
        self.complete_regions(&mut values)?;
        let mut draft = self.preview_draft(&values)?;
        let is_storage_open = !has_value(&values, &keys::STORAGE) && !self.may_have_defaults();
        let asks_storage = is_storage_open && draft.0.storage == Storage::Keyring && can_prompt();
        let has_storage = !asks_storage || prompt_for_storage(&mut values, &self.context.invocation())?;
        if asks_storage {
            draft = self.preview_draft(&values)?;
        }
        let list = self.sign_in_and_list(draft)?;
        let [account, permission_set] = wanted.each_ref().map(Option::as_deref);
        let assignments = match arguments.all_roles {
            true => list.find_all(account, permission_set)?,
            false => vec![list.choose_one(account, permission_set)?],
        };
        for (account, permission_set) in assignments {
            values.push((&keys::IDENTITY_CENTER_ACCOUNT_ID, account));
            values.push((&keys::IDENTITY_CENTER_PERMISSION_SET, permission_set));
        }
        Ok(Some(ChosenAssignments { values, has_storage }))
    }

    /// Prompts for the regions that no flag and no file names. Without a terminal, the check of the draft reports them.
    fn complete_regions(&self, values: &mut Vec<KeyValue>) -> Result<(), InputEnded> {
        if has_value(values, &keys::REGION) || self.may_have_defaults() || !can_prompt() {
            return Ok(());
        }
        if !has_value(values, &keys::IDENTITY_CENTER_REGION) {
            let region = prompt_for_region("Region of IAM Identity Center", "us-east-1")?;
            values.push((&keys::IDENTITY_CENTER_REGION, region));
        }
        let own = find_value(values, &keys::IDENTITY_CENTER_REGION).unwrap_or("us-east-1").to_owned();
        values.push((&keys::REGION, prompt_for_region("AWS region", &own)?));
        Ok(())
    }

    /// The draft profile with these values, and the text of a configuration file that has it.
    fn preview_draft(&self, values: &[KeyValue]) -> Result<(Profile, String), Failure> {
        let path = self.config_path();
        let before = SetupPlan::read_text(&path)?.unwrap_or_default();
        let known = config::list_profile_names(&self.preview_inputs(None), &path, &before);
        let mut name = "setup".to_owned();
        while known.contains(&name) {
            name.push('-');
        }
        let [account, set] = PLACEHOLDER.map(str::to_owned);
        let placeholder: [KeyValue; 2] =
            [(&keys::IDENTITY_CENTER_ACCOUNT_ID, account), (&keys::IDENTITY_CENTER_PERMISSION_SET, set)];
        let table = config::render_profile_table(&name, &[values, &placeholder].concat())?;
        let text = append_profile(&before, &table).after;
        Ok((config::preview_file(&self.preview_inputs(Some(&name)), &path, &text)?, text))
    }

    /// Signs the user in, unless a session is stored, and lists the accounts. If the portal refuses a stored session,
    /// the user signs in again.
    fn sign_in_and_list(&self, (profile, text): (Profile, String)) -> Result<PortalList, Failure> {
        let host = &self.context.host;
        let http = Client::new(profile.network_settings(&host.environment))?;
        let aws = Aws::new(&http, &profile, &host.environment, host.now)?;
        let client = aws.identity_center().expect("the draft signs in at an Identity Center").clone();
        write_stderr("Connecting to IAM Identity Center…\n");
        let mut token_use = PortalTokenUse::First;
        loop {
            let token = self.fetch_token(&profile, &text, token_use)?;
            let listed = http::block_on(client.list_accounts(&token)).map_err(Failure::from_runtime_error)?;
            match listed {
                Err(error) if is_session_refused(&error) && token_use == PortalTokenUse::First => {
                    token_use = PortalTokenUse::AfterRefusal;
                }
                Err(error) => return Err(Failure::from_assignment_list_error(error, &profile, None)),
                Ok(accounts) => {
                    let plural = if accounts.len() == 1 { "" } else { "s" };
                    write_stderr(&format!("  ✓ signed in: {} AWS account{plural}\n", accounts.len()));
                    return Ok(PortalList { profile, client, token, accounts });
                }
            }
        }
    }

    /// Gets an access token from a worker, as `login` gets credentials. The worker reads the draft from a private file,
    /// which is deleted when the worker has ended.
    fn fetch_token(&self, profile: &Profile, text: &str, token_use: PortalTokenUse) -> Result<Secret, Failure> {
        let host = &self.context.host;
        let cache = Cache::for_profile(profile, &host.paths.data, CallerKind::SignIn);
        files::ensure_private_folder(&host.paths.data)?;
        let draft = DraftFile(host.paths.data.join(format!("setup-draft-{}.toml", std::process::id())));
        files::write_atomically(&draft.0, text.as_bytes())?;
        let verbose = self.context.global.verbose;
        let client = WorkerClient::new(host, profile, &cache, CallerKind::SignIn, Some(&draft.0), verbose);
        let mut screen = match can_prompt() {
            true => SignInScreen::for_automatic(&host.environment),
            false => SignInScreen::for_login(&host.environment, self.context.global),
        };
        match client.portal_token(token_use, &mut |event, reply| screen.show_event(event, reply)) {
            Err(worker::Error::Interrupted) => Err(Failure::from_cancelled_setup()),
            token => token.map_err(|error| Failure::from(error).during_setup()),
        }
    }
}

impl PortalList {
    /// The accounts that `account` leaves. Fails if the list is empty.
    fn filter_accounts(&self, account: Option<&str>) -> Result<Vec<&AssignedAccount>, Failure> {
        let found: Vec<_> = self.accounts.iter().filter(|found| account.is_none_or(|id| id == found.id)).collect();
        if found.is_empty() { Err(Failure::from_missing_assignment(account, None)) } else { Ok(found) }
    }

    /// The permission sets of an account that `wanted` leaves.
    fn list_permission_sets(&self, account: &str, wanted: Option<&str>) -> Result<Vec<String>, Failure> {
        let listed = http::block_on(self.client.list_permission_sets(&self.token, account));
        let listed = listed.map_err(Failure::from_runtime_error)?;
        let failed = |error| Failure::from_assignment_list_error(error, &self.profile, Some(account));
        let mut sets = listed.map_err(failed)?;
        sets.retain(|set| wanted.is_none_or(|wanted| wanted == set));
        Ok(sets)
    }

    /// Every account with each of its permission sets.
    fn find_all(&self, account: Option<&str>, permission_set: Option<&str>) -> Result<Vec<(String, String)>, Failure> {
        let mut found = Vec::new();
        for AssignedAccount { id, .. } in self.filter_accounts(account)? {
            let sets = self.list_permission_sets(id, permission_set)?;
            found.extend(sets.into_iter().map(|set| (id.clone(), set)));
        }
        if found.is_empty() { Err(Failure::from_missing_assignment(account, permission_set)) } else { Ok(found) }
    }

    /// The account and the permission set that the user chooses.
    fn choose_one(&self, account: Option<&str>, permission_set: Option<&str>) -> Result<(String, String), Failure> {
        let accounts = self.filter_accounts(account)?;
        let lines: Vec<String> = accounts.iter().map(|account| describe_account(account)).collect();
        let chosen = choose_line("account", &lines)?;
        let (Some(account), Some(line)) = (accounts.get(chosen), lines.get(chosen)) else {
            return Err(Failure::from_cancelled_setup());
        };
        write_stderr(&format!("  ✓ account {line}\n"));
        let sets = self.list_permission_sets(&account.id, permission_set)?;
        if sets.is_empty() {
            return Err(Failure::from_missing_assignment(Some(&account.id), permission_set));
        }
        let set = sets.get(choose_line("permission set", &sets)?).cloned().unwrap_or_default();
        write_stderr(&format!("  ✓ permission set {set}\n"));
        Ok((account.id.clone(), set))
    }
}

/// The file with the draft. It is deleted on drop.
struct DraftFile(PathBuf);

impl Drop for DraftFile {
    fn drop(&mut self) {
        // A file that cannot be deleted has no secret, and its name is not used again.
        let _ = files::remove_file(&self.0);
    }
}

fn is_session_refused(error: &IdentityCenterError) -> bool {
    error.is_refused_for(PortalRefusal::Unauthorized)
}

/// One line of the list. The administrators of the organization choose names and addresses, so they are escaped.
fn describe_account(AssignedAccount { id, name, email }: &AssignedAccount) -> String {
    let [name, email] = [name, email].map(|text| text.to_safe_line());
    format!("{id}  {name}  {email}").trim_end().to_owned()
}

fn find_value<'v>(values: &'v [KeyValue], key: &ConfigKey) -> Option<&'v str> {
    values.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
}
