//! What `doctor` finds that no other command fails of by itself, and what to do about it.
//!
//! What was found, and how serious it is, is for `doctor`. Paths, hosts and texts are safe to print already.

use crate::{
    config::Profile,
    failure::{
        Exit, Failure,
        aws::{describe_unknown_model, make_aws_failure, require_inference_profile},
        oidc::{PORTS, describe_bind_attempt, describe_skew},
    },
    hint::{Hint, NextCommand},
    oidc::{ClockSkew, callback::BindAttempt},
    shell::{Shell, quote_shown_path},
    text::{join_with_and, sanitize_line},
};

/// Another program of our name, at this place of `PATH`: a shell starts the first.
pub fn describe_other_copy(position: usize, path: &str, version: &str) -> Failure {
    let what = match position {
        0 => format!("a shell starts another copy: {path} ({version})"),
        _ => format!("another copy is on PATH as well: {path} ({version})"),
    };
    let hint = Hint::from("keep one of them, and run ").command(NextCommand::Setup);
    make_finding("doctor/other_copy", what, hint.text(" with it so that every hook names it"))
}

/// The configuration holds, and something of it is likely to be wrong; how much more there is.
pub fn describe_config_warnings(first: &str, more: usize) -> Failure {
    let hint = Hint::from("change it as it says; ").command(NextCommand::ConfigCheck).text(" has every warning");
    make_finding("doctor/configuration", format!("{first}{}", count_more(more)), hint)
}

/// Others may look into what is kept; the mode that the file or folder should have.
pub fn describe_exposed_path(path: &str, mode: &str) -> Failure {
    let what = format!("other users of this machine may look into {path}");
    Failure::new(Exit::Storage, "doctor/exposed", what, format!("run `chmod {mode} {}`", quote_shown_path(path)))
}

/// Nothing that is kept could bring credentials without a person.
pub fn describe_missing_session() -> Failure {
    let hint = Hint::run(NextCommand::Login);
    Failure::new(Exit::SignInNeeded, "doctor/not_signed_in", "nobody is signed in", hint)
}

/// Registered ports that others hold; one that is free, if any is.
pub fn describe_taken_ports(attempts: &[BindAttempt], free_port: Option<u16>) -> Failure {
    let tried: Vec<String> = attempts.iter().map(describe_bind_attempt).collect();
    let free = free_port.map_or_else(String::new, |port| format!("; {port} is free"));
    Failure::new(Exit::SignInNeeded, "sign-in/port", format!("{}{free}", tried.join("; ")), PORTS)
}

/// A variable is set, and a file decides in its place; the names of others.
pub fn describe_unused_variable(name: &str, why: &str, others: &[String]) -> Failure {
    let others = if others.is_empty() { String::new() } else { format!("; nor are {}", others.join(", ")) };
    let hint = "unset it; docs/variables.md names the key that says the same in a file";
    make_finding("doctor/unused_variable", format!("{name} is not used, because {why}{others}"), hint)
}

/// The named browser cannot be started.
pub fn describe_missing_browser(program: &str, profile: &Profile) -> Failure {
    let what = format!("the browser to be opened does not exist: {program}");
    let place = if profile.browser.is_empty() { "the variable BROWSER" } else { "`browser` of the profile" };
    let hint = format!("install it, or name another in {place}");
    Failure::new(Exit::SignInNeeded, "doctor/no_such_browser", what, hint)
}

/// No AWS profile runs this program for the profile.
pub fn describe_missing_aws_profile(file: &str, profile: &str) -> Failure {
    let what = format!("no profile in {file} asks this program for credentials of '{profile}'");
    make_finding("doctor/no_aws_profile", what, suggest_setup())
}

/// A line that should run this program does not, or not as it should.
pub fn describe_wrong_call(place: &str, fault: &str) -> Failure {
    make_finding("doctor/call", format!("{place} {fault}"), suggest_setup())
}

/// Fixed keys, which every AWS tool takes first.
pub fn describe_fixed_keys(file: &str, profile: &str) -> Failure {
    let what = format!("{file} holds fixed keys for [{profile}], and every AWS tool takes them first");
    let hint = format!("remove the section [{profile}] from that file, and have its keys revoked");
    make_finding("doctor/fixed_keys", what, hint)
}

/// Variables that are used in place of a sign-in; the file that sets them, `None` for this environment.
pub fn describe_conflicting_variables(names: &[String], file: Option<&str>) -> Failure {
    let (is, them) = if names.len() == 1 { ("is", "it") } else { ("are", "them") };
    let hint = match file {
        Some(_) => format!("remove {them} from \"env\" in that file"),
        None => format!("unset {them}, and where your shell's start-up files set {them}, remove that"),
    };
    let (list, place) = (join_with_and(names), file.unwrap_or("this environment"));
    make_finding("doctor/shadowed", format!("{list} {is} set in {place} and used in place of your sign-in"), hint)
}

/// `AWS_PROFILE` leads AWS's tools elsewhere.
pub fn describe_other_aws_profile(actual: &str, ours: &str) -> Failure {
    let what = format!("AWS_PROFILE is '{actual}' in this environment, and this program serves '{ours}'");
    let hint = format!("set AWS_PROFILE={ours} where your shell's start-up files set it, or unset it");
    make_finding("doctor/other_aws_profile", what, hint)
}

/// A setting of Claude Code says something else than the profile, or nothing; how many more do.
pub fn describe_differing_setting(file: &str, key: &str, actual: Option<&str>, expected: &str, more: usize) -> Failure {
    let says = actual.map_or_else(|| "does not say".to_owned(), |says| format!("says \"{says}\" for"));
    let what = format!("{file} {says} {key}, and the profile wants \"{expected}\"{}", count_more(more));
    make_finding("doctor/claude_settings", what, suggest_setup())
}

/// Claude Code is here, and nothing leads it to us.
pub fn describe_missing_settings(file: &str) -> Failure {
    let what = format!("Claude Code is installed, and {file} does not lead it to this program");
    make_finding("doctor/claude_settings", what, suggest_setup())
}

/// Names that a file of a repository sets, by whether managed settings pin them; how many more there are.
#[derive(Debug)]
pub struct RepositorySettings {
    pub file: String,
    pub not_pinned: Vec<String>,
    pub pinned: Vec<String>,
    pub more: usize,
}

/// A repository's settings set what decides on a sign-in; the file of managed settings that could pin it.
pub fn describe_repository(files: &[RepositorySettings], managed: &str) -> Failure {
    let list = |names: &[String], state| (!names.is_empty()).then(|| format!("{} ({state})", join_with_and(names)));
    let describe_file = |RepositorySettings { file, not_pinned, pinned, more }: &RepositorySettings| {
        let more = (*more > 0).then(|| format!("{more} more"));
        let parts = [list(not_pinned, "not pinned"), list(pinned, "pinned"), more];
        format!("{file} sets {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    };
    let what: Vec<_> = files.iter().map(describe_file).collect();
    let hint = if files.iter().all(|file| file.not_pinned.is_empty()) {
        format!("nothing to do: {managed} outranks this repository; ask the author of its settings why they set it")
    } else {
        "before you run `claude` here, find out why this repository sets them, or remove them".to_owned()
    };
    make_finding("doctor/repository_settings", what.join("; "), hint)
}

/// A repository's settings that cannot be read, though Claude Code may be able to.
pub fn describe_unreadable_settings(file: &str) -> Failure {
    let what = format!("{file} cannot be read, so it is not known what it sets");
    make_finding("doctor/repository_settings", what, "look into that file before you run `claude` here")
}

/// What AWS's guidance sample left; whether refresh tokens lie open in it.
pub fn describe_leftovers(paths: &[String], has_tokens: bool) -> Failure {
    let open = if has_tokens { ", with tokens that lie open" } else { "" };
    let what = format!("AWS's guidance sample is still here: {}{open}", join_with_and(paths));
    let command = format_removal_command(Shell::native(), paths);
    make_finding("doctor/leftovers", what, format!("once nothing calls it any more, remove it: `{command}`"))
}

/// The clock here differs from that of `host`.
pub fn describe_clock_skew(skew: ClockSkew, host: &str) -> Failure {
    let what = format!("{} that of {host}", describe_skew(skew));
    let hint = "set this computer's clock; better, let it follow network time";
    Failure::new(Exit::TokenRejected, "doctor/clock", what, hint)
}

const SUPPORTED_ALGORITHMS: &str = "have the application's ID tokens signed with RS256 or ES256";

/// The provider signs with no algorithm that this program accepts.
pub fn describe_unsupported_algorithms(offered: &[String]) -> Failure {
    let what = format!("the provider signs with {}, which this program does not accept", join_with_and(offered));
    Failure::new(Exit::TokenRejected, "doctor/algorithm", what, SUPPORTED_ALGORITHMS)
}

/// The provider signs with no algorithm that AWS accepts.
pub fn describe_algorithms_aws_rejects(offered: &[String]) -> Failure {
    let what = format!("the provider signs with {}, which AWS does not accept", join_with_and(offered));
    Failure::new(Exit::Aws, "doctor/algorithm", what, SUPPORTED_ALGORITHMS)
}

pub fn describe_missing_keys(host: &str) -> Failure {
    let what = format!("{host} publishes no key, so no token of its can be verified");
    Failure::new(Exit::TokenRejected, "doctor/keys", what, "report it to the provider's administrator")
}

/// The provider answers an authorization request with an error page.
pub fn describe_unknown_client(client_id: &str, redirect_uri: &str) -> Failure {
    let what = format!("the provider answers the client {client_id} at {redirect_uri} with an error");
    let hint = format!("check `client_id`, and that {redirect_uri} is registered for it, letter by letter");
    Failure::new(Exit::Refused, "doctor/client", what, hint)
}

/// What answered is not AWS.
pub fn describe_not_aws(host: &str, status: u16) -> Failure {
    let what = format!("{host} answered {status}, and not as AWS does");
    let hint = "sign in to this network if it wants that, or check the proxy and `sts_endpoint`";
    Failure::new(Exit::Network, "doctor/not_aws", what, hint)
}

/// The quota service does not know the address, or is broken.
pub fn describe_broken_quota_service(host: &str, status: u16) -> Failure {
    let what = format!("the quota service at {host} answered {status}");
    Failure::new(Exit::OverQuota, "doctor/quota", what, "check quota.endpoint, or tell your administrator")
}

/// Everybody between here and the collector can read the telemetry.
pub fn describe_insecure_collector(address: &str) -> Failure {
    let what = format!("telemetry goes unencrypted to {address}");
    make_finding("doctor/collector", what, "name the collector with https in claude_code.env")
}

pub fn describe_bad_collector(address: &str, why: &str) -> Failure {
    let what = format!("the collector {address} is no address: {why}");
    let hint = "correct OTEL_EXPORTER_OTLP_ENDPOINT in claude_code.env";
    make_finding("doctor/collector", what, hint)
}

/// AWS knows the credentials as another role's.
pub fn describe_other_role(expected: &str, found: &str) -> Failure {
    let (expected, found) = (sanitize_line(expected), sanitize_line(found));
    let what = format!("AWS knows the credentials as {found}, and the profile wants {expected}");
    make_aws_failure("other_role", what, "check `role_arn`, `role_chain` and `sts_endpoint`")
}

/// A model that the region does not list.
pub fn describe_unlisted_model(model: &str, region: &str) -> Failure {
    let region = sanitize_line(region);
    describe_unknown_model(format!("{region} lists no {}", sanitize_line(model)), &region)
}

/// A model whose own name is not enough.
pub fn describe_model_without_on_demand(model: &str) -> Failure {
    require_inference_profile(format!("{} answers through an inference profile only", sanitize_line(model)))
}

pub fn describe_legacy_model(model: &str) -> Failure {
    let what = format!("{} is marked as legacy: its provider has announced its end", sanitize_line(model));
    make_aws_failure("legacy", what, "name a newer model in [profiles.NAME.claude_code] `models` in time")
}

/// An inference profile that is not ready.
pub fn describe_inactive_profile(profile: &str) -> Failure {
    let what = format!("the inference profile {} is not active", sanitize_line(profile));
    make_aws_failure("inactive_profile", what, "have whoever made it look at it in the Amazon Bedrock console")
}

/// A guardrail for which Claude Code would be refused.
pub fn describe_missing_guardrail_version() -> Failure {
    let what = "ANTHROPIC_CUSTOM_HEADERS names a guardrail without its version";
    let hint = "add the line `X-Amzn-Bedrock-GuardrailVersion: N` beside X-Amzn-Bedrock-GuardrailIdentifier";
    make_finding("config/guardrail", what, hint)
}

/// What is wrong with files and variables of this machine.
fn make_finding(slug: &str, what: impl AsRef<str>, hint: impl Into<Hint>) -> Failure {
    Failure::new(Exit::Configuration, slug, what, hint)
}

fn suggest_setup() -> Hint {
    Hint::run(NextCommand::Setup).text(", which shows what it changes before it does")
}

fn count_more(more: usize) -> String {
    if more == 0 { String::new() } else { format!(" (and {more} more)") }
}

/// The command that removes these folders, whose paths may begin with `~/`.
fn format_removal_command(shell: Shell, paths: &[String]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| shell.quote_shown_path(path)).collect();
    match shell {
        Shell::Powershell | Shell::Cmd => format!("Remove-Item -Recurse {}", quoted.join(", ")),
        Shell::Sh | Shell::Fish => format!("rm -r {}", quoted.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Invocation;

    #[test]
    fn repository_settings_that_are_pinned_need_no_action() {
        let planted = |open: &[&str], pinned: &[&str], more| {
            let [open, pinned] = [open, pinned].map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            vec![RepositorySettings { file: "f".to_owned(), not_pinned: open, pinned, more }]
        };
        let Failure { what, hint, .. } = describe_repository(&planted(&[], &["AWS_PROFILE"], 0), "m");
        let hint = hint.render(&Invocation::default());
        assert_eq!(what, "f sets AWS_PROFILE (pinned)");
        assert!(hint.starts_with("nothing to do: m outranks"), "{hint}");
        let Failure { what, hint, .. } = describe_repository(&planted(&["A"], &["B", "C"], 2), "m");
        let hint = hint.render(&Invocation::default());
        assert_eq!(what, "f sets A (not pinned), B and C (pinned), 2 more");
        assert!(hint.starts_with("before you run"), "{hint}");
    }

    #[test]
    fn leftovers_are_removed_by_a_command_that_quotes_every_path() {
        let paths = ["~/a".to_owned(), "/b c/$(d)".to_owned(), "/it\u{2019}s".to_owned()];
        assert_eq!(format_removal_command(Shell::Sh, &paths), "rm -r ~/a '/b c/$(d)' '/it\u{2019}s'");
        assert_eq!(
            format_removal_command(Shell::Powershell, &paths),
            "Remove-Item -Recurse '~/a', '/b c/$(d)', '/it\u{2019}\u{2019}s'"
        );
    }
}
