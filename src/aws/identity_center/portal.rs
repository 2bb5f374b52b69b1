//! The access portal: fetches credentials, lists the user's accounts and permission sets, and signs the user out.

use std::collections::BTreeSet;

use ::http::{HeaderValue, Method, Request, header};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    IdentityCenterClient,
    error::{IdentityCenterError, PortalCall, PortalRefusal},
    extend_path,
    sign_in::parse_answer,
};
use crate::{
    aws::{CredentialsFlaw, credential_check::validate_credentials, retry::retry_transient},
    credentials::AwsCredentials,
    http::FullResponse,
    secret::Secret,
    text::UntrustedText,
    time::Timestamp,
};

/// The header of the access token.
const TOKEN_HEADER: &str = "x-amz-sso_bearer_token";

/// The number of entries that a page should have, which is AWS's maximum.
const PAGE_SIZE: &str = "100";

/// The number of pages after which a list counts as endless. No organization has that many accounts.
const MAX_PAGES: usize = 200;

/// An account in which the user has at least one permission set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedAccount {
    /// Twelve digits.
    pub id: String,
    pub name: UntrustedText,
    pub email: UntrustedText,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentialsResponse {
    role_credentials: Option<RoleCredentials>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleCredentials {
    access_key_id: Option<String>,
    secret_access_key: Option<Secret>,
    session_token: Option<Secret>,
    /// Milliseconds since 1970.
    expiration: Option<i64>,
}

/// One page of a list.
trait ListPage: DeserializeOwned {
    type Entry;
    /// Returns the entries and the token of the next page.
    fn into_parts(self) -> (Option<Vec<Self::Entry>>, Option<String>);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountPage {
    account_list: Option<Vec<AccountEntry>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountEntry {
    account_id: Option<String>,
    account_name: Option<String>,
    email_address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RolePage {
    role_list: Option<Vec<RoleEntry>>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RoleEntry {
    role_name: Option<String>,
    account_id: Option<String>,
}

impl ListPage for AccountPage {
    type Entry = AccountEntry;

    fn into_parts(self) -> (Option<Vec<AccountEntry>>, Option<String>) {
        (self.account_list, self.next_token)
    }
}

impl ListPage for RolePage {
    type Entry = RoleEntry;

    fn into_parts(self) -> (Option<Vec<RoleEntry>>, Option<String>) {
        (self.role_list, self.next_token)
    }
}

impl IdentityCenterClient {
    /// Fetches the credentials of a permission set in an account (GetRoleCredentials). The answer does not name the
    /// account, so the caller must compare it with the one of GetCallerIdentity.
    pub async fn get_role_credentials(
        &self,
        access_token: &Secret,
        account: &str,
        permission_set: &str,
        now: Timestamp,
    ) -> Result<AwsCredentials, IdentityCenterError> {
        let query = [("account_id", account), ("role_name", permission_set)];
        let answer = self.read_portal(&["federation", "credentials"], &query, access_token).await?;
        let RoleCredentialsResponse { role_credentials } = parse_answer(&answer)?;
        role_credentials
            .and_then(RoleCredentials::into_credentials)
            .ok_or(CredentialsFlaw::Incomplete)
            .and_then(|given| validate_credentials(given, now))
            .map_err(IdentityCenterError::Flawed)
    }

    /// Lists the accounts of the user (ListAccounts), in AWS's order.
    pub async fn list_accounts(&self, access_token: &Secret) -> Result<Vec<AssignedAccount>, IdentityCenterError> {
        let entries = self.read_list::<AccountPage>(&["assignment", "accounts"], &[], access_token).await?;
        entries.into_iter().map(AccountEntry::into_account).collect()
    }

    /// Lists the names of the user's permission sets in an account (ListAccountRoles), in AWS's order.
    pub async fn list_permission_sets(
        &self,
        access_token: &Secret,
        account: &str,
    ) -> Result<Vec<String>, IdentityCenterError> {
        let query = [("account_id", account)];
        let entries = self.read_list::<RolePage>(&["assignment", "roles"], &query, access_token).await?;
        entries.into_iter().map(|entry| entry.into_name(account)).collect()
    }

    /// Ends the session (Logout). A session that has already ended counts as signed out.
    pub async fn sign_out(&self, access_token: &Secret) -> Result<(), IdentityCenterError> {
        let request = self.build_portal_request(Method::POST, &["logout"], &[], access_token)?;
        match self.send_request(PortalCall::Portal, request, &[access_token]).await {
            Err(error) if error.is_refused_for(PortalRefusal::Unauthorized) => Ok(()),
            answered => answered.map(drop),
        }
    }

    /// Reads all pages of a list.
    async fn read_list<P: ListPage>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        access_token: &Secret,
    ) -> Result<Vec<P::Entry>, IdentityCenterError> {
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        let mut next: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = [query, &[("max_result", PAGE_SIZE)]].concat();
            query.extend(next.as_deref().map(|token| ("next_token", token)));
            let answer = self.read_portal(path, &query, access_token).await?;
            let (page, token) = parse_answer::<P>(&answer)?.into_parts();
            entries.extend(page.ok_or(IdentityCenterError::Incomplete("list"))?);
            let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(entries) };
            if !seen.insert(token.clone()) {
                break;
            }
            next = Some(token);
        }
        Err(IdentityCenterError::EndlessList)
    }

    /// Sends a GET request to the portal and retries transient failures.
    async fn read_portal(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        access_token: &Secret,
    ) -> Result<FullResponse, IdentityCenterError> {
        let ask = async || {
            let request = self.build_portal_request(Method::GET, path, query, access_token)?;
            self.send_request(PortalCall::Portal, request, &[access_token]).await
        };
        retry_transient(self.first_pause, ask).await
    }

    /// Builds a request with the access token in a header that is marked sensitive. Fails for a token that no header
    /// can contain, which AWS has not issued.
    fn build_portal_request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        access_token: &Secret,
    ) -> Result<Request<Vec<u8>>, IdentityCenterError> {
        let mut url = extend_path(&self.endpoints.portal, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut token =
            HeaderValue::from_str(access_token.expose()).map_err(|_| IdentityCenterError::Incomplete("accessToken"))?;
        token.set_sensitive(true);
        let request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(TOKEN_HEADER, token)
            .body(Vec::new());
        Ok(request.expect("a parsed address forms a valid request"))
    }
}

impl RoleCredentials {
    /// Returns the credentials; `None` if a member is missing.
    fn into_credentials(self) -> Option<AwsCredentials> {
        Some(AwsCredentials {
            access_key_id: self.access_key_id?,
            secret_access_key: self.secret_access_key?,
            session_token: self.session_token?,
            // A part of a second is dropped, so that credentials never count as valid for too long.
            expiration: Timestamp::from_unix(self.expiration?.div_euclid(1000)),
        })
    }
}

impl AccountEntry {
    fn into_account(self) -> Result<AssignedAccount, IdentityCenterError> {
        let is_account = |id: &String| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
        let id = self.account_id.filter(is_account).ok_or(IdentityCenterError::Incomplete("accountId"))?;
        let [name, email] =
            [self.account_name, self.email_address].map(|text| UntrustedText::new(text.unwrap_or_default()));
        Ok(AssignedAccount { id, name, email })
    }
}

impl RoleEntry {
    /// Returns the name of the permission set. It must have the form that AWS documents, and belong to the account that
    /// the request named.
    fn into_name(self, account: &str) -> Result<String, IdentityCenterError> {
        if self.account_id.is_some_and(|answered| answered != account) {
            return Err(IdentityCenterError::Incomplete("accountId"));
        }
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        let is_name = |name: &String| (1..=64).contains(&name.len()) && name.bytes().all(is_letter);
        self.role_name.filter(is_name).ok_or(IdentityCenterError::Incomplete("roleName"))
    }
}
