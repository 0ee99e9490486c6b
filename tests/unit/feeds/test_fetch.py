"""Fetching from strangers: nothing private, nothing endless, nothing half."""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from newsletter.errors import FeedError, FeedForbidden, FeedGone, FeedUnavailable
from newsletter.feeds.fetch import Fetcher
from newsletter.feeds.ssrf import is_public
from tests.certificates import make_server_context, write_certificate
from tests.feeds_server import FeedsServer, drip, feeds_server, item, ok, raw, redirect, rss, status

FEED = rss(item("One"))


@pytest.fixture
def server() -> Iterator[FeedsServer]:
    with feeds_server() as server:
        yield server


def fetcher(**options: Any) -> Fetcher:
    return Fetcher(user_agent="newsletter tests", **{"allow_private": True, **options})


def test_a_feed_is_fetched(server: FeedsServer) -> None:
    url = server.page(
        "/feed",
        FEED,
        ETag='"1"',
        Last_Modified="Tue, 24 Nov 2026 09:00:00 GMT",
        Cache_Control="max-age=900",
    )
    result = fetcher()(url)
    assert (result.status, result.body, result.etag, result.max_age) == (200, FEED, '"1"', 900)
    assert result.permanent_url is None
    assert server.requests[0][1]["user-agent"] == "newsletter tests"


def test_both_validators_are_sent_and_304_is_believed(server: FeedsServer) -> None:
    server.answers["/feed"] = status(304, "Not Modified", ETag='"1"')
    result = fetcher()(server.url + "/feed", etag='"1"', last_modified="yesterday")
    assert (result.status, result.body) == (304, b"")
    assert server.requests[0][1]["if-none-match"] == '"1"'
    assert server.requests[0][1]["if-modified-since"] == "yesterday"


def test_f08_a_304_nobody_asked_for_is_an_error(server: FeedsServer) -> None:
    server.answers["/feed"] = status(304)
    with pytest.raises(FeedUnavailable):
        fetcher()(server.url + "/feed")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "gopher://x/",
        "ftp://example.com/x",
        "data:text/xml,<rss/>",
        "jar:http://x!/",
        "dict://x/",
        "http://",
        "//example.com/",
        "http://user:pw@example.com/feed",
        "http://example.com:22/",
        "http://[::1",
        "javascript:alert(1)",
    ],
)
def test_f01_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(FeedForbidden):
        fetcher(allow_private=False)(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[fd00::1]",
        "100.64.0.1",
        "2130706433",
        "0x7f.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.0.8",
        "0",
    ],
)
def test_f02_private_addresses_are_refused(host: str) -> None:
    with pytest.raises(FeedForbidden):
        fetcher(allow_private=False)(f"http://{host}/feed")


def test_f02_a_name_that_leads_into_a_private_network_is_refused(server: FeedsServer) -> None:
    def resolve(host: str, port: int, *rest: object) -> list[tuple[Any, ...]]:
        answers = {
            "evil.example": ["93.184.216.34", "127.0.0.1"],
            "nat.example": ["64:ff9b::a00:1"],
        }[host]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]

    for host in ("evil.example", "nat.example"):
        with pytest.raises(FeedForbidden):
            fetcher(allow_private=False, resolve=resolve)(f"http://{host}/feed")
    assert server.requests == []


class Internet:
    """A world of which `server` is the public part: names and public addresses lead there.

    Notes whatever is connected to, and opens no connection to anything else.
    """

    PUBLIC: ClassVar[dict[str, list[str]]] = {
        "public.example": ["93.184.216.34"],
        "six.example": ["2606:2800:220:1:248:1893:25c8:1946"],
        "both.example": ["2606:2800:220:1:248:1893:25c8:1946", "93.184.216.34"],
        "inside.example": ["10.0.0.5"],
        "half.example": ["93.184.216.34", "::1"],
        "mapped.example": ["::ffff:169.254.169.254"],
        "nat64.example": ["64:ff9b::a9fe:a9fe"],
    }

    def __init__(self, server: FeedsServer) -> None:
        self.server = server
        self.connected: list[str] = []
        self.rebinds = 0

    def resolve(self, host: str, port: int, *rest: int) -> list[tuple[Any, ...]]:
        if host == "rebinding.example":  # public when it is asked first, private ever after
            self.rebinds += 1
            return socket.getaddrinfo(
                "93.184.216.34" if self.rebinds == 1 else "127.0.0.1", port, *rest
            )
        names = self.PUBLIC.get(host)
        return [
            address for name in names or [host] for address in socket.getaddrinfo(name, port, *rest)
        ]

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.connected.append(address[0])
        assert is_public(address[0]), f"connected to {address[0]}"
        return socket.create_connection(("127.0.0.1", self.server.port), timeout)


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1/",
        "http://10.0.0.5/",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/",
        "http://0/",
        "http://[::1]/",
        "http://[fd00::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "https://127.0.0.1/",
        "//127.0.0.1/",
        "http://inside.example/",
        "http://half.example/",
        "http://mapped.example/",
        "http://nat64.example/",
        "http://user@127.0.0.1/",
        "http://public.example@127.0.0.1/",
        "http://127.0.0.1\\@public.example/",
        "http://127.0.0.1#@public.example/",
        "http://public.example:22/",
        "file:///etc/passwd",
        "http://①②⑦.0.0.1/",
        "http://127。0。0。1/",
        "gopher://127.0.0.1/",
        "HTTP://LOCALHOST./",
        "http://rebinding.example/",
    ],
)
@pytest.mark.parametrize("hops", [0, 4])
def test_f02_f03_no_hop_leads_into_a_private_network(
    server: FeedsServer, target: str, hops: int
) -> None:
    world = Internet(server)
    world.rebinds = 1
    for hop in range(hops):
        server.answers[f"/{hop}"] = redirect(
            (301, 302, 307, 308)[hop], f"http://six.example/{hop + 1}"
        )
    server.answers[f"/{hops}"] = redirect(302, target)
    strict = fetcher(allow_private=False, resolve=world.resolve, connect=world.connect)
    with pytest.raises(FeedError):
        strict("http://public.example/0")
    assert len(world.connected) == len(server.requests) == hops + 1, (
        "nothing but the hops before was asked"
    )


def test_a_host_is_reached_where_one_of_its_addresses_is_dead(server: FeedsServer) -> None:
    world = Internet(server)
    server.page("/feed", FEED)

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        if ":" in address[0]:
            raise OSError("no route to host")
        return world.connect(address, timeout)

    strict = fetcher(allow_private=False, resolve=world.resolve, connect=connect)
    assert strict("http://both.example/feed").body == FEED
    with pytest.raises(FeedUnavailable, match="the connection failed"):
        strict("http://six.example/feed")


def test_f02_what_was_resolved_is_what_is_connected_to(server: FeedsServer) -> None:
    world = Internet(server)
    server.page("/feed", FEED)
    strict = fetcher(allow_private=False, resolve=world.resolve, connect=world.connect)
    assert strict("http://rebinding.example/feed").body == FEED
    assert (world.connected, world.rebinds) == (["93.184.216.34"], 1)
    with pytest.raises(FeedForbidden):
        strict("http://rebinding.example/feed")
    assert len(world.connected) == 1


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


def test_f03_redirects_are_followed_and_noted(server: FeedsServer) -> None:
    target = server.page("/new", FEED)
    server.answers["/old"] = redirect(301, "/new")
    server.answers["/older"] = redirect(308, "/old")
    server.answers["/for-now"] = redirect(302, "/new")
    assert fetcher()(server.url + "/older").permanent_url == target
    result = fetcher()(server.url + "/for-now")
    assert (result.permanent_url, result.url) == (None, target)


def test_f03_loops_and_dead_ends(server: FeedsServer) -> None:
    server.answers["/loop"] = redirect(302, "/loop")
    server.answers["/nowhere"] = status(302)
    server.answers["/broken"] = redirect(302, "http://]/")
    server.answers["/file"] = redirect(301, "file:///etc/passwd")
    server.answers["/user"] = redirect(301, "http://a:b@127.0.0.1/")
    for path in ("/loop", "/nowhere", "/broken"):
        with pytest.raises(FeedUnavailable):
            fetcher()(server.url + path)
    assert len(server.requests) <= 8
    for path in ("/file", "/user"):
        with pytest.raises(FeedForbidden):
            fetcher()(server.url + path)


def test_f04_a_gzip_bomb_stays_small(server: FeedsServer) -> None:
    bomb = gzip.compress(b"0" * 60_000_000, 9)
    url = server.page("/bomb", bomb, Content_Encoding="gzip")
    with pytest.raises(FeedUnavailable, match="larger than"):
        fetcher(max_bytes=1_000_000)(url)


def test_f04_gzip_whole_cut_and_lied_about(server: FeedsServer) -> None:
    packed = gzip.compress(FEED)
    assert fetcher()(server.page("/whole", packed, Content_Encoding="gzip")).body == FEED
    for path, body in (("/cut", packed[:-20]), ("/lie", FEED)):
        with pytest.raises(FeedUnavailable):
            fetcher()(server.page(path, body, Content_Encoding="gzip"))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"x" * 10, 0.05, HEAD + b"\r\n"),
        drip(b"X-A: b\r\n", 0.05, HEAD),
        drip(b"a", 0.05),
        drip(b"1\r\nx\r\n", 0.05, HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
        lambda connection, path, headers: time.sleep(5),
    ],
    ids=["body", "headers", "status", "chunks", "silence"],
)
def test_f06_a_slow_answer_ends_at_the_deadline(server: FeedsServer, answer: Any) -> None:
    server.answers["/slow"] = answer
    begun = time.monotonic()
    with pytest.raises(FeedUnavailable):
        fetcher(deadline=0.6)(server.url + "/slow")
    assert time.monotonic() - begun < 4.5


def test_f06_endless_and_enormous(server: FeedsServer) -> None:
    server.answers["/endless"] = drip(b"x" * 65536, 0, HEAD + b"\r\n")
    server.answers["/headers"] = raw(
        HEAD + b"".join(b"X-%d: %b\r\n" % (n, b"y" * 8000) for n in range(200)) + b"\r\n"
    )
    for path in ("/endless", "/headers"):
        with pytest.raises(FeedUnavailable):
            fetcher(max_bytes=300_000, deadline=5)(server.url + path)


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 5000\r\n\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n",
        b"",
        b"garbage\r\n\r\n",
    ],
)
def test_f07_half_an_answer_is_no_answer(server: FeedsServer, data: bytes) -> None:
    server.answers["/half"] = raw(data)
    with pytest.raises(FeedUnavailable):
        fetcher()(server.url + "/half")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("-1", None),
        ("soon", None),
        ("9" * 30, 86_400),
        ("", None),
    ],
)
def test_f09_retry_after_within_reason(
    server: FeedsServer, value: str, seconds: int | None
) -> None:
    server.answers["/busy"] = status(503, "Busy", Retry_After=value)
    with pytest.raises(FeedUnavailable) as caught:
        fetcher()(server.url + "/busy")
    assert (caught.value.status, caught.value.retry_after) == (503, seconds)


def test_f09_gone_is_told_from_away(server: FeedsServer) -> None:
    server.answers["/gone"] = status(410, "Gone")
    server.answers["/away"] = status(404, "Not Found")
    with pytest.raises(FeedGone):
        fetcher()(server.url + "/gone")
    with pytest.raises(FeedUnavailable) as caught:
        fetcher()(server.url + "/away")
    assert caught.value.status == 404


def test_a_refused_connection_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FeedUnavailable) as caught:
        fetcher()(f"http://127.0.0.1:{port}/")
    assert "refuses" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return write_certificate(tmp_path / "cert.pem")


def test_f11_certificates_are_verified(certificate: Path) -> None:
    context = make_server_context(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    wrapped.recv(65536)
                    ok(FEED)(wrapped, "", {})
            except ssl.SSLError:
                continue
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]

    def resolve(host: str, port: int, *rest: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    trusting = fetcher(ca_certs=str(certificate), resolve=resolve)
    assert trusting(f"https://blog.example:{port}/").body == FEED
    for distrusting in (fetcher(resolve=resolve), trusting):
        with pytest.raises(FeedError, match="certificate"):
            distrusting(f"https://other.example:{port}/")
    listener.close()


@pytest.mark.parametrize(
    ("code", "headers", "page", "vendor"),
    [
        (
            403,
            {"cf_mitigated": "challenge", "Server": "cloudflare"},
            "<title>Just a moment...</title>",
            "Cloudflare",
        ),
        (503, {"Server": "cloudflare"}, "<title>Just a moment...</title>", "Cloudflare"),
        (
            403,
            {"Server": "cloudflare"},
            "<title>Attention Required! | Cloudflare</title>",
            "Cloudflare",
        ),
        (
            202,
            {"sg_captcha": "challenge"},
            '<meta http-equiv="refresh" content="0;/.well-known/sgcaptcha/">',
            "SiteGround",
        ),
        (403, {}, "<iframe src='/_Incapsula_Resource?x'></iframe>", "Imperva"),
        (307, {}, "", ""),
        (403, {}, "<script src='https://geo.captcha-delivery.com/c.js'></script>", "DataDome"),
        (405, {"x_amzn_waf_action": "captcha"}, "", "AWS WAF"),
        (202, {"x_amzn_waf_action": "challenge"}, "", "AWS WAF"),
        (429, {"x_vercel_mitigated": "challenge"}, "", "Vercel"),
        (503, {}, "<p>Generated by Wordfence</p>", "Wordfence"),
        (403, {}, "<div class='g-recaptcha'></div>", "a captcha"),
        (200, {}, "<!doctype html><title>Making sure you&#39;re not a bot!</title>", "Anubis"),
        (200, {}, "<html><script>sucuri_cloudproxy_js=1</script></html>", "Sucuri"),
        (403, {}, "<h1>Forbidden</h1>", ""),
        (403, {"Server": "cloudflare"}, "<h1>Forbidden by its author</h1>", ""),
        (503, {}, "<h1>Back soon</h1>", ""),
        (404, {}, "<p>captcha</p>", ""),
    ],
)
def test_b17_a_robot_check_is_named_with_what_mends_it(
    server: FeedsServer, code: int, headers: dict[str, str], page: str, vendor: str
) -> None:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    body = page.encode()
    head = (
        f"HTTP/1.1 {code} X\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
        f"{lines}\r\n"
    )
    server.answers["/feed"] = raw(head.encode() + body)
    with pytest.raises(FeedUnavailable) as caught:
        fetcher()(server.url + "/feed")
    if vendor:
        assert f"a robot check stands before the feed ({vendor}, {code}" in caught.value.reason
        assert "exempt the feed's address" in caught.value.hint
    else:
        assert "robot" not in caught.value.reason


@pytest.mark.parametrize(
    "page",
    [
        rss(
            item(
                "On captchas",
                body="<p>Checking your browser: g-recaptcha, _Incapsula_Resource, just a "
                "moment...</p>",
            )
        ),
        b"<!doctype html><html><head><link rel=alternate></head>"
        + b"<p>captcha, cf-turnstile</p>" * 500,
    ],
)
def test_b17_a_blog_about_robot_checks_is_none(server: FeedsServer, page: bytes) -> None:
    assert fetcher()(server.page("/feed", page, "text/html")).body == page


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 150\r\n\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhalf",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf",
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 999 \x1b[31mweird\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\n" + b"X" * 70_000,
    ],
)
def test_h8_no_words_of_a_library_reach_anybody(server: FeedsServer, answer: bytes) -> None:
    server.answers["/feed"] = raw(answer)
    try:
        fetcher(deadline=5)(server.url + "/feed")
    except FeedUnavailable as error:
        assert not re.search(
            r"Error|Exception|\(\W|IncompleteRead|bytes|HTTPConnection|object at|0x|\\|\x1b",
            str(error),
        )


def test_p4_a_content_type_is_printable(server: FeedsServer) -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\x00; charset=utf-8\x1b\r\n"
        b"Content-Length: %d\r\n\r\n" % len(FEED)
    )
    server.answers["/feed"] = raw(head + FEED)
    try:
        assert fetcher()(server.url + "/feed").content_type == "text/xml; charset=utf-8"
    except FeedUnavailable as error:
        assert "HTTP" in error.reason


@pytest.mark.parametrize(
    "address",
    [
        "3fff::1",
        "3ffe::1",
        "2001:20::1",
        "2001:2::1",
        "2001:db8::1",
        "2001:10::1",
        "2620:4f:8000::1",
        "4000::1",
        "5f00::1",
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.1",
        "240.0.0.1",
        "::ffff:192.52.193.1",
        "100:0:0:1::1",
        "fec0::1",
        "::5db8:d822",
    ],
)
def test_p6_networks_that_nobody_reaches_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("missing", [1, 200])
def test_f07_half_a_feed_never_counts_as_whole(
    server: FeedsServer, missing: int, *, packed: bool
) -> None:
    """Not even if all but the last byte is there, or all that is compressed."""
    body = gzip.compress(FEED) if packed else FEED
    head = (
        HEAD
        + (b"Content-Encoding: gzip\r\n" if packed else b"")
        + b"Content-Length: %d\r\n" % (len(body) + missing)
    )
    for path, connection in (("/close", b"Connection: close\r\n"), ("/open", b"")):
        server.answers[path] = raw(head + connection + b"\r\n" + body)
        with pytest.raises(FeedUnavailable, match="before it was complete"):
            fetcher()(server.url + path)
