//! `setup`: plans what the files of a laptop shall say, shows the difference, asks, and applies it.
//!
//! The difference goes to stdout; everything said to the person goes to stderr.

mod first_use;
mod fleet;
mod wizard;

pub(super) use first_use::{forget as forget_given_profiles, give as give_aws_profile};
pub(super) use wizard::{agreed, can_ask};

use std::path::{Path, PathBuf};

use super::{Desk, print, say, spelt};
use crate::{
    cli::{Global, Setup},
    config::{self, ClaudeCode, Fact, Profile},
    failure::{Denied, Failure, NotConfirmed},
    files::Access,
    host::{self, Neighbours},
    setup::{
        Call, Change, Edit, Error, Mark, Plan, aws, claude, settings,
        source::{self, Unusable},
    },
    text::{path, verbatim},
};

pub(super) fn run(arguments: &Setup, global: &Global) -> Result<(), Failure> {
    let desk = Desk::new(global)?;
    let place = Place::new(&desk, arguments)?;
    if let Some(folder) = &arguments.fleet {
        return fleet::run(&place, folder);
    }
    if arguments.system {
        place.must_be_administrators()?;
    }
    let mut plan = Plan::new(&place.record(), place.access())?;
    if arguments.remove {
        for file in plan.undo()? {
            say(&format!("warning: {} was changed since and stays: remove it yourself\n", path(&file)));
        }
        return carry_out(plan, arguments, || REMOVED.to_owned()).map(drop);
    }
    let whole = place.whole()?;
    let (name, facts) = if whole.is_none() { place.facts()? } else { (None, Vec::new()) };
    let answers_a_question = facts.iter().any(|(key, _)| wizard::ASKED.contains(&key.as_str()));
    let asked = whole.is_none() && !answers_a_question && place.is_bare();
    let facts = if asked { [wizard::facts(&desk.host)?, facts].concat() } else { facts };
    let (profile, claude) = match whole {
        Some(text) => place.plan_whole(&mut plan, text)?,
        None => place.plan_configuration(&mut plan, name, &facts)?,
    };
    place.plan_neighbours(&mut plan, &profile, &claude)?;
    place.warn(&profile.name)?;
    let config = global.config.clone().filter(|_| !arguments.system);
    let signing_in = Global { profile: Some(profile.name.clone()), config, ..*global };
    match carry_out(plan, arguments, || spelt(DONE, &signing_in))? {
        true if asked => wizard::first_sign_in(global, &profile.name),
        _ => Ok(()),
    }
}

const DONE: &str = "Done. Sign in with `bedrock-sso login`, then start Claude Code.\n";
const REMOVED: &str = "Removed. `bedrock-sso logout --all` forgets the sign-in itself.\n";

/// Shows the plan, and applies it when somebody says so. Whether it was applied.
fn carry_out(plan: Plan, arguments: &Setup, done: impl FnOnce() -> String) -> Result<bool, Failure> {
    if plan.is_empty() {
        say(if arguments.remove {
            "Nothing of ours is left to remove.\n"
        } else {
            "Everything is set up already.\n"
        });
        return Ok(false);
    }
    print(plan.changes.iter().map(shown).collect::<String>().as_bytes())?;
    if arguments.dry_run {
        return Ok(false);
    }
    if !arguments.yes && !confirmed()? {
        say("Nothing was changed.\n");
        return Ok(false);
    }
    plan.apply()?;
    say(&done());
    Ok(true)
}

fn shown(change: &Change) -> String {
    let new = if change.makes_it() { " (new)" } else { "" };
    let lines = change.marks.iter().map(|mark| match mark {
        Mark::Added(line) => ('+', line),
        Mark::Removed(line) => ('-', line),
    });
    let lines = lines.map(|(sign, line)| format!("  {sign} {}", verbatim(line)).trim_end().to_owned() + "\n");
    std::iter::once(format!("{}{new}\n", path(&change.path))).chain(lines).collect()
}

/// Asks on a terminal; without one nobody can be asked.
fn confirmed() -> Result<bool, Failure> {
    if can_ask() { agreed("Apply these changes?", false) } else { Err(NotConfirmed.into()) }
}

/// Where things are written: for this user, or for all.
struct Place<'a> {
    desk: &'a Desk<'a>,
    arguments: &'a Setup,
    home: PathBuf,
    neighbours: Neighbours,
}

impl<'a> Place<'a> {
    fn new(desk: &'a Desk<'a>, arguments: &'a Setup) -> Result<Self, Failure> {
        let home = host::home().ok_or(Denied::Home)?;
        let neighbours = Neighbours::of(&desk.host.environment, &home);
        Ok(Self { desk, arguments, home, neighbours })
    }

    fn access(&self) -> Access {
        if self.arguments.system { Access::Everyone } else { Access::Owner }
    }

    fn record(&self) -> PathBuf {
        let paths = &self.desk.host.paths;
        let folder =
            if self.arguments.system { paths.system_config.parent() } else { Some(paths.data.as_path()) };
        folder.unwrap_or(&paths.data).join("setup.json")
    }

    /// What somebody else put there is neither built upon nor taken back: a record says which file gets which bytes.
    fn must_be_administrators(&self) -> Result<(), Failure> {
        let (configuration, record) = (self.configuration(), self.record());
        let managed = self.neighbours.claude_managed.as_path();
        let folders = record.parent().into_iter().chain(managed.parent());
        for path in folders.chain([configuration.as_path(), &record, managed]) {
            if let Some(who) = host::stranger_at(path).map_err(Denied::Worker)? {
                let why = config::Unreadable::Untrusted { who };
                return Err(config::Error::Unreadable { file: path.display().to_string(), why }.into());
            }
        }
        Ok(())
    }

    /// What holds for everyone is the administrator's file, whoever the administrator is by day: `sudo` may keep their home.
    fn inputs(&self) -> config::Inputs<'_> {
        config::Inputs { personal: !self.arguments.system, ..self.desk.inputs() }
    }

    fn configuration(&self) -> PathBuf {
        let [system, user] = config::locations(&self.desk.inputs());
        if self.arguments.system { system.file } else { user.file }
    }

    /// Whether there is nothing to go by and somebody to ask.
    fn is_bare(&self) -> bool {
        let inputs = self.inputs();
        let has_file = config::locations(&inputs).iter().any(|location| location.is_there);
        !has_file && config::load(&inputs).is_err() && can_ask()
    }

    /// Where facts are read, besides the command line. For everyone a configuration that is named is one to take them from.
    fn source(&self) -> Option<&Path> {
        let named = self.desk.global.config.as_deref().filter(|_| self.arguments.system);
        self.arguments.from.as_deref().or(named)
    }

    /// A configuration that becomes the administrator's as it is: all of one that they have written, where there is no
    /// other yet and nothing is said besides.
    fn whole(&self) -> Result<Option<String>, Failure> {
        let source = self.source().filter(|path| self.arguments.system && self.is_toml(path));
        let Some(source) = source.filter(|_| !self.arguments.has_flags()) else { return Ok(None) };
        let text = text_of_source(source)?;
        let before = Plan::text_of(&self.configuration())?.unwrap_or_default();
        Ok(Some(text).filter(|text| before.is_empty() || before == *text))
    }

    fn plan_whole(&self, plan: &mut Plan, text: String) -> Result<(Profile, ClaudeCode), Failure> {
        let path = self.configuration();
        let held =
            config::preview(&config::Inputs { profile: self.wanted(), ..self.inputs() }, &path, &text)?;
        let marks = text.lines().map(|line| Mark::Added(line.to_owned())).collect();
        plan.configuration(&path, Edit { after: text, marks })?;
        Ok(held)
    }

    /// Our own file first: what the others say follows from it.
    fn plan_configuration(
        &self,
        plan: &mut Plan,
        found: Option<String>,
        facts: &[Fact],
    ) -> Result<(Profile, ClaudeCode), Failure> {
        let inputs = self.inputs();
        if facts.is_empty() {
            return match config::load_with_claude_code(&inputs) {
                Err(config::Error::NoFile { .. }) => Err(Error::NoFacts.into()),
                held => Ok(held?),
            };
        }
        let name = self.wanted().or(found).unwrap_or_else(|| "claude".to_owned());
        let path = self.configuration();
        let before = Plan::text_of(&path)?.unwrap_or_default();
        let inputs = config::Inputs { profile: Some(name.clone()), file: None, ..inputs };
        if config::profile_names(&inputs, &path, &before).contains(&name) {
            if !config::agrees(&inputs, &path, &before, &name, facts)? {
                return Err(Error::Differs { path, profile: name }.into());
            }
            return Ok(config::preview(&inputs, &path, &before)?);
        }
        let edit = appended(&before, &config::draft(&name, facts)?);
        let held = config::preview(&inputs, &path, &edit.after)?;
        plan.configuration(&path, edit)?;
        Ok(held)
    }

    fn plan_neighbours(
        &self,
        plan: &mut Plan,
        profile: &Profile,
        claude: &ClaudeCode,
    ) -> Result<(), Failure> {
        let call = self.call()?;
        if self.arguments.system {
            let wanted = claude::settings(profile, claude, &claude::Source::Export, &call);
            return Ok(plan.claude(&self.neighbours.claude_managed, &wanted)?);
        }
        let name = self.arguments.aws_profile.as_ref().unwrap_or(&profile.name).clone();
        config::check_name("--aws-profile", &name)?;
        self.plan_aws(plan, profile, &call, &name)?;
        let wanted = claude::settings(profile, claude, &claude::Source::AwsProfile(name), &call);
        Ok(plan.claude(&self.neighbours.claude_settings, &wanted)?)
    }

    fn plan_aws(&self, plan: &mut Plan, profile: &Profile, call: &Call, name: &str) -> Result<(), Failure> {
        let (process, region) = (call.to_aws(&profile.name), profile.region.clone());
        let wanted = aws::Wanted { profile: name.to_owned(), process, region };
        Ok(plan.aws(&self.neighbours.aws_config, &wanted)?)
    }

    fn call(&self) -> Result<Call, Failure> {
        let program = host::lasting_path(&self.desk.host.environment).map_err(Denied::Worker)?;
        if self.arguments.system && program.starts_with(&self.home) {
            return Err(Error::Home { program }.into());
        }
        let named = self.desk.global.config.as_deref().filter(|_| !self.arguments.system);
        let config = named.map(std::path::absolute).transpose().map_err(Denied::Worker)?;
        Ok(Call::new(&program, config.as_deref()).map_err(Error::from)?)
    }

    /// The profile that was asked for.
    fn wanted(&self) -> Option<String> {
        let environment = &self.desk.host.environment;
        self.desk.global.profile.clone().or_else(|| environment.text("BEDROCK_SSO_PROFILE"))
    }

    /// What the file of facts says, and over it what the command line says; with the name of the profile in the file.
    fn facts(&self) -> Result<(Option<String>, Vec<Fact>), Failure> {
        let Setup { issuer, client_id, role_arn, region, set, .. } = self.arguments;
        let (name, mut facts) = match self.source() {
            Some(path) => self.facts_from(path)?,
            None => (None, Vec::new()),
        };
        let flags =
            [("issuer", issuer), ("client_id", client_id), ("role_arn", role_arn), ("region", region)];
        let given = flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        for (key, value) in given.chain(set.iter().cloned()) {
            facts.retain(|(known, _)| *known != key);
            facts.push((key, value));
        }
        Ok((name, facts))
    }

    fn facts_from(&self, path: &Path) -> Result<(Option<String>, Vec<Fact>), Failure> {
        let text = text_of_source(path)?;
        if self.is_toml(path) {
            let (name, facts) = config::facts_of(&self.inputs(), path, &text)?;
            return Ok((Some(name), facts));
        }
        let told = source::read(&text, self.wanted().as_deref())
            .map_err(|unusable| Error::Source { path: path.to_owned(), unusable })?;
        told.notes.iter().for_each(|note| say(&format!("note: {note}\n")));
        Ok((told.name, told.facts))
    }

    /// `--config` is one whatever it is called.
    fn is_toml(&self, path: &Path) -> bool {
        is_toml(path) || self.desk.global.config.as_deref() == Some(path)
    }

    /// What would keep our credentials from being used, whatever we write.
    fn warn(&self, profile: &str) -> Result<(), Failure> {
        let program = host::lasting_path(&self.desk.host.environment).map_err(Denied::Worker)?;
        if self.arguments.system && host::others_may_replace(&program) {
            say(&format!(
                "warning: every user would run {}, and somebody else than root may put another program there\n",
                path(&program)
            ));
        }
        let name = self.arguments.aws_profile.as_deref().unwrap_or(profile);
        let credentials = Plan::text_of(&self.neighbours.aws_credentials)?.unwrap_or_default();
        if aws::has_fixed_keys(&credentials, name) {
            let file = path(&self.neighbours.aws_credentials);
            say(&format!(
                "warning: {file} holds fixed keys for [{name}], and every AWS tool takes them first: remove them\n"
            ));
        }
        for variable in claude::SHADOWS {
            if self.desk.host.environment.os(variable).is_some() {
                say(&format!(
                    "warning: {variable} is set in this environment and would be used in place of your sign-in: unset it\n"
                ));
            }
            if set_in(&self.neighbours.claude_settings, variable)? {
                let file = path(&self.neighbours.claude_settings);
                say(&format!(
                    "warning: {file} sets {variable}, which would be used in place of your sign-in: remove it\n"
                ));
            }
        }
        Ok(())
    }
}

fn text_of_source(path: &Path) -> Result<String, Failure> {
    let missing = || Error::Source { path: path.to_owned(), unusable: Unusable::Missing };
    Ok(Plan::text_of(path)?.ok_or_else(missing)?)
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "toml")
}

impl Setup {
    /// Whether the command line tells facts by itself, besides files.
    fn has_flags(&self) -> bool {
        let Self { issuer, client_id, role_arn, region, set, aws_profile, .. } = self;
        [issuer, client_id, role_arn, region, aws_profile].into_iter().any(Option::is_some) || !set.is_empty()
    }
}

fn set_in(settings_file: &Path, variable: &str) -> Result<bool, Failure> {
    let text = Plan::text_of(settings_file)?.unwrap_or_default();
    Ok(settings::value_of(&text, &settings::Key::Env(variable.to_owned())).is_some())
}

/// A profile at the end of our own file, or the first of a new one.
fn appended(before: &str, profile: &str) -> Edit {
    let start = match before {
        "" => "version = 1\n\n".to_owned(),
        text if text.ends_with('\n') => format!("{text}\n"),
        text => format!("{text}\n\n"),
    };
    let added = start.strip_prefix(before).unwrap_or(&start).trim_start_matches('\n').to_owned() + profile;
    let marks = added.lines().map(|line| Mark::Added(line.to_owned())).collect();
    Edit { after: start + profile, marks }
}
