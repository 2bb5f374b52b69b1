"""better-auth with its plugin for OpenID Connect providers (better_auth_server.mjs)."""

from bench import HERE
from providers.foreign import ControlledProvider


class BetterAuth(ControlledProvider):
    name = "better_auth"
    pages = (
        {
            "sees": "#sign-in:not([hidden])",
            "fill": {"input[name=email]": "alice@example.com", "input[name=password]": "correct horse"},
            "click": "#sign-in button",
        },
        {"sees": "#accept", "click": "#accept", "refuse": "#deny"},
        {"sees": "#device:not([hidden])", "fill": {"#device input": {"code": True}}, "click": "#approve", "refuse": "#device #deny"},
        {"sees": "text=done:", "ends": True},
    )

    def start(self):
        self.start_server([self.bench.cache / "node", HERE / "providers/better_auth_server.mjs", self.port])
