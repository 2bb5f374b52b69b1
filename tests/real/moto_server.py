"""moto's AWS on a free port of loopback, with one identity pool, and a Bedrock beside it: prints `ready ENDPOINT POOL BEDROCK` and
serves until it is killed.

moto does not check tokens. It shows that its implementation of AWS's protocols agrees with ours.
"""

import sys
import threading

import boto3
import judge
from moto.server import ThreadedMotoServer
from moto.sts.models import sts_backends


def secrets(access_key):
    """The secret key and session token of credentials that moto's STS has issued."""
    for account in sts_backends.values():
        for backend in account.values():
            role = backend.get_assumed_role_from_access_key(access_key)
            if role:
                return role.secret_access_key, role.session_token
    return None


server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
someone = {"region_name": "us-east-1", "aws_access_key_id": "none", "aws_secret_access_key": "none"}
pools = boto3.client("cognito-identity", endpoint_url=endpoint, **someone)
pool = pools.create_identity_pool(IdentityPoolName="people", AllowUnauthenticatedIdentities=False)
print("ready", f"{endpoint} {pool['IdentityPoolId']} {judge.start(secrets)}", flush=True)
threading.Event().wait()
sys.exit(1)
