"""AWS's own clients judge the test world's IAM Identity Center, in which the program is tested elsewhere.

Our program takes no part. Where a client refuses the world, or is refused, the world is wrong.
"""

import functools
import json
import shutil
import urllib.parse
from datetime import datetime, timezone

import boto3
import botocore.config
import botocore.exceptions
from botocore import UNSIGNED

from bench import wait_until
from identity_center import ACCOUNT, sso_arn
from scenarios.world import expect, scenario

CALLERS = ["aws_cli", "boto3", "javascript_sdk", "go_sdk"]
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


def judged(function):
    """A scenario with an Identity Center whose knobs are as at the start."""

    @functools.wraps(function)
    def run(world):
        world.identity_center.reset()
        function(world.identity_center)

    return scenario(run)


def expect_arn(home, name, arn=sso_arn()):
    outcome = home.caller(name)
    expect(outcome.code == 0 and outcome.stdout.strip() == arn, f"{name}: {outcome}, stdout {outcome.stdout!r}")


def expect_failure(home, name, *texts):
    outcome = home.caller(name)
    expect(outcome.code != 0 and any(text in outcome.stderr for text in texts), f"{name}: {outcome}")


def expire_access_token(home):
    """Waits until the access token has expired by the clock, which the AWS SDK for Go needs before it refreshes."""
    home.forget_role_credentials()
    expires = datetime.fromisoformat(home.tokens()["expiresAt"])
    expect(wait_until(lambda: datetime.now(timezone.utc) > expires, 10), "the access token has not expired")


def client(center, service):
    """boto3's client for one of the two services, without retries."""
    endpoint = dict(center.addresses["identity_center_endpoints"])[{"sso": "AWS_ENDPOINT_URL_SSO"}.get(service, "AWS_ENDPOINT_URL_SSO_OIDC")]
    settings = botocore.config.Config(signature_version=UNSIGNED, retries={"max_attempts": 0})
    return boto3.client(service, region_name="us-east-1", endpoint_url=endpoint, config=settings)


@judged
def identity_center_signs_the_aws_cli_in_with_pkce(center):
    home = center.home("pkce")
    code, printed = home.sign_in()
    expect(code == 0 and "Successfully logged into Start URL" in printed, printed)
    registration = center.questions("register-client")[-1]
    expect(registration["grantTypes"] == ["authorization_code", "refresh_token"], registration)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(center.requests("portal-authorize")[-1]["target"]).query)
    expect(query["code_challenge_method"] == ["S256"] and query["scopes"] == ["sso:account:access"], query)
    expect_arn(home, "aws_cli")
    outcome = home.cli("sso", "list-account-roles", "--account-id", ACCOUNT, "--access-token", home.tokens()["accessToken"])
    expect(outcome.code == 0, outcome)
    expect([role["roleName"] for role in json.loads(outcome.stdout)["roleList"]] == ["BedrockUser", "ReadOnly"], outcome.stdout)


@judged
def identity_center_reports_a_denial_to_the_aws_cli(center):
    home = center.home("denied")
    code, printed = home.sign_in(denies=True)
    expect(code != 0 and "Failed to retrieve an authorization code" in printed, f"exit {code}: {printed}")
    code, printed = home.sign_in_with_device_code(denies=True)
    expect(code != 0 and "AccessDeniedException" in printed, f"exit {code}: {printed}")


@judged
def identity_center_signs_the_aws_cli_in_with_a_device_code(center):
    home, polls = center.home("device code"), center.count("portal-poll")
    # The third poll is the first one that the CLI has waited for.
    code, printed = home.sign_in_with_device_code(before=lambda: wait_until(lambda: center.count("portal-poll") >= polls + 3, 20))
    expect(code == 0 and "Successfully logged into Start URL" in printed, printed)
    expect("grantTypes" not in center.questions("register-client")[-1], "the CLI registers grant types now, so the world need not assume them")
    expect_arn(home, "aws_cli")
    expect(home.tokens().get("refreshToken"), "there is no refresh token")


@judged
def identity_center_serves_each_client_with_the_token_of_the_cli(center):
    home = center.home("each client")
    expect(home.sign_in()[0] == 0, "the sign-in failed")
    for name in CALLERS:
        seen = center.count("role-credentials")
        expect_arn(home, name)
        expect(center.count("role-credentials") == seen + 1, f"{name} did not ask for role credentials")
    expect(not center.count("unknown"), f"unknown requests: {center.requests('unknown')}")


@judged
def identity_center_rotates_the_refresh_token_of_each_client(center):
    home = center.home("refresh")
    center.set(portal_token_lifetime=2)
    expect(home.sign_in()[0] == 0, "the sign-in failed")
    for name in CALLERS:
        expire_access_token(home)
        before, seen = home.tokens(), center.count("portal-refresh")
        expect_arn(home, name)
        after = home.tokens()
        expect(center.count("portal-refresh") == seen + 1, f"{name} sent {center.count('portal-refresh') - seen} refreshes")
        expect(before["refreshToken"] != after["refreshToken"], f"{name} did not store the new refresh token")


@judged
def identity_center_ends_the_session_when_a_refresh_token_is_reused(center):
    home = center.home("reuse")
    center.set(portal_token_lifetime=2)
    expect(home.sign_in()[0] == 0, "the sign-in failed")
    old = home.path / "old tokens"
    shutil.copy(home.token_file, old)
    expire_access_token(home)
    expect_arn(home, "aws_cli")
    new = home.token_file.read_text()
    shutil.copy(old, home.token_file)
    expire_access_token(home)
    expect_failure(home, "aws_cli", "Token has expired and refresh failed")
    home.token_file.write_text(new)
    expire_access_token(home)
    expect_failure(home, "aws_cli", "Token has expired and refresh failed")


@judged
def identity_center_signs_the_aws_cli_out(center):
    home = center.home("sign out")
    expect(home.sign_in()[0] == 0, "the sign-in failed")
    token, registered = home.tokens(), client(center, "sso-oidc")
    expect((outcome := home.cli("sso", "logout")).code == 0, outcome)
    expect_failure(home, "aws_cli", "Token for acme does not exist")
    portal = client(center, "sso")
    refused(portal.exceptions.UnauthorizedException, portal.list_accounts, accessToken=token["accessToken"])
    identified = {"clientId": token["clientId"], "clientSecret": token["clientSecret"]}
    refresh = {**identified, "grantType": "refresh_token", "refreshToken": token["refreshToken"]}
    refused(registered.exceptions.InvalidGrantException, registered.create_token, **refresh)


@judged
def identity_center_refuses_a_role_that_is_not_assigned(center):
    home = center.home("no such assignment")
    expect(home.sign_in()[0] == 0, "the sign-in failed")
    home.write_profile(permission_set="Administrator")
    for name, texts in (
        ("aws_cli", ["ForbiddenException", "No access"]),
        ("boto3", ["ForbiddenException"]),
        ("javascript_sdk", ["No access"]),
        ("go_sdk", ["ForbiddenException"]),
    ):
        expect_failure(home, name, *texts)
    home.write_profile(account="210987654321")
    expect_arn(home, "aws_cli", sso_arn(account="210987654321"))


@judged
def identity_center_session_ended_by_an_administrator_ends_for_each_client(center):
    home = center.home("ended session")
    expect(home.sign_in()[0] == 0, "the sign-in failed")
    center.control("POST", "/end-portal-sessions")
    for name in CALLERS:
        expect_failure(home, name, "UnauthorizedException", "Session token not found or invalid", "has expired or is otherwise invalid")


@judged
def identity_center_refuses_a_foreign_start_url_and_registers_again(center):
    stranger = center.home("foreign start URL", start_url="https://other.awsapps.com/start")
    code, printed = stranger.sign_in_with_device_code()
    expect(code != 0 and "InvalidRequestException" in printed, printed)
    home = center.home("registrations")
    seen = center.count("register-client")
    for _ in range(2):
        expect(home.sign_in()[0] == 0, "the sign-in failed")
    expect(center.count("register-client") == seen + 1, "the registration was not used again")


def refused(error, call, **members):
    try:
        answer = call(**members)
    except error as refusal:
        return refusal.response
    except botocore.exceptions.ClientError as other:
        raise AssertionError(f"{other.response} instead of {error.__name__}")
    raise AssertionError(f"{answer} instead of {error.__name__}")


@judged
def identity_center_refusals_are_those_of_the_service_model(center):
    oidc, portal = client(center, "sso-oidc"), client(center, "sso")
    wanted, start_url = {"clientName": "judge", "clientType": "public"}, center.addresses["start_url"]
    failures = oidc.exceptions
    refused(failures.InvalidClientMetadataException, oidc.register_client, **{**wanted, "clientType": "confidential"})
    refused(failures.InvalidScopeException, oidc.register_client, **wanted, scopes=["openid"])
    refused(failures.UnsupportedGrantTypeException, oidc.register_client, **wanted, grantTypes=["password"])
    redirect = {"grantTypes": ["authorization_code"], "issuerUrl": start_url, "redirectUris": ["http://localhost/callback"]}
    refused(failures.InvalidRedirectUriException, oidc.register_client, **wanted, **redirect)
    registered = oidc.register_client(**wanted, scopes=["sso:account:access"], grantTypes=[DEVICE_CODE])
    identified = {name: registered[name] for name in ("clientId", "clientSecret")}
    refused(failures.InvalidRequestException, oidc.start_device_authorization, **identified, startUrl="https://other.awsapps.com/start")
    stranger = {**identified, "clientSecret": "wrong"}
    refused(failures.InvalidClientException, oidc.start_device_authorization, **stranger, startUrl=start_url)
    refused(failures.UnauthorizedClientException, oidc.create_token, **identified, grantType="refresh_token", refreshToken="x")
    device = oidc.start_device_authorization(**identified, startUrl=start_url)
    poll = {**identified, "grantType": DEVICE_CODE, "deviceCode": device["deviceCode"]}
    pending = refused(failures.AuthorizationPendingException, oidc.create_token, **poll)
    expect(pending["error"] == "authorization_pending" and pending["error_description"], pending)
    refused(failures.AuthorizationPendingException, oidc.create_token, **poll)
    refused(failures.SlowDownException, oidc.create_token, **poll)
    refused(failures.InvalidGrantException, oidc.create_token, **{**poll, "deviceCode": "x"})
    center.set(portal_device_codes={"expiresIn": 0})
    late = oidc.start_device_authorization(**identified, startUrl=start_url)
    refused(failures.ExpiredTokenException, oidc.create_token, **{**poll, "deviceCode": late["deviceCode"]})
    center.set(sso_oidc_fault={"sso-oidc": {"code": "InternalServerException", "message": "out of order"}})
    refused(failures.InternalServerException, oidc.create_token, **poll)

    failures = portal.exceptions
    refused(failures.UnauthorizedException, portal.list_accounts, accessToken="x")
    center.set(portal_fault={"access-portal": {"status": 429, "code": "TooManyRequestsException", "message": "HTTP 429"}})
    refused(failures.TooManyRequestsException, portal.list_accounts, accessToken="x")


@judged
def identity_center_lists_many_accounts_in_pages(center):
    accounts = [{"account_id": f"{n:012}", "name": f"Account {n}", "email": "a@example.com", "roles": ["BedrockUser"]} for n in range(45)]
    center.set(assignments=accounts)
    home = center.home("many accounts")
    expect(home.sign_in()[0] == 0, "the sign-in failed")
    token, portal, seen = home.tokens()["accessToken"], client(center, "sso"), center.count("portal-accounts")
    for size in (None, 100, 7):
        pages = portal.get_paginator("list_accounts").paginate(accessToken=token, PaginationConfig={"PageSize": size})
        names = [account["accountName"] for page in pages for account in page["accountList"]]
        expect(names == [account["name"] for account in accounts], names)
    expect(center.count("portal-accounts") - seen == 3 + 1 + 7, f"{center.count('portal-accounts') - seen} pages")
    outcome = home.cli("sso", "list-accounts", "--access-token", token, "--query", "length(accountList)")
    expect(outcome.code == 0 and outcome.stdout.strip() == "45", f"{outcome}, stdout {outcome.stdout!r}")
    roles = portal.list_account_roles(accessToken=token, accountId="000000000007")["roleList"]
    expect(roles == [{"roleName": "BedrockUser", "accountId": "000000000007"}], roles)
    refused(portal.exceptions.ResourceNotFoundException, portal.list_account_roles, accessToken=token, accountId=ACCOUNT)
