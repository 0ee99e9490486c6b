"""Data types of returned messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from newsletter.bounce_vocabulary import BounceClass

__all__ = ["BounceClass", "BounceResult", "ReportEvidence"]


@dataclass(frozen=True, slots=True)
class ReportEvidence:
    """Evidence that a report is about a message of this program.

    `sent_to`: addresses the report itself was sent to (a VERP address, an unsubscribe address);
    `envelope_ids`: Original-Envelope-Id (RFC 3464 section 2.2.1); `message_ids`: Message-IDs quoted
    in it, without angle brackets; `unsubscribe`: contents of quoted List-Unsubscribe headers;
    `feedback_ids`: of CFBL-Feedback-ID headers (RFC 9477).
    """

    sent_to: tuple[str, ...] = ()
    envelope_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    feedback_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BounceResult:
    """The result of a returned message for one recipient.

    `recipient` is the address that was mailed, as far as the report tells, or "" if it names none
    (a redacted complaint); `status` is the enhanced status (RFC 3463), or "" if unknown; `reason`
    is one line of the report.
    """

    recipient: str
    bounce_class: BounceClass
    status: str = ""
    reason: str = ""
    evidence: ReportEvidence = field(default=ReportEvidence(), compare=False)

    @property
    def suppress(self) -> bool:
        """Tell whether the address should never be mailed again, if the report is genuine."""
        return self.bounce_class in (BounceClass.HARD, BounceClass.COMPLAINT)

    def as_json(self) -> dict[str, Any]:
        """Return the result as `newsletter bounce read --json` prints it."""
        return {
            "recipient": self.recipient,
            "class": self.bounce_class.value,
            "suppress": self.suppress,
            "status": self.status,
            "reason": self.reason,
        }
