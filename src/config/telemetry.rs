//! What collectors are told about the person, and which of them.
//!
//! Settings only; what is said of a person is the business of the module of the same name.

use std::collections::BTreeMap;

use super::{
    error::Fault,
    headers, read,
    resolve::Draft,
    setting::{Origin, Setting},
    value::written,
};
use crate::url::SecureUrl;

/// What a collector is told about the person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Telemetry {
    /// Names in small letters, and the claims that fill them; empty: the usual ones.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The collectors that are told anything; empty: any.
    pub collectors: Vec<SecureUrl>,
    /// Whether these are given the ID token as well.
    pub send_token: bool,
}

impl Draft<'_> {
    pub(super) fn telemetry(&mut self) -> Option<Telemetry> {
        let headers = self.read("telemetry.headers", headers::claims_by_header);
        let collectors = self.read("telemetry.collectors", read::addresses);
        let send_token = self.read("telemetry.send_token", read::switch)?;
        if send_token {
            self.believe_collectors(collectors.as_ref()?)?;
        }
        Some(Telemetry { headers: headers?, collectors: collectors?, send_token })
    }

    /// A token goes only to collectors that a file in a default place names: another file may be a repository's.
    fn believe_collectors(&mut self, collectors: &[SecureUrl]) -> Option<()> {
        let (_, named) = self.setting("telemetry.collectors")?;
        let rule = match (collectors.is_empty(), is_in_default_place(named)) {
            (true, _) => "nothing says to which collectors",
            (false, false) => "its collectors are believed only from a file in its default place",
            (false, true) => return Some(()),
        };
        let (_, setting) = self.setting("telemetry.send_token")?;
        let (key, value) = ("telemetry.send_token", written(setting.value));
        let instead =
            "[profiles.NAME.telemetry] collectors = [\"https://…\"], in the administrator's file or your own";
        self.refuse(
            setting,
            Fault::Contradiction { key, value, rule: rule.to_owned(), instead: instead.to_owned() },
        )
    }
}

fn is_in_default_place(setting: Setting<'_>) -> bool {
    matches!(setting.origin, Origin::File(source, _) if !source.is_named)
}
