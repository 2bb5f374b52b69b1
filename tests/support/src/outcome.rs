//! What a call of the program came to, and the failures that it may end in.

use std::time::Duration;

use serde_json::Value;

use crate::{
    golden::expect_wording,
    places::{Places, replace_variable_parts},
};

/// What a call came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub stdout: String,
    pub stderr: String,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub took: Duration,
    pub(crate) places: Places,
}

/// The two lines of a failure: what happened, without the slug, and what to do about it.
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

    /// The failure of a call that failed so: nothing on stdout, and on stderr the two lines of the failure and no more.
    ///
    /// Compares the wording with the golden list `failures` of this test binary, so that a test needs to repeat only what a
    /// user needs from it: a name, an address, a number.
    #[track_caller]
    pub fn fails(&self, code: i32, slug: &str) -> Failed {
        assert_eq!(self.stdout, "", "{self:?}");
        self.ends_with_failure(code, slug)
    }

    /// As [`Self::fails`], but with any stdout: `login` prints an address before it fails.
    #[track_caller]
    pub fn ends_with_failure(&self, code: i32, slug: &str) -> Failed {
        let failed = self.parse_failure(code, slug);
        expect_wording("failures", slug, &replace_variable_parts(&self.stderr, &self.places));
        failed
    }

    /// As [`Self::fails`], but without comparing the wording: for failures whose wording differs from machine to machine, and
    /// for tests that are ignored by default.
    #[track_caller]
    pub fn fails_in_any_words(&self, code: i32, slug: &str) -> Failed {
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

    /// Compares all that a successful call printed, stdout and then stderr, with the golden list `output` of this test binary.
    #[track_caller]
    pub fn prints(&self, heading: &str) {
        assert_eq!(self.code, Some(0), "{self:?}");
        let text = format!("{}{}", self.stdout, self.stderr);
        expect_wording("output", heading, &replace_variable_parts(&text, &self.places));
    }
}

impl Failed {
    /// The message has each of these facts in it.
    #[track_caller]
    pub fn message_has(&self, facts: &[&str]) -> &Self {
        assert_has(&self.message, facts);
        self
    }

    /// The hint has each of these facts in it.
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
