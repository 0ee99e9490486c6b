"""Servers that answer as a script says, closed when a test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.smtp.fault_server import FaultServer


@pytest.fixture
def start() -> Iterator[Callable[..., FaultServer]]:
    started: list[FaultServer] = []

    def begin(script: dict[str, object] | None = None, **options: object) -> FaultServer:
        started.append(FaultServer(script, **options))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for server in started:
        server.close()
