"""A proxy that the settings do not know is seen, logged once, and told by doctor."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from flask import Flask

from newsletter.services import proxy_headers
from newsletter.services.runtime import EXTENSION
from tests.fakes import Clock

HEADERS = {"X-Forwarded-For": "192.0.2.7"}


def checks(app: Flask) -> list[str]:
    with app.app_context():
        return [check.verdict for check in proxy_headers.check_proxy(app.extensions[EXTENSION])]


def test_w8_a_proxy_that_is_not_trusted_is_reported(
    app: Flask, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    client = app.test_client()
    caplog.set_level(logging.WARNING, "newsletter.web")
    client.get("/robots.txt")
    client.get("/robots.txt", headers=HEADERS, environ_overrides={"REMOTE_ADDR": "198.51.100.3"})
    assert (checks(app), caplog.records) == ([], [])
    for _ in range(3):
        client.get("/robots.txt", headers=HEADERS)
    assert checks(app) == ["bad"]
    [record] = caplog.records
    assert "set trusted_proxies = 1" in record.message
    assert "192.0.2.7" not in caplog.text
    clock.forward(timedelta(days=3))
    assert checks(app) == []
