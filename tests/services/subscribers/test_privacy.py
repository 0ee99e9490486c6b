"""Test what a subscriber's own data hold: also what waits, what was mailed and what servers
answered.
"""

from __future__ import annotations

from newsletter.db.session import reading, transaction
from newsletter.services.consent import Evidence
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.services.subscribers.privacy import collect_data
from newsletter.services.subscribers.views import get_subscriber
from newsletter.vocabulary import EvidenceSource
from tests.fakes import Sink
from tests.people import add_list, add_reader


def test_p9_the_export_holds_requests_and_answers(env: Environment, sink: Sink) -> None:
    with transaction() as session:
        add_reader(session, add_list(session), "ana@example.com")
        other = add_list(session, "other")
        add_reader(session, other, "bob@example.com")
    evidence = Evidence(EvidenceSource.FORM, ip="192.0.2.1")
    for address in ("ana@example.com", "eve@example.net"):
        subscribe(env, "other", Submission(address, name="A Name"), evidence)
    sending.send_due(env)
    with reading() as session:
        data = collect_data(session, get_subscriber(session, "ana@example.com"))
    active, pending = data["subscriptions"]
    assert (active["waiting_requests"], active["mails"]) == ([], [])
    [request] = pending["waiting_requests"]
    assert (request["name"], request["number"]) == ("A Name", 1)
    assert request["wording"].startswith("Yes, send me")
    [mail] = pending["mails"]
    assert (mail["mail"], mail["status"], mail["tries"]) == ("confirm", "sent", 1)
    assert mail["server_answer"]
