"""A Django project with django-oauth-toolkit, its pages and its endpoints as its documentation sets them up.

    django_server.py FOLDER PORT

prints `ready ISSUER` once it listens. `POST /control` changes it: {"kill": true} deletes all refresh tokens, {"rotate": true}
makes another signing key.
"""

import json
import os
import socketserver
import sys
import wsgiref.simple_server
from pathlib import Path

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

FOLDER, PORT = Path(sys.argv[1]), int(sys.argv[2])
ORIGIN = f"http://127.0.0.1:{PORT}"


def new_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


SIGN_IN = """<form method="post">{% csrf_token %}{{ form.as_p }}<button type="submit">Sign in</button></form>"""

settings.configure(
    DEBUG=False,
    SECRET_KEY=os.urandom(32).hex(),
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    LOGIN_URL="/accounts/login/",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "django.sqlite3", "OPTIONS": {"timeout": 20}}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "oauth2_provider"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth"],
                "loaders": [
                    ("django.template.loaders.locmem.Loader", {"registration/login.html": SIGN_IN}),
                    "django.template.loaders.app_directories.Loader",
                ],
            },
        }
    ],
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": new_key(),
        "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
        "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
        "OAUTH_DEVICE_VERIFICATION_URI": f"{ORIGIN}/o/device",
        "PKCE_REQUIRED": True,
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "SCOPES": {"openid": "Your identity", "profile": "Your name", "email": "Your e-mail address"},
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402, because Django has to be set up before
from oauth2_provider.models import AbstractApplication, Application, RefreshToken  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402
from oauth2_provider.settings import oauth2_settings  # noqa: E402


class Validator(OAuth2Validator):
    """Puts the e-mail address into the ID token. By default it is in UserInfo only."""

    def get_additional_claims(self, request):
        return {"email": request.user.email, "email_verified": True}


@csrf_exempt
def control(request):
    asked = json.loads(request.body)
    if asked.get("kill"):
        RefreshToken.objects.all().delete()
    if asked.get("rotate"):
        oauth2_settings.OIDC_RSA_PRIVATE_KEYS_INACTIVE = []
        oauth2_settings.OIDC_RSA_PRIVATE_KEY = new_key()
    return JsonResponse({})


urlpatterns = [
    path("accounts/", include("django.contrib.auth.urls")),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("control", control),
]


class ThreadingServer(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class SilentHandler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


def main():
    call_command("migrate", verbosity=0)
    User.objects.create_user("alice", "alice@example.com", "correct horse")
    for client, grant in (("bedrock-sso", Application.GRANT_AUTHORIZATION_CODE), ("bedrock-sso-device", Application.GRANT_DEVICE_CODE)):
        Application.objects.create(
            name=client,
            client_id=client,
            client_type=Application.CLIENT_PUBLIC,
            authorization_grant_type=grant,
            redirect_uris="http://127.0.0.1/callback",
            algorithm=AbstractApplication.RS256_ALGORITHM,
        )
    server = wsgiref.simple_server.make_server("127.0.0.1", PORT, get_wsgi_application(), ThreadingServer, SilentHandler)
    print(f"ready {ORIGIN}/o", flush=True)
    server.serve_forever()


main()
