"""A web server on the loopback device with faults to choose, for tests of downloads."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves `files` (name -> bytes). Each entry of `faults[name]` spoils one request, in order:

    ("status", code): an error answer. ("cut", n): the connection breaks after n bytes of the answer. ("stall",): no
    byte comes. `requests` lists (name, Range header) as they arrive.
    """

    def __init__(self, files, faults=None, ranges=True):
        self.files, self.faults, self.ranges = files, {k: list(v) for k, v in (faults or {}).items()}, ranges
        self.requests = []
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}/data/"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.removeprefix("/data/")
                wanted = self.headers.get("Range")
                outer.requests.append((name, wanted))
                fault = outer.faults[name].pop(0) if outer.faults.get(name) else (None,)
                if fault[0] == "status" or name not in outer.files:
                    self.send_error(fault[1] if fault[0] == "status" else 404)
                    return
                if fault[0] == "stall":
                    outer.released.wait(5)
                    self.close_connection = True
                    return
                body, start = outer.files[name], 0
                if wanted and outer.ranges:
                    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                    if start >= len(body):
                        self.send_error(416)
                        return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                self.wfile.write(body[start:][: fault[1] if fault[0] == "cut" else None])

            def log_message(self, *_):
                pass

        return Handler
