//! What a user has used, and their limits: the answer to `GET /me` of the quota service.
//!
//! Only the service of this project has that address. AWS's guidance sample reports the usage in the answer to its check,
//! so the overview is then made from that.

use ::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{
    NoQuotaAnswer, QuotaProof,
    answer::parse_answer,
    get_body,
    usage::{QuotaUnit, QuotaUsage},
};
use crate::{
    config::QuotaSettings,
    http::{self, Client},
};

/// The limits of one user. The texts come from outside, so they are escaped when they are printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaOverview {
    version: u32,
    /// The name under which the service counts; `None` if it does not say.
    pub person: Option<String>,
    pub blocked: Option<QuotaBlock>,
    pub limits: Vec<QuotaLimit>,
    /// Whom the user can ask for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

/// An administrator has blocked the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaBlock {
    pub since: Option<String>,
    /// `None` until an administrator ends the block.
    pub until: Option<String>,
    pub reason: Option<String>,
}

/// One limit, and how much of it is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaLimit {
    /// For whom the limit is: the person, a group, or everybody.
    pub scope: Option<String>,
    /// `hour`, `day` or `month`.
    pub period: String,
    pub unit: QuotaUnit,
    /// The pattern of the models that it is for; `None` for all models together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub limit: f64,
    pub used: f64,
    pub resets_at: Option<String>,
    /// `block` or `warn`.
    pub action: Option<String>,
    /// Until when a grant lifts the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_until: Option<String>,
}

impl QuotaLimit {
    /// Whether the user may not call the models of this limit at all, while it hinders no other call.
    pub fn is_model_ban(&self) -> bool {
        self.model.is_some() && self.limit <= 0.0 && !self.only_warns()
    }

    /// Whether the service refuses nobody because of it.
    pub fn only_warns(&self) -> bool {
        self.action.as_deref() == Some("warn")
    }

    /// The used share in percent. A limit of zero is used up.
    pub fn used_percent(&self) -> f64 {
        if self.limit > 0.0 { 100.0 * self.used / self.limit } else { 100.0 }
    }
}

/// Asks the service for the limits of the user whom the proof shows.
pub async fn fetch_overview(
    client: &Client,
    service: &QuotaSettings,
    proof: QuotaProof<'_>,
) -> Result<QuotaOverview, NoQuotaAnswer> {
    let address = service.overview_address();
    let malformed = || NoQuotaAnswer::Malformed { host: address.authority().to_owned() };
    match get_body(client, service, &address, proof).await {
        Ok(body) => parse_overview(&body).ok_or_else(malformed),
        Err(NoQuotaAnswer::Status { status: StatusCode::NOT_FOUND, .. }) => {
            let body = get_body(client, service, &service.endpoint, proof).await?;
            let usage = match parse_answer(&body).ok_or_else(malformed)? {
                Ok(usage) => usage,
                Err(denied) => denied.usage,
            };
            Ok(usage.unwrap_or_default().into())
        }
        Err(silence) => Err(silence),
    }
}

fn parse_overview(body: &[u8]) -> Option<QuotaOverview> {
    http::parse_json_object::<QuotaOverview>(body).filter(|overview| overview.version == 1)
}

impl From<QuotaUsage> for QuotaOverview {
    fn from(usage: QuotaUsage) -> Self {
        let limit = |period: &str, unit, used: Option<f64>, limit: Option<f64>| {
            let limit = limit.filter(|limit| *limit > 0.0)?;
            let used = used.unwrap_or_default();
            let period = period.to_owned();
            Some(QuotaLimit {
                scope: None,
                period,
                unit,
                model: None,
                limit,
                used,
                resets_at: None,
                action: None,
                lifted_until: None,
            })
        };
        let limits = [
            limit("day", QuotaUnit::Tokens, usage.daily_tokens, usage.daily_limit),
            limit("day", QuotaUnit::Dollars, usage.daily_cost, usage.daily_cost_limit),
            limit("month", QuotaUnit::Tokens, usage.monthly_tokens, usage.monthly_limit),
            limit("month", QuotaUnit::Dollars, usage.monthly_cost, usage.monthly_cost_limit),
        ];
        let limits = limits.into_iter().flatten().collect();
        Self { version: 1, person: None, blocked: None, limits, contact: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_of_me_is_read() {
        let body = br#"{"version":1,"person":"alice","blocked":null,"limits":[
            {"scope":"default","period":"day","unit":"usd","limit":20,"used":5.5,"resets_at":"2026-12-01T00:00:00Z",
             "action":"block","later":true}]}"#;
        let overview = parse_overview(body).unwrap();
        assert_eq!(overview.person.as_deref(), Some("alice"));
        assert_eq!((overview.limits[0].unit, overview.limits[0].used_percent()), (QuotaUnit::Dollars, 27.5));
    }

    #[test]
    fn another_version_or_shape_is_no_answer() {
        for body in [&b"{\"version\":2,\"limits\":[]}"[..], b"{\"version\":1}", b"[]", b"<html>"] {
            assert_eq!(parse_overview(body), None);
        }
    }

    #[test]
    fn usage_of_the_sample_becomes_limits() {
        let usage = QuotaUsage { monthly_tokens: Some(5.0), monthly_limit: Some(10.0), ..QuotaUsage::default() };
        let overview = QuotaOverview::from(usage);
        assert_eq!((overview.limits.len(), overview.limits[0].period.as_str()), (1, "month"));
    }

    #[test]
    fn limit_of_zero_is_used_up() {
        let usage = QuotaUsage { daily_cost: Some(1.0), daily_cost_limit: Some(4.0), ..QuotaUsage::default() };
        let limit = QuotaOverview::from(usage).limits[0].clone();
        assert!((limit.used_percent() - 25.0).abs() < f64::EPSILON);
        assert!((QuotaLimit { limit: 0.0, ..limit }.used_percent() - 100.0).abs() < f64::EPSILON);
    }
}
