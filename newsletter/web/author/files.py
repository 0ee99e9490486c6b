"""The author's files for subscribers: upload, replace, remove, copy links."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.errors import InvalidInput
from newsletter.i18n import Text
from newsletter.services import resources
from newsletter.services.runtime import environment
from newsletter.web.author.access import (
    make_blueprint,
    make_upload_ticket,
    page,
    report_done,
)
from newsletter.web.locale import translate_texts
from newsletter.web.responses import render_page
from newsletter.web.uploads import FILE_AT_MOST

blueprint = make_blueprint("files", __name__)


@page(blueprint, "/files", AuthorRole.EDITOR, everywhere=True)
def index() -> Response:
    """List the files that subscribers can fetch."""
    return _render({})


@page(
    blueprint,
    "/upload/files",
    AuthorRole.OWNER,
    methods=("POST",),
    everywhere=True,
    upload=True,
)
def upload() -> Response:
    """Add an uploaded file, or replace the one with the same name."""
    form = request.form
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise InvalidInput({"file": Text("Please choose a file.")})
        resources.add_upload(
            environment(),
            file.stream,
            file.filename,
            title=form.get("title", ""),
            name=form.get("name", "").strip(),
            replace=bool(form.get("replace")),
        )
    except InvalidInput as error:
        return _render(translate_texts(error.fields))
    return report_done(url_for("author_files.index"))


@page(blueprint, "/files/<name>/remove", AuthorRole.OWNER, methods=("POST",), everywhere=True)
def remove(name: str) -> Response:
    """Remove a file, so that links to it stop working."""
    resources.remove_resource(environment(), name)
    return report_done(url_for("author_files.index"))


def _render(errors: Mapping[str, str]) -> Response:
    env = environment()
    return render_page(
        "author/files.html",
        422 if errors else 200,
        files=resources.list_resources(),
        errors=errors,
        typed=request.form,
        at_most=FILE_AT_MOST >> 20,
        ticket=make_upload_ticket(),
        address=env.links.to,
    )
