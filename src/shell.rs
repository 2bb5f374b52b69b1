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
        named.or_else(|| Self::from_str(NATIVE_SHELL, true).ok()).unwrap_or(Self::Sh)
    }

    /// A line that sets a variable for the shell and what it starts.
    pub fn format_set(self, name: &str, value: &str) -> Result<String, ShellValueError> {
        Ok(match self {
            Self::Sh => format!("export {name}={}\n", single_quote(value, &[('\'', "'\\''")])),
            Self::Fish => {
                format!("set -gx {name} {}\n", single_quote(value, &[('\\', "\\\\"), ('\'', "\\'")]))
            }
            Self::Powershell => format!("$env:{name} = {}\n", quote_powershell(value)),
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

/// A path or a name as one word of a command that `sh` is to obey: in quotes where it must be, but for a `~/` in front,
/// which means the home directory outside of quotes only.
pub fn quote_argument(text: &str) -> String {
    let is_plain = |text: &str| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:,@=".contains(letter);
        !text.is_empty() && text.chars().all(plain)
    };
    let (home, rest) = text.strip_prefix("~/").map_or(("", text), |rest| ("~/", rest));
    match rest {
        rest if is_plain(rest) => text.to_owned(),
        rest => format!("{home}{}", single_quote(rest, &[('\'', "'\\''")])),
    }
}

/// A text as PowerShell reads it literally, in single quotes.
pub fn quote_powershell(text: &str) -> String {
    single_quote(text, &POWERSHELL_QUOTES)
}

/// PowerShell takes the typographic ones for the plain one, and each of them ends a text.
const POWERSHELL_QUOTES: [(char, &str); 5] = [
    ('\'', "''"),
    ('\u{2018}', "\u{2018}\u{2018}"),
    ('\u{2019}', "\u{2019}\u{2019}"),
    ('\u{201a}', "\u{201a}\u{201a}"),
    ('\u{201b}', "\u{201b}\u{201b}"),
];

/// In single quotes, within which these shells obey nothing but what is escaped here.
fn single_quote(value: &str, escapes: &[(char, &str)]) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('\'');
    for part in value.chars() {
        match escapes.iter().find(|(special, _)| *special == part) {
            Some((_, escape)) => text.push_str(escape),
            None => text.push(part),
        }
    }
    text.push('\'');
    text
}

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
        assert_eq!(
            both(Shell::Powershell),
            "$env:A = 'x y'\nRemove-Item Env:B -ErrorAction SilentlyContinue\n"
        );
        assert_eq!(both(Shell::Cmd), "set \"A=x y\"\nset \"B=\"\n");
    }

    #[test]
    fn a_quote_does_not_end_the_value() {
        assert_eq!(Shell::Sh.format_set("A", "it's $x").unwrap(), "export A='it'\\''s $x'\n");
        assert_eq!(Shell::Fish.format_set("A", "it's \\").unwrap(), "set -gx A 'it\\'s \\\\'\n");
        assert_eq!(
            Shell::Powershell.format_set("A", "it's \u{2019}").unwrap(),
            "$env:A = 'it''s \u{2019}\u{2019}'\n"
        );
    }

    #[test]
    fn a_word_of_a_command_is_one_word_and_a_home_stays_a_home() {
        for plain in ["/etc/x.pem", "~/.local/share/a-b_c", "claude"] {
            assert_eq!(quote_argument(plain), plain);
        }
        assert_eq!(quote_argument("/a b/$x"), "'/a b/$x'");
        assert_eq!(quote_argument("~/a b/it's"), "~/'a b/it'\\''s'");
        assert_eq!(
            [quote_argument(""), quote_argument("~"), quote_argument("~other/x")],
            ["''", "'~'", "'~other/x'"]
        );
    }

    #[test]
    fn what_cmd_cannot_be_told_is_refused() {
        for value in ["a\"b", "a%b", "a!b", "a\nb"] {
            assert_eq!(
                Shell::Cmd.format_set("A", value),
                Err(ShellValueError { shell: Shell::Cmd }),
                "{value}"
            );
        }
        assert_eq!(Shell::Cmd.format_set("A", "a&b|c^d").unwrap(), "set \"A=a&b|c^d\"\n");
    }
}
