"""Measure what a flood of pings costs: `python -m bench.pings [COUNT]`.

Pings for one feed from as many networks as pings, and a worker that runs beside them. Prints how
many pings a minute were taken, and how many polls of the feed they caused.
"""

from __future__ import annotations

import logging
import secrets
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from newsletter.app import create_app
from newsletter.db.session import transaction
from newsletter.services.operations.database import upgrade
from newsletter.services.polling import ping
from newsletter.services.runtime import EXTENSION
from newsletter.settings import Settings
from newsletter.worker import WorkerProcess
from tests.fakes import FakeFetch
from tests.feeds_server import item, rss
from tests.people import add_feed, add_list

URL = "https://blog.example.com/feed/"


logging.getLogger("apscheduler").setLevel(logging.ERROR)


def main(count: int) -> None:
    """Send `count` pings from eight threads."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'newsletter.db'}"
        upgrade(url)
        values = {"secret_key": secrets.token_hex(32), "database_url": url, "folder": folder}
        fetch = FakeFetch()
        fetch.pages[URL] = rss(item("Old"))
        app = create_app(Settings.model_validate(values), fetch=fetch)
        env = app.extensions[EXTENSION]
        with app.app_context(), transaction() as session:
            add_feed(session, add_list(session), URL).next_poll_at = env.now + timedelta(hours=1)
        worker = WorkerProcess(app)
        worker.start()
        started = time.monotonic()

        def send(number: int) -> int:
            address = f"198.{number >> 8 & 255}.{number & 255}.1"
            return (
                app.test_client()
                .post("/ping", data={"url": URL}, environ_base={"REMOTE_ADDR": address})
                .status_code
            )

        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(send, range(count)))
        seconds = time.monotonic() - started
        time.sleep(2)
        worker.stop()
    polls = len(fetch.requests)
    print(
        f"{count:,} pings in {seconds:.0f} s ({count / seconds * 60:,.0f} a minute), answers "
        f"{sorted(set(codes))}: {polls} polls of the feed (ceiling {ping.POLLS_PER_FEED} an hour)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
