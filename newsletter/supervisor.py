"""Report the state of this process to systemd (sd_notify(3)), if it runs under systemd."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

READY = "READY=1"
ALIVE = "WATCHDOG=1"
ENDING = "STOPPING=1"


def tell(state: str) -> None:
    """Send a state to systemd's notification socket.

    A name that begins with @ is in the abstract namespace. What cannot be told is not an error.
    """
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name:
        return
    address = "\0" + name[1:] if name.startswith("@") else name
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)
