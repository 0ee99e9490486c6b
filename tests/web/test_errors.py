"""Pages that say what went wrong."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from newsletter.errors import InvalidInput
from newsletter.i18n import Text


def test_a_page_that_is_not_there_offers_no_new_link(client: FlaskClient) -> None:
    answer = client.get("/nothing/here")
    html = answer.get_data(as_text=True)
    assert answer.status_code == 404
    assert 'name="token"' not in html
    assert "function" not in html


def test_a_predicate_keeps_its_field_and_a_sentence_stands_alone(app: Flask) -> None:
    fields = {
        "boat.png": Text("cannot be read as a picture"),
        "email": Text("Please type your e-mail address."),
        "mast.png": Text("cannot be read as a picture"),
    }

    @app.get("/two-pictures")
    def refuse() -> str:
        raise InvalidInput(fields)

    answer = app.test_client().get("/two-pictures")
    assert answer.status_code == 422
    assert (
        "boat.png: cannot be read as a picture. Please type your e-mail address. "
        "mast.png: cannot be read as a picture." in answer.text
    )
    german = app.test_client().get("/two-pictures?language=de").text
    assert "boat.png: " in german
    assert "mast.png: " in german
    assert "cannot be read" not in german


def test_a_refusal_says_what_to_do(client: FlaskClient) -> None:
    assert "Go back and use the button." in client.delete("/link").text
    large = client.post("/link", data=b"x" * 100_000)
    assert large.status_code == 413
    assert "This is too large: send at most 65 KB." in large.text
    assert "höchstens 65 KB" in client.post("/link?language=de", data=b"x" * 100_000).text
    odd = client.get("/?x=%00")
    assert odd.status_code == 400
    assert "Go back, reload the page, and try again." in odd.text
