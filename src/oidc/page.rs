//! The pages a browser shows during a sign-in: words and markup, with everything from outside escaped.
//!
//! No script, no outside resource, nothing secret; which page is shown when is `callback`'s business.

use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;

use crate::{
    text::escape_html,
    time::{Timestamp, format_duration},
};

const STYLE: &str = include_str!("page.css");
const CLOSE: &str = "You can close this tab and return to your terminal or editor.";

/// How a sign-in ended, in a person's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInEnding {
    /// The role by its name and account, where they are known.
    SignedIn { role: Option<(String, String)>, name: String, until: Timestamp, now: Timestamp },
    /// What went wrong, what to do about it, and the failure's slug.
    Failed { what: String, hint: String, slug: String },
}

/// A whole HTML document.
#[derive(Clone, PartialEq, Eq)]
pub struct HtmlPage(String);

impl HtmlPage {
    /// The page a person sees last.
    pub fn from_ending(ending: &SignInEnding) -> Self {
        match ending {
            SignInEnding::SignedIn { role, name, until, now } => {
                render_page(PageTone::Success, "Signed in", CLOSE, &render_facts(role.as_ref(), name, *until, *now))
            }
            SignInEnding::Failed { what, hint, slug } => render_page(
                PageTone::Failure,
                "Sign-in failed",
                &escape_html(&capitalize_first(what)),
                &render_hint(hint, slug),
            ),
        }
    }

    pub fn into_html(self) -> String {
        self.0
    }
}

impl std::fmt::Debug for HtmlPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HtmlPage({} bytes)", self.0.len())
    }
}

/// Why a request changes nothing about the sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// No such address.
    NotFound,
    /// The answer has come already; this tab goes on to the result by itself.
    AlreadyAnswered,
    /// The wrong `state`.
    OtherSignIn,
    /// The callback without an answer in its query.
    NoAnswer,
    /// What could not be read, or was asked in a way that no browser asks.
    Unreadable,
    /// No such address where one leads to the AWS console.
    NoRedirect,
    /// The address that leads to the AWS console, once more.
    RedirectUsed,
}

impl Notice {
    pub fn to_page(self) -> HtmlPage {
        let (title, lead, next) = match self {
            Self::NotFound => (
                "Nothing here",
                "A sign-in on this computer is waiting for an answer at this port, but not at this address.",
                "If you were signing in, continue in the tab where you began.",
            ),
            Self::AlreadyAnswered => (
                "Already being completed",
                "This sign-in has its answer and is being completed.",
                "The result appears here in a moment.",
            ),
            Self::OtherSignIn => (
                "Not for this sign-in",
                "This answer does not belong to the sign-in that is waiting, so it was ignored. An older tab may have sent it.",
                "Continue in the newest tab, or start again from your terminal.",
            ),
            Self::NoAnswer => (
                "No answer received",
                "The browser came back without an answer from your identity provider.",
                "If a sign-in is waiting, finish it in the tab where it began, or start again from your terminal.",
            ),
            Self::Unreadable => (
                "Request ignored",
                "This request could not be understood, so nothing was done.",
                "If you were signing in, continue in the tab where you began.",
            ),
            Self::NoRedirect => (
                "Nothing here",
                "A command on this computer is opening the AWS console at this port, but not at this address.",
                "Continue in the tab that the command opened, or run the command again.",
            ),
            Self::RedirectUsed => (
                "Already used",
                "This address opens the AWS console once, and it has been opened.",
                "To open the console again, run the command again in your terminal.",
            ),
        };
        let tone = if self == Self::AlreadyAnswered { PageTone::Busy } else { PageTone::Notice };
        render_page(tone, title, lead, &format!("<p class=\"close\">{next}</p>"))
    }
}

/// The `Content-Security-Policy` under which these pages are shown: nothing but their own style and icon.
pub fn build_security_policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    })
}

#[derive(Clone, Copy)]
enum PageTone {
    Success,
    Failure,
    Notice,
    Busy,
}

fn render_facts(role: Option<&(String, String)>, name: &str, until: Timestamp, now: Timestamp) -> String {
    let row = |term: &str, value: &str| format!("<div><dt>{term}</dt><dd>{value}</dd></div>\n");
    // The browser's own time zone would take a script; a span needs none.
    let valid = format!(
        "{}<small>until <time datetime=\"{until}\">{}</time></small>",
        format_duration(until.duration_since(now)),
        until.to_utc().format("%H:%M UTC, %-d %B %Y")
    );
    let role = role.map_or_else(String::new, |(role, account)| {
        row("Role", &allow_line_breaks(role)) + &row("AWS account", &escape_html(account))
    });
    format!("<dl>\n{}{role}{}</dl>", row("Signed in as", &allow_line_breaks(name)), row("Valid for", &valid))
}

fn render_hint(hint: &str, slug: &str) -> String {
    let hint = match hint.trim() {
        "" => String::new(),
        hint => format!(
            "<section class=\"remedy\"><h2>What to do</h2><p>{}</p></section>\n",
            render_code_spans(&capitalize_first(hint))
        ),
    };
    format!("{hint}<p class=\"close\">{CLOSE}</p>\n<p class=\"slug\"><code>{}</code></p>", escape_html(slug))
}

/// Escapes, and lets a long name break at its joints rather than anywhere.
fn allow_line_breaks(name: &str) -> String {
    const FITS: usize = 32;
    if name.chars().count() <= FITS {
        return escape_html(name);
    }
    name.split_inclusive(['/', ':', '@', '.', '-']).map(escape_html).collect::<Vec<_>>().join("<wbr>")
}

/// On a terminal the words follow a colon; on the page it stands alone.
fn capitalize_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// Escapes, and sets what stands between backticks as code.
fn render_code_spans(text: &str) -> String {
    let mut parts = text.split('`').map(escape_html);
    let mut safe = parts.next().unwrap_or_default();
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(after) => safe.extend(["<code>", &code, "</code>", &after]),
            None => safe.extend(["`", &code]),
        }
    }
    safe
}

/// Puts a page together; `lead` and `body` are markup already.
fn render_page(tone: PageTone, title: &str, lead: &str, body: &str) -> HtmlPage {
    let (class, role, stroke, ink) = match tone {
        PageTone::Success => ("good", "status", "M15 24.5l6.2 6.2L33.5 18", "15803d"),
        PageTone::Failure => ("bad", "alert", "M17 17l14 14M31 17L17 31", "b3261e"),
        PageTone::Notice => ("calm", "status", "M24 22.5v11.5M24 14.5v.1", "5b6675"),
        PageTone::Busy => ("busy", "status", "M15 24h.1M24 24h.1M33 24h.1", "5b6675"),
    };
    let icon = build_icon_url(stroke, ink);
    HtmlPage(format!(
        include_str!("page.html"),
        title = title,
        icon = icon,
        style = STYLE,
        tone = class,
        role = role,
        stroke = stroke,
        lead = lead,
        body = body,
    ))
}

/// The tab's icon, so that the result can be seen among many tabs.
fn build_icon_url(stroke: &str, ink: &str) -> String {
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 48 48'%3E\
         %3Ccircle cx='24' cy='24' r='24' fill='%23{ink}'/%3E%3Cpath d='{stroke}' fill='none' stroke='white' \
         stroke-width='5' stroke-linecap='round' stroke-linejoin='round'/%3E%3C/svg%3E"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_in(name: &str) -> HtmlPage {
        HtmlPage::from_ending(&SignInEnding::SignedIn {
            role: Some(("BedrockUser".into(), "123456789012".into())),
            name: name.into(),
            until: Timestamp::from_unix(1_795_258_500),
            now: Timestamp::from_unix(1_795_215_360),
        })
    }

    fn failed(what: &str, hint: &str) -> String {
        HtmlPage::from_ending(&SignInEnding::Failed { what: what.into(), hint: hint.into(), slug: "sign-in/x".into() })
            .into_html()
    }

    #[test]
    fn a_success_tells_who_which_role_and_until_when() {
        let page = signed_in("alice@example.com").into_html();
        for fact in [
            "<title>Signed in ·", "role=\"status\"", "123456789012", "BedrockUser", "alice@example.com", "11 h 59 min",
            CLOSE,
        ] {
            assert!(page.contains(fact), "{fact}");
        }
    }

    #[test]
    fn a_failure_tells_what_the_remedy_and_the_slug() {
        let page = failed("the provider refused the sign-in", "ask your administrator, then run `bedrock-sso login`");
        for fact in [
            "<title>Sign-in failed ·",
            "role=\"alert\"",
            "The provider refused the sign-in",
            "Ask your administrator, then run <code>bedrock-sso login</code>",
            "sign-in/x",
            CLOSE,
        ] {
            assert!(page.contains(fact), "{fact}");
        }
    }

    #[test]
    fn foreign_text_is_inert() {
        let hostile = "</p><script>alert(1)</script>{style}\" onload='x'`<b>`";
        for page in [signed_in(hostile).into_html(), failed(hostile, hostile)] {
            assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("onload='"), "{page}");
            assert!(page.contains("{style}"), "a name inside a value is not filled");
        }
    }

    #[test]
    fn the_policy_allows_exactly_the_style_that_is_sent() {
        let page = Notice::AlreadyAnswered.to_page().into_html();
        let style = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).unwrap().0;
        let hash = STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()));
        assert!(build_security_policy().contains(&format!("'sha256-{hash}'")));
        assert!(!page.contains(" style=") && !page.contains("<script"));
    }

    #[test]
    fn an_odd_backtick_stays_one() {
        assert_eq!(render_code_spans("a `b` c ` d"), "a <code>b</code> c ` d");
    }
}
