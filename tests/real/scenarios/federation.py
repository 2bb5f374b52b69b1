"""An identity pool and a chain of roles at moto, an independent AWS; the AWS CLI checks the result."""

from scenarios.world import document, expect, scenario

WORKLOAD = "arn:aws:iam::333333333333:role/team/Workload"
CLI_SEES = "arn:aws:sts::333333333333:assumed-role/Workload/alice@example.com"


def home(world, name, **settings):
    """A home whose AWS is moto."""
    moto = world.moto
    made = world.bench.home(name, world.bench.quick_provider, sts_endpoint=moto.address, cognito_endpoint=moto.address, **settings)
    made.moto = {"AWS_ENDPOINT_URL_COGNITO_IDENTITY": moto.address}
    return made


def who_am_i(made):
    command = [made.bench.cache / "python/bin/aws", "--endpoint-url", made.settings["sts_endpoint"], "sts"]
    run = made.start([*command, "get-caller-identity", "--query", "Arn", "--output", "text"], AWS_PROFILE="real", **made.moto)
    return run.outcome()


@scenario
def aws_cli_sees_the_chained_role(world):
    made = home(world, "chained", role_chain=[WORKLOAD])
    outcome = who_am_i(made)
    expect(outcome.stdout.strip() == CLI_SEES, f"the CLI saw {outcome.stdout.strip()!r}: {outcome}")
    status = document(made.ours("status", "--json"))
    expect(status["role_arn"] == WORKLOAD and status["account"] == "333333333333", f"status shows {status}")


@scenario
def identity_pool_credentials_are_served(world):
    made = home(world, "pool", role_arn=None, federation="identity-pool", identity_pool_id=world.moto.pool)
    outcome = made.credentials(**made.moto)
    expect(document(outcome)["AccessKeyId"].startswith("TESTACCESSKEY"), outcome)
    expect(outcome.stderr == "", f"stderr says {outcome.stderr!r}")


@scenario
def aws_cli_sees_the_role_chained_from_a_pool(world):
    settings = {"federation": "identity-pool", "identity_pool_id": world.moto.pool, "role_chain": [WORKLOAD]}
    outcome = who_am_i(home(world, "pool-and-chain", role_arn=None, **settings))
    expect(outcome.stdout.strip() == CLI_SEES, f"the CLI saw {outcome.stdout.strip()!r}: {outcome}")

