"""Sign-in without a browser on this machine: with a code that is entered elsewhere, and with an address that is pasted."""

import re
import subprocess

from scenarios.world import expect, scenario

CODE = re.compile(r"\b[A-Z]{4}-[A-Z]{4}\b")
ADDRESS = re.compile(r"https?://\S+")


@scenario
def device_code_from_another_browser_signs_in(world):
    home = world.bench.home("by-code", flow="device")
    terminal = home.at_a_terminal("login")
    expect(terminal.shows("Press Ctrl-C to cancel.", 20), f"no code was shown: {terminal.text!r}")
    code, address = CODE.search(terminal.text)[0], ADDRESS.search(terminal.text)[0]
    expect("█" in terminal.text, "there is no QR code")
    person = subprocess.run(home.person("--code", code, address), capture_output=True, text=True, timeout=60)
    expect(person.returncode == 0, f"the code was not accepted: {person.stderr}")
    expect(terminal.shows("Signed in as alice@example.com", 30), f"it did not sign in: {terminal.text[-600:]!r}")
    expect(terminal.ends(10) == 0, "login failed")
    expect(home.credentials().code == 0, "the sign-in was not stored")
    grants = world.bench.provider.events("token", grant="urn:ietf:params:oauth:grant-type:device_code", status=200)
    expect(len(grants) == 1, f"codes redeemed: {grants}")


@scenario
def pasted_callback_address_signs_in(world):
    home = world.bench.home("by-paste", flow="paste")
    terminal = home.at_a_terminal("login", protocol=True)
    expect(terminal.shows("(the input is hidden): ", 20), f"there was no question: {terminal.text!r}")
    address = ADDRESS.search(terminal.text)[0]
    person = subprocess.run(
        home.person("--elsewhere", "-"), input=address, capture_output=True, text=True, timeout=60
    )
    last = [line for line in person.stdout.splitlines() if "/callback?" in line]
    expect(len(last) == 1, f"the browser did not reach the callback: {person.stderr}")
    terminal.press(b"not an address\r")
    expect(terminal.shows("That is not an address.", 10), f"a wrong address was not reported: {terminal.text[-600:]!r}")
    terminal.press(last[0].encode() + b"\r")
    expect(terminal.shows("Signed in as alice@example.com", 30), f"it did not sign in: {terminal.text[-600:]!r}")
    expect(terminal.ends(10) == 0 and last[0] not in terminal.text, "login failed, or showed the pasted address")
