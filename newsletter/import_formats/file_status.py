"""Find the status that holds for every row of a file, by its name and columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.import_formats import column_names, opt_out, opt_out_words
from newsletter.import_formats.vocabulary import StatusWord

_NAMED = re.compile(
    r"(?:mailchimp[ _-]*)?"
    r"(?:(?P<left>unsubscribe(?:d|rs?|s)?)|(?P<cleaned>cleaned)|non[ _-]?subscribed)(?![a-z])"
)
_SHEET = re.compile(r"^sheet \d+ \((.*)\)$")
_AFTER = re.compile(
    r" (?:\d[\d ]*|lists?|listen?|liste|contacts?|kontakte|subscribers?|members?|users?|people|"
    r"addresses|e ?mails?|exports?|csv|final|new|copy|kopie)$"
)
"""Pattern of a word or number that may follow the status in a file's name."""
_OTHERWISE = re.compile(
    r"\b(?:not?|non|without|except|excluding|minus|ohne|sans|sin|senza|fara|sem|zonder|bez|"
    r"and|und|et|incl\w*|inkl\w*|with|mit|avec|con|plus)\b"
)
"""Pattern of words such as "not" or "and", after which a status in a file's name does not hold for
every row."""
TAIL_AT_MOST = 80


def find_file_status(header: Sequence[str], file: str, email_at: int) -> StatusWord:
    """Return the status that holds for every row of a file.

    Mailchimp exports unsubscribed and cleaned addresses to separate files with special columns, and
    non-subscribed ones to a file that only its name distinguishes. Other programs name the status
    in the file's name (``suppressions.csv``) or in that of the address column (``Bounced
    address``).
    """
    if match := _NAMED.match(file.lower()):
        if match["cleaned"]:
            return StatusWord.BOUNCED
        return StatusWord.NO if match["left"] else StatusWord.PENDING
    stem = _SHEET.sub(r"\1", re.sub(r"\.\w{3,4}$", "", file))
    title = header[email_at] if email_at < len(header) else ""
    if word := (
        opt_out.find_first_word(stem)
        or find_last_word(stem)
        or opt_out.find_word(opt_out.spell(title))
    ):
        return word
    names = {column_names.normalize_name(column) for column in header}
    left = names & column_names.UNSUBSCRIBED_THERE
    cleaned = names & column_names.CLEANED_THERE
    # A file of the whole audience: each row has a status of its own.
    if "last changed" in names or bool(left) == bool(cleaned):
        return StatusWord.SILENT
    return StatusWord.NO if left else StatusWord.BOUNCED


def find_last_word(name: str) -> StatusWord | None:
    """Return the opt-out word that a name ends with (``my-list-unsubscribed (1)``), or None."""
    text = opt_out.spell(name)[-TAIL_AT_MOST:]
    for _ in range(5):
        last = text.rfind(" ") + 1
        for word, pattern in opt_out_words.PATTERNS:
            for match in pattern.finditer(text):
                if match.end() > last and not _OTHERWISE.search(text[: match.start()]):
                    return word
        text = _AFTER.sub("", text)
    return None
