//! `setup`: plans changes to our configuration, AWS's configuration and Claude Code's settings, shows them, and writes
//! them once the user confirms.
//!
//! Nothing is written before every change is planned and confirmed, so a file that cannot be edited stops `setup` while
//! all files are still unchanged. The changes go to stdout; prompts, warnings and results go to stderr. How the files
//! are edited is the job of `crate::setup`.

mod assignments;
mod aws_profile;
mod ca_bundle;
mod fleet;
mod picker;
mod prompts;
mod roles;
mod sso_profiles;
mod values;
mod wizard;

pub(super) use aws_profile::{
    forget_provisioned_profiles as forget_given_profiles, provision_aws_profile as give_aws_profile,
};
pub(super) use prompts::{can_prompt, prompt_yes_no};

use std::path::{Path, PathBuf};

use roles::PlannedProfiles;
use values::{is_toml, read_source};

use super::{CommandContext, write_stderr, write_stdout};
use crate::{
    cache,
    cli::SetupArgs,
    config::{self, KeyValue, Profile, UnreadableReason},
    failure::Failure,
    files::{self, FileAction, ReadableBy},
    hint::{Hint, NextCommand},
    host::{self, ExternalConfigPaths},
    setup::{
        CommandTemplate, DiffLine, Error, FileChange, FileEdit, SetupPlan,
        aws::{self, AwsProfileEntry},
        claude, settings,
    },
    text::{display_path, escape_controls},
};

/// Runs `setup` in one of its three modes: `--fleet` writes files to distribute, `--remove` undoes earlier runs, and
/// otherwise it configures this computer.
pub(super) fn run_setup(arguments: &SetupArgs, context: &CommandContext<'_>) -> Result<(), Failure> {
    let place = SetupContext::new(context, arguments)?;
    if let Some(folder) = &arguments.fleet {
        return fleet::write_fleet_files(&place, folder);
    }
    if arguments.system {
        place.require_admin_ownership()?;
    }
    let mut plan = SetupPlan::new(&place.record_path(), place.file_access())?;
    if arguments.remove {
        return place.remove_changes(plan);
    }
    let complete = place.read_complete_config()?;
    let imported = if complete.is_none() { place.import_sso_profiles()? } else { None };
    let is_open = complete.is_none() && imported.is_none();
    let (name, values) = if is_open { place.collect_values()? } else { (None, Vec::new()) };
    // A command line that answers one of the wizard's questions must answer all of them: a script that forgets a flag
    // then gets a failure, and not a prompt.
    let answers_a_question = values.iter().any(|(key, _)| wizard::prompts_for(key));
    let in_wizard = is_open && !answers_a_question && place.can_start_wizard();
    let answers = if in_wizard { Some(wizard::prompt_for_values(&place, &values)?) } else { None };
    let can_sign_in = answers.as_ref().is_some_and(|answers| answers.can_sign_in);
    let mut values = [answers.map(|answers| answers.values).unwrap_or_default(), values].concat();
    let chosen = if is_open { place.choose_assignments(&values)? } else { None };
    // The user has signed in for the choice.
    let is_signed_in = chosen.as_ref().is_some_and(|chosen| chosen.has_storage && can_prompt());
    if let Some(chosen) = chosen {
        values = chosen.values;
    }
    place.require_assignment(&values)?;
    let profiles = if imported.is_some() { imported } else { place.draft_role_profiles(&values)? };
    let mut planned = match (complete, profiles) {
        (Some(text), _) => PlannedProfiles::of_one(place.plan_complete_config(&mut plan, text)?),
        (None, None) => PlannedProfiles::of_one(place.plan_configuration(&mut plan, name, &values)?),
        (None, Some(profiles)) => {
            let default = match place.requested_profile() {
                None if in_wizard => Some(wizard::prompt_for_default(&profiles.names())?),
                requested => requested,
            };
            place.plan_role_profiles(&mut plan, &profiles, default)?
        }
    };
    // From here on, hints name the flags that lead to the new profile.
    context.set_invocation(planned.default.invocation(place.named_config()));
    planned.sso = place.decide_sso_replacement(&planned)?;
    place.plan_tool_config(&mut plan, &planned)?;
    place.warn_about_conflicts(&planned)?;
    // The administrator who sets up a computer for all users does not sign in as root.
    let next = match arguments.system {
        true => Hint::from("Each user signs in with ").command(NextCommand::Login).text(", then starts Claude Code.\n"),
        false => Hint::from("Sign in with ").command(NextCommand::Login).text(", then start Claude Code.\n"),
    };
    let next = next.render(&context.invocation()) + &planned.describe_choice();
    // The wizard itself offers the next step.
    let done = if can_sign_in || is_signed_in { "Done.\n".to_owned() } else { format!("Done. {next}") };
    match confirm_and_apply(plan, arguments, "Everything is already set up.\n", &done)? {
        true if is_signed_in => wizard::check_first_credentials(context, &planned.default.name),
        true if can_sign_in => wizard::run_first_sign_in(context, &planned.default.name, &next),
        _ => Ok(()),
    }
}

/// Prints the planned changes, applies them once the user confirms, and prints `done`, or `unchanged` if no change is
/// planned. Returns whether it wrote anything.
///
/// `--yes` replaces the confirmation, and `--dry-run` ends after the changes are printed.
fn confirm_and_apply(plan: SetupPlan, arguments: &SetupArgs, unchanged: &str, done: &str) -> Result<bool, Failure> {
    if plan.is_empty() {
        // The user may have undone all changes by hand. The record must not list them any longer.
        if !arguments.dry_run {
            plan.forget_reverted_files()?;
        }
        write_stderr(unchanged);
        return Ok(false);
    }
    write_stdout(plan.changes.iter().map(format_change).collect::<String>().as_bytes())?;
    if arguments.dry_run {
        return Ok(false);
    }
    if !arguments.yes && !confirm_changes()? {
        write_stderr("Nothing was changed.\n");
        return Ok(false);
    }
    plan.apply()?;
    write_stderr(done);
    Ok(true)
}

/// Formats the changes to one file as its path and the added and removed lines. Control characters are escaped, because
/// the lines contain values from files and from the environment.
fn format_change(change: &FileChange) -> String {
    let new = if change.creates_file() { " (new)" } else { "" };
    let lines = change.diff.iter().map(|line| match line {
        DiffLine::Added(line) => ('+', line),
        DiffLine::Removed(line) => ('-', line),
    });
    let lines = lines.map(|(sign, line)| format!("  {sign} {}", escape_controls(line)).trim_end().to_owned() + "\n");
    std::iter::once(format!("{}{new}\n", display_path(&change.path))).chain(lines).collect()
}

/// Prompts for the user's consent. Without a terminal it fails, because silence is not consent: scripts pass `--yes`.
fn confirm_changes() -> Result<bool, Failure> {
    if can_prompt() { prompts::prompt_to_apply() } else { Err(Failure::from_missing_confirmation()) }
}

/// What one run of `setup` works on: the files of this user or, with `--system`, those for all users.
struct SetupContext<'a> {
    context: &'a CommandContext<'a>,
    arguments: &'a SetupArgs,
    home: PathBuf,
    /// The files of AWS and Claude Code.
    neighbours: ExternalConfigPaths,
}

impl<'a> SetupContext<'a> {
    /// Fails if the user's home cannot be found.
    fn new(context: &'a CommandContext<'a>, arguments: &'a SetupArgs) -> Result<Self, Failure> {
        let home = host::find_home().ok_or_else(Failure::from_missing_home)?;
        let neighbours = ExternalConfigPaths::from_environment(&context.host.environment, &home);
        Ok(Self { context, arguments, home, neighbours })
    }

    /// Undoes what earlier runs wrote, and names the files that remain because the user has edited them.
    fn remove_changes(&self, mut plan: SetupPlan) -> Result<(), Failure> {
        let edited = plan.plan_removal()?;
        for file in &edited {
            write_stderr(&format!(
                "warning: {} was edited after setup wrote it, so setup leaves it as it is. If you no longer need it, \
                 delete it yourself.\n",
                display_path(file)
            ));
        }
        let unchanged = match edited.is_empty() {
            true => "Nothing to remove: setup has no recorded change to undo.\n",
            false => "Nothing else to remove.\n",
        };
        // A folder that cannot be read counts as one with a sign-in: the advice is harmless if nothing is stored.
        let is_signed_out = cache::list_session_keys(&self.context.host.paths.data).is_ok_and(|keys| keys.is_empty());
        let removed = match is_signed_out {
            true => "Removed.\n".to_owned(),
            false => Hint::from("Removed. To sign out as well, run ")
                .command(NextCommand::LogoutAll)
                .text(".\n")
                .render(&self.context.invocation()),
        };
        confirm_and_apply(plan, self.arguments, unchanged, &removed).map(drop)
    }

    /// Who may read the files that this run creates. All users need to read what `--system` writes.
    fn file_access(&self) -> ReadableBy {
        if self.arguments.system { ReadableBy::Everyone } else { ReadableBy::Owner }
    }

    /// The record of earlier runs, which `--remove` needs. The record for all users lies in the administrator's folder,
    /// where other users cannot change it.
    fn record_path(&self) -> PathBuf {
        let paths = &self.context.host.paths;
        let folder = if self.arguments.system { paths.system_config.parent() } else { Some(paths.data.as_path()) };
        folder.unwrap_or(&paths.data).join("setup.json")
    }

    /// Fails if someone other than an administrator can write one of the files for all users, or a folder of theirs.
    ///
    /// Without this check any user could plant a record that makes root write chosen bytes into a chosen file.
    fn require_admin_ownership(&self) -> Result<(), Failure> {
        let (configuration, record) = (self.config_path(), self.record_path());
        let managed = self.neighbours.claude_managed.as_path();
        let folders = record.parent().into_iter().chain(managed.parent());
        for path in folders.chain([configuration.as_path(), &record, managed]) {
            if let Some(who) = host::find_untrusted_writer_at(path)? {
                let why = UnreadableReason::Untrusted { who };
                return Err(config::Error::Unreadable { file: path.display().to_string(), why }.into());
            }
        }
        Ok(())
    }

    /// The inputs for loading the configuration. With `--system` the user's own files do not count, because `sudo` can
    /// leave `HOME` at the home of the administrator's personal account.
    fn inputs(&self) -> config::ConfigInputs<'_> {
        config::ConfigInputs { with_user_layers: !self.arguments.system, ..self.context.inputs() }
    }

    /// Our configuration file that this run writes.
    fn config_path(&self) -> PathBuf {
        let [system, user] = config::list_file_locations(&self.context.inputs());
        if self.arguments.system { system.file } else { user.file }
    }

    /// Whether the wizard can run: no configuration exists, not even in the environment, and the user can answer.
    fn can_start_wizard(&self) -> bool {
        !self.has_configuration_file() && config::load_profile(&self.inputs()).is_err() && can_prompt()
    }

    fn has_configuration_file(&self) -> bool {
        config::list_file_locations(&self.inputs()).iter().any(|location| location.is_there)
    }

    /// The text of a complete configuration that becomes the administrator's file without any change, comments
    /// included.
    ///
    /// `None` without `--system`, if the command line has values of its own, or if the administrator's file already has
    /// another text. In those cases only one profile is taken from the source.
    fn read_complete_config(&self) -> Result<Option<String>, Failure> {
        let source = self.source_path().filter(|path| self.arguments.system && self.is_config_file(path));
        let Some(source) = source.filter(|_| !self.arguments.has_value_flags()) else { return Ok(None) };
        let text = read_source(source)?;
        let before = SetupPlan::read_text(&self.config_path())?.unwrap_or_default();
        Ok(Some(text).filter(|text| before.is_empty() || before == *text))
    }

    /// Plans the administrator's file with exactly this text, and returns its profile. Fails if the text is not a valid
    /// configuration.
    fn plan_complete_config(&self, plan: &mut SetupPlan, text: String) -> Result<Profile, Failure> {
        let path = self.config_path();
        let profile = config::preview_file(
            &config::ConfigInputs { profile: self.requested_profile(), ..self.inputs() },
            &path,
            &text,
        )?;
        let diff = text.lines().map(|line| DiffLine::Added(line.to_owned())).collect();
        plan.add_configuration(&path, FileEdit { after: text, diff })?;
        Ok(profile)
    }

    /// Plans our own file with a profile of these values, and returns the profile, from which the other files follow.
    ///
    /// Without values it returns the existing profile and plans nothing. `name_in_source` is the profile's name in the
    /// file that the values come from. An existing profile is never changed: if its values differ, this fails with
    /// `ProfileDiffers`.
    fn plan_configuration(
        &self,
        plan: &mut SetupPlan,
        name_in_source: Option<String>,
        values: &[KeyValue],
    ) -> Result<Profile, Failure> {
        let inputs = self.inputs();
        if values.is_empty() {
            return match config::load_profile(&inputs) {
                Err(
                    config::Error::NoFile { .. }
                    | config::Error::Unreadable { why: UnreadableReason::Missing { .. }, .. },
                ) => Err(Error::NoValues.into()),
                loaded => Ok(loaded?),
            };
        }
        let name = self.requested_profile().or(name_in_source).unwrap_or_else(|| "claude".to_owned());
        let path = self.config_path();
        let before = SetupPlan::read_text(&path)?.unwrap_or_default();
        let inputs = self.preview_inputs(Some(&name));
        if config::list_profile_names(&inputs, &path, &before).contains(&name) {
            let keys = config::find_differing_keys(&inputs, &path, &before, &name, values)?;
            if !keys.is_empty() {
                return Err(Error::ProfileDiffers { path, profile: name, keys }.into());
            }
            return Ok(config::preview_file(&inputs, &path, &before)?);
        }
        let edit = append_profile(&before, &config::render_profile_table(&name, values)?);
        let profile = config::preview_file(&inputs, &path, &edit.after)?;
        plan.add_configuration(&path, edit)?;
        Ok(profile)
    }

    /// Plans the files of AWS and Claude Code. With `--system` that is only Claude Code's managed settings: there is no
    /// AWS configuration for all users, so the settings get credentials from `export` instead.
    fn plan_tool_config(&self, plan: &mut SetupPlan, planned: &PlannedProfiles) -> Result<(), Failure> {
        let call = self.build_call()?;
        if self.arguments.system {
            let wanted = claude::build_settings(&planned.default, &claude::ClaudeCredentialSource::Export, &call);
            return Ok(plan.add_claude_settings(&self.neighbours.claude_managed, &wanted)?);
        }
        let entry = |profile| AwsProfileEntry {
            replaces_sso: planned.sso.is_agreed,
            ..build_aws_entry(profile, self.written_aws_profile(planned, profile), &call)
        };
        let entries: Vec<AwsProfileEntry> = planned.all().map(entry).collect();
        entries.iter().try_for_each(|entry| config::check_profile_name("--aws-profile", &entry.profile))?;
        plan.add_aws_profiles(&self.neighbours.aws_config, &entries)?;
        let name = self.written_aws_profile(planned, &planned.default).to_owned();
        let wanted = claude::build_settings(&planned.default, &claude::ClaudeCredentialSource::AwsProfile(name), &call);
        Ok(plan.add_claude_settings(&self.neighbours.claude_settings, &wanted)?)
    }

    /// The profile's name in AWS's files: the name of our profile, unless `--aws-profile` gives another.
    fn aws_profile_name<'n>(&'n self, profile: &'n Profile) -> &'n str {
        self.arguments.aws_profile.as_ref().unwrap_or(&profile.name)
    }

    /// The AWS profile that is written for this profile. It has another name if that one signs in with the AWS CLI.
    fn written_aws_profile<'n>(&'n self, planned: &'n PlannedProfiles, profile: &'n Profile) -> &'n str {
        let name = self.aws_profile_name(profile);
        planned.sso.other_names.get(name).map_or(name, String::as_str)
    }

    /// How AWS tools and Claude Code call this program. Paths are absolute, because those programs run in any
    /// directory. Settings for all users must not call a program in one user's home: that user could replace it.
    fn build_call(&self) -> Result<CommandTemplate, Failure> {
        let program = self.find_program()?;
        if self.arguments.system && program.starts_with(&self.home) {
            return Err(Error::ProgramInHome { program }.into());
        }
        let absolute = |path| std::path::absolute(path).map_err(files::Error::at(FileAction::Read, path));
        let config = self.named_config().map(absolute).transpose()?;
        Ok(CommandTemplate::new(&program, config.as_deref())?)
    }

    /// The user's configuration file that `--config` names. With `--system` the flag names a source instead.
    fn named_config(&self) -> Option<&Path> {
        self.context.global.config.as_deref().filter(|_| !self.arguments.system)
    }

    /// The profile that `--profile` or `BEDROCK_SSO_PROFILE` names.
    fn requested_profile(&self) -> Option<String> {
        let environment = &self.context.host.environment;
        self.context.global.profile.clone().or_else(|| environment.var_text("BEDROCK_SSO_PROFILE"))
    }

    /// Warns about settings that `setup` does not change, but that take precedence over the credentials of this
    /// program: access keys in AWS's files, and variables in the environment or in Claude Code's settings.
    fn warn_about_conflicts(&self, planned: &PlannedProfiles) -> Result<(), Failure> {
        let warn = |text: String| write_stderr(&format!("warning: {text}\n"));
        let program = self.find_program()?;
        if self.arguments.system && host::can_others_replace(&program) {
            let program = display_path(&program);
            let danger = "but users who are not administrators can replace it";
            warn(format!("every user would run {program}, {danger}"));
        }
        let credentials = SetupPlan::read_text(&self.neighbours.aws_credentials)?.unwrap_or_default();
        let names = planned.all().map(|profile| self.written_aws_profile(planned, profile));
        for name in names.filter(|name| aws::has_fixed_keys(&credentials, name)) {
            let file = display_path(&self.neighbours.aws_credentials);
            warn(format!(
                "{file} has access keys for [{name}], which AWS tools use instead of your sign-in: remove them"
            ));
        }
        let effect = "Claude Code would use it instead of your sign-in";
        for variable in claude::CONFLICTING_VARIABLES {
            if self.context.host.environment.var_os(variable).is_some() {
                warn(format!("{variable} is set in this environment, and {effect}: unset it"));
            }
            if is_set_in(&self.neighbours.claude_settings, variable)? {
                let file = display_path(&self.neighbours.claude_settings);
                warn(format!("{file} sets {variable}, and {effect}: remove it"));
            }
        }
        Ok(())
    }

    /// The path of this program that stays the same after an upgrade, because other programs' files will contain it.
    fn find_program(&self) -> Result<PathBuf, Failure> {
        let environment = &self.context.host.environment;
        host::find_stable_program_path(environment).map_err(Failure::from_program_path_error)
    }
}

/// Whether Claude Code's settings set an environment variable. A file that is not valid JSON counts as one that does
/// not: planning its changes reports the problem.
fn is_set_in(settings_file: &Path, variable: &str) -> Result<bool, Failure> {
    let text = SetupPlan::read_text(settings_file)?.unwrap_or_default();
    Ok(settings::read_setting(&text, &settings::ClaudeSettingKey::Env(variable.to_owned())).is_some())
}

/// The AWS profile that calls this program for the credentials of `profile`.
fn build_aws_entry(profile: &Profile, name: &str, call: &CommandTemplate) -> AwsProfileEntry {
    let (process, region) = (call.render("credentials", &profile.name), profile.region.clone());
    AwsProfileEntry { profile: name.to_owned(), process, region, replaces_sso: false }
}

/// Appends a profile to our own file, after a blank line, or starts a new file with it. The rest of the file stays byte
/// for byte, because users put comments in it.
fn append_profile(before: &str, profile: &str) -> FileEdit {
    let start = match before {
        "" => "version = 1\n\n".to_owned(),
        text if text.ends_with('\n') => format!("{text}\n"),
        text => format!("{text}\n\n"),
    };
    let added = start.strip_prefix(before).unwrap_or(&start).trim_start_matches('\n').to_owned() + profile;
    let diff = added.lines().map(|line| DiffLine::Added(line.to_owned())).collect();
    FileEdit { after: start + profile, diff }
}
