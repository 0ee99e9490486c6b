"""Convert a report to a readable text without addresses.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.addresses import mask_addresses
from newsletter.bounces.mime import Part, parse_message

KEPT_AT_MOST = 64 * 1024
"""Maximum bytes of the text that is kept of a report."""

_READABLE = ("text/", "message/", "multipart/")


def describe_report(data: bytes) -> bytes:
    """Return the headers and the decoded text of a message, with every address masked.

    Encoded parts are always decoded, because addresses in them would not be masked otherwise.
    """
    lines: list[str] = []
    room = KEPT_AT_MOST
    for line in _list_lines(parse_message(data)):
        lines.append(line)
        room -= len(line)
        if room < 0:
            break
    text = mask_addresses("\n".join(lines)).replace("\0", "")
    return text.encode("utf-8", "replace")[:KEPT_AT_MOST]


def _list_lines(message: Part) -> Iterator[str]:
    for part in message.walk():
        names = dict.fromkeys(name for name, _ in part.headers)
        for name in names:
            yield from (f"{name.title()}: {value}" for value in part.get_all(name))
        yield ""
        if not part.parts:
            readable = part.content_type.startswith(_READABLE)
            yield part.text() if readable else f"({part.content_type}, left out)"
