"""The server of the browser tests starts although its port was taken in the meantime."""

import socket
from pathlib import Path
from runpy import run_path

server = run_path(str(Path(__file__).parent / "server.py"))


def test_a_port_that_was_taken_is_chosen_anew(tmp_path):
    lab = server["Server"](tmp_path)
    lab.folder.mkdir()
    with socket.socket() as other:
        other.bind(("127.0.0.1", lab.port))
        other.listen()
        taken = lab.port
        process = server["started"](lab)
    try:
        assert lab.answers()
        assert lab.port != taken
    finally:
        server["stop"](process)
