//! The result of a call of the program, and the failures that it may report.

use std::time::Duration;

use serde_json::Value;

use crate::{
    golden::expect_wording,
    placeholders::{Placeholders, replace_variable_parts},
};

/// The result of a call.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub took: Duration,
    pub(crate) placeholders: Placeholders,
}

/// The two lines of a failure: the message without its slug, and the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub message: String,
    pub hint: String,
}

impl Outcome {
    /// The one JSON document on stdout.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| panic!("no JSON on stdout ({why}): {self:?}"))
    }

    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Asserts that the call failed with this exit code and slug, with nothing on stdout and only the two lines on
    /// stderr.
    ///
    /// Compares the wording with the golden list `failures` of this test binary, so tests should only check the facts
    /// that a user needs from it: a name, an address, a number.
    #[track_caller]
    pub fn fails(&self, code: i32, slug: &str) -> Failed {
        assert_eq!(self.stdout, "", "{self:?}");
        self.ends_with_failure(code, slug)
    }

    /// As [`Self::fails`], but with any stdout: `login` prints an address before it fails.
    #[track_caller]
    pub fn ends_with_failure(&self, code: i32, slug: &str) -> Failed {
        let failed = self.parse_failure(code, slug);
        expect_wording("failures", slug, &replace_variable_parts(&self.stderr, &self.placeholders));
        failed
    }

    /// As [`Self::fails`], but without comparing the wording: for failures whose wording differs between machines, and
    /// for tests that are ignored by default.
    #[track_caller]
    pub fn fails_without_golden(&self, code: i32, slug: &str) -> Failed {
        assert_eq!(self.stdout, "", "{self:?}");
        self.parse_failure(code, slug)
    }

    #[track_caller]
    fn parse_failure(&self, code: i32, slug: &str) -> Failed {
        assert_eq!(self.code, Some(code), "{self:?}");
        let lines = self
            .stderr
            .strip_prefix("bedrock-sso: ")
            .and_then(|rest| rest.strip_suffix('\n'))
            .and_then(|rest| rest.split_once(&format!(" [{slug}]\n  hint: ")));
        let Some((message, hint)) = lines else { panic!("no failure [{slug}]: {}", self.stderr) };
        assert!(!message.contains('\n') && !hint.contains('\n') && !hint.is_empty(), "{}", self.stderr);
        Failed { message: message.to_owned(), hint: hint.to_owned() }
    }

    /// Compares everything that a successful call printed, stdout and then stderr, with the golden list `output`.
    #[track_caller]
    pub fn prints(&self, heading: &str) {
        assert_eq!(self.code, Some(0), "{self:?}");
        let text = format!("{}{}", self.stdout, self.stderr);
        expect_wording("output", heading, &replace_variable_parts(&text, &self.placeholders));
    }
}

impl Failed {
    /// Asserts that the message contains each of these facts.
    #[track_caller]
    pub fn message_has(&self, facts: &[&str]) -> &Self {
        assert_has(&self.message, facts);
        self
    }

    /// Asserts that the hint contains each of these facts.
    #[track_caller]
    pub fn hint_has(&self, facts: &[&str]) -> &Self {
        assert_has(&self.hint, facts);
        self
    }
}

#[track_caller]
fn assert_has(text: &str, facts: &[&str]) {
    for fact in facts {
        assert!(text.contains(fact), "{fact:?} is not in {text:?}");
    }
}
