//! AWS's configuration file with our profile in it, and without; every other byte stays.
//!
//! Text to text: what lies on the disk, and what lay there before, is for its callers.

use std::borrow::Cow;

use super::{DiffLine, FileEdit};

/// What the profile shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsProfileEntry {
    pub profile: String,
    pub process: String,
    pub region: String,
}

/// Why the file is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsEditRefused {
    /// AWS's own tools refuse a file in which a profile stands twice.
    DuplicateProfile { profile: String, lines: [usize; 2] },
    /// The same of a key within a profile.
    DuplicateKey { key: &'static str, lines: [usize; 2] },
    /// The profile signs in another way, which AWS's tools prefer.
    OtherCredentialSource { profile: String, key: String, line: usize },
}

const PROCESS: &str = "credential_process";
const REGION: &str = "region";

/// Keys by which a profile gets credentials in another way; every SDK looks at them before `credential_process`.
const OTHER_SOURCE_KEYS: [&str; 13] = [
    "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "credential_source", "login_session",
    "role_arn", "source_profile", "sso_account_id", "sso_region", "sso_role_name", "sso_session", "sso_start_url",
    "web_identity_token_file",
];

/// The file with the profile in it. A region that stands there already is the person's own.
pub fn add_profile(text: &str, wanted: &AwsProfileEntry) -> Result<FileEdit, AwsEditRefused> {
    let mut file = AwsConfigFile::parse(text);
    match file.find_sections(&wanted.profile).as_slice() {
        [] => Ok(file.append_profile(wanted)),
        [one] => {
            file.check_other_sources(one, &wanted.profile)?;
            let mut marks = Vec::new();
            let after_process = file.set_key(one.header_index, PROCESS, &wanted.process, &mut marks)?;
            if file.find_keys(one.header_index, REGION).is_empty() {
                file.insert_line(after_process, &format!("{REGION} = {}", wanted.region), &mut marks);
            }
            Ok(FileEdit { after: file.to_text(), diff: marks })
        }
        [first, second, ..] => Err(AwsEditRefused::DuplicateProfile {
            profile: wanted.profile.clone(),
            lines: [first.header_index + 1, second.header_index + 1],
        }),
    }
}

/// The file as it would be had we never written `wrote` where `before` was: only what is still as we wrote it goes.
pub fn remove_profile(text: &str, before: &str, wrote: &str, profile: &str) -> FileEdit {
    let (mut file, before, wrote) =
        (AwsConfigFile::parse(text), AwsConfigFile::parse(before), AwsConfigFile::parse(wrote));
    let mut marks = Vec::new();
    for key in [REGION, PROCESS] {
        let Some(section) = file.find_sections(profile).into_iter().next() else { break };
        let (was, ours) = (before.find_value(profile, key), wrote.find_value(profile, key));
        let Some(found) = file.find_keys(section.header_index, key).into_iter().next() else { continue };
        if was == ours || ours != Some(file.read_value(&found)) {
            continue;
        }
        match was {
            Some(was) => file.replace_key(&found, &format!("{key} = {was}"), &mut marks),
            None => file.remove_lines(found.start..found.end, &mut marks),
        }
    }
    if before.find_sections(profile).is_empty() {
        let set_apart = before.lines.last().is_some_and(|line| !is_blank(line));
        file.remove_empty_section(profile, set_apart, &mut marks);
    }
    FileEdit { after: file.to_text(), diff: marks }
}

/// Whether there is a profile of this name, whatever it says.
pub fn has_profile(text: &str, profile: &str) -> bool {
    !AwsConfigFile::parse(text).find_sections(profile).is_empty()
}

/// Every profile that runs a command for credentials, with that command.
pub fn list_processes(text: &str) -> Vec<(String, String)> {
    let file = AwsConfigFile::parse(text);
    let sections = file.sections();
    let names = sections.iter().filter_map(|section| parse_profile_title(&section.title));
    names.filter_map(|name| Some((name.to_owned(), file.find_value(name, PROCESS)?))).collect()
}

/// Why the file would not lead to us, whatever its profile runs.
pub fn find_edit_obstacle(text: &str, profile: &str) -> Option<AwsEditRefused> {
    let wanted = AwsProfileEntry { profile: profile.to_owned(), process: String::new(), region: String::new() };
    add_profile(text, &wanted).err()
}

/// Whether a shared credentials file holds fixed keys under the profile's name, which every SDK takes first.
pub fn has_fixed_keys(credentials: &str, profile: &str) -> bool {
    let file = AwsConfigFile::parse(credentials);
    let named = |section: &AwsConfigSection| section.title == profile;
    file.sections().iter().any(|one| named(one) && !file.find_keys(one.header_index, "aws_access_key_id").is_empty())
}

/// The file as lines, each with its own ending.
struct AwsConfigFile<'t> {
    bom: &'static str,
    lines: Vec<Cow<'t, str>>,
    line_ending: &'static str,
}

struct AwsConfigSection {
    /// What stands between the brackets.
    title: String,
    header_index: usize,
}

/// A key with its value, and with the indented lines that belong to it.
struct KeySpan {
    start: usize,
    end: usize,
}

impl<'t> AwsConfigFile<'t> {
    fn parse(text: &'t str) -> Self {
        let (bom, text) = text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest));
        let lines: Vec<Cow<'_, str>> = text.split_inclusive('\n').map(Into::into).collect();
        // The file's own ending is that of its first line, where that has one.
        let line_ending = match lines.first().map_or("", |line| detect_line_ending(line)) {
            "\r\n" => "\r\n",
            _ => "\n",
        };
        Self { bom, lines, line_ending }
    }

    fn to_text(&self) -> String {
        self.bom.to_owned() + &self.lines.concat()
    }

    fn sections(&self) -> Vec<AwsConfigSection> {
        let title = |line: &str| {
            let (title, _) = line.strip_prefix('[')?.split_once(']')?;
            Some(title.trim().to_owned())
        };
        let found = self.lines.iter().enumerate();
        found
            .filter_map(|(header, line)| Some(AwsConfigSection { title: title(line)?, header_index: header }))
            .collect()
    }

    fn find_sections(&self, profile: &str) -> Vec<AwsConfigSection> {
        let mut sections = self.sections();
        sections.retain(|section| parse_profile_title(&section.title) == Some(profile));
        sections
    }

    /// Where a key stands in the section that begins at `header`.
    fn find_keys(&self, header: usize, key: &str) -> Vec<KeySpan> {
        let is_key = |line: &str| parse_key(line).is_some_and(|found| found.eq_ignore_ascii_case(key));
        let body = self.lines.iter().enumerate().skip(header + 1);
        let body = body.take_while(|(_, line)| !line.starts_with('['));
        let found = body.filter(|(_, line)| is_key(line)).map(|(first, _)| first);
        found.map(|first| KeySpan { start: first, end: self.find_value_end(first) }).collect()
    }

    fn find_value_end(&self, first: usize) -> usize {
        let belongs = |line: &&Cow<'_, str>| line.starts_with([' ', '\t']) && !is_blank(line);
        first + 1 + self.lines.iter().skip(first + 1).take_while(belongs).count()
    }

    fn read_value(&self, found: &KeySpan) -> String {
        let lines = self.lines.get(found.start..found.end).unwrap_or_default().concat();
        lines.split_once(['=', ':']).map_or("", |(_, value)| value).trim().to_owned()
    }

    fn find_value(&self, profile: &str, key: &str) -> Option<String> {
        let section = self.find_sections(profile).into_iter().next()?;
        self.find_keys(section.header_index, key).first().map(|found| self.read_value(found))
    }

    fn check_other_sources(&self, section: &AwsConfigSection, profile: &str) -> Result<(), AwsEditRefused> {
        let body = self.lines.iter().enumerate().skip(section.header_index + 1);
        for (index, line) in body.take_while(|(_, line)| !line.starts_with('[')) {
            let Some(key) = parse_key(line).map(str::to_ascii_lowercase) else { continue };
            if OTHER_SOURCE_KEYS.contains(&key.as_str()) {
                return Err(AwsEditRefused::OtherCredentialSource {
                    profile: profile.to_owned(),
                    key,
                    line: index + 1,
                });
            }
        }
        Ok(())
    }

    /// Sets a key to a value; returns the line after it.
    fn set_key(
        &mut self,
        header: usize,
        key: &'static str,
        value: &str,
        marks: &mut Vec<DiffLine>,
    ) -> Result<usize, AwsEditRefused> {
        let line = format!("{key} = {value}");
        match self.find_keys(header, key).as_slice() {
            [] => {
                self.insert_line(header + 1, &line, marks);
                Ok(header + 2)
            }
            [found] if self.read_value(found) == value => Ok(found.end),
            [found] => {
                self.replace_key(found, &line, marks);
                Ok(found.start + 1)
            }
            [first, second, ..] => {
                Err(AwsEditRefused::DuplicateKey { key, lines: [first.start + 1, second.start + 1] })
            }
        }
    }

    fn replace_key(&mut self, found: &KeySpan, line: &str, marks: &mut Vec<DiffLine>) {
        let last = self.lines.get(found.end - 1).map_or("", |line| detect_line_ending(line)).to_owned();
        self.remove_lines(found.start..found.end, marks);
        marks.push(DiffLine::Added(line.to_owned()));
        self.lines.insert(found.start, (line.to_owned() + &last).into());
    }

    fn remove_lines(&mut self, range: std::ops::Range<usize>, marks: &mut Vec<DiffLine>) {
        marks.extend(self.lines.drain(range).map(|line| DiffLine::Removed(line.trim_end().to_owned())));
    }

    /// Inserts a line, closing the one before it where that had no ending.
    fn insert_line(&mut self, at: usize, line: &str, marks: &mut Vec<DiffLine>) {
        let before = at.checked_sub(1).and_then(|before| self.lines.get_mut(before));
        if let Some(unfinished) = before.filter(|line| !line.ends_with('\n')) {
            unfinished.to_mut().push_str(self.line_ending);
        }
        marks.push(DiffLine::Added(line.to_owned()));
        self.lines.insert(at, (line.to_owned() + self.line_ending).into());
    }

    fn append_profile(&mut self, wanted: &AwsProfileEntry) -> FileEdit {
        let mut marks = Vec::new();
        if self.lines.last().is_some_and(|line| !is_blank(line)) {
            self.insert_line(self.lines.len(), "", &mut Vec::new());
        }
        for line in [
            format!("[{}]", format_profile_title(&wanted.profile)),
            format!("{PROCESS} = {}", wanted.process),
            format!("{REGION} = {}", wanted.region),
        ] {
            self.insert_line(self.lines.len(), &line, &mut marks);
        }
        FileEdit { after: self.to_text(), diff: marks }
    }

    /// Takes away a section of ours in which nothing stands any more, and the blank line that set it apart.
    fn remove_empty_section(&mut self, profile: &str, set_apart: bool, marks: &mut Vec<DiffLine>) {
        let Some(section) = self.find_sections(profile).into_iter().next() else { return };
        let body = self.lines.iter().skip(section.header_index + 1);
        if body.take_while(|line| !line.starts_with('[')).any(|line| !is_blank(line)) {
            return;
        }
        self.remove_lines(section.header_index..section.header_index + 1, marks);
        let before = section.header_index.checked_sub(1).filter(|_| set_apart);
        if let Some(before) = before.filter(|before| self.lines.get(*before).is_some_and(|line| is_blank(line))) {
            self.lines.remove(before);
        }
    }
}

/// How a line ends: with nothing when it is the last and unfinished.
fn detect_line_ending(line: &str) -> &str {
    match line.strip_suffix('\n') {
        None => "",
        Some(rest) if rest.ends_with('\r') => "\r\n",
        Some(_) => "\n",
    }
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// The profile that a section's title names: `default`, `profile work`, `profile "at work"`.
fn parse_profile_title(title: &str) -> Option<&str> {
    match title.split_once([' ', '\t']) {
        None => (title == "default").then_some(title),
        Some(("profile", name)) => Some(name.trim().trim_matches(['"', '\''])),
        Some(_) => None,
    }
}

fn format_profile_title(profile: &str) -> String {
    match profile {
        "default" => "default".to_owned(),
        name if name.contains(char::is_whitespace) => format!("profile \"{name}\""),
        name => format!("profile {name}"),
    }
}

/// The key that a line sets; none on blank lines, comments, titles, and lines that go on with the value above.
fn parse_key(line: &str) -> Option<&str> {
    if line.starts_with([' ', '\t', '#', ';', '[']) {
        return None;
    }
    line.split_once(['=', ':']).map(|(key, _)| key.trim()).filter(|key| !key.is_empty())
}

#[cfg(test)]
pub(crate) mod tests;
