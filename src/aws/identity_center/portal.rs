//! The access portal: fetches credentials, lists the user's accounts and permission sets, and signs the user out.

use std::collections::BTreeSet;

use ::http::{HeaderValue, Method, Request, header};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    IdentityCenterClient,
    error::{IdentityCenterError, PortalCall, PortalRefusal},
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
    /// account: the caller must compare it with the account of GetCallerIdentity.
    pub(in crate::aws) async fn get_role_credentials(
        &self,
        access_token: &Secret,
        account: &str,
        permission_set: &str,
        now: Timestamp,
    ) -> Result<AwsCredentials, IdentityCenterError> {
        let query = [("account_id", account), ("role_name", permission_set)];
        let answer = self.read_portal(&["federation", "credentials"], &query, access_token).await?;
        let RoleCredentialsResponse { role_credentials } = parse_answer(answer)?;
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
        let mut request = self.build_portal_request(Method::POST, &["logout"], &[], access_token)?;
        // The HTTP client omits the length of an empty body, and some servers refuse a POST without a length (RFC 9110
        // §8.6).
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        match self.send_request(PortalCall::SignOut, request, &[access_token]).await {
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
            let (page, token) = parse_answer::<P>(answer)?.into_parts();
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
        let mut url = self.endpoints.portal.extend_path(path).as_url().clone();
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::testing::{PortalAnswer, TestIdentityCenter, access_token, grant, portal_request},
        *,
    };
    use crate::{
        aws::testing::{ACCOUNT, NOW, build_credentials},
        http::testing::block_on,
    };

    /// Expires twelve hours and 999 milliseconds after [`NOW`].
    const CREDENTIALS: &str = r#"{"roleCredentials":{"accessKeyId":"ASIAEXAMPLE","secretAccessKey":"secret",
        "sessionToken":"session-token","expiration":1893499200999}}"#;

    fn fetch(body: &str) -> Result<AwsCredentials, IdentityCenterError> {
        let server = TestIdentityCenter::granting(body);
        block_on(server.client().get_role_credentials(&access_token(), ACCOUNT, "Role", NOW))
    }

    fn list_accounts(answers: Vec<PortalAnswer>) -> (Result<Vec<AssignedAccount>, IdentityCenterError>, Vec<String>) {
        let server = TestIdentityCenter::answering(answers);
        (block_on(server.client().list_accounts(&access_token())), server.take_requests())
    }

    fn account(id: &str, name: &str) -> AssignedAccount {
        let email = UntrustedText::new("aws@example.com");
        AssignedAccount { id: id.into(), name: UntrustedText::new(name), email }
    }

    fn page(id: &str, name: &str, next: &str) -> PortalAnswer {
        grant(&format!(
            r#"{{"accountList":[{{"accountId":"{id}","accountName":"{name}","emailAddress":"aws@example.com"}}],
            "nextToken":{next}}}"#
        ))
    }

    #[test]
    fn role_credentials_expire_in_milliseconds() {
        let server = TestIdentityCenter::granting(CREDENTIALS);
        let given = block_on(server.client().get_role_credentials(&access_token(), ACCOUNT, "Power+User @x&y", NOW));
        assert_eq!(given, Ok(build_credentials()));
        server.assert_request(&portal_request(
            "/federation/credentials?account_id=123456789012&role_name=Power%2BUser+%40x%26y",
        ));
    }

    #[test]
    fn unusable_role_credentials_are_rejected() {
        let spent = CredentialsFlaw::AlreadyExpired { expiration: NOW, now: NOW };
        for (was, is, flaw) in [
            ("1893499200999", "1893456000999", spent),
            ("\"accessKeyId\"", "\"x\"", CredentialsFlaw::Incomplete),
            ("\"secretAccessKey\"", "\"x\"", CredentialsFlaw::Incomplete),
            ("\"sessionToken\"", "\"x\"", CredentialsFlaw::Incomplete),
            ("\"expiration\"", "\"x\"", CredentialsFlaw::Incomplete),
            ("\"roleCredentials\"", "\"x\"", CredentialsFlaw::Incomplete),
            ("\"session-token\"", "\"\"", CredentialsFlaw::Incomplete),
            ("\"ASIAEXAMPLE\"", "\"ASIA'; rm\"", CredentialsFlaw::Malformed),
        ] {
            let error = fetch(&CREDENTIALS.replace(was, is)).unwrap_err();
            assert_eq!(error, IdentityCenterError::Flawed(flaw), "{is}");
            assert!(!error.is_network());
        }
        let before = fetch(&CREDENTIALS.replace("1893499200999", "-1")).unwrap_err();
        let expiration = Timestamp::from_unix(-1);
        let spent = CredentialsFlaw::AlreadyExpired { expiration, now: NOW };
        assert_eq!(before, IdentityCenterError::Flawed(spent));
        assert_eq!(
            fetch(&CREDENTIALS.replace("1893499200999", "\"soon\"")),
            Err(IdentityCenterError::Incomplete("answer"))
        );
    }

    #[test]
    fn expiry_in_the_far_future_is_reduced() {
        let given = fetch(&CREDENTIALS.replace("1893499200999", &i64::MAX.to_string())).unwrap();
        assert!(given.expiration.duration_since(NOW) < Duration::from_hours(13));
    }

    #[test]
    fn token_that_no_header_can_contain_is_never_sent() {
        let server = TestIdentityCenter::granting(CREDENTIALS);
        let broken = Secret::new("a\r\nx-other: b");
        let error = block_on(server.client().get_role_credentials(&broken, ACCOUNT, "Role", NOW)).unwrap_err();
        assert_eq!(error, IdentityCenterError::Incomplete("accessToken"));
        assert_eq!(server.take_requests(), [""; 0]);
    }

    #[test]
    fn transient_portal_failure_is_retried_until_success() {
        let busy = ("429 Too Many Requests", "", r#"{"message":null,"__type":"TooManyRequestsException"}"#.to_owned());
        let server = TestIdentityCenter::answering(vec![busy.clone(), busy, grant(CREDENTIALS)]);
        let given = block_on(server.client().get_role_credentials(&access_token(), ACCOUNT, "Role", NOW));
        assert_eq!(given, Ok(build_credentials()));
        assert_eq!(server.take_requests().len(), 3);
    }

    #[test]
    fn accounts_of_all_pages_are_listed() {
        let pages = vec![page("111111111111", "One", "\"a/b=\""), page("222222222222", "Two", "null")];
        let (accounts, requests) = list_accounts(pages);
        assert_eq!(accounts, Ok(vec![account("111111111111", "One"), account("222222222222", "Two")]));
        let first = portal_request("/assignment/accounts?max_result=100");
        assert_eq!(requests, [first, portal_request("/assignment/accounts?max_result=100&next_token=a%2Fb%3D")]);
    }

    #[test]
    fn empty_next_token_ends_the_list() {
        let (accounts, requests) = list_accounts(vec![page("111111111111", "One", "\"\"")]);
        assert_eq!((accounts.map(|list| list.len()), requests.len()), (Ok(1), 1));
    }

    #[test]
    fn repeated_page_ends_the_list_with_an_error() {
        let pages = ["\"a\"", "\"b\"", "\"a\""].map(|next| page("111111111111", "One", next)).to_vec();
        let (accounts, requests) = list_accounts(pages);
        assert_eq!((accounts, requests.len()), (Err(IdentityCenterError::EndlessList), 3));
    }

    #[test]
    fn list_without_an_end_is_given_up() {
        let pages = (0..=MAX_PAGES).map(|count| page("111111111111", "One", &format!("\"{count}\""))).collect();
        let (accounts, requests) = list_accounts(pages);
        assert_eq!((accounts, requests.len()), (Err(IdentityCenterError::EndlessList), MAX_PAGES));
    }

    #[test]
    fn account_without_a_valid_id_is_incomplete() {
        for id in ["", "12345678901", "1234567890123", "12345678901x"] {
            let (accounts, _) = list_accounts(vec![page(id, "One", "null")]);
            assert_eq!(accounts, Err(IdentityCenterError::Incomplete("accountId")), "{id}");
        }
        assert_eq!(list_accounts(vec![grant("{}")]).0, Err(IdentityCenterError::Incomplete("list")));
        let nameless = list_accounts(vec![grant(r#"{"accountList":[{"accountId":"111111111111"}]}"#)]).0.unwrap();
        assert!(nameless[0].name.is_empty() && nameless[0].email.is_empty());
    }

    #[test]
    fn permission_sets_of_one_account_are_listed() {
        let list = |roles: &str| {
            let server = TestIdentityCenter::granting(&format!(r#"{{"nextToken":null,"roleList":[{roles}]}}"#));
            let names = block_on(server.client().list_permission_sets(&access_token(), ACCOUNT));
            server.assert_request(&portal_request("/assignment/roles?account_id=123456789012&max_result=100"));
            names
        };
        let own = r#"{"accountId":"123456789012","roleName":"Bedrock.User"},{"roleName":"Admin"}"#;
        assert_eq!(list(own), Ok(vec!["Bedrock.User".into(), "Admin".into()]));
        let other = r#"{"accountId":"999999999999","roleName":"Admin"}"#;
        assert_eq!(list(other), Err(IdentityCenterError::Incomplete("accountId")));
        for name in ["", "a b", "a\\u001b", &"x".repeat(65)] {
            let error = list(&format!(r#"{{"roleName":"{name}"}}"#));
            assert_eq!(error, Err(IdentityCenterError::Incomplete("roleName")), "{name}");
        }
    }

    #[test]
    fn sign_out_posts_the_token_without_a_body() {
        for answer in [("200 OK", "", String::new()), grant("{}")] {
            let server = TestIdentityCenter::answering(vec![answer]);
            assert_eq!(block_on(server.client().sign_out(&access_token())), Ok(()));
            server.assert_request(
                "POST /portal/logout HTTP/1.1\r\naccept: application/json\r\nx-amz-sso_bearer_token: portal-token\r\n\
                 content-length: 0\r\nuser-agent: bedrock-sso/VERSION\r\nhost: HOST\r\n\r\n",
            );
        }
    }

    #[test]
    fn ended_session_counts_as_signed_out() {
        let sign_out = |status, body: &str| {
            let server = TestIdentityCenter::answering(vec![(status, "", body.to_owned())]);
            let result = block_on(server.client().sign_out(&access_token()));
            assert_eq!(server.take_requests().len(), 1);
            result
        };
        let ended = r#"{"message":"Session token not found or invalid","__type":"UnauthorizedException"}"#;
        assert_eq!(sign_out("401 Unauthorized", ended), Ok(()));
        assert!(sign_out("200 OK", "<html>").unwrap_err().is_network());
        assert!(sign_out("503 Unavailable", "").unwrap_err().is_network());
    }
}
