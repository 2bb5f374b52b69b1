//! `quota`: shows what the user has used, their limits, and when these start again.
//!
//! It asks the quota service, which counts. It never prompts, since scripts run it too. It works for a blocked user, who
//! wants to know why, and whom to ask.

mod page;

use std::path::{Path, PathBuf};

use super::{
    CommandContext,
    color::{Palette, Tone},
    context::ProfileContext,
    one_time_browser::{OPENING_TIMEOUT, serve_browser_once},
    to_json_line, write_stderr_line, write_stdout,
};
use crate::{
    cli::QuotaArgs,
    config::CallerKind,
    failure::Failure,
    files,
    host::{Environment, ExecutionContext, Terminal, format_local_time},
    http::{self, Client},
    oidc::{callback::OneTimeAnswer, page::HtmlPage},
    quota::{QuotaBlock, QuotaLimit, QuotaOverview, fetch_overview},
    session::check_browser,
    text::{display_path, sanitize_line},
    time::Timestamp,
};

/// From this share of a limit on, the bar has a warning's colour.
const NEARLY_USED_PERCENT: f64 = 80.0;

const BAR_WIDTH: usize = 20;

/// Prints the limits as a table with bars, or as the service's JSON document, or shows them in the browser.
///
/// Fails with exit code 4 if the user has to sign in first, and with exit code 3 if the profile names no service.
pub(super) fn run_quota(arguments: &QuotaArgs, context: &CommandContext<'_>) -> Result<(), Failure> {
    let work = context.load_profile(CallerKind::NonInteractive)?;
    let Some(service) = &work.profile.quota else { return Err(Failure::from_missing_quota_service(&work.profile)) };
    let environment = &context.host.environment;
    let client = Client::new(work.profile.network_settings(environment))?;
    let identity = work.worker_client().quota_identity(&client)?;
    let proof = identity.as_proof(&work.profile.region, work.now());
    let asked = http::block_on(fetch_overview(&client, service, proof)).map_err(Failure::from_runtime_error)?;
    let overview = asked.map_err(Failure::from_missing_overview)?;
    if arguments.html {
        return show_page(&work, &page::render_page(&overview, environment, work.now()));
    }
    if arguments.json {
        return write_stdout(to_json_line(&overview).as_bytes());
    }
    write_stdout(format_overview(&overview, environment, Palette::for_stdout(environment)).as_bytes())
}

/// Where the page is if no browser can show it. A sign-out deletes it.
pub(super) fn page_path(data: &Path) -> PathBuf {
    data.join("limits.html")
}

/// Serves the page to the browser, once. Where there is no browser, or it does not come, the page goes into a private
/// file, whose path is printed.
fn show_page(work: &ProfileContext<'_>, page: &HtmlPage) -> Result<(), Failure> {
    let environment = &work.host().environment;
    let browser = work.profile.chosen_browser(environment);
    let around = ExecutionContext::detect(environment, Terminal::open_foreground().is_some());
    if check_browser(&work.profile, &browser, &around).is_ok() {
        let announce = |address: &str| {
            write_stderr_line(&format!("Opening your limits in your browser. If it does not open, go to {address}"));
        };
        let limit = work.profile.login_timeout.min(OPENING_TIMEOUT);
        let served = serve_browser_once(&browser, OneTimeAnswer::Page(page.clone()), limit, "quota", announce);
        if http::block_on(served).map_err(Failure::from_runtime_error)?.is_ok() {
            return Ok(());
        }
    }
    let data = &work.host().paths.data;
    let path = page_path(data);
    files::ensure_private_folder(data)?;
    // Without a lock: of two calls at the same moment, one can fail, and neither loses anything.
    files::write_without_sync(&path, page.clone().into_file().as_bytes())?;
    write_stderr_line("No browser has shown the page. It is in this file:");
    write_stdout(format!("{}\n", display_path(&path)).as_bytes())
}

fn format_overview(overview: &QuotaOverview, environment: &Environment, palette: Palette) -> String {
    let mut text = String::new();
    if let Some(person) = &overview.person {
        text.push_str(&format!("{}\n", sanitize_line(person)));
    }
    if let Some(block) = &overview.blocked {
        text.push_str(&palette.paint(Tone::Bad, &describe_block(block, environment)));
        text.push('\n');
    }
    if overview.limits.is_empty() {
        text.push_str("There is no limit for you.\n");
    }
    let rows: Vec<LimitRow> = overview.limits.iter().map(|limit| LimitRow::new(limit, environment)).collect();
    let width = |column: fn(&LimitRow) -> &str| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0);
    let (span, amount) = (width(|row| &row.span), width(|row| &row.amount));
    for row in &rows {
        let (bar, share) = match row.percent {
            Some(percent) => (palette.paint(row.tone, &draw_bar(percent)), format!("{percent:>5.0} %")),
            None => (" ".repeat(BAR_WIDTH), " ".repeat(7)),
        };
        let line = format!("{:<span$}  {:<amount$}  {bar}  {share}  {}", row.span, row.amount, row.remark);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let needs_help = overview.blocked.is_some() || rows.iter().any(|row| row.tone != Tone::Good);
    if let Some(contact) = overview.contact.as_deref().filter(|_| needs_help) {
        text.push_str(&format!("Whom to ask: {}\n", sanitize_line(contact)));
    }
    text
}

/// One line of the table.
struct LimitRow {
    span: String,
    amount: String,
    /// `None` for models that the user may not call.
    percent: Option<f64>,
    tone: Tone,
    /// When the limit starts again, and what is special about it.
    remark: String,
}

impl LimitRow {
    fn new(limit: &QuotaLimit, environment: &Environment) -> Self {
        let models = limit.model.as_deref().map(|model| format!("models {}", sanitize_line(model)));
        if limit.is_model_ban() {
            return Self {
                span: "always".to_owned(),
                amount: "not allowed".to_owned(),
                percent: None,
                tone: Tone::Good,
                remark: models.unwrap_or_default(),
            };
        }
        let percent = limit.used_percent();
        let span = match limit.period.as_str() {
            "hour" => "this hour".to_owned(),
            "day" => "today".to_owned(),
            "month" => "this month".to_owned(),
            other => sanitize_line(other),
        };
        let mut remarks = Vec::new();
        let moment = |text: &String| Timestamp::from_rfc3339(text).map(|time| format_local_time(time, environment));
        let lifted_until = limit.lifted_until.as_ref().and_then(moment);
        remarks.extend(lifted_until.as_ref().map(|end| format!("lifted until {end}")));
        remarks.extend(limit.resets_at.as_ref().and_then(moment).map(|reset| format!("resets {reset}")));
        remarks.extend(models);
        if limit.only_warns() {
            remarks.push("only a warning".to_owned());
        }
        Self {
            span,
            amount: limit.unit.describe_use(limit.used, limit.limit),
            percent: Some(percent),
            tone: match percent {
                _ if lifted_until.is_some() => Tone::Good,
                _ if percent >= 100.0 && !limit.only_warns() => Tone::Bad,
                _ if percent >= NEARLY_USED_PERCENT => Tone::Warning,
                _ => Tone::Good,
            },
            remark: remarks.join(", "),
        }
    }
}

/// The used share as a bar. More than everything is a full bar.
fn draw_bar(percent: f64) -> String {
    let share = (percent / 100.0).clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number from 0 to the width")]
    #[expect(clippy::cast_precision_loss, reason = "the width is small")]
    let filled = (share * BAR_WIDTH as f64).round() as usize;
    format!("{}{}", "█".repeat(filled), "░".repeat(BAR_WIDTH - filled))
}

fn describe_block(block: &QuotaBlock, environment: &Environment) -> String {
    let reason = block.reason.as_ref().map(|reason| format!(": {}", sanitize_line(reason))).unwrap_or_default();
    format!("You are blocked {}{reason}", describe_block_end(block, environment))
}

fn describe_block_end(block: &QuotaBlock, environment: &Environment) -> String {
    let moment = |text: &String| match Timestamp::from_rfc3339(text) {
        Some(time) => format_local_time(time, environment),
        None => sanitize_line(text),
    };
    match &block.until {
        Some(until) => format!("until {}", moment(until)),
        None => "until your administrator ends it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UTC: [(&str, &str); 1] = [("TZ", "UTC0")];

    fn show(overview: &serde_json::Value, palette: Palette) -> String {
        let overview = serde_json::from_value(overview.clone()).unwrap();
        format_overview(&overview, &Environment::fixed(UTC), palette)
    }

    #[test]
    fn limits_are_a_table_with_bars() {
        let limits = json!({ "version": 1, "person": "alice@example.com", "blocked": null, "limits": [
            { "scope": "default", "period": "day", "unit": "tokens", "limit": 5_000_000, "used": 4_200_000,
              "resets_at": null, "action": "block" },
            { "scope": "person", "period": "month", "unit": "usd", "limit": 200, "used": 260.5,
              "resets_at": null, "action": "warn", "model": "*opus*" },
            { "scope": "group", "period": "hour", "unit": "usd", "limit": 10, "used": 0,
              "resets_at": null, "action": "block" },
        ]});
        assert_eq!(
            show(&limits, Palette::NONE),
            "alice@example.com\n\
             today       4.2 M of 5.0 M tokens  █████████████████░░░     84 %\n\
             this month  260.50 of 200.00 USD   ████████████████████    130 %  models *opus*, only a warning\n\
             this hour   0.00 of 10.00 USD      ░░░░░░░░░░░░░░░░░░░░      0 %\n"
        );
        let coloured = show(&limits, Palette::COLOURS);
        assert_eq!(coloured.matches("\x1b[33m").count(), 2, "{coloured}");
    }

    /// Neither hinders the user from anything else.
    #[test]
    fn banned_model_and_lifted_limit_are_no_alarm() {
        let limits = json!({ "version": 1, "person": null, "blocked": null, "contact": "it-help@example.com", "limits": [
            { "period": "month", "unit": "usd", "limit": 100, "used": 130, "action": "block",
              "lifted_until": "2026-12-24T17:00:00Z" },
            { "period": "day", "unit": "tokens", "limit": 0, "used": 0, "action": "block", "model": "*claude-opus*" },
        ]});
        assert_eq!(
            show(&limits, Palette::NONE),
            "this month  130.00 of 100.00 USD  ████████████████████    130 %  lifted until 2026-12-24 17:00\n\
             always      not allowed                                          models *claude-opus*\n"
        );
        assert!(!show(&limits, Palette::COLOURS).contains("\x1b[31m"));
        // A limit of zero for all models is an alarm, and so is one that only warns.
        for change in [json!({ "model": null }), json!({ "action": "warn" })] {
            let mut alarm = limits.clone();
            alarm["limits"][1].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert!(show(&alarm, Palette::NONE).contains("Whom to ask"), "{alarm}");
        }
    }

    #[test]
    fn block_is_said_first() {
        let block = json!({ "version": 1, "person": null, "limits": [],
            "blocked": { "since": null, "until": null, "reason": "\u{1b}[2Jbudget" } });
        let shown = show(&block, Palette::NONE);
        assert!(shown.starts_with("You are blocked until your administrator ends it: "), "{shown}");
        assert!(!shown.contains('\u{1b}') && shown.ends_with("There is no limit for you.\n"), "{shown}");
    }

    #[test]
    fn bar_is_never_longer_than_its_width() {
        for percent in [-5.0, 0.0, 2.4, 2.6, 99.0, 100.0, 1e9, f64::INFINITY, f64::NAN] {
            assert_eq!(draw_bar(percent).chars().count(), BAR_WIDTH, "{percent}");
        }
    }
}
