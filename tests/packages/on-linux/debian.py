"""The `.deb` in a fresh Debian: installed, used, upgraded, removed, and with an organisation's configuration."""

import json
import time

from root import PEOPLE, Debian
from stage import FOREIGN_POLICY, POLICY, PREVIOUS, VERSION, Stage, deb, document, same, scenario, set_up, still_warm, timed, without_shared_folders

QUESTION = "Sign alice out of AWS"


@scenario
def new_debian_signs_in_within_a_minute(stage: Stage) -> None:
    root = stage.root(Debian)
    package = root.add_file(deb(stage.current))
    began = time.monotonic()
    root.apt("install", package).well()
    set_up(stage, root)
    timed("Debian", began)
    assert root.run("bedrock-sso", "--version").well().out == f"bedrock-sso {VERSION}\n"
    assert stage.world.asked()["assume"] == 1, stage.world.asked()


@scenario
def deb_upgrade_preserves_configuration_and_sign_in(stage: Stage) -> None:
    root = stage.root(Debian)
    root.apt("install", root.add_file(deb(stage.previous))).well()
    before = set_up(stage, root)
    root.write("/etc/bedrock-sso/config.toml", "version = 1\n# the administrator's own\n")
    installed = ["dpkg-query", "--show", "--showformat", "${Version}", "bedrock-sso"]
    assert root.run(*installed).well().out == f"{PREVIOUS}-1"
    home = {place: what for place, what in root.snapshot().items() if place.startswith(("home/", "etc/bedrock-sso"))}
    root.apt("install", root.add_file(deb(stage.current))).well()
    assert root.run(*installed).well().out == f"{VERSION}-1"
    same(home, {place: what for place, what in root.snapshot().items() if place.startswith(("home/", "etc/bedrock-sso"))})
    still_warm(stage, root, before)


@scenario
def deb_removal_with_yes_signs_out_and_removes_everything(stage: Stage) -> None:
    root = stage.root(Debian)
    before = root.snapshot()
    root.apt("install", root.add_file(deb(stage.current))).well()
    set_up(stage, root)
    removed = root.at_terminal("apt-get", "-y", "purge", "bedrock-sso", question=QUESTION, answer="yes", SUDO_USER="alice")
    assert removed.code == 0 and "Signed out of claude" in removed.out, removed
    assert "The provider revoked the refresh token" in removed.out and stage.world.asked()["revoke"] == 1, removed
    same(before, root.snapshot())
    assert root.bookkeeping_names("bedrock-sso") == []


@scenario
def deb_removal_with_no_preserves_the_sign_in(stage: Stage) -> None:
    root = stage.root(Debian)
    package = root.add_file(deb(stage.current))
    root.apt("install", package).well()
    before = set_up(stage, root)
    removed = root.at_terminal("apt-get", "-y", "remove", "bedrock-sso", question=QUESTION, answer="no", SUDO_USER="alice")
    assert removed.code == 0 and "the sign-in of alice was preserved" in removed.out, removed
    root.apt("install", package).well()
    still_warm(stage, root, before)


@scenario
def silent_deb_removal_touches_no_home(stage: Stage) -> None:
    root = stage.root(Debian)
    bare = root.snapshot()
    root.apt("install", root.add_file(deb(stage.current))).well()
    set_up(stage, root)
    homes = {place: what for place, what in root.snapshot().items() if place.startswith("home/")}
    removed = root.apt("purge", "bedrock-sso", SUDO_USER="alice").well()
    assert "the sign-in of alice was preserved in /home/alice/.local/share/bedrock-sso" in removed.err, removed
    assert "revoke" not in stage.world.asked(), stage.world.asked()
    same(bare | homes, root.snapshot())
    assert root.bookkeeping_names("bedrock-sso") == []


@scenario
def preseeded_yes_signs_out_on_silent_removal(stage: Stage) -> None:
    root = stage.root(Debian)
    before = root.snapshot()
    root.apt("install", root.add_file(deb(stage.current))).well()
    set_up(stage, root)
    answer = "echo bedrock-sso bedrock-sso/sign-out boolean true | debconf-set-selections"
    root.run("sh", "-c", answer).well()
    root.apt("purge", "bedrock-sso", SUDO_USER="alice").well()
    assert stage.world.asked()["revoke"] == 1, stage.world.asked()
    same(before, root.snapshot())


@scenario
def configured_deb_prepares_the_machine_for_all_users(stage: Stage) -> None:
    root = stage.root(Debian)
    before = root.snapshot()
    package = root.add_file(deb(stage.fleet))
    began = time.monotonic()
    root.apt("install", package).well()
    for person in ["bob", "alice"]:
        document(root.run("bedrock-sso", "credentials", person=person))
        timed(f"Debian with a configuration, {person}", began)
    shown = json.loads(root.run("bedrock-sso", "config", "show", "--json", person="bob").well().out)
    assert shown["keys"]["issuer"]["origin"].startswith("/etc/bedrock-sso/config.toml"), shown["keys"]["issuer"]
    policy = json.loads(root.path(POLICY).read_text())
    assert policy["env"]["CLAUDE_CODE_USE_BEDROCK"] == "1" and "home" not in json.dumps(policy), policy
    assert policy["awsCredentialExport"].startswith('"/usr/bin/bedrock-sso" export'), policy
    export = root.run("sh", "-c", policy["awsCredentialExport"], person="bob").well()
    assert json.loads(export.out)["Credentials"]["Expiration"], export
    for person in PEOPLE:
        root.run("bedrock-sso", "logout", "--all", person=person).well()
    removed = root.apt("purge", "bedrock-sso", SUDO_USER="alice").well()
    assert "sign-in of alice" not in removed.err, f"nothing is stored, so there is nothing to ask: {removed}"
    same(before, without_shared_folders(root.snapshot()))


@scenario
def existing_policy_is_extended_and_restored_exactly(stage: Stage) -> None:
    root = stage.root(Debian)
    root.write(POLICY, FOREIGN_POLICY)
    before = root.snapshot()
    root.apt("install", root.add_file(deb(stage.fleet))).well()
    joined = root.path(POLICY).read_text()
    assert '"TEAM": "blue"' in joined and "// ours" in joined and "CLAUDE_CODE_USE_BEDROCK" in joined, joined
    root.apt("purge", "bedrock-sso").well()
    same(before, root.snapshot())


@scenario
def invalid_policy_is_left_and_the_program_installed(stage: Stage) -> None:
    root = stage.root(Debian)
    root.write(POLICY, "{ not JSON")
    installed = root.apt("install", root.add_file(deb(stage.fleet))).well()
    output = installed.out + installed.err
    assert POLICY in output and "managed settings were not changed, for the reason above" in output, installed
    assert root.path(POLICY).read_text() == "{ not JSON"
    document(root.run("bedrock-sso", "credentials", person="bob"))


@scenario
def changed_configuration_survives_a_silent_upgrade(stage: Stage) -> None:
    root = stage.root(Debian)
    root.apt("install", root.add_file(deb(stage.fleet))).well()
    file = root.path("/etc/bedrock-sso/config.toml")
    file.write_text(file.read_text() + "# changed here\n")
    policy = root.path(POLICY).read_text()
    root.apt("install", root.add_file(deb(stage.fleet_next))).well()
    assert file.read_text().endswith("# changed here\n") and root.path(POLICY).read_text() == policy
    root.apt("remove", "bedrock-sso").well()
    assert file.exists() and not root.path(POLICY).exists()
    root.apt("purge", "bedrock-sso").well()
    assert not file.parent.exists()
