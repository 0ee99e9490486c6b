"""docs/install.md followed to the letter, in a folder of its own, to a confirmed sign-up by mail.

The commands are a shell's; what belongs to the machine stands for itself in `MACHINE`: packages, a
user, systemd, certbot. The sites that the page has printed run in a real nginx and a real Caddy, in
front of the command that the page's unit starts.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import pytest

from tests.feeds_server import FeedsServer, feeds_server, item, rss
from tests.processes import inherited_environment
from tests.programs import find_program
from tests.servers.test_proxies import CONFIGS, HOST, Proxy, free_port
from tests.smtp.fault_server import FaultServer
from tests.waiting import PATIENCE

pytestmark = pytest.mark.proxy

ROOT = Path(__file__).parents[2]
MACHINE = """
set -eu
apt-get() { echo "packages: $*"; }
useradd() { mkdir -p "$FOLDER"; cd "$FOLDER"; }
install() { echo "install $*"; }
systemctl() { echo "systemctl $*"; }
certbot() { echo "certbot $*"; }
nginx() { echo "nginx $*"; }
sudo() {
    if [ "$1" = -u ]; then shift 2; fi
    if [ "$1" = -i ]; then cd "$FOLDER"; else "$@"; fi
}
leave() { cd /; }
python3() {
    command python3 "$@" && echo "$LIBRARIES" > .venv/lib/$(ls .venv/lib)/site-packages/x.pth
}
"""
"""A machine on which everybody may do everything, and systemd does not run."""
NOT_RUN = {
    "git clone": "the other way in: the wheel is built from the same files",
    ".venv/bin/pip install ./checkout": "the same",
    "doctor": "asks the DNS; tests/services/operations/test_doctor.py",
}


@dataclass
class Installed:
    """The result of following the page."""

    folder: Path
    etc: Path
    output: str
    port: int
    https_port: int


@pytest.fixture(scope="module")
def blog() -> Iterator[FeedsServer]:
    with feeds_server() as server:
        server.page("/feed.xml", rss(item("Old"), title="Slow Letters", link=server.url))
        link = b'<link rel="alternate" type="application/rss+xml" href="/feed.xml">'
        server.page("/", link, "text/html")
        yield server


@pytest.fixture(scope="module")
def mail() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def installed(
    tmp_path_factory: pytest.TempPathFactory, blog: FeedsServer, mail: FaultServer
) -> Installed:
    """Type the blocks of the page, with names and folders of this test."""
    root = tmp_path_factory.mktemp("machine")
    folder = root / "srv/newsletter"
    etc = root / "etc"
    for part in ("etc/caddy", "etc/nginx/conf.d", "etc/systemd", "srv/newsletter"):
        (root / part).mkdir(parents=True)
    bring_wheel(folder)
    done = Installed(folder, etc, "", free_port(), free_port())
    script = MACHINE + "\n".join(
        localise(line, done, blog.url, mail.port) for line in lines_of_page()
    )
    environ = {
        **inherited_environment(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FOLDER": str(folder),
        "HOME": str(folder),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "NEWSLETTER_FEEDS__ALLOW_PRIVATE_ADDRESSES": "true",
        "LIBRARIES": libraries(),
    }
    ended = subprocess.run(
        ["bash", "-c", script],
        env=environ,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    done.output = ended.stdout + ended.stderr
    assert ended.returncode == 0, done.output
    return done


def libraries() -> str:
    """Return where the libraries of these tests lie; the installation brings none."""
    return "\n".join(path for path in sys.path if path.endswith("site-packages"))


def bring_wheel(folder: Path) -> None:
    """Put the release's wheel and its checksums into the user's folder."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(folder),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
    )
    [wheel] = folder.glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  {wheel.name}\n")


def lines_of_page() -> list[str]:
    """Return the commands of the page, up to the sections on other ways to run it."""
    page = (ROOT / "docs/install.md").read_text().partition("\n## Two processes")[0]
    blocks = re.findall(r"^```\n(.*?)^```$", page, re.M | re.S)
    lines = re.sub(r"\\\n\s*", " ", "".join(blocks)).splitlines()
    return [line for line in lines if not any(words in line for words in NOT_RUN)]


def localise(line: str, machine: Installed, blog: str, smtp_port: int) -> str:
    """Return a line with folders, blog and ports of this test."""
    line = line.replace("/srv/newsletter", str(machine.folder))
    line = line.replace("/etc/", f"{machine.etc}/")
    if line == "exit":
        return "leave"
    if "newsletter init" in line:
        answers = [
            "--from",
            "Ana <ana@news.example.com>",
            "--address",
            "1 Main Street",
            "--yes",
            "--timezone",
            "Europe/Berlin",
            "--smtp",
            f"smtp://127.0.0.1:{smtp_port}",
            "--base-url",
            f"https://{HOST}:{machine.https_port}",
        ]
        return f"{line.replace('https://your.blog', blog)} {shlex.join(answers)}"
    if line.endswith("service install"):
        user = "nobody" if os.geteuid() == 0 else ""
        give = f"chown {user} {machine.folder}/newsletter.toml; " if user else ""
        return f"{give}{line} --port {machine.port} --into {machine.etc}/systemd --yes"
    if "newsletter proxy" in line or " proxy " in line:
        return re.sub(r"proxy (\w+)", rf"proxy \1 --port {machine.port}", line)
    return line


def test_the_page_is_followed_to_the_letter(installed: Installed, mail: FaultServer) -> None:
    assert "newsletter-" in installed.output, "the checksum of the wheel is right"
    assert "<form" in installed.output
    assert "systemctl reload caddy" in installed.output
    assert (installed.folder / "newsletter.toml").stat().st_mode & 0o077 == 0
    for kind, site in (("caddy", "caddy/Caddyfile"), ("nginx", "nginx/conf.d/newsletter.conf")):
        with Running(installed, kind, (installed.etc / site).read_text()) as front:
            reader = f"{kind}@example.org"
            body = urlencode({"email": reader}).encode()
            form = {"Content_Type": "application/x-www-form-urlencoded"}
            assert front.ask("/slow-letters/subscribe", "POST", body, **form)[0] == 303, front.log
            link = wait_for_link(mail, reader)
            assert front.ask(urlsplit(link).path, "POST", b"", **form)[0] == 200
            assert reader in list_active(installed)


def wait_for_link(mail: FaultServer, reader: str) -> str:
    """Return the link of the mail that asks to confirm."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for _, to, data in list(mail.accepted):
            text = data.replace(b"=\r\n", b"").decode("utf-8", "replace")
            if to == reader and (match := re.search(r"https://\S+/confirm/[\w.-]+", text)):
                return match[0]
        time.sleep(0.05)
    raise AssertionError(f"no mail to {reader} in {[to for _, to, _ in mail.accepted]}")


def list_active(installed: Installed) -> str:
    return subprocess.run(
        [installed.folder / ".venv/bin/newsletter", "subscriber", "export", "--status", "active"],
        cwd=installed.folder,
        env=inherited_environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


class Running:
    """The unit's command, and the web server with the page's site in front of it."""

    def __init__(self, installed: Installed, kind: str, site: str) -> None:
        find_program(kind)
        folder = installed.folder.parent / kind
        folder.mkdir()
        unit = (installed.etc / "systemd/newsletter.service").read_text()
        command = shlex.split(re.findall(r"^ExecStart=(.*)$", unit, re.M)[0])
        certificates = f"/etc/letsencrypt/live/{HOST}"
        site = site.replace(f"{certificates}/fullchain.pem", str(folder / "certificate.pem"))
        site = site.replace(f"{certificates}/privkey.pem", str(folder / "key.pem"))
        proxy = CONFIGS[kind](folder, site, installed.https_port)
        environ = {
            **inherited_environment(),
            "HOME": str(folder),
            "XDG_DATA_HOME": str(folder),
            "NEWSLETTER_SIGNUP__CHECK_DOMAINS": "false",
        }
        self.output = (folder / "output.log").open("w")
        self.processes = [
            subprocess.Popen(words, env=environ, cwd=where, stdout=self.output, stderr=self.output)
            for words, where in ((command, installed.folder), (proxy, folder))
        ]
        self.front = Proxy(kind, installed.https_port, folder)
        self.port = installed.port

    def __enter__(self) -> Proxy:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5).close()
                if self.front.ask("/")[0] == 200:
                    return self.front
            except OSError:
                pass
            assert time.monotonic() < until, self.front.log
            time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)
        self.output.close()
