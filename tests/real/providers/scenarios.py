"""What the program does with each provider that others wrote: one function per behaviour, applied to all providers.

The classes of the providers say what each lacks, and why.
"""

import collections
import functools
import json
import re
import subprocess
import time

import providers
from scenarios.world import EXCHANGE, document, expect, failure_lines, made_once, scenario

ADDRESS = re.compile(r"https?://\S+")
LIMIT = 120  # seconds: a sign-in with the pages of a slow provider on a busy machine


class ForeignWorld:
    """One provider and the home in which most of its scenarios run. The provider is set up at its first use."""

    def __init__(self, bench, provider):
        self.bench, self.provider = bench, provider

    @made_once
    def ready(self):
        try:
            self.provider.ready()
        except RuntimeError as failure:
            raise AssertionError(failure)

    def home(self, name, **settings):
        return self.ready or self.bench.foreign_home(self.provider, name, **settings)

    @made_once
    def alice(self):
        """Has signed in. `first` is the result."""
        home = self.home("alice")
        home.first = home.start_credentials().outcome(LIMIT)
        return home

    def step_up(self, name, **require):
        return self.home(name, **self.provider.step_up_settings(**require))

    @made_once
    def strong(self):
        """Has signed in at a level that needs a one-time password. `first` is the result."""
        home = self.step_up("strong", acr=["gold"], amr=["pwd", "otp"], max_age="1h", email_domain=["example.com"])
        home.first = home.start_credentials().outcome(LIMIT)
        return home

    @made_once
    def aging(self):
        """Has signed in, and will soon need another sign-in. `first` is the result, `signed_in` the time."""
        home = self.step_up("aging", acr=["silver", "gold"], max_age="1m")
        self.bench.control(lifetime=20)
        home.first = home.start_credentials().outcome(LIMIT)
        home.signed_in = time.monotonic()
        return home

    def expiring(self, lifetime=120):
        """Alice's home, with credentials that the next call must renew."""
        return self.let_expire(self.alice, lifetime)

    def let_expire(self, home, lifetime):
        """Gives a home whose user has signed in credentials that the next call must renew."""
        expect(home.first.code == 0, home.first)
        self.bench.control(lifetime=lifetime, sessions={})
        outcome = home.ours("login")
        expect(outcome.code == 0, outcome)
        return home


def needs(ability):
    """Leaves the scenario out for providers without this ability, and prints the reason."""

    def mark(function):
        function.needs = ability
        return scenario(function)

    return mark


@needs("consent")
def denied_consent_is_explained(world):
    """The first of all, because most providers remember a consent."""
    home = world.home("refused", person=["--refuse"])
    outcome = home.start_credentials().outcome(LIMIT)
    lines = outcome.stderr.splitlines()
    expect(outcome.code == 5 and outcome.stdout == "" and len(lines) == 2, outcome)
    expect(f"[sign-in/{world.provider.denial}]" in lines[0] and "accept" in lines[1], outcome)


@scenario
def signs_in(world):
    home = world.alice
    document(home.first)
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")
    session = world.bench.sts.events(EXCHANGE, status=200)[-1]["session"]
    expect(session == world.provider.who, f"the session is named {session}")
    expect(world.provider.who in home.ours("status").stdout, "status does not show who is signed in")


@needs("step_up")
def young_sign_in_is_accepted(world):
    expect(world.aging.first.code == 0, world.aging.first)


@scenario
def renews_without_a_browser(world):
    home = world.expiring()
    for _ in range(2):
        seen = refreshes(home)
        exchanges = len(world.bench.sts.events(EXCHANGE, status=200))
        expect((outcome := home.credentials()).code == 0, outcome)
        expect(len(world.bench.sts.events(EXCHANGE, status=200)) == exchanges + 1, "the credentials were not renewed")
        expect(refreshes(home) == seen + 1, "the refresh token was not used")
        state = json.loads(home.ours("status", "--json").stdout)
        expect(state["can_renew"] is world.provider.refresh_returns_id_token, f"status promises a wrong renewal: {state['can_renew']}")
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")


@scenario
def rotated_keys_are_fetched(world):
    home = world.expiring()
    world.provider.rotate_keys()
    outcome = home.start_credentials().outcome(LIMIT)
    expect(outcome.code == 0, outcome)
    # A cached ID token is worthless without its key, so only a new one from the refresh spares the user a prompt.
    wanted = 1 if world.provider.refresh_returns_id_token else 2
    expect(len(home.visits()) == wanted, f"{len(home.visits())} browsers were opened")


@scenario
def dead_refresh_token_prompts(world):
    home = world.expiring(lifetime=10)
    visits = len(home.visits())
    world.provider.kill_refresh_tokens()
    world.bench.control(lifetime=10)
    unattended = home.credentials("--no-login")
    expect(unattended.code == 4 and unattended.stdout == "" and "login" in unattended.stderr, unattended)
    expect(len(home.visits()) == visits, "a browser was opened for a caller that may not prompt")
    expect(not json.loads(home.ours("status", "--json").stdout)["can_renew"], "status promises a renewal")
    world.bench.control(lifetime=None)
    outcome = home.start_credentials().outcome(LIMIT)
    expect(outcome.code == 0, outcome)
    expect(len(home.visits()) == visits + 1, f"{len(home.visits()) - visits} browsers were opened")


@scenario
def unregistered_address_is_named(world):
    """The provider shows an error page, which only the browser sees. The program finds it with a request of its own."""
    from office import free_port

    port = free_port()
    home = world.home(
        "unregistered", redirect_ports=[port], redirect_path="/wrong", browser=["true", "{url}"], login_timeout="10s"
    )
    outcome = home.credentials()
    expect(outcome.code == 4 and f"http://127.0.0.1:{port}/wrong" in outcome.stderr, outcome)


@scenario
def device_code_signs_in(world):
    home = world.home("device", flow="device")
    if world.provider.device is not True:
        return failure_lines(home.ours("login"), 5, "provider/no_device_codes")
    terminal = home.at_a_terminal("login")
    expect(terminal.shows("Press Ctrl-C to cancel.", 60), f"no code was shown: {terminal.text!r}")
    code, address = world.provider.user_code.search(terminal.text)[0], ADDRESS.search(terminal.text)[0]
    pages = str(world.provider.folder / "pages.json")
    person = subprocess.run(home.person("--pages", pages, "--code", code, address), capture_output=True, text=True, timeout=LIMIT)
    expect(person.returncode == 0, f"the code was not accepted: {person.stderr}")
    expect(terminal.shows(f"Signed in as {world.provider.who}", 60), f"it did not sign in: {terminal.text[-600:]!r}")
    expect(terminal.ends(20) == 0, "login failed")


@scenario
def logout_revokes_or_names_the_page(world):
    home, log = world.alice, world.bench.root / "logs" / f"{world.provider.name}-alice.log"
    expect(home.first.code == 0, home.first)
    outcome = home.ours("logout")
    expect(outcome.code == 0, outcome)
    state = json.loads(home.ours("status", "--json").stdout)
    expect(not state["signed_in"] and not state["can_renew"], f"after logout, status says {state}")
    revoked = re.search(r"POST \S+revoke\S*: 200", log.read_text()) is not None
    expect(revoked is (world.provider.revocation is True), f"revoked: {revoked}")
    named = "logout --browser" in outcome.stderr
    expect(named is (not revoked and world.provider.sign_out_page), f"the provider's page is named: {named}, {outcome}")


@needs("step_up")
def required_proofs_are_verified_also_after_a_refresh(world):
    home = world.let_expire(world.strong, lifetime=120)
    seen = refreshes(home)
    expect((outcome := home.credentials()).code == 0, outcome)
    expect(refreshes(home) == seen + 1 and len(home.visits()) == 1, f"{refreshes(home) - seen} refreshes, {len(home.visits())} browsers")


@needs("step_up")
def unproved_method_is_rejected(world):
    home = world.step_up("unproved", amr=["hwk"])
    exchanges = len(world.bench.sts.events(EXCHANGE))
    failure_lines(home.start_credentials().outcome(LIMIT), 6, "token/amr")
    expect(len(world.bench.sts.events(EXCHANGE)) == exchanges, "the token was sent to AWS")


@needs("step_up")
def refresh_that_proves_less_needs_a_sign_in(world):
    """An administrator has changed the claim since the sign-in."""
    home = world.let_expire(world.strong, lifetime=10)
    world.provider.weaken_methods()
    failure_lines(home.credentials("--no-login"), 4, "sign-in/requirement")
    expect(len(home.visits()) == 1, "a browser was opened")


@needs("step_up")
def old_sign_in_needs_another(world):
    home = world.aging
    expect(home.first.code == 0, home.first)
    # A minute of `max_age` and a minute of leeway, from the time of the sign-in at the provider. No event shows that they have passed.
    time.sleep(max(0, home.signed_in + 125 - time.monotonic()))
    failure_lines(home.credentials("--no-login"), 4, "sign-in/requirement")
    expect(len(home.visits()) == 1, "a browser was opened")


def refreshes(home):
    """The number of answers with tokens, as the program's log has it. While nobody signs in, each is a refresh."""
    log = (home.bench.root / "logs" / f"{home.name}.log").read_text()
    return len(re.findall(r"POST \S+token/?: 200", log))


def table(bench, only):
    """The scenarios to run: all of the first provider, then all of the next. Prints once why a provider cannot have some."""
    for provider in bench.foreign:
        world, left_out = ForeignWorld(bench, provider), collections.Counter()
        for function in functions():
            name = f"{provider.name}_{function.__name__}"
            if not chosen(name, only):
                continue
            reason = getattr(provider, getattr(function, "needs", ""), True)
            if reason is not True:
                left_out[reason] += 1
            else:
                yield named(functools.partial(lambda _, function, world: function(world), function=function, world=world), name)
        for reason, count in left_out.items():
            print(f"left out for {provider.name}: {count} of {len(functions())} scenarios, because {reason}", flush=True)


def functions():
    return [it for it in globals().values() if getattr(it, "is_scenario", False)]


def kinds(only):
    """The providers whose scenarios are to run."""
    return [kind for kind in providers.ALL if any(chosen(f"{kind.name}_{it.__name__}", only) for it in functions())]


def chosen(name, only):
    return not only or any(part in name for part in only)


def named(function, name):
    function.__name__ = name
    return function
