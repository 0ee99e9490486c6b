"""Pages that say what went wrong."""

from __future__ import annotations

from flask.testing import FlaskClient


def test_a_page_that_is_not_there_offers_no_new_link(client: FlaskClient) -> None:
    answer = client.get("/nothing/here")
    html = answer.get_data(as_text=True)
    assert answer.status_code == 404
    assert 'name="token"' not in html
    assert "function" not in html
