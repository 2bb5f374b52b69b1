"""A program in a terminal, and the user who types there."""

import os
import pty
import select
import subprocess
import termios
import time


class Terminal:
    """Runs a command as a shell does: in a new session, which the terminal controls. `capture` gets the output."""

    def __init__(self, command, environment, cwd, capture):
        self.started, self.text, self.age, self.capture = time.monotonic(), "", 0.0, capture
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (50, 100))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *map(str, command)],
            env={**environment, "TERM": "xterm"},
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)

    def shows(self, words, seconds):
        """Whether the words appear in time. `age` is then the terminal's age."""
        deadline = time.monotonic() + seconds
        while words not in self.text and self.read(deadline - time.monotonic()):
            pass
        self.age = time.monotonic() - self.started
        return words in self.text

    def read(self, seconds):
        if not select.select([self.master], [], [], max(seconds, 0))[0]:
            return False
        try:
            more = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            return False
        self.text += more.decode(errors="replace")
        self.capture.write_text(self.text)
        return bool(more)

    def press(self, key):
        os.write(self.master, key)

    def ends(self, seconds):
        """Waits for the end. Returns the exit code, or None if the program still runs."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.05)
        while self.read(0):
            pass
        return self.process.returncode
