"""A peer that does not answer delays the program only for a limited time, and is named."""

from office import LOGIN
from scenarios.world import document, expect, scenario, failure_lines


def bounded(outcome, seconds):
    expect(outcome.seconds < seconds, f"it took {outcome.seconds:.0f} s")


@scenario
def silent_or_slow_proxy_is_named(world):
    office = world.bench.office
    runs = []
    for name, head, after in (("silent", None, 0), ("late", "HTTP/1.1 200 Connection established\r\n\r\n", 20)):
        proxy = office.answering(head, after)
        home = office.home(f"proxy-{name}")
        runs.append((proxy, home.start_credentials(HTTPS_PROXY=f"http://{proxy.name}")))
    for proxy, run in runs:
        outcome = run.outcome()
        bounded(outcome, 25)
        lines = failure_lines(outcome, 9, "network/proxy_timeout")
        expect(f"the proxy {proxy.name} did not connect to {LOGIN}:" in lines[0] and "within 10 s" in lines[0], lines)


@scenario
def silent_name_server_differs_from_unknown_name(world):
    office = world.bench.office
    with office.silent_name_server() as resolver:
        outcome = office.home("silent-dns", "nothing", [resolver]).credentials()
        bounded(outcome, 20)
        lines = failure_lines(outcome, 9, "network/dns_timeout")
        expect(LOGIN in lines[0] and "within 8 s" in lines[0], lines)
        # The proxy resolves names itself.
        document(office.home("silent-dns-proxy", "nothing", [resolver]).credentials(HTTPS_PROXY=office.proxy.address()))


@scenario
def silent_host_is_named(world):
    office = world.bench.office
    with office.answering() as host:
        port = host.name.rpartition(":")[2]
        outcome = office.home("silent-host", "all", issuer=f"https://{LOGIN}:{port}").credentials()
        bounded(outcome, 25)
        lines = failure_lines(outcome, 9, "network/timeout")
        expect(f"{LOGIN}:{port}" in lines[0], lines)


@scenario
def unreachable_address_family_delays_only_briefly(world):
    office = world.bench.office
    home = office.home("both-families", "both-families")
    ports = [int(address.rpartition(":")[2]) for address in (office.provider.address, office.sts_endpoint)]
    world.bench.control(lifetime=120)
    with office.black_hole(ports[0]), office.black_hole(ports[1]):
        document(home.credentials())
        renewed = home.credentials()
    document(renewed)
    bounded(renewed, 8)
