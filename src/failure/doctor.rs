//! Messages and remedies for the problems that `doctor` finds and that no other command reports.
//!
//! A message states what was found, and a remedy is one action with its command. `doctor` decides how serious a finding
//! is. The callers pass paths, hosts and foreign texts already escaped, unless a function says otherwise.

use std::time::Duration;

use crate::{
    aws::AlgorithmRefuser,
    cache::RefreshObstacle,
    config::Profile,
    failure::{
        Exit, Failure,
        aws::{describe_unknown_model, make_aws_failure, require_inference_profile},
        choose_login, describe_refresh_obstacle,
        oidc::{
            PORTS, SUPPORTED_ALGORITHMS, advise_on_request_refusal, describe_bind_attempt, describe_offered_algorithms,
            describe_request_refusal, describe_skew,
        },
    },
    hint::{Hint, NextCommand},
    oidc::{ClockSkew, RequestRefusal, callback::BindAttempt},
    shell::{Shell, quote_shown_path},
    text::{join_with_and, join_with_or, sanitize_line},
    time::format_duration,
};

/// Another version of this program at this position of `PATH`. A shell starts the one at position 0.
pub fn describe_other_copy(position: usize, path: &str, version: &str) -> Failure {
    let what = match position {
        0 => format!("a shell would start another copy of this program: {path} ({version})"),
        _ => format!("PATH has another copy of this program: {path} ({version})"),
    };
    let hint = Hint::from("remove one of the two copies, then run ").command(NextCommand::Setup);
    make_finding("doctor/other_copy", what, hint.text(" with the other"))
}

/// The configuration is valid, but something in it is probably a mistake. `more` is the number of further warnings.
pub fn describe_config_warnings(first: &str, more: usize) -> Failure {
    let hint = Hint::run(NextCommand::ConfigCheck).text(", and correct what it warns about");
    make_finding("doctor/configuration", format!("{first}{}", count_more(more)), hint)
}

/// Other users have access to the stored secrets. `mode` is the file mode that the path should have, for `chmod`.
pub fn describe_exposed_path(path: &str, mode: &str) -> Failure {
    let what = format!("other users of this machine have access to {path}");
    Failure::new(Exit::Storage, "doctor/exposed", what, format!("run `chmod {mode} {}`", quote_shown_path(path)))
}

/// No valid credentials are stored, and nothing that would get new ones without the user.
pub fn describe_missing_session(obstacle: RefreshObstacle) -> Failure {
    let what = format!("you are not signed in{}", describe_refresh_obstacle(obstacle));
    Failure::new(Exit::SignInNeeded, "doctor/not_signed_in", what, Hint::run(choose_login(obstacle)))
}

/// The AWS session is named after the user's subject, because the ID token has none of the claims that `session_name`
/// prefers to it. CloudTrail and cost reports then show an identifier that does not say who the user is.
pub fn describe_opaque_session_name(profile: &Profile) -> Failure {
    let wanted = profile.session_name.iter().filter(|item| *item != "sub").map(|item| sanitize_line(item));
    let wanted = join_with_or(&wanted.collect::<Vec<_>>());
    let what = format!("AWS records you under an identifier of the provider, because the ID token has no {wanted}");
    let hint = Hint::from(profile.oidc().map_or("", |oidc| oidc.provider.spec().email_claim_remedy));
    let hint = match profile.user_info_claims().is_empty() {
        true => hint.text(", or set session_name = [\"email\", \"userinfo:email\", \"sub\"]"),
        false => {
            hint.text(", or run ").command(NextCommand::LoginForce).text(" with -vv to see why UserInfo does not help")
        }
    };
    make_finding("doctor/opaque_name", what, hint)
}

/// The profile requires something of a sign-in that the provider's discovery document does not list. `list` is the
/// member of that document.
pub fn describe_unlisted_requirement(host: &str, list: &str, value: &str) -> Failure {
    let what = format!("`require` needs {value}, which {host} does not list (`{list}`)");
    let hint = Hint::run(NextCommand::LoginForce)
        .text("; if the sign-in is rejected, ask the provider's administrator to add it to the ID tokens");
    make_finding("doctor/require", what, hint)
}

/// Other programs use some registered ports. `free_port` is one that is still free, if there is one.
pub fn describe_taken_ports(attempts: &[BindAttempt], free_port: Option<u16>) -> Failure {
    let tried: Vec<String> = attempts.iter().map(describe_bind_attempt).collect();
    let free = free_port.map_or_else(String::new, |port| format!("; port {port} is free"));
    Failure::new(Exit::SignInNeeded, "sign-in/port", format!("{}{free}", tried.join("; ")), PORTS)
}

/// A variable is set without effect, because a configuration file takes precedence. `key` has the same effect in a
/// file. `others` are further such variables.
pub fn describe_unused_variable(name: &str, key: Option<&str>, why: &str, others: &[String]) -> Failure {
    let others = if others.is_empty() { String::new() } else { format!(" (also: {})", others.join(", ")) };
    let hint = match key {
        Some(key) => format!("leave it if another program needs it, or set `{key}` in a configuration file"),
        None => "leave it if another program needs it, or unset it".to_owned(),
    };
    make_finding("doctor/unused_variable", format!("{name} is not used, because {why}{others}"), hint)
}

/// The browser that the profile or `BROWSER` names does not exist.
pub fn describe_missing_browser(program: &str, profile: &Profile) -> Failure {
    let what = format!("the configured browser does not exist: {program}");
    let place = if profile.browser.is_empty() { "the variable BROWSER" } else { "`browser` of the profile" };
    let hint = format!("install it, or name another browser in {place}");
    Failure::new(Exit::SignInNeeded, "doctor/no_such_browser", what, hint)
}

/// No AWS profile gets the credentials of our profile from this program.
pub fn describe_missing_aws_profile(file: &str, profile: &str) -> Failure {
    let what = format!("no AWS profile in {file} runs this program for profile '{profile}'");
    make_finding("doctor/no_aws_profile", what, suggest_setup())
}

/// A command line that should run this program is wrong. `place` and `fault` together make the sentence.
pub fn describe_wrong_call(place: &str, fault: &str) -> Failure {
    make_finding("doctor/call", format!("{place} {fault}"), suggest_setup())
}

/// Long-term keys under the name of the AWS profile. AWS's tools use them before any `credential_process`.
pub fn describe_fixed_keys(file: &str, profile: &str) -> Failure {
    let what = format!("{file} has long-term keys for [{profile}], and AWS's tools use them instead of your sign-in");
    let hint =
        format!("remove the section [{profile}] from that file, and ask your AWS administrator to revoke the keys");
    make_finding("doctor/fixed_keys", what, hint)
}

/// Variables that AWS's tools or Claude Code use instead of a sign-in. `file` is the settings file that sets them,
/// `None` for this environment.
pub fn describe_conflicting_variables(names: &[String], file: Option<&str>) -> Failure {
    let (is, overrides, them) = match names {
        [_] => ("is", "overrides", "it"),
        _ => ("are", "override", "them"),
    };
    let hint = match file {
        Some(_) => format!("remove {them} from \"env\" in that file"),
        None => format!("unset {them}, and remove {them} from your shell's startup files"),
    };
    let (list, place) = (join_with_and(names), file.unwrap_or("this environment"));
    make_finding("doctor/shadowed", format!("{list} {is} set in {place} and {overrides} your sign-in"), hint)
}

/// `AWS_PROFILE` selects another AWS profile than the one that runs this program.
pub fn describe_other_aws_profile(actual: &str, ours: &str) -> Failure {
    let what = format!("AWS_PROFILE is '{actual}', but your sign-in is for the AWS profile '{ours}'");
    let hint = format!("set AWS_PROFILE={ours} in your shell and its startup files, or unset it");
    make_finding("doctor/other_aws_profile", what, hint)
}

/// A setting of Claude Code differs from the profile. `actual` is `None` if it is not set; `more` is the number of
/// further settings that differ.
pub fn describe_differing_setting(file: &str, key: &str, actual: Option<&str>, expected: &str, more: usize) -> Failure {
    let found = match actual {
        Some(actual) => format!("sets {key} to {}", quote_value(actual)),
        None => format!("does not set {key}"),
    };
    let what = format!("{file} {found}, but the profile needs {}{}", quote_value(expected), count_more(more));
    make_finding("doctor/claude_settings", what, suggest_setup())
}

/// Claude Code is installed, but its settings do not mention Bedrock or this program.
pub fn describe_missing_settings(file: &str) -> Failure {
    let what = format!("Claude Code is installed, but {file} does not configure it for this program");
    make_finding("doctor/claude_settings", what, suggest_setup())
}

/// Managed settings lead Claude Code to a gateway. `key` is one of them.
pub fn describe_required_gateway(file: &str, key: &str) -> Failure {
    let what = format!("{file} sets {key}, so Claude Code signs in to a gateway and does not use your sign-in");
    let hint = "ask the administrator of that file to remove it, or use the gateway without this program";
    make_finding("doctor/gateway", what, hint)
}

/// The user's settings have a key that would lead Claude Code to a gateway, if it stood in managed settings.
pub fn describe_ignored_gateway(file: &str, key: &str) -> Failure {
    let what = format!("{file} sets {key} for a gateway, which Claude Code ignores outside of managed settings");
    make_finding("doctor/gateway", what, format!("remove {key} from that file"))
}

/// Claude Code has stored a sign-in to a gateway in this file. It outranks every other way to sign in.
pub fn describe_gateway_session(file: &str) -> Failure {
    let what = format!("Claude Code is signed in to a gateway (in {file}), and uses that instead of your sign-in");
    make_finding("doctor/gateway", what, "run `claude`, and enter `/logout` there")
}

/// Claude Code is older than its hooks or settings need. `otherwise` says what this version does; `more` counts the
/// further shortcomings, which version `needed` removes as well.
pub fn describe_old_claude(version: &str, otherwise: &str, more: usize, needed: &str) -> Failure {
    let what = format!("Claude Code {version} {otherwise}{}", count_more(more));
    make_finding("doctor/claude_version", what, format!("update Claude Code to {needed} or later"))
}

/// A variable makes Claude Code give up before credentials can be refreshed.
pub fn describe_short_chain_limit(variable: &str, limit: Duration, needed: Duration) -> Failure {
    let what = format!("{variable} ends a request for credentials after {}", format_duration(limit));
    let hint = format!("set it to {} or more, or remove it: a refresh can take that long", needed.as_millis());
    make_finding("doctor/claude_version", what, hint)
}

/// The names of settings in a file of a repository. A setting is pinned if the managed settings set it too: Claude Code
/// then ignores the repository's value. `more` counts the names that are not listed.
#[derive(Debug)]
pub struct RepositorySettings {
    pub file: String,
    pub not_pinned: Vec<String>,
    pub pinned: Vec<String>,
    pub more: usize,
}

/// A repository's settings affect the sign-in. `managed` is the file of managed settings, which can pin them.
pub fn describe_repository(files: &[RepositorySettings], managed: &str) -> Failure {
    let list = |names: &[String], state| (!names.is_empty()).then(|| format!("{} ({state})", join_with_and(names)));
    let describe_file = |RepositorySettings { file, not_pinned, pinned, more }: &RepositorySettings| {
        let more = (*more > 0).then(|| format!("{more} more"));
        let parts = [list(not_pinned, "not pinned by managed settings"), list(pinned, "pinned"), more];
        format!("{file} sets {}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    };
    let what: Vec<_> = files.iter().map(describe_file).collect();
    let hint = if files.iter().all(|file| file.not_pinned.is_empty()) {
        format!("no action is needed, because {managed} overrides these settings")
    } else {
        "find out why this repository sets them, or remove them, before you run `claude` here".to_owned()
    };
    make_finding("doctor/repository_settings", what.join("; "), hint)
}

/// A settings file of the repository that cannot be read. Claude Code may still be able to read it.
pub fn describe_unreadable_settings(file: &str) -> Failure {
    let what = format!("{file} cannot be read, so its effect on the sign-in is unknown");
    make_finding("doctor/repository_settings", what, "check that file before you run `claude` here")
}

/// Folders that AWS's guidance sample has left. `has_tokens` says whether they contain tokens in plain text.
pub fn describe_leftovers(paths: &[String], has_tokens: bool) -> Failure {
    let tokens = if has_tokens { " (with tokens in plain text)" } else { "" };
    let what = format!("files of AWS's guidance sample are still here: {}{tokens}", join_with_and(paths));
    let command = format_removal_command(Shell::native(), paths);
    make_finding("doctor/leftovers", what, format!("remove them when no program uses them any more: `{command}`"))
}

/// Files in this folder have tokens of IAM Identity Center in plain text that may still work.
pub fn describe_open_sso_tokens(folder: &str, count: usize) -> Failure {
    let files = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
    let what = format!("{folder} has {files} with a sign-in token in plain text that may still work");
    let hint = "run `aws sso logout` if no AWS tool needs that sign-in";
    make_finding("doctor/sso_tokens", what, hint)
}

/// This computer's clock differs from that of `host` by more than a sign-in accepts.
pub fn describe_clock_skew(skew: ClockSkew, host: &str) -> Failure {
    let what = format!("{} that of {host}", describe_skew(skew));
    let hint = "synchronize this computer's clock with network time";
    Failure::new(Exit::TokenRejected, "doctor/clock", what, hint)
}

/// The provider offers no signing algorithm that can be used.
pub fn describe_unusable_algorithms(offered: &[String], refuser: AlgorithmRefuser) -> Failure {
    let what = describe_offered_algorithms(offered, refuser);
    match refuser {
        AlgorithmRefuser::Program => Failure::new(Exit::TokenRejected, "doctor/algorithm", what, SUPPORTED_ALGORITHMS),
        AlgorithmRefuser::Aws => Failure::new(Exit::Aws, "doctor/algorithm", what, SUPPORTED_ALGORITHMS),
    }
}

/// The provider offers no signing algorithm for which AWS documents support in identity pools.
pub fn describe_undocumented_algorithms(offered: &[String]) -> Failure {
    let offered: Vec<String> = offered.iter().map(|name| sanitize_line(name)).collect();
    let what = format!(
        "the provider signs ID tokens only with {}, and AWS documents only RSA signatures for identity pools",
        join_with_and(&offered)
    );
    let hint = "ask the provider's administrator to sign the application's ID tokens with RS256";
    Failure::new(Exit::Aws, "doctor/algorithm", what, hint)
}

/// The provider's key set is empty, so no signature can be verified.
pub fn describe_missing_keys(host: &str) -> Failure {
    let what = format!("{host} publishes no signing keys, so its ID tokens cannot be verified");
    Failure::new(
        Exit::TokenRejected,
        "doctor/keys",
        what,
        "ask the provider's administrator to publish its signing keys",
    )
}

/// The provider answers an authorization request with an error. It seldom says whether the client ID or the redirect
/// URI is wrong, so the message names both, and the hint too if the provider's words lead to no other.
pub fn describe_rejected_request(client_id: &str, redirect_uri: &str, refusal: &RequestRefusal) -> Failure {
    let said = describe_request_refusal(refusal);
    let what =
        format!("for the client {client_id} and the redirect URI {redirect_uri} the provider answers with {said}");
    let hint = advise_on_request_refusal(refusal)
        .unwrap_or_else(|| format!("check `client_id`, and register exactly {redirect_uri} at the provider").into());
    Failure::new(Exit::Refused, "doctor/client", what, hint)
}

/// The provider's metadata say that it accepts only authorization requests that the client has pushed (RFC 9126 §5).
pub fn describe_required_pushed_requests(host: &str) -> Failure {
    let what = format!("{host} requires pushed authorization requests, and this program sends none");
    let hint = "ask the provider's administrator not to require them for this application";
    Failure::new(Exit::Refused, "doctor/client", what, hint)
}

/// Something else than AWS answered at AWS's address, most often a captive portal or a proxy.
pub fn describe_not_aws(host: &str, status: u16, key: &str) -> Failure {
    let what = format!("{host} answered with HTTP status {status}, but the answer is not from AWS");
    let hint = format!("sign in to this network if it has a sign-in page, or check the proxy and `{key}`");
    Failure::new(Exit::Network, "doctor/not_aws", what, hint)
}

/// The quota service answers with an error other than a denial: `quota.endpoint` is wrong, or the service fails.
pub fn describe_broken_quota_service(host: &str, status: u16) -> Failure {
    let what = format!("the quota service at {host} answered with HTTP status {status}");
    Failure::new(Exit::OverQuota, "doctor/quota", what, "check quota.endpoint, or ask your administrator")
}

/// The user may spend, but not for long. `used` says how much of each limit is used.
pub fn describe_almost_spent_limit(used: &str) -> Failure {
    let hint = Hint::run(NextCommand::Quota).text(" to see when it resets, or ask your administrator for more");
    Failure::new(Exit::OverQuota, "doctor/almost_spent", format!("you have used {used}"), hint)
}

/// The collector's address uses plain http, so anyone on the network path can read the telemetry.
pub fn describe_insecure_collector(address: &str) -> Failure {
    let what = format!("Claude Code would send telemetry without encryption to {address}");
    make_finding("doctor/collector", what, "use an https:// address for the collector in claude_code.env")
}

/// Claude Code sends telemetry to a collector that is not one of `telemetry.collectors`, so it gets no headers.
pub fn describe_unlisted_collector(address: &str) -> Failure {
    let what = format!("{address} of claude_code.env is neither a relay nor one of `telemetry.collectors`");
    let hint = Hint::from("add it to `collectors`, or remove it from claude_code.env and run ");
    make_finding("doctor/collector", what, hint.command(NextCommand::Setup))
}

/// A variable of `claude_code.env` prevents that the relay on this computer at `address` gets telemetry.
pub fn describe_relay_variable(name: &str, value: &str, address: &str) -> Failure {
    let what = format!("your relay at {address} gets no telemetry, because claude_code.env sets {name} to {value}");
    let hint = Hint::from("remove the variable from claude_code.env, then run ").command(NextCommand::Setup);
    make_finding("doctor/relay_protocol", what, hint)
}

/// The collector's address is not a URL to which telemetry can be sent. `why` says what is wrong with it.
pub fn describe_bad_collector(address: &str, why: &str) -> Failure {
    let what = format!("the address of the telemetry collector is wrong: {address}: {why}");
    let hint = "correct OTEL_EXPORTER_OTLP_ENDPOINT in claude_code.env";
    make_finding("doctor/collector", what, hint)
}

/// AWS says that the credentials belong to another role than that of the profile. Both names are escaped here.
pub fn describe_other_role(expected: &str, found: &str) -> Failure {
    let (expected, found) = (sanitize_line(expected), sanitize_line(found));
    let what = format!("the credentials belong to {found}, but the profile names {expected}");
    make_aws_failure("other_role", what, "check `role_arn`, `role_chain` and `sts_endpoint`")
}

/// A configured model that the region does not list. Both names are escaped here.
pub fn describe_unlisted_model(model: &str, region: &str) -> Failure {
    let region = sanitize_line(region);
    describe_unknown_model(format!("{region} does not list {}", sanitize_line(model)), &region)
}

/// A configured model that cannot be called by its ID, only through an inference profile.
pub fn describe_model_without_on_demand(model: &str) -> Failure {
    require_inference_profile(format!("{} can only be called through an inference profile", sanitize_line(model)))
}

/// A configured model that its provider will retire. It still answers, so there is time to choose another.
pub fn describe_legacy_model(model: &str) -> Failure {
    let what = format!("AWS marks {} as legacy, because its provider will retire it", sanitize_line(model));
    make_aws_failure("legacy", what, "name a newer model in [profiles.NAME.claude_code] `models`")
}

/// A configured inference profile that exists but is not active.
pub fn describe_inactive_profile(profile: &str) -> Failure {
    let what = format!("the inference profile {} is not active", sanitize_line(profile));
    make_aws_failure(
        "inactive_profile",
        what,
        "ask the owner of the inference profile to check it in the Amazon Bedrock console",
    )
}

/// The headers of Claude Code name a guardrail without its version. Bedrock would refuse every call.
pub fn describe_missing_guardrail_version() -> Failure {
    let what = "ANTHROPIC_CUSTOM_HEADERS names a guardrail without its version";
    let hint = "add the line `X-Amzn-Bedrock-GuardrailVersion: N` to ANTHROPIC_CUSTOM_HEADERS";
    make_finding("config/guardrail", what, hint)
}

/// A problem in the files or variables of this machine.
fn make_finding(slug: &str, what: impl AsRef<str>, hint: impl Into<Hint>) -> Failure {
    Failure::new(Exit::Configuration, slug, what, hint)
}

/// The remedy for every file that `setup` writes. It says that `setup` asks first, since users hesitate to let a
/// program edit their files.
fn suggest_setup() -> Hint {
    Hint::run(NextCommand::Setup).text(", which shows its changes before it applies them")
}

/// A value in double quotes, or in backticks if it contains double quotes, as the command lines of hooks do.
fn quote_value(value: &str) -> String {
    if value.contains('"') { format!("`{value}`") } else { format!("\"{value}\"") }
}

/// The number of further findings of the same kind, in parentheses; empty for none.
fn count_more(more: usize) -> String {
    if more == 0 { String::new() } else { format!(" (and {more} more)") }
}

/// The command that removes these folders. The paths may begin with `~/`, which must stay outside of the quotes.
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
    fn pinned_repository_settings_need_no_action() {
        let planted = |open: &[&str], pinned: &[&str], more| {
            let [open, pinned] = [open, pinned].map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            vec![RepositorySettings { file: "f".to_owned(), not_pinned: open, pinned, more }]
        };
        let Failure { what, hint, .. } = describe_repository(&planted(&[], &["AWS_PROFILE"], 0), "m");
        let hint = hint.render(&Invocation::default());
        assert_eq!(what, "f sets AWS_PROFILE (pinned)");
        assert!(hint.starts_with("no action is needed, because m overrides"), "{hint}");
        let Failure { what, hint, .. } = describe_repository(&planted(&["A"], &["B", "C"], 2), "m");
        let hint = hint.render(&Invocation::default());
        assert_eq!(what, "f sets A (not pinned by managed settings), B and C (pinned), 2 more");
        assert!(hint.contains("before you run `claude`"), "{hint}");
    }

    #[test]
    fn removal_command_quotes_every_path() {
        let paths = ["~/a".to_owned(), "/b c/$(d)".to_owned(), "/it\u{2019}s".to_owned()];
        assert_eq!(format_removal_command(Shell::Sh, &paths), "rm -r ~/a '/b c/$(d)' '/it\u{2019}s'");
        assert_eq!(
            format_removal_command(Shell::Powershell, &paths),
            "Remove-Item -Recurse '~/a', '/b c/$(d)', '/it\u{2019}\u{2019}s'"
        );
    }
}
