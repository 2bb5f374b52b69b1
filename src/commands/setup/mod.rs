//! `setup`: plans what the files of a laptop shall say, shows the difference, asks, and applies it.
//!
//! The difference goes to stdout; everything said to the person goes to stderr.

mod aws_profile;
mod fleet;
mod roles;
mod wizard;

pub(super) use aws_profile::{
    forget_provisioned_profiles as forget_given_profiles, provision_aws_profile as give_aws_profile,
};
pub(super) use wizard::{can_prompt, prompt_yes_no};

use std::path::{Path, PathBuf};

use roles::PlannedProfiles;

use super::{CommandContext, write_stderr, write_stdout};
use crate::{
    cli::SetupArgs,
    config::{self, ConfigKey, KeyValue, Profile, keys},
    failure::Failure,
    files::{self, FileAction, ReadableBy},
    hint::{Hint, Invocation, NextCommand},
    host::{self, ExternalConfigPaths},
    setup::{
        CommandTemplate, DiffLine, Error, FileChange, FileEdit, SetupPlan,
        aws::{self, AwsProfileEntry},
        claude,
        sample_import::{self, ImportError},
        settings,
    },
    text::{display_path, escape_controls},
};

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
        for file in plan.plan_removal()? {
            write_stderr(&format!(
                "warning: {} was changed since and stays: remove it yourself\n",
                display_path(&file)
            ));
        }
        let removed = Hint::from("Removed. ").command(NextCommand::LogoutAll).text(" forgets the sign-in itself.\n");
        return confirm_and_apply(plan, arguments, &removed.render(&context.invocation())).map(drop);
    }
    let whole = place.read_complete_config()?;
    let (name, facts) = if whole.is_none() { place.collect_facts()? } else { (None, Vec::new()) };
    let answers_a_question = facts.iter().any(|(key, _)| wizard::prompts_for(key));
    let asked = whole.is_none() && !answers_a_question && place.can_start_wizard();
    let facts = if asked { [wizard::prompt_for_facts(&context.host)?, facts].concat() } else { facts };
    let planned = match (whole, place.draft_role_profiles(&facts)?) {
        (Some(text), _) => PlannedProfiles::of_one(place.plan_complete_config(&mut plan, text)?),
        (None, None) => PlannedProfiles::of_one(place.plan_configuration(&mut plan, name, &facts)?),
        (None, Some(profiles)) => {
            let default = match place.requested_profile() {
                None if asked => Some(wizard::prompt_for_default(&profiles.names())?),
                requested => requested,
            };
            place.plan_role_profiles(&mut plan, &profiles, default)?
        }
    };
    context.set_invocation(planned.default.invocation(place.named_config()));
    place.plan_tool_config(&mut plan, &planned)?;
    place.warn_about_conflicts(&planned)?;
    let done = Hint::from("Done. Sign in with ").command(NextCommand::Login).text(", then start Claude Code.\n");
    let done = done.render(&context.invocation()) + &planned.describe_choice();
    match confirm_and_apply(plan, arguments, &done)? {
        true if asked => wizard::run_first_sign_in(context, &planned.default.name),
        _ => Ok(()),
    }
}

/// Shows the plan, applies it once the user confirms it, and prints `done`. Whether it was applied.
fn confirm_and_apply(plan: SetupPlan, arguments: &SetupArgs, done: &str) -> Result<bool, Failure> {
    if plan.is_empty() {
        if !arguments.dry_run {
            plan.forget_reverted_files()?;
        }
        write_stderr(if arguments.remove {
            "Nothing of ours is left to remove.\n"
        } else {
            "Everything is set up already.\n"
        });
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

fn format_change(change: &FileChange) -> String {
    let new = if change.creates_file() { " (new)" } else { "" };
    let lines = change.diff.iter().map(|mark| match mark {
        DiffLine::Added(line) => ('+', line),
        DiffLine::Removed(line) => ('-', line),
    });
    let lines = lines.map(|(sign, line)| format!("  {sign} {}", escape_controls(line)).trim_end().to_owned() + "\n");
    std::iter::once(format!("{}{new}\n", display_path(&change.path))).chain(lines).collect()
}

/// Asks on a terminal; without one nobody can be asked.
fn confirm_changes() -> Result<bool, Failure> {
    if can_prompt() { prompt_yes_no("Apply these changes?", false) } else { Err(Failure::from_missing_confirmation()) }
}

/// Where things are written: for this user, or for all.
struct SetupContext<'a> {
    context: &'a CommandContext<'a>,
    arguments: &'a SetupArgs,
    home: PathBuf,
    neighbours: ExternalConfigPaths,
}

impl<'a> SetupContext<'a> {
    fn new(context: &'a CommandContext<'a>, arguments: &'a SetupArgs) -> Result<Self, Failure> {
        let home = host::find_home().ok_or_else(Failure::from_missing_home)?;
        let neighbours = ExternalConfigPaths::from_environment(&context.host.environment, &home);
        Ok(Self { context, arguments, home, neighbours })
    }

    fn file_access(&self) -> ReadableBy {
        if self.arguments.system { ReadableBy::Everyone } else { ReadableBy::Owner }
    }

    fn record_path(&self) -> PathBuf {
        let paths = &self.context.host.paths;
        let folder = if self.arguments.system { paths.system_config.parent() } else { Some(paths.data.as_path()) };
        folder.unwrap_or(&paths.data).join("setup.json")
    }

    /// What somebody else put there is neither built upon nor taken back: a record says which file gets which bytes.
    fn require_admin_ownership(&self) -> Result<(), Failure> {
        let (configuration, record) = (self.config_path(), self.record_path());
        let managed = self.neighbours.claude_managed.as_path();
        let folders = record.parent().into_iter().chain(managed.parent());
        for path in folders.chain([configuration.as_path(), &record, managed]) {
            if let Some(who) = host::find_untrusted_writer_at(path)? {
                let why = config::UnreadableReason::Untrusted { who };
                return Err(config::Error::Unreadable { file: path.display().to_string(), why }.into());
            }
        }
        Ok(())
    }

    /// What holds for everyone is the administrator's file, whoever the administrator is by day: `sudo` may keep their home.
    fn inputs(&self) -> config::ConfigInputs<'_> {
        config::ConfigInputs { with_user_layers: !self.arguments.system, ..self.context.inputs() }
    }

    fn config_path(&self) -> PathBuf {
        let [system, user] = config::list_file_locations(&self.context.inputs());
        if self.arguments.system { system.file } else { user.file }
    }

    /// Whether there is nothing to go by and somebody to ask.
    fn can_start_wizard(&self) -> bool {
        let inputs = self.inputs();
        let has_file = config::list_file_locations(&inputs).iter().any(|location| location.is_there);
        !has_file && config::load_profile(&inputs).is_err() && can_prompt()
    }

    /// Where facts are read, besides the command line. For everyone a configuration that is named is one to take them from.
    fn source_path(&self) -> Option<&Path> {
        let named = self.context.global.config.as_deref().filter(|_| self.arguments.system);
        self.arguments.from.as_deref().or(named)
    }

    /// A configuration that becomes the administrator's as it is: all of one that they have written, where there is no
    /// other yet and nothing is said besides.
    fn read_complete_config(&self) -> Result<Option<String>, Failure> {
        let source = self.source_path().filter(|path| self.arguments.system && self.is_config_file(path));
        let Some(source) = source.filter(|_| !self.arguments.has_value_flags()) else { return Ok(None) };
        let text = read_source(source)?;
        let before = SetupPlan::read_text(&self.config_path())?.unwrap_or_default();
        Ok(Some(text).filter(|text| before.is_empty() || before == *text))
    }

    fn plan_complete_config(&self, plan: &mut SetupPlan, text: String) -> Result<Profile, Failure> {
        let path = self.config_path();
        let held = config::preview_file(
            &config::ConfigInputs { profile: self.requested_profile(), ..self.inputs() },
            &path,
            &text,
        )?;
        let marks = text.lines().map(|line| DiffLine::Added(line.to_owned())).collect();
        plan.add_configuration(&path, FileEdit { after: text, diff: marks })?;
        Ok(held)
    }

    /// Our own file first: what the others say follows from it.
    fn plan_configuration(
        &self,
        plan: &mut SetupPlan,
        found: Option<String>,
        facts: &[KeyValue],
    ) -> Result<Profile, Failure> {
        let inputs = self.inputs();
        if facts.is_empty() {
            return match config::load_profile(&inputs) {
                Err(config::Error::NoFile { .. }) => Err(Error::NoValues.into()),
                held => Ok(held?),
            };
        }
        let name = self.requested_profile().or(found).unwrap_or_else(|| "claude".to_owned());
        let path = self.config_path();
        let before = SetupPlan::read_text(&path)?.unwrap_or_default();
        let inputs = self.preview_inputs(Some(&name));
        if config::list_profile_names(&inputs, &path, &before).contains(&name) {
            if !config::file_matches_values(&inputs, &path, &before, &name, facts)? {
                return Err(Error::ProfileDiffers { path, profile: name }.into());
            }
            return Ok(config::preview_file(&inputs, &path, &before)?);
        }
        let edit = append_profile(&before, &config::render_profile_table(&name, facts)?);
        let held = config::preview_file(&inputs, &path, &edit.after)?;
        plan.add_configuration(&path, edit)?;
        Ok(held)
    }

    fn plan_tool_config(&self, plan: &mut SetupPlan, planned: &PlannedProfiles) -> Result<(), Failure> {
        let call = self.build_call()?;
        if self.arguments.system {
            let wanted = claude::build_settings(&planned.default, &claude::ClaudeCredentialSource::Export, &call);
            return Ok(plan.add_claude_settings(&self.neighbours.claude_managed, &wanted)?);
        }
        let entry = |profile| build_aws_entry(profile, self.aws_profile_name(profile), &call);
        let entries: Vec<AwsProfileEntry> = planned.all().map(entry).collect();
        entries.iter().try_for_each(|entry| config::check_profile_name("--aws-profile", &entry.profile))?;
        plan.add_aws_profiles(&self.neighbours.aws_config, &entries)?;
        let name = self.aws_profile_name(&planned.default).to_owned();
        let wanted = claude::build_settings(&planned.default, &claude::ClaudeCredentialSource::AwsProfile(name), &call);
        Ok(plan.add_claude_settings(&self.neighbours.claude_settings, &wanted)?)
    }

    /// The name in AWS's files: that of our profile, unless the command line says another.
    fn aws_profile_name<'n>(&'n self, profile: &'n Profile) -> &'n str {
        self.arguments.aws_profile.as_ref().unwrap_or(&profile.name)
    }

    fn build_call(&self) -> Result<CommandTemplate, Failure> {
        let program = self.find_program()?;
        if self.arguments.system && program.starts_with(&self.home) {
            return Err(Error::ProgramInHome { program }.into());
        }
        let absolute = |path| std::path::absolute(path).map_err(files::Error::at(FileAction::Read, path));
        let config = self.named_config().map(absolute).transpose()?;
        Ok(CommandTemplate::new(&program, config.as_deref())?)
    }

    /// The user's own configuration file, where the command line names one.
    fn named_config(&self) -> Option<&Path> {
        self.context.global.config.as_deref().filter(|_| !self.arguments.system)
    }

    /// The profile that was asked for.
    fn requested_profile(&self) -> Option<String> {
        let environment = &self.context.host.environment;
        self.context.global.profile.clone().or_else(|| environment.var_text("BEDROCK_SSO_PROFILE"))
    }

    /// What the file of facts says, and over it what the command line says; with the name of the profile in the file.
    fn collect_facts(&self) -> Result<(Option<String>, Vec<KeyValue>), Failure> {
        let SetupArgs { issuer, client_id, role_arn, region, set, .. } = self.arguments;
        let (name, mut facts) = match self.source_path() {
            Some(path) => self.read_facts(path)?,
            None => (None, Vec::new()),
        };
        let flags: [(&ConfigKey, &[String]); 4] = [
            (&keys::ISSUER, issuer.as_slice()),
            (&keys::CLIENT_ID, client_id.as_slice()),
            (&keys::ROLE_ARN, role_arn),
            (&keys::REGION, region.as_slice()),
        ];
        let set = set.iter().map(|(name, value)| Ok((config::require_known_key(name)?, std::slice::from_ref(value))));
        let set = set.collect::<Result<Vec<_>, config::Error>>()?;
        for (key, values) in flags.into_iter().chain(set).filter(|(_, values)| !values.is_empty()) {
            facts.retain(|(known, _)| *known != key);
            facts.extend(values.iter().map(|value| (key, value.clone())));
        }
        Ok((name, facts))
    }

    fn read_facts(&self, path: &Path) -> Result<(Option<String>, Vec<KeyValue>), Failure> {
        let text = read_source(path)?;
        if self.is_config_file(path) {
            return Ok(config::read_key_values(&self.inputs(), path, &text)?);
        }
        let told = sample_import::import_profile(&text, self.requested_profile().as_deref())
            .map_err(|unusable| Error::Import { path: path.to_owned(), error: unusable })?;
        let name = self.requested_profile().or_else(|| told.name.clone());
        let invocation = Invocation::new(name.as_deref(), self.named_config());
        let notes = told.notes.iter().map(|note| format!("note: {}\n", note.render(&invocation)));
        write_stderr(&notes.collect::<String>());
        Ok((told.name, told.values))
    }

    /// `--config` is one whatever it is called.
    fn is_config_file(&self, path: &Path) -> bool {
        is_toml(path) || self.context.global.config.as_deref() == Some(path)
    }

    /// What would keep our credentials from being used, whatever we write.
    fn warn_about_conflicts(&self, planned: &PlannedProfiles) -> Result<(), Failure> {
        let warn = |text: String| write_stderr(&format!("warning: {text}\n"));
        let program = self.find_program()?;
        if self.arguments.system && host::can_others_replace(&program) {
            let program = display_path(&program);
            let danger = "somebody else than root may put another program there";
            warn(format!("every user would run {program}, and {danger}"));
        }
        let credentials = SetupPlan::read_text(&self.neighbours.aws_credentials)?.unwrap_or_default();
        let names = planned.all().map(|profile| self.aws_profile_name(profile));
        for name in names.filter(|name| aws::has_fixed_keys(&credentials, name)) {
            let file = display_path(&self.neighbours.aws_credentials);
            warn(format!("{file} holds fixed keys for [{name}], and every AWS tool takes them first: remove them"));
        }
        let effect = "would be used in place of your sign-in";
        for variable in claude::CONFLICTING_VARIABLES {
            if self.context.host.environment.var_os(variable).is_some() {
                warn(format!("{variable} is set in this environment and {effect}: unset it"));
            }
            if is_set_in(&self.neighbours.claude_settings, variable)? {
                let file = display_path(&self.neighbours.claude_settings);
                warn(format!("{file} sets {variable}, which {effect}: remove it"));
            }
        }
        Ok(())
    }

    fn find_program(&self) -> Result<PathBuf, Failure> {
        let environment = &self.context.host.environment;
        host::find_stable_program_path(environment).map_err(Failure::from_program_path_error)
    }
}

fn read_source(path: &Path) -> Result<String, Failure> {
    let missing = || Error::Import { path: path.to_owned(), error: ImportError::Missing };
    Ok(SetupPlan::read_text(path)?.ok_or_else(missing)?)
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "toml")
}

impl SetupArgs {
    /// Whether the command line tells facts by itself, besides files.
    fn has_value_flags(&self) -> bool {
        let Self { issuer, client_id, role_arn, region, set, aws_profile, .. } = self;
        [issuer, client_id, region, aws_profile].into_iter().any(Option::is_some)
            || !role_arn.is_empty()
            || !set.is_empty()
    }
}

fn is_set_in(settings_file: &Path, variable: &str) -> Result<bool, Failure> {
    let text = SetupPlan::read_text(settings_file)?.unwrap_or_default();
    Ok(settings::read_setting(&text, &settings::ClaudeSettingKey::Env(variable.to_owned())).is_some())
}

fn build_aws_entry(profile: &Profile, name: &str, call: &CommandTemplate) -> AwsProfileEntry {
    let (process, region) = (call.render("credentials", &profile.name), profile.region.clone());
    AwsProfileEntry { profile: name.to_owned(), process, region }
}

/// A profile at the end of our own file, or the first of a new one.
fn append_profile(before: &str, profile: &str) -> FileEdit {
    let start = match before {
        "" => "version = 1\n\n".to_owned(),
        text if text.ends_with('\n') => format!("{text}\n"),
        text => format!("{text}\n\n"),
    };
    let added = start.strip_prefix(before).unwrap_or(&start).trim_start_matches('\n').to_owned() + profile;
    let marks = added.lines().map(|line| DiffLine::Added(line.to_owned())).collect();
    FileEdit { after: start + profile, diff: marks }
}
