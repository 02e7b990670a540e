"""Starts the real binary on a free port, with an account that is known beforehand.

DARKROOM_MODE says which command: `serve` on an empty folder of its own, or `dev`, which keeps nothing. The suites are the
same for both; nothing here restarts a server, which would be for `serve` only.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("DARKROOM_BINARY", ROOT / "target/debug/darkroom")).resolve()
READY_WITHIN_SECONDS = 30
STOPPED_WITHIN_SECONDS = 20

MODE = os.environ.get("DARKROOM_MODE", "serve")
# Of these, `dev` has its own (docs/dev.md), which it is not told.
ACCOUNT_ID = "023e105f4ecef8ad9ca31a8372d0c353"
ACCOUNT_HASH = "Vi7wi5KSItxGFsWRG2Us6Q"
API_TOKEN = {"serve": "a-token-that-only-these-tests-know", "dev": "darkroom-dev-token"}[MODE]


class Server:
    """One running server. `stop` ends it, expects that it ends in good order, and removes its folder."""

    def __init__(self, flags=(), environment=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="darkroom-python-"))
        # A server for tests says which port it got; one that is to stay is told.
        address = "127.0.0.1:0" if MODE == "dev" else f"127.0.0.1:{_free_port()}"
        self._log = open(self.folder / "log", "w+", encoding="utf-8", errors="replace")
        account = {
            "DARKROOM_ACCOUNT_ID": ACCOUNT_ID,
            "DARKROOM_ACCOUNT_HASH": ACCOUNT_HASH,
            "DARKROOM_API_TOKEN": API_TOKEN,
        }
        self._process = subprocess.Popen(
            [
                BINARY,
                MODE,
                *("--listen", address),
                *(() if MODE == "dev" else ("--data", self.folder / "data")),
                *flags,
            ],
            cwd=self.folder,
            env={
                **(environment or {}),
                **({} if MODE == "dev" else account),
                "PATH": os.environ.get("PATH", ""),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        try:
            self.origin = self._told() if MODE == "dev" else f"http://{address}"
            self.base_url = f"{self.origin}/client/v4"
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            self._process.wait()
            self._close()
            raise

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOPPED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        log = self._read_log()
        self._close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if code != 0:
            raise RuntimeError(f"the server ended with {code}; its log:\n{log}")

    def _told(self):
        """Reads the line that `dev` prints when it is ready."""
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{BINARY} was not ready; its log:\n{self._read_log()}")
        told = json.loads(line)
        known = (told["account_id"], told["account_hash"], told["api_token"])
        assert known == (ACCOUNT_ID, ACCOUNT_HASH, API_TOKEN), known
        return told["url"]

    def _wait_until_ready(self):
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.origin}/health/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(0.02)
        raise RuntimeError(f"{BINARY} was not ready; its log:\n{self._read_log()}")

    def _close(self):
        self._log.close()
        self._process.stdout.close()

    def _read_log(self):
        self._log.seek(0)
        return self._log.read()[-10_000:]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
