"""The real AWS CLI without its start, which costs more than half a second of a processor for each call.

`ResidentCli` starts the program `aws` once, with this module as a plugin. The plugin imports what a call needs, and then waits: for each
call it forks a process, which runs with the arguments, the environment, the folder and the open files of the caller. The program `aws`
that this module writes into a folder for PATH is such a caller.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

PLUGIN = pathlib.Path(__file__)

CALLER = """#!{python} -IS
import json, os, signal, socket, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
with socket.socket(socket.AF_UNIX) as call:
    call.connect({address!r})
    request = json.dumps([sys.argv, dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(call, [b"%10d" % len(request)], [0, 1, 2])
    call.sendall(request)
    # One byte, or none if the process was killed.
    sys.exit((call.recv(1) or b"\\xff")[0])
"""


class ResidentCli:
    """`folder` is for PATH. `program` is the real AWS CLI."""

    def __init__(self, program):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="aws-cli-"))
        address = str(self.folder / "calls")
        config = self.folder / "config"
        config.write_text(f"[plugins]\ncli_legacy_plugin_path = {PLUGIN.parent}\nresident = {PLUGIN.stem}\n")
        caller = self.folder / "aws"
        caller.write_text(CALLER.format(python=sys.executable, address=address))
        caller.chmod(0o755)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen(64)
        environment = {"PATH": os.defpath, "HOME": str(self.folder), "LC_ALL": "C", "AWS_CONFIG_FILE": str(config), "AWS_EC2_METADATA_DISABLED": "true"}
        with listener:
            # The listener exists before the process does, so no call can come too early.
            self.process = subprocess.Popen(
                [program, "--version"], env={**environment, "CALLS": str(listener.fileno())}, pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL
            )

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


def awscli_initialize(_events):
    """The AWS CLI calls this function when it loads the plugin."""
    import awscli.clidriver

    listener = socket.socket(fileno=int(os.environ.pop("CALLS")))
    del os.environ["AWS_CONFIG_FILE"]
    # Imports what every call needs. Nothing listens on port 9.
    os.environ.update(AWS_ACCESS_KEY_ID="any", AWS_SECRET_ACCESS_KEY="any", AWS_MAX_ATTEMPTS="1")
    silent = os.open(os.devnull, os.O_WRONLY)
    error = os.dup(2)
    os.dup2(silent, 2)
    awscli.clidriver.create_clidriver().main(["iam", "list-roles", "--endpoint-url", "http://127.0.0.1:9", "--region", "us-east-1", "--query", "Roles"])
    os.dup2(error, 2)
    calls = 0
    while True:
        call, _ = listener.accept()
        if not os.fork():
            listener.close()
            os._exit(answer(call, awscli.clidriver.main))
        call.close()
        calls += 1
        # Waiting for those that have ended also adds their processor time to this process.
        while calls and os.waitpid(-1, os.WNOHANG)[0]:
            calls -= 1


def answer(call, main):
    """Runs one call in this process, which was forked for it."""
    length, files, _, _ = socket.recv_fds(call, 10, 3)
    request = b""
    while len(request) < int(length):
        request += call.recv(65536)
    sys.argv, environment, folder = json.loads(request)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    # The program sets this variable when it starts.
    data = os.environ["AWS_DATA_PATH"]
    os.environ.clear()
    os.environ.update(environment, AWS_DATA_PATH=data)
    os.chdir(folder)
    try:
        code = main()
    except SystemExit as exit_:
        code = exit_.code
    sys.stdout.flush()
    sys.stderr.flush()
    call.send(bytes([(code or 0) & 255]))
    return 0
