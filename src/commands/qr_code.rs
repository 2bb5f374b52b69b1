//! A code as a person at a terminal sees it: large, and as a picture that a phone reads.
//!
//! Text in, text out; whether the terminal can show more than plain words is told by its size and the environment.

use qrcodegen::{QrCode, QrCodeEcc};

use crate::{
    host::Environment,
    session::{PromptMethod, SignInPrompt},
};

/// What a picture leaves free around it: the standard asks for four modules, and phones are content with two.
const MARGIN: i32 = 2;

/// Lines beside the picture.
const RESERVED_LINES: usize = 8;

pub(super) struct DeviceCodeView {
    columns: usize,
    rows: usize,
    /// Understands the usual escape sequences.
    has_escapes: bool,
    /// Shows half blocks.
    has_half_blocks: bool,
}

impl DeviceCodeView {
    pub(super) fn new(environment: &Environment, (columns, rows): (usize, usize)) -> Self {
        let bold = environment.var_text("TERM").is_some_and(|kind| kind != "dumb");
        Self { columns, rows, has_escapes: bold, has_half_blocks: bold && is_utf8_locale(environment) }
    }

    /// The words, and where there is a code, that as well.
    pub(super) fn render_prompt(&self, asking: &SignInPrompt) -> String {
        let PromptMethod::Device { code, complete } = &asking.way else { return asking.to_string() };
        if !self.has_escapes {
            return asking.to_string();
        }
        let address = &asking.address;
        let mut text = format!(
            "To sign in, go to {address} in any browser and enter the code\n\n        \x1b[1;7m  {code}  \x1b[0m\n"
        );
        if let Some(picture) = self.render_qr_code(complete.as_ref().unwrap_or(address)) {
            let check = if complete.is_some() { ", and compare the code" } else { "" };
            text.push_str(&format!("\nor scan this with a phone{check}:\n\n{picture}"));
        }
        text.push_str("\nWaiting for you. Ctrl-C gives up.");
        text
    }

    /// Two modules a character, one above the other; dark on light whatever the terminal's own colours are, for many
    /// phones read no negative. Nothing where it would not fit.
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

fn select_half_block(upper: bool, lower: bool) -> char {
    match (upper, lower) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    }
}

/// As the C library decides it: the first of these that is set.
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
    fn a_terminal_shows_the_code_large_and_a_picture() {
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
    fn a_picture_that_would_not_fit_is_left_out() {
        for size in [(20, 40), (80, 12), (0, 0)] {
            let text = drawn(TERMINAL, size);
            assert!(text.contains("WDJB-MJHT") && !text.contains('█'), "{text}");
        }
    }

    #[test]
    fn a_terminal_that_shows_no_blocks_or_obeys_nothing_is_spared_them() {
        let latin = drawn([("TERM", "xterm"), ("LANG", "C.UTF-8"), ("LC_ALL", "C")], (80, 40));
        assert!(latin.contains("\x1b[1;7m") && !latin.contains('█'), "{latin}");
        assert_eq!(drawn([("TERM", "dumb"), ("LANG", "C.UTF-8")], (80, 40)), device(None).to_string());
        assert_eq!(drawn([], (80, 40)), device(None).to_string());
    }

    #[test]
    fn whoever_scans_an_address_with_the_code_in_it_is_asked_to_compare() {
        let drawing = DeviceCodeView::new(&Environment::fixed(TERMINAL), (80, 40));
        let text = drawing.render_prompt(&device(Some("https://id.example/device?user_code=WDJB-MJHT")));
        assert!(text.contains("and compare the code"), "{text}");
    }
}
