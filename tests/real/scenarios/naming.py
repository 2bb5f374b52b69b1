"""A provider that has the user's claims in UserInfo only, as OpenID Connect has it, and the provider's sign-out page."""

import json

from bench import wait_until
from scenarios.applications import provider
from scenarios.world import EXCHANGE, document, expect, scenario

FROM_USER_INFO = ["email", "userinfo:email", "sub"]


def last_name(world):
    return world.bench.sts.events(EXCHANGE)[-1]["session"]


def identity(home):
    return json.loads(home.ours("status", "--json").stdout)["identity"]


@scenario
def opaque_session_name_is_reported_at_a_conforming_provider(world):
    with provider(world, "conforming", CLAIMS="userinfo") as server:
        home = world.bench.home("opaque", server)
        login = home.ours("login")
        expect(login.code == 0 and "userinfo:email" in login.stderr, login)
        expect(last_name(world) == "alice" and identity(home)["named_by_subject"], f"the session is {last_name(world)}")
        expect(not server.events("userinfo"), "UserInfo was asked")


@scenario
def user_info_names_the_session_and_refreshes_do_not_ask_again(world):
    with provider(world, "conforming_too", CLAIMS="userinfo") as server:
        home = world.bench.home("named", server, session_name=FROM_USER_INFO)
        login = home.ours("login")
        expect(login.code == 0 and login.stderr == "", login)
        expect(last_name(world) == "alice@example.com", f"the session is {last_name(world)}")
        document(home.credentials())  # a refresh, because the credentials last two minutes
        expect(server.events("token", grant="refresh_token", status=200), "there was no refresh")
        expect(last_name(world) == "alice@example.com", f"the session is {last_name(world)}")
        asked = [event["status"] for event in server.events("userinfo")]
        expect(asked == [200], f"UserInfo was asked {asked}")


@scenario
def logout_browser_opens_the_providers_page(world):
    with provider(world, "leaving") as server:
        home = world.bench.home("leaving", server)
        expect((outcome := home.ours("login")).code == 0, outcome)
        outcome = home.ours("logout", "--browser")
        expect(outcome.code == 0 and "client_id=bedrock-sso" in outcome.stderr, outcome)
        expect("id_token_hint" not in outcome.stderr, outcome)
        expect(wait_until(lambda: len(home.finished_visits()) == 2), "no page was opened")
        expect("sign-out" in home.finished_visits()[-1].get("text", "").lower(), f"the page says {home.finished_visits()[-1]}")
