"""A small server of files on the loopback address, which can break off as distant ones do."""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves ``files``, name -> bytes; ``asked`` is each request's name and first byte."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.asked, self.sent = {}, [], 0
        self.ends_after = None  # bytes of an answer after which the connection ends
        self.ranges, self.versions, self.lengths = True, {}, True

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, name = self.server, self.path.rpartition("/")[2]
        asked = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        server.asked.append((name, start))
        if name not in server.files:
            return self.send_error(404)
        content = server.files[name]
        if asked and server.ranges and start >= len(content):
            return self.send_error(416)
        partial = bool(asked and server.ranges)
        body = content[start:] if partial else content
        self.send_response(206 if partial else 200)
        if partial:
            told = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", told)
        if server.lengths:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", server.versions.get(name, '"1"'))
        self.end_headers()
        body = body[: server.ends_after]
        server.sent += len(body)
        self.wfile.write(body)
        return None

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
