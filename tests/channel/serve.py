#!/usr/bin/python3 -B
"""Serves channels over HTTP on 127.0.0.1, well or, when told to, badly.

`serve.py DIR` serves DIR at http://127.0.0.1:8765/debian; `--root NAME=DIR`,
which may be repeated, serves more. The first line on stdout is `listening on
http://127.0.0.1:PORT`, also with `--port 0`, which takes a free port.

Guarantees: HTTP/1.1 with keep-alive, ETag, If-None-Match, Range and HEAD as a
real channel has them; no Last-Modified, so that answers do not depend on when
files were made; the log never holds credentials. Does not speak TLS, list
folders, take uploads, or serve sharded repodata (404, like an old channel).
"""

import argparse
import hashlib
import re
import select
import signal
import socket
import struct
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from urllib.parse import quote, unquote, urlsplit

import faults
from roots import Site

CONTENT_TYPES = {
    ".json": "application/json",
    ".zst": "application/zstd",
    ".bz2": "application/x-bzip2",
    ".conda": "application/octet-stream",
    ".html": "text/html",
}
# The page of a folder, as an index of Python packages has it: PEP 691, or PEP 503.
PAGES = {"index.json": "application/vnd.pypi.simple.v1+json", "index.html": "text/html"}
LOGIN_PAGE = b"<!DOCTYPE html>\n<html><title>Log in</title><body>Please log in.</body></html>\n"
RETRY_AFTER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, site: Site, fault_list: list[faults.Fault], log: Path | None):
        super().__init__(("127.0.0.1", port), Handler)
        self.site = site
        self.faults = fault_list
        self.stopping = threading.Event()
        self.to_reset: set[socket.socket] = set()
        self._log = log.open("a", encoding="utf-8", buffering=1) if log else None
        self._log_lock = threading.Lock()

    def server_bind(self) -> None:
        # HTTPServer would ask the resolver for this host's name, and wait for it.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def write_log(self, line: str) -> None:
        if self._log:
            with self._log_lock:
                self._log.write(line + "\n")

    def shutdown_request(self, request) -> None:
        if request in self.to_reset:
            # Closing a socket that lingers for no time sends RST instead of FIN.
            self.to_reset.discard(request)
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:
        # Clients may leave whenever they like; anything else is a bug, to be seen.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Headers and body leave in one write.
    wbufsize = -1
    server: Server
    # Whether an answer that breaks off leaves the connection open.
    stalls = False

    def do_GET(self) -> None:
        self.logged_path = unquote(urlsplit(self.path).path)
        path = self.without_token(self.logged_path)
        if path is None:
            return
        # Every fault that matches acts, in the order of the command line, until
        # one has answered; of those that spoil the file, the first counts.
        spoiling, changed = None, False
        for fault in self.server.faults:
            if not fault.happens(path):
                continue
            if fault.kind == "change":
                changed = True
            elif fault.kind in ("truncate", "stall", "corrupt"):
                spoiling = spoiling or fault
            elif self.act(fault):
                return
        self.answer_file(path, spoiling, changed)

    do_HEAD = do_GET

    def without_token(self, path: str) -> str | None:
        """The path behind /t/TOKEN; None if it was refused."""
        tokens = [fault for fault in self.server.faults if fault.kind == "token"]
        match = re.fullmatch(r"/t/([^/]+)(/.*)", path)
        if match:
            self.logged_path = f"/t/<token>{match[2]}"
        given, path = match.groups() if match and tokens else (None, path)
        guards = [fault.argument for fault in tokens if fault.happens(path)]
        if not guards or given in guards:
            return path
        # Like anaconda.org: without a token, a private channel does not exist.
        self.answer(HTTPStatus.NOT_FOUND if given is None else HTTPStatus.FORBIDDEN)
        return None

    def act(self, fault: faults.Fault) -> bool:
        """Do what a fault asks for; whether the request is over with that."""
        match fault.kind:
            case "status":
                self.answer(fault.status)
            case "content-type":
                self.answer(HTTPStatus.OK, LOGIN_PAGE, {"Content-Type": fault.argument})
            case "auth":
                if self.headers.get("Authorization") == fault.authorization:
                    return False
                self.answer(
                    HTTPStatus.UNAUTHORIZED, b"", {"WWW-Authenticate": 'Basic realm="channel"'}
                )
            case "reset":
                self.write_log("reset")
                self.close_connection = True
                self.server.to_reset.add(self.connection)
            case "hang":
                self.write_log("hang")
                self.close_connection = True
                self.wait_for_client_to_leave()
            case "slow":
                self.server.stopping.wait(float(fault.argument))
                return False
            case _:
                return False  # A token: without_token has seen to it.
        return True

    def wait_for_client_to_leave(self) -> None:
        while not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.2)
            if readable and not self.connection.recv(1024):
                return

    def read(self, path: str) -> tuple[bytes | None, str]:
        """The bytes at a path and their type; of a path that ends with `/`, the folder's page."""
        if path.endswith("/"):
            for name, content_type in PAGES.items():
                body = self.server.site.read(path + name)
                if body is not None:
                    return body, content_type
        content_type = CONTENT_TYPES.get(Path(path).suffix, "application/octet-stream")
        return self.server.site.read(path), content_type

    def answer_file(self, path: str, fault: faults.Fault | None, changed: bool) -> None:
        body, content_type = self.read(path)
        if body is None:
            self.answer(HTTPStatus.NOT_FOUND)
            return
        if changed:
            # Another version of the file, with an ETag of its own.
            body = faults.flip_a_byte(body)
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {
            "ETag": etag,
            "Accept-Ranges": "bytes",
            # A test may change a channel at any time: ask again, with the ETag.
            "Cache-Control": "no-cache",
            "Content-Type": content_type,
        }
        if fault and fault.kind == "corrupt":
            body = faults.flip_a_byte(body)
        if matches(self.headers.get("If-None-Match"), etag):
            self.answer(HTTPStatus.NOT_MODIFIED, None, headers)
            return
        limit = fault.length if fault and fault.kind in ("truncate", "stall") else None
        self.stalls = bool(fault and fault.kind == "stall")
        wanted = self.headers.get("Range")
        if self.headers.get("If-Range", etag) != etag:
            wanted = None
        span = byte_range(wanted, len(body))
        if span is None:
            self.answer(HTTPStatus.OK, body, headers, limit)
        elif not span:
            headers["Content-Range"] = f"bytes */{len(body)}"
            self.answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", headers)
        else:
            headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{len(body)}"
            self.answer(HTTPStatus.PARTIAL_CONTENT, body[span.start : span.stop], headers, limit)

    def answer(
        self,
        status: int,
        body: bytes | None = b"",
        headers: dict[str, str] | None = None,
        limit: int | None = None,
    ) -> None:
        """Send a response; with `limit`, break off after that many bytes of its body."""
        self.write_log(str(int(status)))
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status in RETRY_AFTER:
            self.send_header("Retry-After", "1")
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body[:limit])
            if limit is not None and limit < len(body):
                self.close_connection = True
                if self.stalls:
                    self.wfile.flush()
                    self.wait_for_client_to_leave()

    def write_log(self, status: str) -> None:
        # Quoted again, or a path with a line break could forge a line.
        path = quote(self.logged_path, safe="/!+~=:@,<>")
        self.server.write_log(f"{self.command} {path} {status}")

    def version_string(self) -> str:
        return "envlock-test-channel"

    def log_message(self, *_: object) -> None:
        """Nothing on stderr: --log has it all."""


def matches(if_none_match: str | None, etag: str) -> bool:
    given = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in given or "*" in given


def byte_range(header: str | None, size: int) -> range | None:
    """The bytes that one `bytes=A-B` names; empty: none of these; None: send all.

    Several ranges at once may be answered with the whole file, and are.
    """
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", (header or "").replace(" ", ""))
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve test channels on 127.0.0.1.")
    parser.add_argument("root", nargs="?", type=Path, metavar="ROOT", help="served as --prefix")
    parser.add_argument("--prefix", default="debian", metavar="NAME")
    parser.add_argument("--root", action="append", default=[], dest="roots", metavar="NAME=DIR")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--fault", action="append", default=[], metavar="KIND:GLOB[:ARGUMENT]")
    parser.add_argument(
        "--empty", action="append", default=[], metavar="NAME", help="a channel with no packages"
    )
    parser.add_argument("--synthesize-hashes", action="append", default=[], metavar="NAME")
    parser.add_argument("--log", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    roots = dict(option.partition("=")[::2] for option in arguments.roots)
    if arguments.root:
        roots[arguments.prefix] = arguments.root
    arguments.roots = {name: Path(folder) for name, folder in roots.items()}
    for name, folder in arguments.roots.items():
        if not folder.is_dir():
            parser.error(f"{name}: {folder} is not a folder")
    for name in set(arguments.synthesize_hashes) - roots.keys():
        parser.error(f"--synthesize-hashes {name}: no root is called so")
    if not roots and not arguments.empty:
        parser.error("nothing to serve: give a ROOT, --root or --empty")
    try:
        arguments.fault = [faults.parse(option) for option in arguments.fault]
    except faults.FaultError as error:
        parser.error(str(error))
    return arguments


def main() -> int:
    arguments = parse_arguments()
    site = Site(arguments.roots, set(arguments.empty), set(arguments.synthesize_hashes))
    try:
        server = Server(arguments.port, site, arguments.fault, arguments.log)
    except OSError as error:
        print(f"error: port {arguments.port}: {error.strerror}", file=sys.stderr)
        return 1

    def stop(*_: object) -> None:
        server.stopping.set()
        # shutdown() waits for serve_forever, which this very thread is running.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
