"""A web server on this machine that answers as well or as badly as a test asks."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """What `serving` gives.

    Attributes:
        answers: what to do for each path.
        asked: the paths that were asked for, in order.
        over: set when the test is over, for answers that wait.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.over = threading.Event()
        self.root = ""

    def url(self, path: str, answer: Answer) -> str:
        """Give the path an answer; its address."""
        self.answers[path] = answer
        return f"{self.root}{path}"


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A server that lives as long as the block."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            # The client may hang up in the middle.
            with contextlib.suppress(ConnectionError):
                server.answers[self.path](self)

        def log_message(self, *_) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    server.root = f"http://127.0.0.1:{web.server_port}"
    threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.over.set()
        web.shutdown()
        web.server_close()


def content(data: bytes, *, length: int | None = -1, status: int = 200) -> Answer:
    """Send `data`; the length that is stated is the right one, another, or none."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        if length is not None:
            stated = len(data) if length == -1 else length
            handler.send_header("Content-Length", str(stated))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def redirect(where: str, data: bytes = b"") -> Answer:
    """Send to another address, with content that nobody should read."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", where)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def stalling(server: Server, data: bytes, length: int) -> Answer:
    """Send `data`, a part of what is stated, and then nothing."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content(data, length=length)(handler)
        handler.wfile.flush()
        server.over.wait(60)

    return answer
