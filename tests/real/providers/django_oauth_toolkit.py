"""django-oauth-toolkit, in a Django project of its own (django_server.py)."""

from bench import HERE
from providers.foreign import ControlledProvider


class DjangoOauthToolkit(ControlledProvider):
    name = "django_oauth_toolkit"
    other_clients = ("bedrock-sso-device",)
    pages = (
        {"sees": "input[name=username]", "fill": {"input[name=username]": "alice", "input[name=password]": "correct horse"}, "click": "button"},
        {"sees": "#authorizationForm", "click": "input[name=allow]", "refuse": "input[value=Cancel]"},
    )
    device = "its discovery does not list the endpoint"
    revocation = "its discovery does not list the endpoint"

    def start(self):
        self.start_server([self.bench.cache / "django/bin/python", HERE / "providers/django_server.py", self.folder, self.port])
