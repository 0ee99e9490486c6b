"""Files for subscribers: list them, add one by its bytes, take one away."""

from __future__ import annotations

import tempfile
from pathlib import Path

from flask import Blueprint, Response, request

from newsletter import files
from newsletter.access_vocabulary import TokenScope
from newsletter.services import resources
from newsletter.services.runtime import environment
from newsletter.web.api import models
from newsletter.web.api.answers import RefusedEarly, no_content, send
from newsletter.web.api.operations import operation, require_unlimited
from newsletter.web.problems import make_problem

blueprint = Blueprint("api_resources", __name__)

FILE_AT_MOST = 20 * 1024 * 1024
"""Bytes of a file for subscribers; larger ones are added by the command."""
DOCUMENTS = {"pdf", "epub", "mobi", "txt", "md", "csv", "ics", "rtf", "zip"}
OFFICE = {"docx", "xlsx", "pptx", "odt", "ods", "odp"}
PICTURES = {"png", "jpg", "jpeg", "gif", "webp"}
SOUND = {"mp3", "m4a", "ogg", "oga", "opus", "flac", "wav"}
FILMS = {"mp4", "m4v", "webm", "mov"}
ENDINGS = DOCUMENTS | OFFICE | PICTURES | SOUND | FILMS
"""Allowed endings of files: documents, pictures, sound and films, but no pages or programs."""


@operation(blueprint, "GET", "/resources", scope=TokenScope.READ, answer=models.Resources)
def list_resources() -> Response:
    """List the files that only confirmed subscribers can fetch."""
    rows = resources.list_resources()
    return send(models.Resources(data=[models.ApiResource.model_validate(row) for row in rows]))


@operation(
    blueprint,
    "POST",
    "/resources",
    scope=TokenScope.WRITE,
    answer=models.ApiResource,
    status=201,
    takes="application/octet-stream",
    body_at_most=FILE_AT_MOST,
)
def add_resource(query: models.ResourceQuery) -> Response:
    """Add a file for subscribers; the body is the file, of 20 MB at most.

    Documents, pictures, sound and films are taken, told by the ending of `filename`; each other one
    is 415.
    """
    require_unlimited()
    name = files.shorten_name(Path(query.filename).name)
    if name.rpartition(".")[2].lower() not in ENDINGS:
        raise RefusedEarly(make_problem(415, f"Files may end in {', '.join(sorted(ENDINGS))}."))
    body = request.get_data(cache=False)
    if not body:
        raise RefusedEarly(make_problem(400, "The body is empty."))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        files.write_private(file, body)
        row = resources.add_resource(environment(), file, title=query.title, name=query.name)
    return send(models.ApiResource.model_validate(row), 201)


@operation(blueprint, "DELETE", "/resources/<slug>", scope=TokenScope.WRITE, status=204)
def remove_resource(slug: str) -> Response:
    """Take a file away: links to it open nothing any more."""
    require_unlimited()
    resources.remove_resource(environment(), slug)
    return no_content()
