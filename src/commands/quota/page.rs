//! The same limits as a page: a bar for each, with its numbers as text, for a browser and for print.
//!
//! The page has no script and loads nothing. Every text of the service is sanitised as for a terminal and then escaped.

use super::{LimitRow, describe_block_end};
use crate::{
    commands::color::Tone,
    host::{Environment, format_local_time},
    oidc::page::{HtmlPage, PageTone},
    quota::QuotaOverview,
    text::{escape_html, sanitize_line},
    time::Timestamp,
};

const STYLE: &str = include_str!("limits.css");

/// The page of an overview that the service has reported now.
pub(super) fn render_page(overview: &QuotaOverview, environment: &Environment, now: Timestamp) -> HtmlPage {
    let rows: Vec<LimitRow> = overview.limits.iter().map(|limit| LimitRow::new(limit, environment)).collect();
    let has = |tone: Tone| rows.iter().any(|row| row.tone == tone);
    // The title says what the colour says.
    let (tone, title) = match &overview.blocked {
        Some(_) => (PageTone::Failure, "You are blocked"),
        None if has(Tone::Bad) => (PageTone::Failure, "A limit is reached"),
        None if has(Tone::Warning) => (PageTone::Warning, "A limit is nearly reached"),
        None => (PageTone::Success, "Your limits"),
    };
    let lead = overview.person.as_deref().map(|person| escape_html(&sanitize_line(person))).unwrap_or_default();
    let mut body = String::new();
    if let Some(block) = &overview.blocked {
        let reason = block.reason.as_deref().unwrap_or("No reason is given.");
        let end = capitalize(&describe_block_end(block, environment));
        body.push_str(&render_section(&end, &sanitize_line(reason)));
    }
    if let Some(contact) = overview.contact.as_deref().filter(|_| tone != PageTone::Success) {
        body.push_str(&render_section("Whom to ask", &sanitize_line(contact)));
    }
    match rows.as_slice() {
        [] if overview.blocked.is_some() => {}
        [] => body.push_str("<p class=\"close\">There is no limit for you.</p>\n"),
        rows => {
            body.push_str("<ul class=\"limits\">\n");
            body.extend(rows.iter().map(render_row));
            body.push_str("</ul>\n");
        }
    }
    let as_of = escape_html(&format_local_time(now, environment));
    body.push_str(&format!(
        "<p class=\"close\">As of <time datetime=\"{now}\">{as_of}</time>. To see newer numbers, run the command again.</p>"
    ));
    HtmlPage::from_body(tone, title, &lead, &body, STYLE)
}

fn render_section(title: &str, text: &str) -> String {
    format!("<section class=\"remedy\"><h2>{}</h2><p>{}</p></section>\n", escape_html(title), escape_html(text))
}

/// One limit. The bar is an image with a description, because a screen reader shows neither colour nor length.
fn render_row(row: &LimitRow) -> String {
    let LimitRow { span, amount, percent, tone, remark } = row;
    let class = match tone {
        Tone::Bad => "bad",
        Tone::Warning => "warn",
        Tone::Good | Tone::Plain | Tone::Dimmed => "good",
    };
    let (span, amount, remark) = (escape_html(&capitalize(span)), escape_html(amount), escape_html(remark));
    let Some(percent) = percent else {
        return format!(
            "<li class=\"{class}\">\n<p><strong>{span}</strong><span>{amount}</span></p>\n<p><span>{remark}</span></p>\n</li>\n"
        );
    };
    // NaN is no number of a width.
    let width = if percent.is_nan() { 0.0 } else { percent.clamp(0.0, 100.0) };
    format!(
        "<li class=\"{class}\">\n\
         <p><strong>{span}</strong><span>{amount}</span></p>\n\
         <svg class=\"bar\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{percent:.0} % used\"><rect class=\"all\" width=\"100\" height=\"1\"/>\
         <rect class=\"used\" width=\"{width:.1}\" height=\"1\"/></svg>\n\
         <p><span class=\"share\">{percent:.0} %</span><span>{remark}</span></p>\n\
         </li>\n"
    )
}

/// The first words of a row begin a line here.
fn capitalize(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_796_000_000);

    fn render(overview: &serde_json::Value) -> String {
        let overview = serde_json::from_value(overview.clone()).unwrap();
        render_page(&overview, &Environment::fixed([("TZ", "UTC0")]), NOW).into_file()
    }

    fn limit(period: &str, unit: &str, limit: f64, used: f64, more: &serde_json::Value) -> serde_json::Value {
        let mut row = json!({ "scope": "default", "period": period, "unit": unit, "limit": limit, "used": used,
                              "resets_at": "2026-12-01T00:00:00Z", "action": "block" });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    }

    /// `.ci/pictures` and a reviewer open these files.
    #[test]
    fn pages_match_the_golden_files() {
        let person = "alice@example.com";
        for (name, overview) in [
            (
                "limits",
                json!({ "version": 1, "person": person, "blocked": null, "contact": "#ask-ai-platform", "limits": [
                    limit("hour", "usd", 20.0, 1.25, &json!({})),
                    limit("day", "tokens", 5e6, 4.2e6, &json!({})),
                    limit("month", "usd", 200.0, 171.25, &json!({ "action": "warn" })),
                    limit("month", "usd", 20.0, 26.5, &json!({ "model": "*claude-opus*" })),
                ]}),
            ),
            (
                "within-limits",
                json!({ "version": 1, "person": person, "blocked": null, "limits": [
                    limit("day", "tokens", 5e6, 1.2e6, &json!({})),
                    limit("month", "usd", 200.0, 31.5, &json!({})),
                ]}),
            ),
            (
                "blocked",
                json!({ "version": 1, "person": person, "contact": "it-help@example.com", "limits": [],
                    "blocked": { "since": "2026-11-30T08:00:00Z", "until": "2026-12-24T17:00:00Z", "reason": "budget review" } }),
            ),
            (
                "exceptions",
                json!({ "version": 1, "person": person, "blocked": null, "contact": "#ask-ai-platform", "limits": [
                    limit("month", "usd", 200.0, 260.5, &json!({ "lifted_until": "2026-12-24T17:00:00Z" })),
                    limit("day", "tokens", 0.0, 0.0, &json!({ "model": "*claude-opus*" })),
                ]}),
            ),
            ("no-limits", json!({ "version": 1, "person": null, "blocked": null, "limits": [] })),
        ] {
            testworld::expect_file(&format!("tests/expected/limits/{name}.html"), &render(&overview));
        }
    }

    #[test]
    fn text_of_the_service_is_escaped() {
        let hostile = "</p><script>alert(1)</script>\" onload='x'\u{1b}[2J<img src=x onerror=y>";
        let block = json!({ "since": hostile, "until": hostile, "reason": hostile });
        let row =
            limit(hostile, "usd", 1.0, 2.0, &json!({ "model": hostile, "action": hostile, "resets_at": hostile }));
        // A block has an end and a reason.
        for (blocked, shown) in [(block, 6), (json!(null), 4)] {
            let page = render(
                &json!({ "version": 1, "person": hostile, "contact": hostile, "blocked": blocked, "limits": [row] }),
            );
            for part in ["<script", "<img", "onload='", "\" onload", "\u{1b}"] {
                assert!(!page.contains(part), "{part}: {page}");
            }
            assert_eq!(page.matches("&lt;script&gt;").count(), shown, "{page}");
        }
    }

    #[test]
    fn strange_numbers_make_no_strange_bars() {
        for (used, limit_of, width) in
            [(0.0, 0.0, "100.0"), (-5.0, 10.0, "0.0"), (1e300, 1e-300, "100.0"), (5.0, 10.0, "50.0")]
        {
            let row = limit("day", "usd", limit_of, used, &json!({}));
            let page = render(&json!({ "version": 1, "person": null, "blocked": null, "limits": [row] }));
            assert!(page.contains(&format!("<rect class=\"used\" width=\"{width}\"")), "{page}");
        }
    }

    #[test]
    fn page_loads_nothing_and_runs_nothing() {
        let row = limit("day", "usd", 1.0, 2.0, &json!({}));
        let page = render(&json!({ "version": 1, "person": "a", "blocked": null, "limits": [row] }));
        for part in ["<script", "<link rel=\"style", "@import", "url(", "src=", " style=", "https://"] {
            assert!(!page.contains(part), "{part}");
        }
        // The names of the SVG's language, and the icon inside the page.
        assert_eq!(page.matches("http://").count(), page.matches("http://www.w3.org/2000/svg").count());
        assert!(page.contains("default-src 'none'"));
    }
}
