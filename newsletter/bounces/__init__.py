"""Parse returned mail (bounces, complaints, replies) into a result for each recipient.

Pure; knows no database.

The kinds are bounces (RFC 3464, RFC 6533, and plain text), complaints (RFC 5965), unsubscribe
requests, replies and automatic answers. Whether to believe a report, and what follows from it, is
decided elsewhere: `ReportEvidence` holds what can prove that the report is about a message of this
program.
"""

from newsletter.bounces.read import Report, read_bounce, read_message
from newsletter.bounces.types import BounceClass, BounceResult, ReportEvidence

__all__ = ["BounceClass", "BounceResult", "Report", "ReportEvidence", "read_bounce", "read_message"]
