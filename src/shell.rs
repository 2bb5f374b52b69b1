//! Assignments that a shell understands, whatever is in the values.
//!
//! It writes lines; which variables there are is for its user to know.

use clap::ValueEnum;

use crate::host::{Environment, NATIVE_SHELL};

/// A language of assignments, which several shells may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    #[value(aliases = ["bash", "zsh", "dash", "ksh"])]
    Sh,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
    Cmd,
}

/// A value with a character that `cmd` has no way to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShellValueError {
    pub shell: Shell,
}

impl Shell {
    /// The shell that `$SHELL` names, else the system's usual one.
    pub fn from_environment(environment: &Environment) -> Self {
        let named = environment.var_text("SHELL").and_then(|path| {
            let program = path.rsplit(['/', '\\']).next()?.trim_end_matches(".exe").to_owned();
            Self::from_str(&program, true).ok()
        });
        named.unwrap_or_else(Self::native)
    }

    /// The system's usual shell: `sh` or PowerShell.
    pub fn native() -> Self {
        Self::from_str(NATIVE_SHELL, true).unwrap_or(Self::Sh)
    }

    /// Text as one word of a command: in quotes where the shell needs them, and obeyed in no part.
    pub fn quote_word(self, text: &str) -> String {
        let punctuation = match self {
            Self::Sh | Self::Fish => "/._-+:,@=",
            // A comma makes a list of it, `@` begins a table.
            Self::Powershell | Self::Cmd => "/\\._-+:=",
        };
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || punctuation.contains(letter);
        if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { self.quote(text) }
    }

    /// The same for a path as it is shown to users. `~/` in front of it stays outside of the quotes for the shells to
    /// which it means the home directory only there.
    pub fn quote_shown_path(self, path: &str) -> String {
        match path.strip_prefix("~/") {
            Some(rest) if matches!(self, Self::Sh | Self::Fish) => format!("~/{}", self.quote_word(rest)),
            Some(_) | None => self.quote_word(path),
        }
    }

    /// In quotes, within which the shell obeys nothing. `cmd` has no such quotes; see [`Shell::format_set`].
    fn quote(self, text: &str) -> String {
        match self {
            Self::Sh => format!("'{}'", text.replace('\'', "'\\''")),
            Self::Fish => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            Self::Powershell => quote_powershell(text),
            Self::Cmd => format!("\"{text}\""),
        }
    }

    /// A line that sets a variable for the shell and what it starts.
    pub fn format_set(self, name: &str, value: &str) -> Result<String, ShellValueError> {
        Ok(match self {
            Self::Sh => format!("export {name}={}\n", self.quote(value)),
            Self::Fish => format!("set -gx {name} {}\n", self.quote(value)),
            Self::Powershell => format!("$env:{name} = {}\n", self.quote(value)),
            // Inside of quotes `cmd` still obeys these, and has no escape that holds both at the prompt and in a file.
            Self::Cmd if value.contains(['"', '%', '!', '\r', '\n']) => {
                return Err(ShellValueError { shell: self });
            }
            Self::Cmd => format!("set \"{name}={value}\"\n"),
        })
    }

    /// A line that makes the shell forget a variable, and is no failure where it knows none.
    pub fn format_unset(self, name: &str) -> String {
        match self {
            Self::Sh => format!("unset {name}\n"),
            Self::Fish => format!("set -e {name}\n"),
            Self::Powershell => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue\n"),
            Self::Cmd => format!("set \"{name}=\"\n"),
        }
    }
}

/// Text as one word of a command for the system's usual shell.
pub fn quote_word(text: &str) -> String {
    Shell::native().quote_word(text)
}

/// The same for a path as it is shown to users: `~/` in front of it means the home directory.
pub fn quote_shown_path(path: &str) -> String {
    Shell::native().quote_shown_path(path)
}

/// A text as PowerShell reads it literally, in single quotes.
pub fn quote_powershell(text: &str) -> String {
    let double = |text: String, quote: &char| text.replace(*quote, &format!("{quote}{quote}"));
    format!("'{}'", POWERSHELL_QUOTES.iter().fold(text.to_owned(), double))
}

/// PowerShell takes the typographic ones for the plain one, and each of them ends a text unless it is doubled.
const POWERSHELL_QUOTES: [char; 5] = ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_shell_is_told_by_its_path() {
        let of = |path: &str| Shell::from_environment(&Environment::fixed([("SHELL", path)]));
        assert_eq!([of("/bin/sh"), of("/usr/bin/zsh"), of("/bin/bash")], [Shell::Sh; 3]);
        assert_eq!([of("/usr/bin/fish"), of("/opt/fish/bin/fish")], [Shell::Fish; 2]);
        assert_eq!([of("/usr/bin/pwsh"), of(r"C:\x\pwsh.exe")], [Shell::Powershell; 2]);
        assert_eq!(of(r"C:\Program Files\Git\usr\bin\bash.exe"), Shell::Sh);
        let native = Shell::from_environment(&Environment::fixed([]));
        assert_eq!([of("/bin/tcsh"), of("/bin/nu")], [native; 2]);
    }

    #[test]
    fn each_shell_is_told_in_its_own_words() {
        let both = |shell: Shell| shell.format_set("A", "x y").unwrap() + &shell.format_unset("B");
        assert_eq!(both(Shell::Sh), "export A='x y'\nunset B\n");
        assert_eq!(both(Shell::Fish), "set -gx A 'x y'\nset -e B\n");
        assert_eq!(both(Shell::Powershell), "$env:A = 'x y'\nRemove-Item Env:B -ErrorAction SilentlyContinue\n");
        assert_eq!(both(Shell::Cmd), "set \"A=x y\"\nset \"B=\"\n");
    }

    #[test]
    fn a_quote_does_not_end_the_value() {
        assert_eq!(Shell::Sh.format_set("A", "it's $x").unwrap(), "export A='it'\\''s $x'\n");
        assert_eq!(Shell::Fish.format_set("A", "it's \\").unwrap(), "set -gx A 'it\\'s \\\\'\n");
        assert_eq!(Shell::Powershell.format_set("A", "it's \u{2019}").unwrap(), "$env:A = 'it''s \u{2019}\u{2019}'\n");
    }

    #[test]
    fn a_word_is_quoted_only_where_the_shell_needs_it() {
        for plain in ["/etc/x.pem", "claude", "a-b_c"] {
            assert_eq!([Shell::Sh, Shell::Powershell].map(|shell| shell.quote_word(plain)), [plain; 2]);
        }
        assert_eq!(Shell::Powershell.quote_word(r"C:\Users\x"), r"C:\Users\x");
        for (text, sh, powershell) in [
            ("/a b/$x", "'/a b/$x'", "'/a b/$x'"),
            ("it's", "'it'\\''s'", "'it''s'"),
            ("it\u{2019}s", "'it\u{2019}s'", "'it\u{2019}\u{2019}s'"),
            ("", "''", "''"),
            ("~/x", "'~/x'", "'~/x'"),
        ] {
            assert_eq!(Shell::Sh.quote_word(text), sh);
            assert_eq!(Shell::Powershell.quote_word(text), powershell);
        }
    }

    #[test]
    fn the_home_of_a_shown_path_stays_a_home() {
        let quoted = ["~/.local/a-b", "~/a b/it's", "~", "~other/x"].map(|path| Shell::Sh.quote_shown_path(path));
        assert_eq!(quoted, ["~/.local/a-b", "~/'a b/it'\\''s'", "'~'", "'~other/x'"]);
        assert_eq!(Shell::Powershell.quote_shown_path("~/a"), "'~/a'");
    }

    #[test]
    fn what_cmd_cannot_be_told_is_refused() {
        for value in ["a\"b", "a%b", "a!b", "a\nb"] {
            assert_eq!(Shell::Cmd.format_set("A", value), Err(ShellValueError { shell: Shell::Cmd }), "{value}");
        }
        assert_eq!(Shell::Cmd.format_set("A", "a&b|c^d").unwrap(), "set \"A=a&b|c^d\"\n");
    }
}
