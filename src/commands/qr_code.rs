//! Shows the code of a device sign-in in a terminal: in bold type, and the address as a QR code that a phone can scan.
//!
//! The size of the terminal and the environment decide how much it can show. A terminal without escape sequences gets
//! the plain sentence. This file only builds the text, and `screen` prints it.

use qrcodegen::{QrCode, QrCodeEcc};

use crate::{
    host::Environment,
    session::{PromptMethod, SignInPrompt},
};

/// The empty border around the QR code, in modules. The standard requires four, but phones also scan it with two, and a
/// smaller picture fits in more terminals.
const MARGIN: i32 = 2;

/// The lines of the terminal that the text above and below the QR code needs.
const RESERVED_LINES: usize = 8;

/// Formats a device code for one terminal.
pub(super) struct DeviceCodeView {
    columns: usize,
    rows: usize,
    /// The terminal supports the common escape sequences.
    has_escapes: bool,
    /// The terminal can show the block characters that the QR code consists of.
    has_half_blocks: bool,
}

impl DeviceCodeView {
    /// A size of zero means that it is unknown. Then there is no QR code.
    pub(super) fn new(environment: &Environment, (columns, rows): (usize, usize)) -> Self {
        let has_escapes = environment.var_text("TERM").is_some_and(|kind| kind != "dumb");
        Self { columns, rows, has_escapes, has_half_blocks: has_escapes && is_utf8_locale(environment) }
    }

    /// The text that says how to sign in. Only a prompt with a device code gets more than one sentence.
    pub(super) fn render_prompt(&self, prompt: &SignInPrompt) -> String {
        let PromptMethod::Device { code, complete } = &prompt.way else { return prompt.to_string() };
        if !self.has_escapes {
            return prompt.to_string();
        }
        let address = &prompt.address;
        let mut text = format!(
            "To sign in, go to {address} in any browser and enter the code\n\n        \x1b[1;7m  {code}  \x1b[0m\n"
        );
        if let Some(picture) = self.render_qr_code(complete.as_ref().unwrap_or(address)) {
            // An address that contains the code lets an attacker send a link to their own sign-in (RFC 8628 §5.4). The
            // comparison is the user's only protection against it.
            let check = if complete.is_some() { " and check that it shows the same code" } else { "" };
            text.push_str(&format!("\nor scan this with a phone{check}:\n\n{picture}"));
        }
        text.push_str("\nWaiting for your sign-in. Press Ctrl-C to cancel.");
        text
    }

    /// The QR code of `text`, with two modules in each character, one above the other. `None` if it does not fit.
    ///
    /// It sets its colours to black on white, since many phones cannot scan a QR code with inverted colours.
    fn render_qr_code(&self, text: &str) -> Option<String> {
        let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
        let edge = code.size() + MARGIN;
        let width = usize::try_from(edge + MARGIN).ok()?;
        if !self.has_half_blocks || width > self.columns || width / 2 + RESERVED_LINES > self.rows {
            return None;
        }
        let mut picture = String::new();
        for y in (-MARGIN..edge).step_by(2) {
            picture.push_str("\x1b[38;5;16;48;5;231m");
            picture
                .extend((-MARGIN..edge).map(|x| select_half_block(code.get_module(x, y), code.get_module(x, y + 1))));
            picture.push_str("\x1b[0m\n");
        }
        Some(picture)
    }
}

/// The character that shows a dark upper and lower module.
fn select_half_block(upper: bool, lower: bool) -> char {
    match (upper, lower) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}

/// Whether the locale uses UTF-8. As in the C library, the first of these variables that is set decides.
fn is_utf8_locale(environment: &Environment) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| environment.var_text(name));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: [(&str, &str); 2] = [("TERM", "xterm"), ("LANG", "C.UTF-8")];

    fn device(complete: Option<&str>) -> SignInPrompt {
        let way = PromptMethod::Device { code: "WDJB-MJHT".into(), complete: complete.map(str::to_owned) };
        SignInPrompt { address: "https://id.example/device".into(), way }
    }

    fn drawn<const N: usize>(variables: [(&str, &str); N], size: (usize, usize)) -> String {
        DeviceCodeView::new(&Environment::fixed(variables), size).render_prompt(&device(None))
    }

    #[test]
    fn utf8_terminal_shows_bold_code_and_qr_code() {
        let text = drawn(TERMINAL, (80, 40));
        assert!(text.starts_with("To sign in, go to https://id.example/device in any browser"), "{text}");
        assert!(text.contains("\x1b[1;7m  WDJB-MJHT  \x1b[0m") && text.contains('▀'), "{text}");
        let widths: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("\x1b[38;5;16;48;5;231m"))
            .map(|line| line.chars().count())
            .collect();
        assert!(widths.len() > 12 && widths.iter().all(|width| *width == widths[0]), "{widths:?}");
    }

    #[test]
    fn qr_code_is_omitted_if_it_does_not_fit() {
        for size in [(20, 40), (80, 12), (0, 0)] {
            let text = drawn(TERMINAL, size);
            assert!(text.contains("WDJB-MJHT") && !text.contains('█'), "{text}");
        }
    }

    #[test]
    fn limited_terminal_gets_no_qr_code_and_no_escapes() {
        let latin = drawn([("TERM", "xterm"), ("LANG", "C.UTF-8"), ("LC_ALL", "C")], (80, 40));
        assert!(latin.contains("\x1b[1;7m") && !latin.contains('█'), "{latin}");
        assert_eq!(drawn([("TERM", "dumb"), ("LANG", "C.UTF-8")], (80, 40)), device(None).to_string());
        assert_eq!(drawn([], (80, 40)), device(None).to_string());
    }

    #[test]
    fn qr_code_with_user_code_asks_to_compare_codes() {
        let drawing = DeviceCodeView::new(&Environment::fixed(TERMINAL), (80, 40));
        let text = drawing.render_prompt(&device(Some("https://id.example/device?user_code=WDJB-MJHT")));
        assert!(text.contains("check that it shows the same code"), "{text}");
    }
}
