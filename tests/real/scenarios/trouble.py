"""A sign-in that loses its caller, and untrusted certificates."""

import re

from bench import wait_until
from scenarios.world import EXCHANGE, expect, only_visit, scenario


@scenario
def a_sign_in_outlives_its_caller(world):
    gate = world.bench.root / "the password is found"
    home = world.bench.home("slow", person=["--gate", str(gate)])
    caller = home.start_credentials()
    expect(wait_until(home.visits), "no browser was opened")
    caller.process.kill()
    caller.process.wait()
    gate.touch()
    expect(wait_until(home.finished_visits), "the browser did not end")
    visit = home.finished_visits()[0]
    expect("BedrockUser" in visit.get("text", ""), f"the page says {visit.get('text', visit)!r}")
    outcome = home.credentials()
    expect(outcome.code == 0, outcome)
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")


@scenario
def shown_address_works_in_another_browser(world):
    gate = world.bench.root / "the first browser hangs"
    home = world.bench.home("two-browsers", person=["--gate", str(gate)])
    terminal = home.at_a_terminal("login")
    expect(terminal.shows("http://127.0.0.1:", 10) and wait_until(home.visits), f"no address to open: {terminal.text!r}")
    address = re.search(r"http://127\.0\.0\.1:\d+/[\w-]+", terminal.text)[0]
    home.start(home.person(address)).outcome()
    expect(terminal.ends(30) == 0, f"exit {terminal.process.returncode}: {terminal.text!r}")
    expect(any("BedrockUser" in visit.get("text", "") for visit in home.finished_visits()), "no page shows the sign-in")
    gate.touch()


@scenario
def aws_refusal_is_on_the_page_and_retry_needs_no_browser(world):
    home, issuer = world.bench.home("unregistered"), world.bench.provider.address
    world.bench.control(trust={})
    outcome = home.credentials()
    expect(outcome.code == 7 and outcome.stdout == "" and "hint:" in outcome.stderr, outcome)
    expect(issuer in outcome.stderr and "bedrock-sso" in outcome.stderr, f"issuer and audience are not shown: {outcome}")
    page = only_visit(home)
    expect("InvalidIdentityToken" in page.get("text", "") and "Valid for" not in page["text"], f"the page says {page}")
    world.bench.control(trust=world.bench.trust)
    expect((outcome := home.credentials()).code == 0, outcome)
    expect(len(home.visits()) == 1, "the user was prompted again after AWS's refusal")


@scenario
def untrusted_certificate_names_its_issuer(world):
    home = world.bench.home("no-ca", ca_bundle=None)
    outcome = home.credentials()
    expect(outcome.code == 9 and outcome.stdout == "", outcome)
    expect("Real Parts Private CA" in outcome.stderr, f"the issuer is not named: {outcome}")
    expect("ca_bundle" in outcome.stderr, f"the remedy is not named: {outcome}")
    expect(not home.visits(), "a browser was opened")


@scenario
def private_ca_may_come_from_the_environment(world):
    ca = str(world.bench.ca)
    home = world.bench.home("ca-elsewhere", ca_bundle=None, trust_environment=True)
    world.bench.control(lifetime=120)
    for variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        exchanges = len(world.bench.sts.events(EXCHANGE, status=200))
        outcome = home.credentials(**{variable: ca})
        expect(outcome.code == 0, f"{variable}: {outcome}")
        expect(len(world.bench.sts.events(EXCHANGE, status=200)) == exchanges + 1, f"{variable}: nothing was renewed")
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")
