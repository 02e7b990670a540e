"""Starts the real binary on an empty folder and a free port, with an account that is known beforehand."""

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

ACCOUNT_ID = "023e105f4ecef8ad9ca31a8372d0c353"
ACCOUNT_HASH = "Vi7wi5KSItxGFsWRG2Us6Q"
API_TOKEN = "a-token-that-only-these-tests-know"


class Server:
    """One running server. `stop` ends it, expects that it ends in good order, and removes its folder."""

    def __init__(self, flags=(), environment=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="darkroom-python-"))
        port = _free_port()
        self.origin = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.origin}/client/v4"
        self._log = open(self.folder / "log", "w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            [BINARY, "--listen", f"127.0.0.1:{port}", "--data", self.folder / "data", *flags],
            cwd=self.folder,
            env={
                **(environment or {}),
                "PATH": os.environ.get("PATH", ""),
                "DARKROOM_ACCOUNT_ID": ACCOUNT_ID,
                "DARKROOM_ACCOUNT_HASH": ACCOUNT_HASH,
                "DARKROOM_API_TOKEN": API_TOKEN,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            self._process.wait()
            self._log.close()
            raise

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOPPED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        log = self._read_log()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if code != 0:
            raise RuntimeError(f"the server ended with {code}; its log:\n{log}")

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

    def _read_log(self):
        self._log.seek(0)
        return self._log.read()[-10_000:]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
