"""The result of one check of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "warn", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    `hint` says what to do where it is not good, `why` what comes of it, and `record` is the line to
    publish in the DNS, where that is the mend. ``unknown``: it could not be looked at.
    """

    id: str
    verdict: Verdict
    what: str
    hint: str = ""
    why: str = ""
    record: str = ""
