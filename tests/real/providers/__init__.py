"""Providers that others wrote, each with one class: how it is started, who may sign in, and what its pages look like."""

from providers.better_auth import BetterAuth
from providers.django_oauth_toolkit import DjangoOauthToolkit
from providers.glewlwyd import Glewlwyd
from providers.keycloak import Keycloak
from providers.lemonldap import Lemonldap

# Keycloak starts for the longest time, so it is the last that is used.
ALL = (DjangoOauthToolkit, BetterAuth, Glewlwyd, Lemonldap, Keycloak)
