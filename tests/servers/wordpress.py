"""A real WordPress on the loopback interface: Debian's packages, PHP's own server, MariaDB on a
socket.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.waiting import PATIENCE

SOURCE = Path("/usr/share/wordpress")
THEMES = SOURCE / "wp-content" / "themes"
PROGRAMS = ("php", "mariadbd", "mariadb-install-db")
ITEMS = 10
"""Posts that WordPress shows in its feed unless it is set up otherwise."""

CONFIG = """<?php
define('DB_NAME', 'wordpress'); define('DB_USER', 'root'); define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:{socket}'); define('DB_CHARSET', 'utf8mb4'); define('DB_COLLATE', '');
define('WP_HOME', '{url}'); define('WP_SITEURL', '{url}');
define('WP_CONTENT_DIR', '{root}/wp-content'); define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true); define('AUTOMATIC_UPDATER_DISABLED', true);
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""

INSTALL = """
define('WP_INSTALLING', true);
require 'wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
function wp_new_blog_notification() {}
wp_install('A slow blog', 'author', 'author@example.com', true, '', 'a password');
wp_delete_post(1, true);
echo json_encode(true);
"""


def is_installed() -> bool:
    """Tell whether this machine has WordPress and what it runs on."""
    return SOURCE.is_dir() and all(shutil.which(program) for program in PROGRAMS)


class WordPress:
    """A blog in `root`; a context manager."""

    def __init__(self, root: Path) -> None:
        self.root = root / "site"
        self.data = root / "data"
        self.socket = root / "m.sock"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.feed = f"{self.url}/?feed=rss2"
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> WordPress:
        try:
            self._copy()
            self._start_database()
            self._start_php()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run(self, code: str, **values: object) -> object:
        """Run PHP inside WordPress; `$v` holds `values`. What it prints last is JSON."""
        program = f"$v = json_decode(getenv('VALUES'), true); require 'wp-load.php'; {code}"
        return self._php(program, values)

    def publish(self, title: str, *, content: str = "", password: str = "", at: str = "") -> int:
        """Publish a post; `at` is its time in UTC (YYYY-mm-dd HH:MM:SS), now unless given."""
        text = content or f"<p>What {title} is about.</p>"
        post = {
            "post_title": title,
            "post_content": text,
            "post_status": "publish",
            "post_password": password,
        }
        if at:
            post |= {"post_date": at, "post_date_gmt": at}
        number = self.run(
            "$id = wp_insert_post($v['post'], true);"
            "echo json_encode(is_wp_error($id) ? $id->get_error_message() : $id);",
            post=post,
        )
        assert isinstance(number, int), number
        return number

    def trash(self, post: int) -> None:
        assert self.run("echo json_encode((bool) wp_trash_post($v['post']));", post=post)

    def update(self, post: int, **values: object) -> None:
        assert self.run(
            "echo json_encode((bool) wp_update_post($v['post']));", post={"ID": post, **values}
        )

    def empty(self) -> None:
        """Delete every post."""
        self.run(
            "foreach (get_posts(['numberposts' => -1, 'post_status' => 'any']) as $p)"
            " wp_delete_post($p->ID, true); echo json_encode(true);"
        )

    def _php(self, code: str, values: dict[str, object]) -> object:
        done = subprocess.run(
            ["php", "-d", "display_errors=stderr", "-r", code],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "VALUES": json.dumps(values)},
            capture_output=True,
            timeout=120,
            check=False,
        )
        lines = done.stdout.decode().strip().splitlines()
        assert done.returncode == 0, done.stderr.decode()
        assert lines, done.stderr.decode()
        return json.loads(lines[-1])

    def _copy(self) -> None:
        self.root.mkdir()
        for file in SOURCE.glob("*.php"):
            if file.name != "wp-config.php":
                shutil.copy(file, self.root / file.name)
        # PHP resolves links: the pages of a linked wp-admin would load Debian's settings, not ours.
        shutil.copytree(SOURCE / "wp-admin", self.root / "wp-admin")
        (self.root / "wp-includes").symlink_to(SOURCE / "wp-includes")
        for folder in ("plugins", "uploads"):
            (self.root / "wp-content" / folder).mkdir(parents=True)
        (self.root / "wp-content" / "themes").symlink_to(THEMES)
        (self.root / "wp-config.php").write_text(
            CONFIG.format(socket=self.socket, url=self.url, root=self.root)
        )

    def _start_database(self) -> None:
        user = ["--user=root"] if os.geteuid() == 0 else []
        subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                *user,
                f"--datadir={self.data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            capture_output=True,
            timeout=180,
        )
        self._start(
            "mariadbd",
            "--no-defaults",
            *user,
            f"--datadir={self.data}",
            f"--socket={self.socket}",
            f"--pid-file={self.data}/pid",
            "--skip-networking",
            "--innodb-flush-log-at-trx-commit=0",
        )
        create = (
            "$db = @new mysqli('localhost', 'root', '', '', 0, getenv('SOCKET'));"
            "exit($db->connect_errno || !$db->query('CREATE DATABASE wordpress') ? 1 : 0);"
        )
        command = ["php", "-r", f"mysqli_report(MYSQLI_REPORT_OFF); {create}"]
        environment = {"PATH": os.environ["PATH"], "SOCKET": str(self.socket)}
        self._until(lambda: not subprocess.run(command, env=environment, check=False).returncode)
        assert self._php(INSTALL, {})

    def _start_php(self) -> None:
        address = self.url.removeprefix("http://")
        self._start("php", "-S", address, "-t", str(self.root))

        def answers() -> bool:
            with suppress(URLError, ConnectionError), urlopen(self.feed, timeout=30) as response:
                return bool(response.status == 200)
            return False

        self._until(answers)

    def _start(self, *command: str) -> None:
        self._processes.append(
            subprocess.Popen(
                command,
                cwd=self.root,
                env={"PATH": os.environ["PATH"], "PHP_CLI_SERVER_WORKERS": "4"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )

    def _until(self, ready, seconds: float = PATIENCE) -> None:  # type: ignore[no-untyped-def]
        ends_at = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < ends_at, "it does not start"
            assert all(process.poll() is None for process in self._processes), "it has ended"
            time.sleep(0.2)
