"""Measure the import of new subscribers, address and name, through the command itself."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import world

SETTINGS = """
secret_key = "a-key-for-measuring-0123456789abcdef"
base_url = "https://news.example.com"
database_url = "{url}"
"""


def measure_import(count: int, url: str = "") -> dict[str, float]:
    """Import `count` rows into an empty list; return seconds, CPU seconds and rows a second.

    The database is SQLite without a `url`.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database_url = url or f"sqlite:///{folder}/newsletter.db"
        with world.make_app(folder, database_url).app_context():
            world.empty()
            world.add_subscribers(1)
        (folder / "newsletter.toml").write_text(SETTINGS.format(url=database_url))
        file = folder / "people.csv"
        with file.open("w") as out:
            out.write("email,name\n")
            for number in range(count):
                address = f"person{number * 7919 % 1_000_003}.{number}@example{number % 97}.com"
                out.write(f"{address},Person {number}\n")
        program = Path(sys.executable).with_name("newsletter")
        command = [program, "subscriber", "import", file, "--list", "slow", "--confirmed"]
        with measured() as figures:
            subprocess.run(
                [*command, "--because", "they asked on paper"],
                cwd=folder,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        return figures | {"rows/s": count / figures["seconds"]}


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """Fill in the seconds, and the CPU seconds of child processes, that the block takes."""
    figures: dict[str, float] = {}
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    yield figures
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures["seconds"] = time.perf_counter() - start
    figures["CPU seconds"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
