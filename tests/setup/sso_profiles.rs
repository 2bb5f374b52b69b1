//! `setup --from` with an AWS configuration: imports the profiles that sign in at IAM Identity Center, and leaves or
//! replaces their keys.

use std::fs;

use testworld::{Desk, Endpoint, Outcome, World};

use super::{PROGRAM, browser, snapshot};

/// A home without a configuration, whose AWS configuration has two profiles of the world's Identity Center.
fn desk_with_sso_profiles(world: &World) -> (Desk<'_>, Vec<String>) {
    let desk = Desk::with_identity_center(world, PROGRAM, "");
    let keys = [
        format!("browser={}", browser(&desk)),
        format!("sts_endpoint={}", world.sts_endpoint()),
        format!("identity_center_endpoint={}", world.identity_center_endpoint()),
        "storage=file".to_owned(),
    ];
    fs::remove_file(desk.config_file()).unwrap();
    let start_url = world.start_url();
    desk.write(
        ".aws/config",
        &format!(
            "[default]\nregion = eu-west-1\n\n[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\n\
             sso_role_name = BedrockUser\nregion = eu-west-1\noutput = json\n\n[sso-session corp]\n\
             sso_start_url = {start_url}/#/\nsso_region = us-east-1\n\n[profile Acme Production/Ops]\n\
             sso_start_url = {start_url}\nsso_region = us-east-1\nsso_account_id = 210987654321\n\
             sso_role_name = BedrockUser\n"
        ),
    );
    (desk, keys.into_iter().flat_map(|key| ["--set".to_owned(), key]).collect())
}

fn import(desk: &Desk<'_>, keys: &[String], flags: &[&str]) -> Outcome {
    let mut command = desk.command();
    command.args(["setup", "--from"]).arg(desk.home().join(".aws/config")).args(keys).args(flags);
    desk.start_command(command).finish()
}

fn configuration(desk: &Desk<'_>) -> String {
    fs::read_to_string(desk.config_file()).unwrap()
}

#[test]
fn sso_profiles_are_imported_beside_their_aws_profiles() {
    let world = World::new();
    let (desk, keys) = desk_with_sso_profiles(&world);
    let (before, files) = (desk.read(".aws/config"), snapshot(&desk));
    import(&desk, &keys, &["--yes"]).expect_code(0);
    let written = configuration(&desk);
    assert!(written.contains("\n[defaults.identity_center]\nstart_url = "), "{written}");
    assert!(written.contains("\n[profiles.dev]\nregion = \"eu-west-1\"\n"), "{written}");
    assert!(written.contains("[profiles.Acme-Production-Ops]\nregion = \"us-east-1\"\n"), "{written}");
    let aws = desk.read(".aws/config");
    assert!(aws.starts_with(&before), "{aws}");
    assert!(aws.contains("\n[profile dev-bedrock]\ncredential_process = "), "{aws}");
    assert!(aws.contains("\n[profile Acme-Production-Ops]\ncredential_process = "), "{aws}");
    assert!(desk.read(".claude/settings.json").contains("\"AWS_PROFILE\": \"dev-bedrock\""));
    for name in ["dev", "Acme-Production-Ops"] {
        desk.run(["credentials", "--profile", name]).expect_code(0);
    }
    assert_eq!(world.ledger().count(Endpoint::PortalAuthorize), 1);
    desk.run(["logout", "--all"]).expect_code(0);
    import(&desk, &keys, &["--yes"]).prints("setup: nothing to do");
    desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    let is_of_setup = |(path, _): &(std::path::PathBuf, _)| !path.starts_with(desk.data());
    assert_eq!(snapshot(&desk).into_iter().filter(is_of_setup).collect::<Vec<_>>(), files);
}

#[test]
fn agreed_replacement_of_sso_keys_is_shown_and_undone() {
    let world = World::new();
    let (desk, keys) = desk_with_sso_profiles(&world);
    let before = desk.read(".aws/config");
    let flags = ["--yes", "--profile", "dev", "--replace-sso-keys"];
    let applied = import(&desk, &keys, &flags).expect_code(0).stdout;
    for line in ["- sso_session = corp", "- sso_account_id = 123456789012", "+ credential_process = "] {
        assert!(applied.contains(&format!("\n  {line}")), "{applied}");
    }
    let replaced = desk.read(".aws/config");
    assert!(replaced.contains("[profile dev]\ncredential_process = ") && !replaced.contains("sso_session = corp"));
    assert!(
        replaced.contains("[sso-session corp]\n") && replaced.contains("[profile Acme Production/Ops]\nsso_start_url")
    );
    assert!(desk.run(["credentials"]).expect_code(0).stdout.contains("SessionToken"));
    // After an edit by the user the keys come back too.
    desk.write(".aws/config", &(replaced + "[profile mine]\nregion = eu-west-3\n"));
    desk.run(["setup", "--remove", "--yes"]).expect_code(0);
    assert_eq!(desk.read(".aws/config"), before + "[profile mine]\nregion = eu-west-3\n");
}

#[test]
fn chosen_sso_profile_must_exist_in_the_file() {
    let world = World::new();
    let (desk, keys) = desk_with_sso_profiles(&world);
    let before = snapshot(&desk);
    let failed = import(&desk, &keys, &["--yes", "--profile", "default"]).fails(3, "setup/source");
    failed.message_has(&["no profile 'default'"]);
    let folder = desk.home().join("fleet").display().to_string();
    let failed = import(&desk, &keys, &["--fleet", &folder]).fails(3, "setup/source");
    failed.message_has(&["dev, Acme Production/Ops"]).hint_has(&["--profile"]);
    import(&desk, &keys, &["--aws-profile", "x"]).fails(2, "setup/aws_profile_name");
    desk.write(".aws/config", &desk.read(".aws/config").replace("[profile dev]", "[profile _]"));
    import(&desk, &keys, &["--yes"]).fails(3, "config/illegal").message_has(&["--profile-name-template"]);
    desk.write(".aws/config", &desk.read(".aws/config").replace("[profile _]", "[profile dev]"));
    assert_eq!(snapshot(&desk), before);
}

#[cfg(target_os = "linux")]
mod terminal {
    use super::{super::wizard::run_in_terminal, *};

    #[test]
    fn user_decides_about_the_sso_keys() {
        let world = World::new();
        for (answer, name) in [("y", "dev"), ("n", "dev-bedrock")] {
            let (desk, keys) = desk_with_sso_profiles(&world);
            // The shell that types the command cannot quote the apostrophe of the home.
            let flags: Vec<String> = ["--from", ".aws/config", "--profile", "dev"].map(str::to_owned).into();
            let (code, shown) = run_in_terminal(&desk, &[flags, keys].concat(), &[answer, "y"]);
            assert_eq!(code, Some(0), "{shown}");
            assert!(shown.contains("Replace the sso_* keys of the AWS profile dev?"), "{shown}");
            let aws = desk.read(".aws/config");
            assert!(aws.contains(&format!("[profile {name}]\ncredential_process = ")), "{aws}");
            assert_eq!(aws.contains("sso_session = corp"), answer == "n", "{aws}");
        }
    }
}
