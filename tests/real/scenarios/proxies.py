"""A machine whose only way out is a proxy: it can resolve neither the provider's name nor the STS's."""

from bench import ROLE
from office import LOGIN, ODD_IN_AN_ADDRESS, STS, USER, free_port
from scenarios.world import EXCHANGE, document, expect, only_visit, scenario, failure_lines

NTLM = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"


@scenario
def sign_in_renewal_and_logout_use_an_authenticated_proxy(world):
    office = world.bench.office
    home, proxy = office.home("proxy"), office.proxy
    world.bench.control(lifetime=120)
    first = document(home.credentials(HTTPS_PROXY=proxy.address()))
    expect(proxy.tunnels(LOGIN) and proxy.tunnels(STS), "provider or STS was not reached through the proxy")
    expect("BedrockUser" in only_visit(home).get("text", ""), "the final page does not show the sign-in")
    refreshed = len(office.provider.events("token", grant="refresh_token", status=200))
    second = document(home.credentials(https_proxy=proxy.address()))
    expect(second["AccessKeyId"] != first["AccessKeyId"] and len(home.visits()) == 1, "there was no silent renewal")
    expect(len(office.provider.events("token", grant="refresh_token", status=200)) == refreshed + 1, "there was no refresh")
    outcome = home.ours("logout", HTTPS_PROXY=proxy.address())
    expect(outcome.code == 0 and office.provider.events("revocation", status=200), outcome)


@scenario
def sign_in_fails_without_the_proxy(world):
    outcome = world.bench.office.home("no-proxy").credentials(HTTP_PROXY=world.bench.office.proxy.address())
    lines = failure_lines(outcome, 9, "network/dns")
    expect(LOGIN in lines[0], outcome)


@scenario
def wrong_proxy_password_is_reported_but_not_shown(world):
    office = world.bench.office
    for proxy, wrong in ((office.proxy, "Wr0ng-w_rd"), (office.interceptor, "wr%40ng")):
        home = office.home(f"wrong-password-{proxy.port}", ca_bundle=None)
        outcome = home.credentials(HTTPS_PROXY=f"http://{USER}:{wrong}@127.0.0.1:{proxy.port}")
        lines = failure_lines(outcome, 9, "network/proxy_authentication")
        expect(f"127.0.0.1:{proxy.port}" in lines[0], outcome)
        expect(not any(word in outcome.stderr for word in (wrong, "wr@ng", USER)), outcome)
        lines = failure_lines(home.credentials(HTTPS_PROXY=f"127.0.0.1:{proxy.port}"), 9, "network/proxy_authentication")
        expect("HTTPS_PROXY=" in lines[1], lines)
        expect(not home.visits(), "a browser was opened")


@scenario
def unreachable_proxy_is_named_and_cache_is_served(world):
    office = world.bench.office
    home, dead = office.home("proxy-down"), f"http://127.0.0.1:{free_port()}"
    world.bench.control(lifetime=120)
    cached = document(home.credentials(HTTPS_PROXY=office.proxy.address()))
    expect(document(home.credentials(HTTPS_PROXY=dead)) == cached, "valid credentials were not served")
    lines = failure_lines(office.home("proxy-down-at-first").credentials(HTTPS_PROXY=dead), 9, "network/proxy_unreachable")
    expect(dead.removeprefix("http://") in lines[0] and "HTTPS_PROXY" in lines[1], lines)
    # For a minute after the failure programs get the valid credentials; `login` tries again at once.
    login = home.ours("login", HTTPS_PROXY=office.proxy.address())
    expect(login.code == 0, login)
    expect(document(home.credentials(HTTPS_PROXY=office.proxy.address())) != cached, "the refresh token was lost")
    expect(len(home.visits()) == 1, "the user was prompted again")


@scenario
def proxy_error_answer_is_shown(world):
    office = world.bench.office
    for issuer, slug, words in (
        ("https://forbidden.acme.test", "network/proxy_refused", "403 Filtered"),
        ("https://nothing.invalid", "network/proxy_gateway", "500 Unable to connect"),
    ):
        home = office.home(slug.partition("/")[2], issuer=issuer)
        lines = failure_lines(home.credentials(HTTPS_PROXY=office.proxy.address()), 9, slug)
        expect(words in lines[0] and office.proxy.name in lines[0] and "html" not in lines[0].lower(), lines)


@scenario
def ntlm_proxy_is_reported_as_unsupported(world):
    with world.bench.office.answering(NTLM) as proxy:
        home = world.bench.office.home("ntlm")
        outcome = home.credentials(HTTPS_PROXY=f"http://{USER}:{ODD_IN_AN_ADDRESS}@{proxy.name}")
        lines = failure_lines(outcome, 9, "network/proxy_scheme")
        expect("Negotiate, NTLM" in lines[0] and "cntlm" in lines[1], outcome)
        expect(sum("proxy-authorization" in it.lower() for it in proxy.requests) == 1, "the password was sent twice")


@scenario
def invalid_proxy_address_is_an_error(world):
    home = world.bench.office.home("bad-proxy", "all")
    for value in ("http://alice:pa#ss@127.0.0.1:3128", "ftp://127.0.0.1:21"):
        lines = failure_lines(home.credentials(HTTPS_PROXY=value), 3, "config/proxy")
        expect("HTTPS_PROXY" in lines[0] and "pa#ss" not in "".join(lines), lines)


@scenario
def no_proxy_works_in_each_spelling(world):
    office = world.bench.office
    home, dead = office.home("exceptions", "all"), f"http://127.0.0.1:{free_port()}"
    world.bench.control(lifetime=120)
    ports = [address.rpartition(":")[2] for address in (office.provider.address, office.sts_endpoint)]
    before = office.proxy.tunnels()
    for value in (f"{LOGIN},{STS}", ".acme.test", "*.acme.test", "ACME.TEST", "test", "*", "example.com, acme.test", f"{LOGIN}:{ports[0]} {STS}:{ports[1]}"):
        for name in ("NO_PROXY", "no_proxy"):
            exchanges = len(world.bench.sts.events(EXCHANGE, status=200))
            document(home.credentials(HTTPS_PROXY=dead, **{name: value}))
            expect(len(world.bench.sts.events(EXCHANGE, status=200)) == exchanges + 1, f"{name}={value}: nothing was renewed")
    expect(office.proxy.tunnels() == before, "the proxy was used")
    stranger = office.home("exceptions-of-others", "all")
    for value in ("notacme.test", f"{LOGIN}:1", "127.0.0.0/8"):
        failure_lines(stranger.credentials(HTTPS_PROXY=dead, NO_PROXY=value), 9, "network/proxy_unreachable")


@scenario
def private_sts_endpoint_bypasses_the_proxy(world):
    office = world.bench.office
    home, proxy = office.home("vpc", "sts"), office.proxy
    sts, login = proxy.tunnels(STS), proxy.tunnels(LOGIN)
    document(home.credentials(HTTPS_PROXY=proxy.address(), NO_PROXY=f".{STS}"))
    expect(proxy.tunnels(LOGIN) > login, "the provider was not reached through the proxy")
    expect(proxy.tunnels(STS) == sts, "STS was reached through the proxy")


@scenario
def socks_proxy_resolves_names_on_either_side(world):
    office = world.bench.office
    socks = office.socks
    for scheme, hosts in (("socks5h", "nothing"), ("socks5", "all")):
        home, before = office.home(scheme, hosts), socks.tunnels()
        document(home.credentials(ALL_PROXY=socks.address(scheme, socks.PASSWORD)))
        expect(socks.tunnels() > before, f"{scheme}: the server was not used")
    lines = failure_lines(office.home("socks-wrong").credentials(all_proxy=socks.address("socks5h", "wr0ng")), 9, "network/proxy_authentication")
    expect("wr0ng" not in "".join(lines), lines)


@scenario
def loopback_never_uses_a_proxy(world):
    dead = f"http://127.0.0.1:{free_port()}"
    home = world.bench.home("loopback", world.bench.quick_provider, role_arn=ROLE)
    everything = {name: dead for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")}
    document(home.credentials(**everything))
