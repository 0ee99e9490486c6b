"""The errors that this program raises on purpose.

::

    NewsletterError             what, and a hint at the mend; exit code 1
    ├── SettingsError           newsletter.toml or NEWSLETTER_*: every mistake at once; exit code 2
    ├── DatabaseError           the database cannot be used, and what to do
    ├── InvalidInput            what somebody typed, by field; exit code 2
    ├── NotFound                no such list, subscriber, feed, campaign …
    ├── Refused                 understood, and not done, with the reason
    │   └── ChangedMeanwhile    it is not any more what the change was made from
    ├── TooMany                 a ceiling was reached; `retry_after` seconds
    ├── LinkError               a signed link that opens nothing
    │   ├── LinkInvalid         wrong, cut, or made for another purpose
    │   ├── LinkExpired         was right; `signed_at` says when
    │   └── LinkSpent           made for an earlier request; `slug` is the list to ask again
    ├── FeedError               a feed could not be read; `url`, `reason`
    │   ├── FeedForbidden       an address we never connect to (private network, other scheme)
    │   ├── FeedGone            410: stop asking
    │   ├── FeedUnavailable     for now; `retry_after` seconds where the server said so
    │   └── NotAFeed            answered, but there is no feed in it
    ├── TemplateProblem         a mail template cannot be rendered; `template`, `line`
    ├── TransportError          an SMTP server cannot be used; nobody in the outbox is to blame
    └── LeaseLost               another worker has taken over what this one was sending
    Conflict                    a broken constraint of the database, by its name; not translated

Raised low, translated once at each door (`web/errors.py`, `cli/__init__.py`). In a batch a bad item
becomes a recorded value and the loop goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from traceback import extract_tb


class NewsletterError(Exception):
    """The base of all errors raised on purpose: a one-line message, and a `hint` what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class SettingsError(NewsletterError):
    """Invalid settings: one line for each mistake, with key, place and correction."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class DatabaseError(NewsletterError):
    """The database cannot be used as it is."""


class Conflict(Exception):
    """Report a broken database constraint by its name, such as `uq_subscribers_email_key`.

    A caller handles the names it expects and raises every other again. It is no `NewsletterError`:
    a constraint that nobody expected is a bug, to be logged with its traceback.
    """

    def __init__(self, constraint: str) -> None:
        super().__init__(f"the database refused a change: {constraint}")
        self.constraint = constraint


class InvalidInput(NewsletterError):
    """Invalid input; `fields` maps each field to its message."""

    exit_code = 2

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in fields.items()))
        self.fields = dict(fields)


class NotFound(NewsletterError):
    """The requested object does not exist."""


class Refused(NewsletterError):
    """The operation is not allowed in the current state."""


class ChangedMeanwhile(Refused):
    """The object was changed since it was read; nothing is overwritten."""

    def __init__(
        self, message: str = "it was changed meanwhile", *, hint: str = "read it again"
    ) -> None:
        super().__init__(message, hint=hint)


class TooMany(NewsletterError):
    """A limit was reached; retry after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LinkError(NewsletterError):
    """The base of errors of signed links."""


class LinkInvalid(LinkError):
    """The signature is invalid, or the link is for another purpose."""

    def __init__(self) -> None:
        super().__init__("this link does not work")


class LinkExpired(LinkError):
    """The signature is valid, but the link has expired.

    `payload` is what it named: enough to mail its owner a fresh one of the same `purpose`, and
    never to be shown.
    """

    def __init__(self, signed_at: datetime, payload: str = "", purpose: str = "") -> None:
        super().__init__("this link is no longer valid")
        self.signed_at = signed_at
        self.payload = payload
        self.purpose = purpose


class LinkSpent(LinkError):
    """The request of the link was already settled in another way.

    `slug` is the list to ask again.
    """

    def __init__(self, slug: str) -> None:
        super().__init__("this link is from an earlier request")
        self.slug = slug


class FeedError(NewsletterError):
    """A feed could not be read: `url` and, in one line, `reason`."""

    def __init__(self, url: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{url}: {reason}", hint=hint)
        self.url = url
        self.reason = reason


class FeedForbidden(FeedError):
    """The URL is never fetched: it is in a private network, or not http(s)."""


class FeedGone(FeedError):
    """The server answered 410: the feed was removed permanently."""


class FeedUnavailable(FeedError):
    """The feed is temporarily unavailable.

    `retry_after` is in seconds, where the server named it; `status` is 0 where nothing answered.
    """

    def __init__(
        self,
        url: str,
        reason: str,
        *,
        status: int = 0,
        retry_after: int | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(url, reason, hint=hint)
        self.status = status
        self.retry_after = retry_after


class NotAFeed(FeedError):
    """The URL does not return a feed."""


class TemplateProblem(NewsletterError):
    """A mail template cannot be rendered: `template`, `line` (0 where unknown), `reason`."""

    def __init__(self, template: str, line: int, reason: str) -> None:
        super().__init__(f"{template}, line {line}: {reason}" if line else f"{template}: {reason}")
        self.template = template
        self.line = line
        self.reason = reason


class TransportError(NewsletterError):
    """An SMTP server cannot be used (refused, TLS, AUTH); no recipient is to blame.

    `host` names it.

    `rests_for`: seconds until it is asked again, where that is known.
    """

    def __init__(self, host: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{host}: {reason}", hint=hint)
        self.host = host
        self.reason = reason
        self.rests_for = 0.0


class LeaseLost(NewsletterError):
    """Another worker has taken over the lease of this one."""

    def __init__(self) -> None:
        super().__init__("another worker has taken over this campaign and sends the rest")


def locate_error(error: BaseException) -> str:
    """Describe an unexpected error by its type and source line, for logs and reports.

    Its text may name a subscriber.
    """
    frames = extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
