"""The AWS console in a browser: Chromium opens the short address once, and is in the console with the role."""

import urllib.error
import urllib.request

from bench import wait_until
from scenarios.world import document, expect, scenario


@scenario
def console_opens_as_the_role_and_only_once(world):
    home = world.bench.home("console", console_endpoint=f"{world.bench.sts.address}/federation")
    document(home.credentials())
    expect(wait_until(home.finished_visits), "the browser of the sign-in did not end")
    outcome = home.ours("console", "--service", "bedrock")
    expect(outcome.code == 0 and outcome.stdout == "", outcome)
    expect(wait_until(lambda: len(home.finished_visits()) == 2), "the browser did not reach the console")
    visit = next(visit for visit in home.finished_visits() if visit.get("title") == "AWS console")
    expect("assumed-role/BedrockUser/alice@example.com" in visit["text"], visit)
    [redirect] = visit["documents"]
    headers = {name: redirect["headers"].get(name) for name in ("cache-control", "referrer-policy")}
    expect(redirect["status"] == 303 and headers == {"cache-control": "no-store", "referrer-policy": "no-referrer"}, redirect)
    destination = "https://us-east-1.console.aws.amazon.com/bedrock/home?region=us-east-1"
    expect(world.bench.sts.events("login", status=200, destination=destination), "AWS saw no browser sign in")
    expect(visit["address"] in outcome.stderr, "the terminal and the browser have different addresses")
    try:
        urllib.request.urlopen(visit["address"], timeout=10)
        raise AssertionError("the address works twice")
    except urllib.error.URLError:
        pass
