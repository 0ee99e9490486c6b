"""The sites that `newsletter proxy` prints, in a real nginx and a real Caddy from Debian."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask, request
from sqlalchemy import select

from newsletter.app import create_app
from newsletter.db.session import db, transaction
from newsletter.errors import Refused
from newsletter.models import ConsentEvent
from newsletter.services.operations.proxy_sites import write_site
from newsletter.services.runtime import EXTENSION
from newsletter.settings import Settings
from newsletter.web import http_server
from tests.certificates import write_certificate
from tests.conftest import SECRET
from tests.people import add_list, add_reader, add_upload_ticket
from tests.processes import inherited_environment
from tests.programs import find_program
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.proxy, pytest.mark.any_database]

HOST = "news.example.com"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@dataclass
class Program:
    """The program behind the proxy: `requests` counts what reached it, by path."""

    app: Flask
    port: int
    requests: Counter[str]
    unsubscribe: str


@pytest.fixture
def https_port() -> int:
    return free_port()


@pytest.fixture
def program(database_url: str, https_port: int, tmp_path: Path) -> Iterator[Program]:
    settings = Settings.model_validate(
        {
            "secret_key": SECRET,
            "database_url": database_url,
            "folder": tmp_path,
            "base_url": f"https://{HOST}:{https_port}",
            "signup": {"check_domains": False},
            "web": {"trusted_proxies": 1},
        }
    )
    app = create_app(settings)
    requests: Counter[str] = Counter()
    app.before_request(lambda: requests.update([request.path]))
    env = app.extensions[EXTENSION]
    with app.app_context(), transaction() as session:
        mailing_list = add_list(session)
        add_list(session, "other")
        handle = add_reader(session, mailing_list, "a@example.com").handle
        add_reader(session, mailing_list, "b@example.com")
    link = env.links.unsubscribe(str(handle), env.now).partition(f":{https_port}")[2]
    server = http_server.create_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield Program(app, int(server.effective_port), requests, link)
    server.close()
    thread.join(5)
    with app.app_context():
        db.engine.dispose()


@dataclass
class Proxy:
    """A web server in front, `log` is everything that it has written."""

    kind: str
    port: int
    folder: Path

    def ask(
        self, path: str, method: str = "GET", body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sock = context.wrap_socket(plain, server_hostname=HOST)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body or None, headers={"Host": HOST, **sent})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    @property
    def log(self) -> str:
        return "".join(
            file.read_text("utf-8", "replace") for file in sorted(self.folder.glob("*.log"))
        )


def nginx_config(folder: Path, site: str, port: int) -> list[str]:
    """Put the printed site into a whole configuration on ports and folders of our own."""
    certificate = write_certificate(folder / "certificate.pem", HOST)
    shutil.copyfile(certificate, folder / "key.pem")  # both are in either
    site = re.sub(r" *listen \[::\].*\n", "", site)
    site = site.replace("listen 80;", f"listen 127.0.0.1:{free_port()};")
    site = site.replace(f"listen {port} ssl", f"listen 127.0.0.1:{port} ssl")
    site = site.replace("/var/log/nginx", str(folder)).replace("/var/cache", str(folder))
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/main.log; worker_processes 1; "
        + ("user root;" if os.geteuid() == 0 else "")
        + f" events {{}} http {{ client_body_temp_path {folder}/body; "
        f"proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; "
        f"uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n{site}}}"
    )
    return [find_program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy_config(folder: Path, site: str, port: int) -> list[str]:
    """Put the printed site on a port of our own, with a certificate that Caddy makes itself."""
    site = site.replace(
        "\n{\n\tlog",
        f"\n{{\n\tadmin off\n\thttp_port {free_port()}\n\tskip_install_trust\n\tlog",
        1,
    )
    site = site.replace(f"{HOST}:{port} {{", f"{HOST}:{port} {{\n\ttls internal")
    (folder / "Caddyfile").write_text(site)
    return [
        find_program("caddy"),
        "run",
        "--config",
        str(folder / "Caddyfile"),
        "--adapter",
        "caddyfile",
    ]


CONFIGS = {"nginx": nginx_config, "caddy": caddy_config}


@contextmanager
def running(kind: str, program: Program, port: int, folder: Path) -> Iterator[Proxy]:
    """Run a web server with the printed site in front of `port`."""
    find_program(kind)
    https_port = int(program.app.extensions[EXTENSION].settings.base_url.rpartition(":")[2])
    folder /= kind
    folder.mkdir()
    site = write_site(
        program.app.extensions[EXTENSION].settings,
        kind,
        port=port,
        certificate=str(folder / "certificate.pem"),
        key=str(folder / "key.pem"),
    )
    command = CONFIGS[kind](folder, site, https_port)
    environ = {**inherited_environment(), "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    with (folder / "output.log").open("w") as output:
        process = subprocess.Popen(
            command, env=environ, cwd=folder, stdout=output, stderr=subprocess.STDOUT
        )
    front = Proxy(kind, https_port, folder)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", https_port)).close()
                break
            except OSError:
                assert process.poll() is None, front.log
                assert time.monotonic() < until, front.log
                time.sleep(0.05)
        yield front
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, program: Program, tmp_path: Path) -> Iterator[Proxy]:
    with running(request.param, program, program.port, tmp_path) as front:
        yield front


def test_pages_come_over_tls_and_visitors_are_told_apart(program: Program, proxy: Proxy) -> None:
    status, headers, body = proxy.ask("/blog/")
    assert status == 200
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert b"/blog/subscribe" in body
    form = urlencode({"email": "new@example.com"}).encode()
    status, _, _ = proxy.ask(
        "/blog/subscribe",
        "POST",
        form,
        Content_Type="application/x-www-form-urlencoded",
        X_Forwarded_For="192.0.2.99",
    )
    assert status == 303
    with program.app.app_context():
        ips = set(db.session.scalars(select(ConsentEvent.ip).where(ConsentEvent.ip != "")))
    assert ips == {"127.0.0.1"}, "a visitor must not choose the address that counts"


def test_nothing_large_reaches_the_program(program: Program, proxy: Proxy) -> None:
    body = b"email=" + b"a" * 2_000_000
    try:
        status, _, _ = proxy.ask("/blog/subscribe", "POST", body)
    except (
        ConnectionError,
        ssl.SSLError,
        http.client.HTTPException,
    ):  # closed while we were still sending
        status = 413
    assert status in (413, 502), status
    assert program.requests["/blog/subscribe"] <= 1


def test_an_upload_is_passed_on_to_who_asks_for_a_log_in(program: Program, proxy: Proxy) -> None:
    with program.app.app_context():
        ticket = add_upload_ticket(program.app.extensions[EXTENSION])
    path = f"/author/upload/subscribers?ticket={ticket}"
    status, _, _ = proxy.ask(path, "POST", b"a" * 2_000_000)
    assert status == 303


def test_signed_links_are_answered_by_the_program_and_stand_in_no_log(
    program: Program, proxy: Proxy
) -> None:
    token = program.unsubscribe.rpartition("/")[2]
    for _ in range(2):
        status, headers, _ = proxy.ask(program.unsubscribe)
        assert (status, headers["cache-control"]) == (200, "no-store")
    assert program.requests[program.unsubscribe] == 2
    assert (
        proxy.ask(
            program.unsubscribe,
            "POST",
            b"List-Unsubscribe=One-Click",
            Content_Type="application/x-www-form-urlencoded",
        )[0]
        == 200
    )
    assert token not in proxy.log


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_a_link_stands_in_no_log_while_the_program_is_down(
    program: Program, kind: str, tmp_path: Path
) -> None:
    with running(kind, program, free_port(), tmp_path) as proxy:
        status, _, _ = proxy.ask("/unsubscribe/WmF0b2tlbg.secret-part")
        assert status == 502
        assert "secret-part" not in proxy.log


def test_nginx_keeps_public_pages_for_a_few_seconds(program: Program, proxy: Proxy) -> None:
    if proxy.kind != "nginx":
        return
    for path in ("/", "/blog/", "/blog/embed", "/blog/archive/", "/blog/archive/feed.xml"):
        before = program.requests[path]
        bodies = {proxy.ask(path, Referer="https://blog.example/")[2] for _ in range(4)}
        assert (len(bodies), program.requests[path] - before) == (1, 1), path
    german = proxy.ask("/blog/", Accept_Language="de")
    assert german[1]["content-language"] == "de"
    assert program.requests["/blog/"] == 2
    assert proxy.ask("/blog/embed", Referer="https://other.example/")[0] == 200
    assert program.requests["/blog/embed"] == 2
    for path in ("/healthz", "/blog/check-your-inbox", "/blog/challenge", "/blog/embed?sent=1"):
        proxy.ask(path)
        proxy.ask(path)
        assert program.requests[path.partition("?")[0]] in (2, 4), path


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_every_value_of_a_site_is_filled_in(program: Program, kind: str) -> None:
    site = write_site(program.app.extensions[EXTENSION].settings, kind, port=program.port)
    assert HOST in site
    assert not re.search("@[A-Z]+@", site)


@pytest.mark.parametrize("url", ["http://news.example.com", "https://example.com/news"])
def test_a_site_needs_an_https_address_of_its_own(settings: Settings, url: str) -> None:
    with pytest.raises(Refused, match="https address"):
        write_site(settings.model_copy(update={"base_url": url}), "nginx", port=8025)
