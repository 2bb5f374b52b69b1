"""A proxy that intercepts TLS, with an authority that the machine trusts or does not trust."""

import subprocess

from office import LOGIN
from scenarios.world import EXCHANGE, document, expect, scenario, failure_lines


def bundle(office, name, *parts):
    file = office.folder / name
    file.write_bytes(b"".join(part if isinstance(part, bytes) else part.read_bytes() for part in parts))
    return file


@scenario
def untrusted_interceptor_is_named_with_remedies(world):
    office = world.bench.office
    for name, hosts, through in (("asked", "nothing", {"HTTPS_PROXY": office.interceptor.address()}), ("unasked", "intercepted", {})):
        home = office.home(f"intercepted-{name}", hosts, ca_bundle=None)
        lines = failure_lines(home.credentials(**through), 9, "network/tls_untrusted")
        expect(f"the certificate of {LOGIN}:" in lines[0] and 'issued by "mitmproxy"' in lines[0], lines)
        expect(all(way in lines[1] for way in ("system", "`ca_bundle`")), lines)
        expect(not home.visits(), "a browser was opened")


@scenario
def authority_in_the_system_store_is_trusted(world):
    office = world.bench.office
    store = office.system_store(office.interceptor.authority)
    for name, hosts, through in (("asked", "nothing", {"HTTPS_PROXY": office.interceptor.address()}), ("unasked", "intercepted", {})):
        home = office.home(f"store-{name}", hosts, [store], ca_bundle=None)
        document(home.credentials(**through))
        expect(len(home.visits()) == 1, "the user was prompted more than once")


@scenario
def certificate_variable_adds_to_the_system_store(world):
    office = world.bench.office
    store = office.system_store(office.interceptor.authority)
    other = bundle(office, "other.pem", world.bench.ca)
    home = office.home("store-and-variable", "intercepted", [store], ca_bundle=None, trust_environment=True)
    document(home.credentials(SSL_CERT_FILE=str(other)))


@scenario
def authority_in_a_bundle_is_trusted_if_a_file_allows(world):
    office, ca = world.bench.office, str(world.bench.office.interceptor.authority)
    stranger = office.home("bundle-of-a-stranger", "intercepted", ca_bundle=None)
    for variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        lines = failure_lines(stranger.credentials(**{variable: ca}), 9, "network/tls_untrusted")
        expect(variable in lines[1] and ca not in lines[1], lines)
    home = office.home("bundle", "intercepted", ca_bundle=None, trust_environment=True)
    world.bench.control(lifetime=120)
    for variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        exchanges = len(world.bench.sts.events(EXCHANGE, status=200))
        document(home.credentials(**{variable: ca}))
        expect(len(world.bench.sts.events(EXCHANGE, status=200)) == exchanges + 1, f"{variable}: nothing was renewed")
    document(office.home("bundle-configured", "intercepted", ca_bundle=ca).credentials())
    folder = office.folder / "hashed"
    folder.mkdir()
    (folder / "acme.pem").write_bytes(office.interceptor.authority.read_bytes())
    subprocess.run(["openssl", "rehash", folder], check=True)
    with_folder = {"SSL_CERT_DIR": str(folder)}
    failure_lines(office.home("folder-of-a-stranger", "intercepted", ca_bundle=None).credentials(**with_folder), 9, "network/tls_untrusted")
    document(office.home("bundle-folder", "intercepted", ca_bundle=None, trust_environment=True).credentials(**with_folder))


@scenario
def bundle_may_have_several_certificates_and_crlf(world):
    office = world.bench.office
    parts = [b"# Acme's authorities\n\n", world.bench.ca, b"subject=CN = mitmproxy\n", office.interceptor.authority]
    mixed = bundle(office, "mixed.pem", *parts)
    mixed.write_bytes(b"\xef\xbb\xbf" + mixed.read_bytes().replace(b"\n", b"\r\n"))
    document(office.home("mixed", "intercepted", ca_bundle=str(mixed)).credentials())


@scenario
def invalid_bundle_is_explained(world):
    office = world.bench.office
    der = bundle(office, "authority.der")
    subprocess.run(["openssl", "x509", "-in", office.interceptor.authority, "-outform", "der", "-out", der], check=True)
    for file, words, remedy in (
        (der, "DER", "openssl x509 -inform der"),
        (bundle(office, "empty.pem"), "empty", "AWS_CA_BUNDLE"),
        (bundle(office, "words.pem", b"Acme Root CA\n"), "PEM", "AWS_CA_BUNDLE"),
        (office.folder / "missing.pem", "", "AWS_CA_BUNDLE"),
        (office.folder, "folder", "AWS_CA_BUNDLE"),
    ):
        home = office.home(f"bad-{file.name}", "intercepted", ca_bundle=None, trust_environment=True)
        lines = failure_lines(home.credentials(AWS_CA_BUNDLE=str(file)), 3, "config/ca_bundle")
        expect(str(file) in lines[0] and words in lines[0] and remedy in lines[1], lines)
