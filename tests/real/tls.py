"""Servers with TLS for the tests."""

import ssl
from http.server import ThreadingHTTPServer


def tls_server(handler, cert, key):
    """A server on a free port of loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    # The handshake happens in the connection's thread, so that a silent client does not block the others.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server
