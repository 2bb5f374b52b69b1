//! The HTML pages that the user's browser shows at the end of a sign-in, or when it sends an unexpected request.
//!
//! The pages contain no script, no external resource and no secret, and every text from outside is escaped. They are
//! served on loopback, where any program or web page can send requests. `callback` decides which page it serves.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest;

use crate::{
    text::escape_html,
    time::{Timestamp, format_duration},
};

const STYLE: &str = include_str!("page.css");
/// The last line of each final page. The program cannot close the tab, because that would take a script.
const CLOSE: &str = "You can close this tab and return to your terminal or editor.";

/// How a sign-in ended, with the texts that the final page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInEnding {
    /// AWS has returned credentials. `role` is the name of the role and its account, if they are known. `now` is the
    /// time from which the page counts the remaining time.
    SignedIn { role: Option<(String, String)>, name: String, until: Timestamp, local_until: String, now: Timestamp },
    /// The user has signed in at an Identity Center, and chooses an account in the terminal now.
    SignedInForSetup,
    /// The sign-in failed: the fact, the hint and the slug of the failure, as on a terminal.
    Failed { what: String, hint: String, slug: String },
}

/// A whole HTML document.
#[derive(Clone, PartialEq, Eq)]
pub struct HtmlPage {
    html: String,
    /// The rules of style besides those of all pages.
    more_style: &'static str,
}

impl HtmlPage {
    /// The final page of a sign-in.
    pub fn from_ending(ending: &SignInEnding) -> Self {
        match ending {
            SignInEnding::SignedIn { role, name, until, local_until, now } => {
                let facts = render_facts(role.as_ref(), name, (*until, local_until), *now);
                render_page(PageTone::Success, "Signed in", CLOSE, &facts)
            }
            SignInEnding::SignedInForSetup => render_page(
                PageTone::Success,
                "Signed in",
                "Close this tab and return to your terminal to continue.",
                "",
            ),
            SignInEnding::Failed { what, hint, slug } => render_page(
                PageTone::Failure,
                "Sign-in failed",
                &escape_html(&capitalize_first(what)),
                &render_hint(hint, slug),
            ),
        }
    }

    /// A page of another command in the same style, with further rules. `lead` and `body` are markup, so the caller must
    /// have escaped what they contain.
    pub fn from_body(tone: PageTone, title: &str, lead: &str, body: &str, more_style: &'static str) -> Self {
        render_styled_page(tone, title, lead, body, more_style)
    }

    pub fn into_html(self) -> String {
        self.html
    }

    /// The document for a file, which has no headers and therefore contains the policy itself.
    pub fn into_file(self) -> String {
        let policy = build_resource_policy(self.more_style);
        let first = "<meta charset=\"utf-8\">";
        self.html.replacen(
            first,
            &format!("{first}\n<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">"),
            1,
        )
    }

    /// The `Content-Security-Policy` of this page, as a header.
    pub fn security_policy(&self) -> String {
        format!("{}; frame-ancestors 'none'", build_resource_policy(self.more_style))
    }
}

impl std::fmt::Debug for HtmlPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HtmlPage({} bytes)", self.html.len())
    }
}

/// A request that does not change the state of the sign-in, by the reason for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A sign-in is waiting, but the path is not the one of its redirect URI.
    NotFound,
    /// The sign-in has received its callback and is being completed. The tab reloads to the result automatically.
    AlreadyAnswered,
    /// The `state` belongs to another sign-in, or is made up.
    OtherSignIn,
    /// A callback whose query has neither a code nor an error.
    NoAnswer,
    /// A request that cannot be parsed, or that no browser would send.
    Unreadable,
    /// A command is waiting for the browser, but the path is not the one that it opened.
    NoRedirect,
    /// The local address of a command has been opened before. It works only once.
    RedirectUsed,
}

impl Notice {
    /// The page for this request. It reveals nothing about the sign-in, because any local program can request it.
    pub fn to_page(self) -> HtmlPage {
        let (title, lead, next) = match self {
            Self::NotFound => (
                "Page not found",
                "bedrock-sso is waiting for a sign-in at this port, but not at this address.",
                "If you are signing in, continue in the tab where you started.",
            ),
            Self::AlreadyAnswered => (
                "Completing the sign-in",
                "bedrock-sso has received the answer of your identity provider and is completing the sign-in.",
                "This page shows the result in a moment.",
            ),
            Self::OtherSignIn => (
                "Answer to another sign-in",
                "bedrock-sso ignored this answer because it belongs to another sign-in. An older tab may have sent it.",
                "Continue in the newest tab, or sign in again from your terminal.",
            ),
            Self::NoAnswer => (
                "No answer received",
                "The browser returned without an answer from your identity provider.",
                "If you are signing in, continue in the tab where you started, or sign in again from your terminal.",
            ),
            Self::Unreadable => (
                "Request ignored",
                "bedrock-sso did not understand this request and ignored it.",
                "If you are signing in, continue in the tab where you started.",
            ),
            Self::NoRedirect => (
                "Page not found",
                "bedrock-sso is waiting for your browser at this port, but not at this address.",
                "Continue in the tab that the command opened, or run the command again.",
            ),
            Self::RedirectUsed => (
                "Address already used",
                "This address works only once, and a browser has already used it.",
                "Run the command again in your terminal.",
            ),
        };
        let tone = if self == Self::AlreadyAnswered { PageTone::Busy } else { PageTone::Notice };
        render_page(tone, title, lead, &format!("<p class=\"close\">{next}</p>"))
    }
}

/// What a page may load: its inline style, by its hash, and its icon. Everything else is blocked, so that a text that
/// escaping missed cannot run a script.
fn build_resource_policy(more_style: &str) -> String {
    let style = format!("{STYLE}{more_style}");
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'")
}

/// The colour and the symbol of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageTone {
    Success,
    /// It still works, but needs attention.
    Warning,
    Failure,
    Notice,
    /// The page reloads until the result is known.
    Busy,
}

/// The table of a successful sign-in, as markup. The end of the credentials comes as a moment and as text in the user's
/// time zone.
fn render_facts(role: Option<&(String, String)>, name: &str, until: (Timestamp, &str), now: Timestamp) -> String {
    let (until, local_until) = until;
    let row = |term: &str, value: &str| format!("<div><dt>{term}</dt><dd>{value}</dd></div>\n");
    let valid = format!(
        "{}<small>until <time datetime=\"{until}\">{}</time></small>",
        format_duration(until.duration_since(now)),
        escape_html(local_until)
    );
    let role = role.map_or_else(String::new, |(role, account)| {
        row("Role", &allow_line_breaks(role)) + &row("AWS account", &escape_html(account))
    });
    // AWS did not name the user.
    let name = if name.is_empty() { String::new() } else { row("Signed in as", &allow_line_breaks(name)) };
    format!("<dl>\n{name}{role}{}</dl>", row("Valid for", &valid))
}

/// The hint and the slug of a failed sign-in, as markup.
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

/// Escapes a name, and allows line breaks in a long one after `/`, `:` and similar characters.
fn allow_line_breaks(name: &str) -> String {
    // A name of this length fits on one line of the card.
    const FITS: usize = 32;
    if name.chars().count() <= FITS {
        return escape_html(name);
    }
    name.split_inclusive(['/', ':', '@', '.', '-']).map(escape_html).collect::<Vec<_>>().join("<wbr>")
}

/// Messages begin with a lowercase letter, because a terminal shows them after a colon. On the page they begin a
/// sentence.
fn capitalize_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str())
}

/// Escapes a text, and shows what is between backticks as code. A backtick without a partner stays as it is.
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

/// Puts a page together. `lead` and `body` are markup, so the caller must have escaped what they contain.
fn render_page(tone: PageTone, title: &str, lead: &str, body: &str) -> HtmlPage {
    render_styled_page(tone, title, lead, body, "")
}

fn render_styled_page(tone: PageTone, title: &str, lead: &str, body: &str, more_style: &'static str) -> HtmlPage {
    let (class, role, stroke, ink) = match tone {
        PageTone::Success => ("good", "status", "M15 24.5l6.2 6.2L33.5 18", "15803d"),
        PageTone::Warning => ("warn", "status", "M24 14v12.5M24 33.5v.1", "8a5a00"),
        PageTone::Failure => ("bad", "alert", "M17 17l14 14M31 17L17 31", "b3261e"),
        PageTone::Notice => ("calm", "status", "M24 22.5v11.5M24 14.5v.1", "5b6675"),
        PageTone::Busy => ("busy", "status", "M15 24h.1M24 24h.1M33 24h.1", "5b6675"),
    };
    let icon = build_icon_url(stroke, ink);
    let html = format!(
        include_str!("page.html"),
        title = title,
        icon = icon,
        style = format_args!("{STYLE}{more_style}"),
        tone = class,
        role = role,
        stroke = stroke,
        lead = lead,
        body = body,
    );
    HtmlPage { html, more_style }
}

/// The icon of the tab, which shows the result even if the user has switched to another tab.
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
            local_until: "2026-11-21 11:55".into(),
            now: Timestamp::from_unix(1_795_215_360),
        })
    }

    fn failed(what: &str, hint: &str) -> String {
        HtmlPage::from_ending(&SignInEnding::Failed { what: what.into(), hint: hint.into(), slug: "sign-in/x".into() })
            .into_html()
    }

    #[test]
    fn success_page_shows_user_role_and_expiry() {
        let page = signed_in("alice@example.com").into_html();
        for fact in [
            "<title>Signed in ·", "role=\"status\"", "123456789012", "BedrockUser", "alice@example.com", "11 h 59 min",
            CLOSE,
        ] {
            assert!(page.contains(fact), "{fact}");
        }
    }

    #[test]
    fn failure_page_shows_fact_hint_and_slug() {
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
    fn text_from_outside_is_escaped() {
        let hostile = "</p><script>alert(1)</script>{style}\" onload='x'`<b>`";
        for page in [signed_in(hostile).into_html(), failed(hostile, hostile)] {
            assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("onload='"), "{page}");
            assert!(page.contains("{style}"), "a placeholder inside a value is not replaced");
        }
    }

    #[test]
    fn security_policy_allows_only_the_inline_style() {
        let own = HtmlPage::from_body(PageTone::Warning, "Limits", "", "", ".limits { margin: 0 }");
        for page in [Notice::AlreadyAnswered.to_page(), own] {
            let policy = page.security_policy();
            let html = page.clone().into_html();
            let style = html.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).unwrap().0;
            let hash = STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()));
            assert!(policy.contains(&format!("style-src 'sha256-{hash}'")) && policy.starts_with("default-src 'none'"));
            assert!(!html.contains(" style=") && !html.contains("<script"));
            let file = page.into_file();
            assert_eq!(file.matches(&format!("content=\"{}", policy.split_once("; frame").unwrap().0)).count(), 1);
        }
    }

    #[test]
    fn unpaired_backtick_stays_a_backtick() {
        assert_eq!(render_code_spans("a `b` c ` d"), "a <code>b</code> c ` d");
    }
}
