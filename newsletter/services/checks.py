"""The result of one check of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.setup_vocabulary import CheckVerdict

BAD = CheckVerdict.BAD
WARN = CheckVerdict.WARN
UNKNOWN = CheckVerdict.UNKNOWN
GOOD = CheckVerdict.GOOD


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its verdict, a sentence, and a hint.

    `hint` says what to do where it is not good, `why` what comes of it, and `record` is the line to
    publish in the DNS, where that is the mend.
    """

    id: str
    verdict: CheckVerdict
    what: str
    hint: str = ""
    why: str = ""
    record: str = ""
