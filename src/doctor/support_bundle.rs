//! Renders the support bundle: one text with everything that a help desk needs, and without any secret.
//!
//! A value that could contain a secret is left out, and only its name is shown. So a user can send the bundle by mail
//! after reading it once. The caller writes the file.

use serde_json::Value;

use super::{CheckReport, DoctorContext, command_check};
use crate::{
    cache::{FailureReport, LastFailure},
    config::{self, Disclosure, KeyReport},
    host,
    setup::{
        ParsedCommand, aws,
        claude::HOOKS,
        settings::{self, ClaudeSettingKey},
    },
    text::sanitize_line,
};

/// The first line of every bundle. `doctor --bundle` overwrites a file only if it begins with this line.
pub const FIRST_LINE: &str = "# bedrock-sso: a bundle for your help desk";

/// The bundle lists the environment variables whose names begin with one of these.
const LISTED_PREFIXES: [&str; 11] = [
    "ANTHROPIC_", "AWS_", "BEDROCK_SSO_", "CLAUDE_", "CODESPACES", "DBUS_SESSION_", "NODE_EXTRA_CA_CERTS", "OTEL_",
    "SSH_", "SSL_CERT_", "XDG_",
];

/// Further variables that the bundle lists, by their full names.
const LISTED_NAMES: [&str; 15] = [
    "ALL_PROXY", "BROWSER", "CI", "DISPLAY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "NO_COLOR", "TERM",
    "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "all_proxy", "https_proxy", "http_proxy", "no_proxy",
];

/// The variables whose values are shown too: they select something, and their values are never secret. `HTTPS_PROXY` is
/// not among them, because its value can contain a password.
const NAMES_WITH_VALUE: [&str; 20] = [
    "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "BEDROCK_SSO_CONFIG",
    "BEDROCK_SSO_LOG", "BEDROCK_SSO_LOG_FILE", "BEDROCK_SSO_PROFILE", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CONFIG_DIR",
    "DISPLAY", "NODE_EXTRA_CA_CERTS", "NO_PROXY", "SSL_CERT_FILE", "TERM", "WSL_DISTRO_NAME",
];

/// The text of the bundle. `checks` are the reports of the run that the user sees, so that both show the same.
pub fn render_bundle(context: &DoctorContext<'_>, checks: &[CheckReport]) -> String {
    let sections = [
        ("Program", describe_program()),
        ("Checks", checks.iter().flat_map(format_check).collect()),
        ("Last failure", describe_last_failure(context)),
        ("Configuration", describe_configuration(context)),
        ("Environment", describe_environment(context)),
        ("What calls this program", describe_callers(context)),
    ];
    let mut text = format!("{FIRST_LINE}\n# made {}\n", context.now());
    for (title, lines) in sections {
        text.push_str(&format!("\n## {title}\n\n"));
        text.extend(lines.iter().map(|line| format!("{line}\n")));
        if lines.is_empty() {
            text.push_str("nothing\n");
        }
    }
    text
}

fn describe_program() -> Vec<String> {
    let program = std::env::current_exe().map_or_else(|_| "?".to_owned(), |path| path.display().to_string());
    vec![
        format!("version = {}", env!("CARGO_PKG_VERSION")),
        format!("path    = {}", sanitize_line(&program)),
        format!("system  = {}", sanitize_line(&host::describe_system())),
    ]
}

/// The lines of one check. Unlike the terminal output they have the slug, which a help desk can search for.
fn format_check(CheckReport { name, result, message, remedy, slug, .. }: &CheckReport) -> Vec<String> {
    let slug = slug.as_ref().map_or_else(String::new, |slug| format!(" [{slug}]"));
    let first = format!("{:<7}  {name:<16}  {message}{slug}", result.as_str());
    std::iter::once(first).chain(remedy.iter().map(|remedy| format!("{:27}hint: {remedy}", ""))).collect()
}

/// The last failure with its hint; empty if the last call succeeded or no profile could be loaded.
fn describe_last_failure(context: &DoctorContext<'_>) -> Vec<String> {
    let last = context.profile().ok().and_then(|profile| context.cache(profile).load_last_failure());
    let Some(LastFailure { at, report }) = last else {
        return Vec::new();
    };
    let FailureReport { kind: _, code, slug, message, hint } = report;
    vec![
        format!("at   = {at}"),
        format!("code = {code}"),
        format!("what = {message} [{slug}]"),
        format!("hint = {}", hint.render(&context.invocation)),
    ]
}

/// The possible configuration files, then each value of the profile with its origin. If the configuration is wrong, the
/// lines are its errors instead.
fn describe_configuration(context: &DoctorContext<'_>) -> Vec<String> {
    let places = config::list_file_locations(&context.inputs).into_iter().map(|place| {
        let presence = if place.is_there { "read" } else { "absent" };
        format!("# {} ({presence})", context.display_path(&place.file))
    });
    let shown = match config::report_profile(&context.inputs) {
        Ok(shown) => shown.entries.iter().map(format_setting).collect(),
        Err(error) => error.problem_lines(),
    };
    places.chain(shown).collect()
}

/// One value with its origin. The key's declaration says how much of it may be shown: keys that take free text, such as
/// `extra_params`, show only names or a count, because users put secrets into them.
fn format_setting(KeyReport { key, value, toml: written, origin, resolved }: &KeyReport) -> String {
    let shown = match (key.disclosure, value) {
        (Disclosure::NamesOnly, Value::Object(table)) => {
            let names: Vec<String> = table.keys().map(|name| format!("{} = …", sanitize_line(name))).collect();
            format!("{{ {} }}", names.join(", "))
        }
        (Disclosure::CountOnly { noun }, Value::Array(items)) => format!("{} {noun}", items.len()),
        (_, Value::String(text)) if text.contains("://") => format_without_query(text),
        (_, Value::Array(items)) if items.iter().all(Value::is_string) => {
            let items: Vec<String> = items.iter().filter_map(Value::as_str).map(format_without_query).collect();
            format!("[{}]", items.join(", "))
        }
        _ => sanitize_line(written),
    };
    let resolved = resolved.as_ref().map_or_else(String::new, |value| format!(": {}", sanitize_line(value)));
    format!("{} = {shown}  # {origin}{resolved}", key.name)
}

/// A text in quotes. An address loses its query, which may contain a key or a token.
fn format_without_query(text: &str) -> String {
    let end = if text.contains("://") { text.find('?').unwrap_or(text.len()) } else { text.len() };
    format!("\"{}\"", sanitize_line(text.get(..end).unwrap_or_default()))
}

/// The listed variables that are set. A variable that is on no list is not even named: it does not concern this
/// program.
fn describe_environment(context: &DoctorContext<'_>) -> Vec<String> {
    let environment = &context.host.environment;
    let names = environment.var_names().into_iter();
    let listed = names.filter(|name| {
        LISTED_PREFIXES.iter().any(|start| name.starts_with(start)) || LISTED_NAMES.contains(&name.as_str())
    });
    listed
        .map(|name| match environment.var_text(&name).filter(|_| NAMES_WITH_VALUE.contains(&name.as_str())) {
            Some(value) => format!("{} = {}", sanitize_line(&name), sanitize_line(&value)),
            None => format!("{} is set", sanitize_line(&name)),
        })
        .collect()
}

/// The command lines in AWS's configuration and in Claude Code's hooks that may run this program.
fn describe_callers(context: &DoctorContext<'_>) -> Vec<String> {
    let tools = &context.tool_config;
    let processes =
        aws::list_processes(&context.read_text_or_empty(&tools.aws_config)).into_iter().map(|(profile, command)| {
            let place = context.display_path(&tools.aws_config);
            format!("{place}: [profile {}] credential_process = {}", sanitize_line(&profile), redact_command(&command))
        });
    let mut lines: Vec<String> = processes.collect();
    for path in [&tools.claude_settings, &tools.claude_managed] {
        let settings = context.read_text_or_empty(path);
        for (name, _) in HOOKS {
            let Some(hook) = settings::read_setting(&settings, &ClaudeSettingKey::Top(name)) else {
                continue;
            };
            lines.push(format!("{}: {name} = {}", context.display_path(path), redact_command(&hook)));
        }
    }
    lines
}

/// A command line of this program as it is, since this program takes no secrets as arguments. Of any other command line
/// only the program: its arguments could contain a password.
fn redact_command(command: &str) -> String {
    match ParsedCommand::parse(command) {
        Some(called) if command_check::is_our_command(&called) => sanitize_line(command),
        Some(called) => format!("{} …", sanitize_line(&called.program.to_string_lossy())),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(key: &str, value: Value) -> String {
        let (written, origin) = (value.to_string(), "f:1".to_owned());
        let key = config::keys::find_key(key).unwrap();
        format_setting(&KeyReport { key, value, toml: written, origin, resolved: None })
    }

    #[test]
    fn setting_that_may_hold_a_secret_shows_only_its_name() {
        assert_eq!(
            shown("extra_params", json!({ "prompt": "x", "y": "z" })),
            "extra_params = { prompt = …, y = … }  # f:1"
        );
        assert_eq!(shown("claude_code.env", json!({ "A": "s" })), "claude_code.env = { A = … }  # f:1");
        assert_eq!(shown("role_chain", json!([{ "external_id": "s" }])), "role_chain = 1 further roles  # f:1");
        assert_eq!(
            shown("quota.endpoint", json!("https://q.example/a?key=s")),
            "quota.endpoint = \"https://q.example/a\"  # f:1"
        );
        assert_eq!(
            shown("telemetry.collectors", json!(["https://c.example/v1?key=s", "https://d.example"])),
            "telemetry.collectors = [\"https://c.example/v1\", \"https://d.example\"]  # f:1"
        );
        assert_eq!(shown("client_id", json!("0oa?b")), "client_id = \"0oa?b\"  # f:1");
    }

    #[test]
    fn arguments_of_other_programs_are_not_shown() {
        assert_eq!(redact_command("/opt/x --token s3cret"), "/opt/x …");
        assert_eq!(redact_command("\"/opt/bedrock-sso\" login --profile p"), "\"/opt/bedrock-sso\" login --profile p");
    }

    #[test]
    fn variables_with_shown_values_hold_no_secret() {
        let secret = ["KEY", "TOKEN", "SECRET", "PASSWORD", "HEADERS"];
        assert!(!NAMES_WITH_VALUE.iter().any(|name| secret.iter().any(|word| name.contains(word))));
    }
}
