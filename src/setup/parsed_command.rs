//! Parses a command line that is found in another program's file: which program it calls, and with which arguments.
//!
//! The parser handles quotes and escaped spaces as shells and AWS tools do, but no variables or substitutions, which
//! such lines rarely have. `doctor` uses it and judges whether the line is right.

use std::path::{Path, PathBuf};

/// The parts of a command line that matter for calling this program. It may also call another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedCommand {
    /// The path as it is written, possibly relative or with `~`.
    pub program: PathBuf,
    /// The subcommand: the first argument that is not a flag or the value of a known flag.
    pub command: Option<String>,
    pub profile: Option<String>,
    /// The configuration file that `--config` names.
    pub config: Option<PathBuf>,
}

impl ParsedCommand {
    /// Returns `None` for a line without any argument. Unknown flags are skipped.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = split_arguments(line).into_iter();
        let program = PathBuf::from(words.next()?);
        let (mut command, mut profile, mut config) = (None, None, None);
        while let Some(word) = words.next() {
            let (flag, value) = word.split_once('=').map_or((word.as_str(), None), |(flag, value)| (flag, Some(value)));
            match flag {
                "--profile" => profile = value.map(str::to_owned).or_else(|| words.next()),
                "--config" => config = value.map(PathBuf::from).or_else(|| words.next().map(PathBuf::from)),
                _ if command.is_none() && !word.starts_with('-') => command = Some(word),
                _ => {}
            }
        }
        Some(Self { program, command, profile, config })
    }

    /// The program's file name, without the extension that Windows needs.
    pub fn program_name(&self) -> &str {
        let name = self.program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        [".exe", ".cmd"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
    }
}

/// Expands the user's home at the start of a path as a shell would. Use it only for lines that a shell reads: the AWS
/// SDKs that split lines themselves do not expand anything.
pub fn expand_home(path: &Path, home: &Path) -> PathBuf {
    let text = path.to_string_lossy();
    let rest = ["~/", "$HOME/", "${HOME}/"].iter().find_map(|start| text.strip_prefix(start));
    rest.map_or_else(|| path.to_owned(), |rest| home.join(rest))
}

/// Splits a line at spaces, except in quotes and after a backslash. A backslash before any other character stays,
/// because Windows paths contain them.
fn split_arguments(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (closing, Some(open)) if closing == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('\\', None) if letters.peek() == Some(&' ') => {
                word.get_or_insert_default().extend(letters.next());
            }
            (space, None) if space.is_whitespace() => words.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (String, Option<String>, Option<String>) {
        let ParsedCommand { program, command, profile, config: _ } = ParsedCommand::parse(line).unwrap();
        (program.to_str().unwrap().to_owned(), command, profile)
    }

    fn called(program: &str, verb: &str, profile: &str) -> (String, Option<String>, Option<String>) {
        (program.to_owned(), Some(verb.to_owned()), Some(profile.to_owned()))
    }

    #[test]
    fn command_line_of_setup_is_parsed_back() {
        for path in ["/opt/Jane Doe/bedrock-sso", r"C:\Program Files\bedrock-sso.exe"] {
            let call = super::super::CommandTemplate::new(Path::new(path), Some(Path::new("/x y/c.toml"))).unwrap();
            let line = call.render("credentials", "work");
            assert_eq!(read(&line), called(path, "credentials", "work"));
            assert_eq!(ParsedCommand::parse(&line).unwrap().config.unwrap(), Path::new("/x y/c.toml"));
        }
        assert_eq!(
            ParsedCommand::parse(r"C:\a\bedrock-sso.exe x").unwrap().program,
            Path::new(r"C:\a\bedrock-sso.exe")
        );
    }

    #[test]
    fn hand_written_command_is_split_like_in_a_shell() {
        assert_eq!(
            read(r"/opt/Jane\ Doe/bedrock-sso login --profile=w"),
            called("/opt/Jane Doe/bedrock-sso", "login", "w")
        );
        assert_eq!(read("'/a b/x'  credentials\t--profile 'q r'"), called("/a b/x", "credentials", "q r"));
        assert_eq!(read("/x --profile p"), ("/x".into(), None, Some("p".into())));
        assert_eq!(read("/x --profile p login --force"), called("/x", "login", "p"));
        assert_eq!(read("/x --config=/c login --profile p"), called("/x", "login", "p"));
        assert_eq!(ParsedCommand::parse("  "), None);
    }

    #[test]
    fn program_name_has_no_windows_extension() {
        let name = |line| ParsedCommand::parse(line).unwrap().program_name().to_owned();
        assert_eq!(name("/opt/bedrock-sso login"), "bedrock-sso");
        assert_eq!(name("\"/opt/x/bedrock-sso.exe\" login"), "bedrock-sso");
        assert_eq!(name("~/claude-code-with-bedrock/credential-process"), "credential-process");
    }

    #[test]
    fn expand_home_replaces_tilde_and_home() {
        let home = Path::new("/home/jane");
        let found = |line| expand_home(&ParsedCommand::parse(line).unwrap().program, home);
        assert_eq!(found("~/bin/x login"), home.join("bin/x"));
        assert_eq!(found("\"$HOME/bin/x\" login"), home.join("bin/x"));
        assert_eq!(found("/bin/x login"), Path::new("/bin/x"));
    }
}
