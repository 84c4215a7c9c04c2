"""A JupyterLab server of the tests' own: loopback, a token, folders that nobody else uses."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

LIB = Path(__file__).resolve().parents[2] / "lib"
START_S, STOP_S, STARTS = 60, 15, 3
FLAGS = (
    *("--no-browser", "--allow-root", "--ip=127.0.0.1", "--ServerApp.port_retries=0"),
    # the page objects ask the front end itself, which it offers only to tests
    *("--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True"),
)
OVERRIDES = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",  # the only setting that keeps the news popup away
        "checkForUpdates": False,
    },
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # all cells in the page
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


class Server:
    """Where the server listens, its token, and the folder that it serves."""

    def __init__(self, root: Path):
        self.root, self.folder = root, root / "notebooks"
        self.token, self.port = secrets.token_hex(16), free_port()
        self.log = root / "server.log"

    def address(self, place: str, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{place}/{name}?token={self.token}"

    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "jupyterlab", *FLAGS, f"--port={self.port}"),
            f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.folder}",
            f"--LabApp.app_settings_dir={self.root / 'settings'}",
        ]

    def environment(self) -> dict[str, str]:
        folders = {
            name: str(self.root / name.lower())
            for name in (
                *("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"),
                *("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"),
            )
        }
        own = {"JUPYTER_PLATFORM_DIRS": "1", "PYTHONPATH": str(LIB)}
        return {**os.environ, **folders, **own}  # OPENSCENES_CACHE is the session's already

    def answers(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with contextlib.suppress(OSError), opener.open(self.address("api", "status"), timeout=2):
            return True
        return False


class PortTaken(RuntimeError):
    """Another process took the port between its choice and the server's start."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(root: Path):
    """A server that answers, and that is gone with its kernels afterwards."""
    server = Server(root)
    (root / "settings").mkdir()
    server.folder.mkdir()
    (root / "settings" / "overrides.json").write_text(json.dumps(OVERRIDES))
    process = started(server)
    try:
        yield server
    finally:
        stop(process)


def started(server: Server) -> subprocess.Popen:
    """The process of a server that answers; a port that was taken meanwhile is chosen anew."""
    for _ in range(STARTS - 1):
        with contextlib.suppress(PortTaken):
            return start(server)
        server.port = free_port()
    return start(server)


def start(server: Server) -> subprocess.Popen:
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            server.command(), env=server.environment(), stdout=log, stderr=log, cwd=server.root
        )
    try:
        await_answer(server, process)
    except BaseException:
        stop(process)
        raise
    return process


def await_answer(server: Server, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        if server.answers():
            return
        time.sleep(0.2)
    said = server.log.read_text()[-2000:]
    raise (PortTaken if "already in use" in said else RuntimeError)("no JupyterLab server: " + said)


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
