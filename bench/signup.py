"""What a sign-up and the first pages cost: CPU milliseconds a request, in one process, on SQLite."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from bench import world
from newsletter.settings import SignUp as Ceilings

WARM, REQUESTS = 20, 200
HIGH = Ceilings(per_ip=10**7, per_network=10**7, per_list=10**7, overall=10**7)


def application(folder: Path) -> Flask:
    """A list whose archive has five letters of 25 KB, and ceilings that nobody reaches."""
    app = world.make_app(folder, f"sqlite:///{folder}/newsletter.db", signup=HIGH)
    with app.app_context():
        list_id = world.add_readers(100)
        for _ in range(5):
            world.add_campaign(list_id)
    return app


def asked(client: FlaskClient, what: str, number: int) -> int:
    """One request; its status."""
    if what == "sign-up":
        return client.post("/slow/subscribe", data={"email": f"new{number}@example.org"}).status_code
    return client.get(what).status_code


def measure() -> dict[str, float]:
    """CPU milliseconds of each, the client's own (about half a millisecond) included."""
    with tempfile.TemporaryDirectory() as folder:
        client = application(Path(folder)).test_client()
        found = {}
        for what in ("/", "/slow/", "/slow/embed", "sign-up"):
            for number in range(WARM):
                assert asked(client, what, number) in (200, 303)
            begun = time.process_time()
            for number in range(WARM, WARM + REQUESTS):
                asked(client, what, number)
            found[what] = (time.process_time() - begun) / REQUESTS * 1000
        return found
