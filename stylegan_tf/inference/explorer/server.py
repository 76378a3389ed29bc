"""The server of the explorer: the files of the page, and JSON requests, which are accepted from this page only."""

import hmac
import ipaddress
import json
import secrets
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from urllib.parse import urlsplit

from stylegan_tf import out_of_memory
from stylegan_tf.errors import UserError
from stylegan_tf.inference.explorer.api import Answer, Api
from stylegan_tf.inference.explorer.worker import Superseded

PAGE_FILES = {
    "index.html": "text/html", "explorer.css": "text/css", "explorer.js": "text/javascript", "server.js": "text/javascript",
    "history.js": "text/javascript", "map.js": "text/javascript", "icon.svg": "image/svg+xml",
}  # fmt: skip
MAX_BODY_BYTES = 256 << 10  # labels of thousands of classes fit
MAX_CONNECTIONS = 64
_IDLE_SEC = 30  # a connection that sends nothing for so long is closed
_HEADERS = {
    # Nothing from elsewhere is loaded or may show the page in a frame.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the address may contain the token
    "Cache-Control": "no-store",
}


class ExplorerServer(ThreadingHTTPServer):
    """Serves the page.

    Args:
        host, port: to listen at; port 0 for any.
        api: answers the requests.

    Attributes:
        token: that requests need; "" where only this machine can reach the server.

    Raises:
        UserError: the address cannot be used.
    """

    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS  # with Python's default of 5, connections of tabs that load at once are reset

    def __init__(self, host: str, port: int, api: Api):
        self.api, self.host = api, host
        self.token = "" if _is_loopback(host) else secrets.token_urlsafe(16)
        self.page = {name: (resources.files(__package__) / "page" / name).read_bytes() for name in PAGE_FILES}
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise UserError(f"Cannot listen at {host}:{port}: {error.strerror or error}. Try another --port or --host.") from error

    @property
    def url(self) -> str:
        """The address to open in a browser, with the token."""
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.server_address[1]}/" + (f"?token={self.token}" if self.token else "")

    def accepts_host(self, header: str) -> bool:
        """Whether a Host header names this server.

        A page elsewhere can let a domain name of its own lead to this machine (DNS rebinding): only the requested names
        and, where the server listens to other machines, addresses of digits are accepted.
        """
        try:
            parts = urlsplit(f"//{header}")
            name, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return False
        if (80 if port is None else port) != self.server_address[1]:
            return False
        if name in (self.host.lower(), "localhost") or _is_loopback(name):
            return True
        if not self.token:
            return False
        return name == socket.gethostname().lower() or _is_address(name)

    def process_request(self, request, client_address):
        """Starts a thread, unless there are too many already."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        """Runs in the thread of the connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request, client_address):
        """A browser that closes its connection is not an error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Refused(Exception):  # noqa: N818
    def __init__(self, status: HTTPStatus, message: str):
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: ExplorerServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "stylegan_tf", ""
    timeout = _IDLE_SEC
    disable_nagle_algorithm = True  # small answers at once: without it, each waits for the acknowledgement of its header

    def do_GET(self) -> None:
        """Files of the page."""
        try:
            self._check_host()
        except _Refused as refused:
            self._send_error(refused.status, str(refused))
            return
        name = urlsplit(self.path).path.removeprefix("/") or "index.html"
        if name not in PAGE_FILES:
            self._send_error(HTTPStatus.NOT_FOUND, "There is no such file.")
            return
        self._send(Answer(self.server.page[name], f"{PAGE_FILES[name]}; charset=utf-8"))

    def do_POST(self) -> None:
        """Requests of the page: /api/NAME with a JSON object."""
        try:
            with out_of_memory.explained("Try generate.py explore --device cpu."):
                answer = self._answer()
        except _Refused as refused:
            self._send_error(refused.status, str(refused))
        except UserError as error:
            self._send_error(HTTPStatus.BAD_REQUEST, str(error))
        except Superseded:
            self._send_error(HTTPStatus.CONFLICT, "A newer request has replaced this one.")
        except OSError as error:  # a full disk, a network file that is gone; a closed connection ends in `_send_error`
            self._send_error(HTTPStatus.INTERNAL_SERVER_ERROR, error.strerror or str(error))
        except Exception:
            traceback.print_exc()
            self._send_error(HTTPStatus.INTERNAL_SERVER_ERROR, "The program has a bug: see the terminal that it was started in.")
        else:
            self._send(answer if isinstance(answer, Answer) else _json(answer))

    def _answer(self) -> Answer | dict:
        self._check_host()
        self._check_origin()
        if not hmac.compare_digest(self.headers.get("X-Token", "").encode(), self.server.token.encode()):
            raise _Refused(HTTPStatus.FORBIDDEN, "The token is missing or wrong: open the address that the program printed.")
        name = urlsplit(self.path).path.removeprefix("/api/")
        respond = self.server.api.requests.get(name)
        if respond is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "There is no such request.")
        return respond(self._body())

    def _check_host(self) -> None:
        if not self.server.accepts_host(self.headers.get("Host", "")):
            raise _Refused(HTTPStatus.FORBIDDEN, "The Host header names another server.")

    def _check_origin(self) -> None:
        """Refuses what another site sends: its pages can post here, but not with this content type and origin."""
        origin = self.headers.get("Origin")
        is_same = origin is None or origin == f"http://{self.headers.get('Host')}"
        if not is_same or self.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise _Refused(HTTPStatus.FORBIDDEN, "Only the page of this server may send requests.")
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Requests must be application/json.")

    def _body(self) -> Mapping:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdecimal() or "Transfer-Encoding" in self.headers:
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "A request needs its length.")
        if len(length) > 9 or int(length) > MAX_BODY_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A request has at most {MAX_BODY_BYTES} bytes.")
        try:
            value = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise _Refused(HTTPStatus.BAD_REQUEST, "The request is not JSON.") from None
        if not isinstance(value, dict):
            raise _Refused(HTTPStatus.BAD_REQUEST, "A request must be an object.")
        return value

    def _send(self, answer: Answer, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        headers = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.content)), **_HEADERS}
        if answer.milliseconds:
            headers["X-Milliseconds"] = f"{answer.milliseconds:.1f}"
        if answer.file_name:
            headers["X-File-Name"] = answer.file_name
        if status >= 400:
            headers["Connection"] = "close"  # its body may not have been read
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    def _send_error(self, status: HTTPStatus, message: str) -> None:
        self._send(_json({"error": message}), status)

    def log_message(self, *args: object) -> None:
        """A line a request would hide the address of the page."""


def _json(value: Mapping) -> Answer:
    return Answer(json.dumps(value).encode(), "application/json")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)
