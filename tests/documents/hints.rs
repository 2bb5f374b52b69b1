//! The command of a hint leads to the profile and the file of the call that failed.
//!
//! Each call names a file and a profile that nothing else would choose. A shell then runs the command of the hint, with
//! `config show` in place of its words, and the test compares the profile and the file.

use std::{fs, path::Path, process::Command};

use super::PROGRAM;

/// Two profiles, of which none is the default; `second` differs in its region.
fn two_profiles(more: &str) -> String {
    let table = |name: &str, region: &str| {
        format!(
            "[profiles.{name}]\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"demo\"\n\
             role_arn = \"arn:aws:iam::123456789012:role/BedrockUser\"\nregion = \"{region}\"\nstorage = \"file\"\n{more}\n"
        )
    };
    format!("version = 1\n{}{}", table("first", "us-east-1"), table("second", "eu-west-1"))
}

struct Call<'c> {
    /// The words before and after `--config FILE --profile second`.
    words: (&'c [&'c str], &'c [&'c str]),
    /// Further keys of both profiles.
    keys: &'c str,
    code: i32,
    /// The words of the command that the hint names.
    hinted: &'c str,
}

const NO_LOGIN: &str = "login = \"explicit\"";

/// Each kind of command once.
const CALLS: [Call<'static>; 11] = [
    Call { words: (&["credentials", "--no-login"], &[]), keys: "", code: 4, hinted: "login" },
    Call { words: (&["export"], &[]), keys: "", code: 4, hinted: "login" },
    Call { words: (&["token"], &[]), keys: "", code: 4, hinted: "login" },
    Call { words: (&["bearer"], &[]), keys: "", code: 4, hinted: "login" },
    Call { words: (&["exec"], &["--", "true"]), keys: NO_LOGIN, code: 4, hinted: "login" },
    Call { words: (&["env", "--shell", "sh"], &[]), keys: NO_LOGIN, code: 4, hinted: "login" },
    Call { words: (&["console", "--no-browser"], &[]), keys: NO_LOGIN, code: 4, hinted: "login" },
    Call { words: (&["login"], &[]), keys: "client_auth = \"secret\"", code: 3, hinted: "login --client-secret-stdin" },
    Call { words: (&["status"], &[]), keys: "", code: 0, hinted: "login" },
    Call { words: (&["config", "show"], &[]), keys: "flow = \"fast\"", code: 3, hinted: "config check" },
    Call { words: (&["config", "check"], &[]), keys: "flow = \"fast\"", code: 3, hinted: "config check" },
];

/// What a command line of this program prints, run by a shell.
fn run_line(home: &Path, line: &str) -> String {
    let script = line.replacen("bedrock-sso", "\"$PROGRAM\"", 1);
    let output = Command::new("sh").args(["-c", &script]).env("PROGRAM", PROGRAM).env("HOME", home).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The region of the profile, and the file in which it stands.
fn chosen(shown: &str) -> (String, String) {
    let shown: serde_json::Value = serde_json::from_str(shown).unwrap();
    let region = &shown["keys"]["region"];
    (region["value"].as_str().unwrap().to_owned(), region["origin"].to_string())
}

#[test]
fn hints_lead_to_the_profile_and_the_file_of_the_call() {
    for Call { words: (before, behind), keys, code, hinted } in CALLS {
        let home = tempfile::tempdir().unwrap();
        // A name that a shell would take apart.
        let file = home.path().join("Zoë's own.toml");
        fs::write(&file, two_profiles(keys)).unwrap();
        let selection = ["--config", file.to_str().unwrap(), "--profile", "second"];
        let arguments = [before, &selection, behind].concat();
        let output = Command::new(PROGRAM).args(&arguments).env("HOME", home.path()).output().unwrap();
        let said = super::printed(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        let start = format!("`bedrock-sso {hinted} ");
        let (_, rest) = said.split_once(&start).unwrap_or_else(|| panic!("{arguments:?}: no {start} in {said}"));
        let flags = rest.split('`').next().unwrap();
        // What the call chose, with a configuration that can be read.
        fs::write(&file, two_profiles("")).unwrap();
        let profile = if hinted.starts_with("config") { " --profile second" } else { "" };
        let shown = run_line(home.path(), &format!("bedrock-sso config show --json {flags}{profile}"));
        let (region, origin) = chosen(&shown);
        assert_eq!(region, "eu-west-1", "{arguments:?}: {flags}");
        assert!(origin.contains("own.toml"), "{arguments:?}: {origin}");
        let paths = run_line(home.path(), &format!("bedrock-sso config path {flags}"));
        assert!(paths.contains(&format!("{}  (present)", file.display())), "{arguments:?}: {paths}");
    }
}

/// `doctor` gives a remedy for each check, and stored failures are shown by another call than the one that failed.
#[test]
fn remedies_of_doctor_lead_to_the_profile_and_the_file() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("Zoë's own.toml");
    fs::write(&file, two_profiles("")).unwrap();
    let selection = ["--config", file.to_str().unwrap(), "--profile", "second"];
    let output =
        Command::new(PROGRAM).args(["doctor", "--json"]).args(selection).env("HOME", home.path()).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let remedies = report["checks"].as_array().unwrap().iter().filter_map(|check| check["remedy"].as_str());
    let commands: Vec<&str> = remedies.flat_map(|remedy| remedy.split('`').skip(1).step_by(2)).collect();
    let ours: Vec<&str> = commands.into_iter().filter(|command| command.starts_with("bedrock-sso ")).collect();
    assert!(ours.len() >= 2, "{report}");
    for command in ours {
        let (_, flags) = command.split_once(" --profile ").unwrap_or_else(|| panic!("{command} chooses no profile"));
        let (region, origin) =
            chosen(&run_line(home.path(), &format!("bedrock-sso config show --json --profile {flags}")));
        assert!(region == "eu-west-1" && origin.contains("own.toml"), "{command}: {region}, {origin}");
    }
}
