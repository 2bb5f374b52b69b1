//! AWS's configuration file with our profile in it, and without; every other byte stays.
//!
//! Text to text: what lies on the disk, and what lay there before, is for its callers.

use std::borrow::Cow;

use super::{Edit, Mark, lines};

/// What the profile shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub profile: String,
    pub process: String,
    pub region: String,
}

/// Why the file is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// AWS's own tools refuse a file in which a profile stands twice.
    Twice { profile: String, lines: [usize; 2] },
    /// The same of a key within a profile.
    KeyTwice { key: &'static str, lines: [usize; 2] },
    /// The profile signs in another way, which AWS's tools prefer.
    OtherWay { profile: String, key: String, line: usize },
}

const PROCESS: &str = "credential_process";
const REGION: &str = "region";

/// Keys by which a profile gets credentials in another way; every SDK looks at them before `credential_process`.
const OTHER_WAYS: [&str; 13] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "credential_source",
    "login_session",
    "role_arn",
    "source_profile",
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];

/// The file with the profile in it. A region that stands there already is the person's own.
pub fn with(text: &str, wanted: &Wanted) -> Result<Edit, Refusal> {
    let mut file = File::read(text);
    match file.sections_of(&wanted.profile).as_slice() {
        [] => Ok(file.append(wanted)),
        [one] => {
            file.must_allow_us(one, &wanted.profile)?;
            let mut marks = Vec::new();
            let after_process = file.set(one.header, PROCESS, &wanted.process, &mut marks)?;
            if file.keys_at(one.header, REGION).is_empty() {
                file.insert(after_process, &format!("{REGION} = {}", wanted.region), &mut marks);
            }
            Ok(Edit { after: file.text(), marks })
        }
        [first, second, ..] => Err(Refusal::Twice {
            profile: wanted.profile.clone(),
            lines: [first.header + 1, second.header + 1],
        }),
    }
}

/// The file as it would be had we never written `wrote` where `before` was: only what is still as we wrote it goes.
pub fn without(text: &str, before: &str, wrote: &str, profile: &str) -> Edit {
    let (mut file, before, wrote) = (File::read(text), File::read(before), File::read(wrote));
    let mut marks = Vec::new();
    for key in [REGION, PROCESS] {
        let Some(section) = file.sections_of(profile).into_iter().next() else { break };
        let (was, ours) = (before.value_of(profile, key), wrote.value_of(profile, key));
        let Some(found) = file.keys_at(section.header, key).into_iter().next() else { continue };
        if was == ours || ours != Some(file.value(&found)) {
            continue;
        }
        match was {
            Some(was) => file.replace(&found, &format!("{key} = {was}"), &mut marks),
            None => file.remove(found.first..found.end, &mut marks),
        }
    }
    if before.sections_of(profile).is_empty() {
        let set_apart = before.lines.last().is_some_and(|line| !is_blank(line));
        file.remove_if_empty(profile, set_apart, &mut marks);
    }
    Edit { after: file.text(), marks }
}

/// Whether there is a profile of this name, whatever it says.
pub fn has_profile(text: &str, profile: &str) -> bool {
    !File::read(text).sections_of(profile).is_empty()
}

/// The command that the profile runs for credentials, if it runs one.
pub fn process_of(text: &str, profile: &str) -> Option<String> {
    File::read(text).value_of(profile, PROCESS)
}

/// Every profile that runs a command for credentials, with that command.
pub fn processes(text: &str) -> Vec<(String, String)> {
    let file = File::read(text);
    let sections = file.sections();
    let names = sections.iter().filter_map(|section| profile_of(&section.title));
    names.filter_map(|name| Some((name.to_owned(), file.value_of(name, PROCESS)?))).collect()
}

/// Why the file would not lead to us, whatever its profile runs.
pub fn refusal(text: &str, profile: &str) -> Option<Refusal> {
    let wanted = Wanted { profile: profile.to_owned(), process: String::new(), region: String::new() };
    with(text, &wanted).err()
}

/// Whether a shared credentials file holds fixed keys under the profile's name, which every SDK takes first.
pub fn has_fixed_keys(credentials: &str, profile: &str) -> bool {
    let file = File::read(credentials);
    let named = |section: &Section| section.title == profile;
    file.sections().iter().any(|one| named(one) && !file.keys_at(one.header, "aws_access_key_id").is_empty())
}

/// The file as lines, each with its own ending.
struct File<'t> {
    bom: &'static str,
    lines: Vec<Cow<'t, str>>,
    ending: &'static str,
}

struct Section {
    /// What stands between the brackets.
    title: String,
    header: usize,
}

/// A key with its value, and with the indented lines that belong to it.
struct Found {
    first: usize,
    end: usize,
}

impl<'t> File<'t> {
    fn read(text: &'t str) -> Self {
        let (bom, text) = text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest));
        let lines: Vec<_> = text.split_inclusive('\n').map(Into::into).collect();
        Self { bom, lines, ending: lines::ending(text) }
    }

    fn text(&self) -> String {
        self.bom.to_owned() + &self.lines.concat()
    }

    fn sections(&self) -> Vec<Section> {
        let title = |line: &str| {
            let (title, _) = line.strip_prefix('[')?.split_once(']')?;
            Some(title.trim().to_owned())
        };
        let found = self.lines.iter().enumerate();
        found.filter_map(|(header, line)| Some(Section { title: title(line)?, header })).collect()
    }

    fn sections_of(&self, profile: &str) -> Vec<Section> {
        let mut sections = self.sections();
        sections.retain(|section| profile_of(&section.title) == Some(profile));
        sections
    }

    /// Where a key stands in the section that begins at `header`.
    fn keys_at(&self, header: usize, key: &str) -> Vec<Found> {
        let is_key = |line: &str| key_of(line).is_some_and(|found| found.eq_ignore_ascii_case(key));
        let body = self.lines.iter().enumerate().skip(header + 1);
        let body = body.take_while(|(_, line)| !line.starts_with('['));
        let found = body.filter(|(_, line)| is_key(line)).map(|(first, _)| first);
        found.map(|first| Found { first, end: self.end_of_value(first) }).collect()
    }

    fn end_of_value(&self, first: usize) -> usize {
        let belongs = |line: &&Cow<'_, str>| line.starts_with([' ', '\t']) && !is_blank(line);
        first + 1 + self.lines.iter().skip(first + 1).take_while(belongs).count()
    }

    fn value(&self, found: &Found) -> String {
        let lines = self.lines.get(found.first..found.end).unwrap_or_default().concat();
        lines.split_once(['=', ':']).map_or("", |(_, value)| value).trim().to_owned()
    }

    fn value_of(&self, profile: &str, key: &str) -> Option<String> {
        let section = self.sections_of(profile).into_iter().next()?;
        self.keys_at(section.header, key).first().map(|found| self.value(found))
    }

    fn must_allow_us(&self, section: &Section, profile: &str) -> Result<(), Refusal> {
        let body = self.lines.iter().enumerate().skip(section.header + 1);
        for (index, line) in body.take_while(|(_, line)| !line.starts_with('[')) {
            let Some(key) = key_of(line).map(str::to_ascii_lowercase) else { continue };
            if OTHER_WAYS.contains(&key.as_str()) {
                return Err(Refusal::OtherWay { profile: profile.to_owned(), key, line: index + 1 });
            }
        }
        Ok(())
    }

    /// Sets a key to a value; returns the line after it.
    fn set(
        &mut self,
        header: usize,
        key: &'static str,
        value: &str,
        marks: &mut Vec<Mark>,
    ) -> Result<usize, Refusal> {
        let line = format!("{key} = {value}");
        match self.keys_at(header, key).as_slice() {
            [] => {
                self.insert(header + 1, &line, marks);
                Ok(header + 2)
            }
            [found] if self.value(found) == value => Ok(found.end),
            [found] => {
                self.replace(found, &line, marks);
                Ok(found.first + 1)
            }
            [first, second, ..] => Err(Refusal::KeyTwice { key, lines: [first.first + 1, second.first + 1] }),
        }
    }

    fn replace(&mut self, found: &Found, line: &str, marks: &mut Vec<Mark>) {
        let last = self.lines.get(found.end - 1).map_or("", |line| lines::ending_of(line)).to_owned();
        self.remove(found.first..found.end, marks);
        marks.push(Mark::Added(line.to_owned()));
        self.lines.insert(found.first, (line.to_owned() + &last).into());
    }

    fn remove(&mut self, range: std::ops::Range<usize>, marks: &mut Vec<Mark>) {
        marks.extend(self.lines.drain(range).map(|line| Mark::Removed(line.trim_end().to_owned())));
    }

    /// Inserts a line, closing the one before it where that had no ending.
    fn insert(&mut self, at: usize, line: &str, marks: &mut Vec<Mark>) {
        let before = at.checked_sub(1).and_then(|before| self.lines.get_mut(before));
        if let Some(unfinished) = before.filter(|line| !line.ends_with('\n')) {
            unfinished.to_mut().push_str(self.ending);
        }
        marks.push(Mark::Added(line.to_owned()));
        self.lines.insert(at, (line.to_owned() + self.ending).into());
    }

    fn append(&mut self, wanted: &Wanted) -> Edit {
        let mut marks = Vec::new();
        if self.lines.last().is_some_and(|line| !is_blank(line)) {
            self.insert(self.lines.len(), "", &mut Vec::new());
        }
        for line in [
            format!("[{}]", title_of(&wanted.profile)),
            format!("{PROCESS} = {}", wanted.process),
            format!("{REGION} = {}", wanted.region),
        ] {
            self.insert(self.lines.len(), &line, &mut marks);
        }
        Edit { after: self.text(), marks }
    }

    /// Takes away a section of ours in which nothing stands any more, and the blank line that set it apart.
    fn remove_if_empty(&mut self, profile: &str, set_apart: bool, marks: &mut Vec<Mark>) {
        let Some(section) = self.sections_of(profile).into_iter().next() else { return };
        let body = self.lines.iter().skip(section.header + 1);
        if body.take_while(|line| !line.starts_with('[')).any(|line| !is_blank(line)) {
            return;
        }
        self.remove(section.header..section.header + 1, marks);
        let before = section.header.checked_sub(1).filter(|_| set_apart);
        if let Some(before) =
            before.filter(|before| self.lines.get(*before).is_some_and(|line| is_blank(line)))
        {
            self.lines.remove(before);
        }
    }
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// The profile that a section's title names: `default`, `profile work`, `profile "at work"`.
fn profile_of(title: &str) -> Option<&str> {
    match title.split_once([' ', '\t']) {
        None => (title == "default").then_some(title),
        Some(("profile", name)) => Some(name.trim().trim_matches(['"', '\''])),
        Some(_) => None,
    }
}

fn title_of(profile: &str) -> String {
    match profile {
        "default" => "default".to_owned(),
        name if name.contains(char::is_whitespace) => format!("profile \"{name}\""),
        name => format!("profile {name}"),
    }
}

/// The key that a line sets; none on blank lines, comments, titles, and lines that go on with the value above.
fn key_of(line: &str) -> Option<&str> {
    if line.starts_with([' ', '\t', '#', ';', '[']) {
        return None;
    }
    line.split_once(['=', ':']).map(|(key, _)| key.trim()).filter(|key| !key.is_empty())
}

#[cfg(test)]
pub(crate) mod tests;
