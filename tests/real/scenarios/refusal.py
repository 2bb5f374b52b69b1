"""A sign-in that the user refuses, cancels or never answers, and which commands may prompt again."""

from bench import wait_until
from scenarios.world import expect, running, scenario, secrets


@scenario
def denied_sign_in_has_code_5_and_a_hint(world):
    outcome = world.refused.outcome
    expect(outcome.code == 5 and outcome.stdout == "", f"{outcome}, stdout {outcome.stdout!r}")
    expect("access_denied" in outcome.stderr and "hint:" in outcome.stderr, outcome)
    expect(not world.bench.provider.events("token", grant="authorization_code", status=400), "a code was sent")


@scenario
def denied_sign_in_page_shows_the_error(world):
    expect(wait_until(world.refused.finished_visits, 10), "the browser saw no final page")
    visit = world.refused.finished_visits()[0]
    expect("access_denied" in visit.get("text", ""), f"the page says {visit}")
    final = visit["documents"][-1]["headers"]
    expect("default-src 'none'" in final.get("content-security-policy", ""), f"its headers are {final}")
    expect("no-store" in final.get("cache-control", ""), f"its headers are {final}")


@scenario
def denied_sign_in_is_not_repeated_automatically(world):
    visits = len(world.refused.visits())
    for outcome in [run.outcome() for run in [world.refused.start_credentials() for _ in range(10)]]:
        expect(outcome.code == 4 and outcome.stdout == "" and outcome.seconds < 20, outcome)
    expect(len(world.refused.visits()) == visits, f"{len(world.refused.visits()) - visits} more browsers were opened")


@scenario
def caller_shows_the_message_and_hint(world):
    outcome = world.refused.caller("aws_cli_v1").outcome()
    expect(outcome.code != 0 and "bedrock-sso: " in outcome.stderr and "hint:" in outcome.stderr, outcome)


@scenario
def user_login_ends_the_prompt_backoff(world):
    world.refused.set_person([])
    login = world.refused.ours("login")
    expect(login.code == 0 and "BedrockUser" in login.stdout, f"{login}, stdout {login.stdout!r}")
    expect(not secrets(world).found_in(login.stdout.encode()), "login printed a secret")
    outcome = world.refused.credentials()
    expect(outcome.code == 0, outcome)
    expect(len(world.refused.visits()) == 2, f"{len(world.refused.visits())} browsers were opened in all")


@scenario
def unanswered_sign_in_is_not_repeated_automatically(world):
    gate = world.bench.root / "back from lunch"
    home = world.bench.home("lunch", person=["--gate", str(gate)], login_timeout="10s")
    first = home.credentials()
    expect(first.code == 4 and first.stdout == "" and "hint:" in first.stderr, first)
    again = home.credentials()
    expect(again.code == 4 and again.seconds < 3, again)
    expect(len(home.visits()) == 1, f"{len(home.visits())} browsers were opened")
    gate.touch()


@scenario
def explicit_login_profile_opens_no_browser_for_callers(world):
    explicit, plain = world.bench.home("explicit", login="explicit"), world.bench.home("plain")
    for home, outcome in ((explicit, explicit.credentials()), (plain, plain.credentials("--no-login"))):
        expect(outcome.code == 4 and outcome.stdout == "" and "login" in outcome.stderr, outcome)
        expect(not home.visits(), "a browser was opened")


@scenario
def login_shows_the_address_at_once_and_ctrl_c_ends_it(world):
    gate = world.bench.root / "never mind"
    home = world.bench.home("terminal", person=["--gate", str(gate)])
    terminal = home.at_a_terminal("login")
    expect(terminal.shows("http://127.0.0.1:", seconds=10), f"no address to open: {terminal.text!r}")
    # The contract allows one second. A busy machine may take another.
    expect(terminal.age < 2, f"the address came after {terminal.age:.1f} s")
    expect(wait_until(home.visits), "no browser was opened")
    terminal.press(b"\x03")
    expect(terminal.ends(10) == 130, f"exit {terminal.process.returncode}: {terminal.text!r}")
    expect(wait_until(lambda: not running(world), 10), f"still running: {running(world)}")
    gate.touch()
