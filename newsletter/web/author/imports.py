"""The author's imports: upload a file, preview the result, and import it."""

from __future__ import annotations

from flask import Response, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.errors import InvalidInput
from newsletter.i18n import Text
from newsletter.import_formats.platforms import PLATFORMS
from newsletter.import_formats.row import NOT_READ
from newsletter.services.runtime import environment
from newsletter.services.transfer import import_files
from newsletter.services.transfer.import_files import ImportChoices
from newsletter.web.author.access import (
    current_author,
    make_blueprint,
    make_upload_ticket,
    page,
    report_done,
)
from newsletter.web.locale import translate_texts
from newsletter.web.responses import redirect_after_form, render_page

blueprint = make_blueprint("imports", __name__)

ONE = "/imports/<int(max=2147483647):import_id>"
USES: dict[str, Text] = {
    "address": Text("address"),
    "cadence": Text("cadence"),
    "confirmation": Text("confirmation"),
    "date": Text("date"),
    "date of confirmation": Text("date of confirmation"),
    "date of sign-up": Text("date of sign-up"),
    "language": Text("language"),
    "list": Text("list"),
    "name": Text("name"),
    "network address": Text("network address"),
    "opt-in": Text("opt-in"),
    "opt-out": Text("opt-out"),
    "status": Text("status"),
    "tags": Text("tags"),
    "topics": Text("topics"),
}
"""Translatable names of the uses of a file's columns."""


@page(blueprint, "/imports", AuthorRole.OWNER, everywhere=True, recent=True)
def index() -> Response:
    """Show the form that uploads a file, and the newest imports."""
    return _render_index({})


@page(
    blueprint,
    "/upload/subscribers",
    AuthorRole.OWNER,
    methods=("POST",),
    everywhere=True,
    recent=True,
    upload=True,
)
def upload() -> Response:
    """Store an uploaded file for a worker to read; nothing is imported yet."""
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise InvalidInput({"file": Text("Please choose a file.")})
        import_id = import_files.keep_file(
            environment(), current_author().id, file.stream, file.filename, _read_choices()
        )
    except InvalidInput as error:
        return _render_index(translate_texts(error.fields))
    return _redirect_to_file(import_id)


@page(blueprint, ONE, AuthorRole.OWNER, everywhere=True)
def show(import_id: int) -> Response:
    """Show the use of each column and the result of each row of a file."""
    view = import_files.get_file(import_id)
    columns = [
        (name, _say_use(use.removeprefix(NOT_READ).strip(" ()")), not use.startswith(NOT_READ))
        for name, use in view.result.columns.items()
    ]
    return render_page("author/import.html", file=view, columns=columns, platforms=PLATFORMS)


@page(
    blueprint,
    f"{ONE}/check",
    AuthorRole.OWNER,
    methods=("POST",),
    everywhere=True,
    recent=True,
)
def check(import_id: int) -> Response:
    """Queue a file to be read again with other choices."""
    import_files.check_again(environment(), import_id, _read_choices())
    return _redirect_to_file(import_id)


@page(
    blueprint,
    f"{ONE}/approve",
    AuthorRole.OWNER,
    methods=("POST",),
    everywhere=True,
    recent=True,
)
def approve(import_id: int) -> Response:
    """Queue a file to be imported."""
    import_files.approve(environment(), import_id)
    return _redirect_to_file(import_id)


@page(blueprint, f"{ONE}/discard", AuthorRole.OWNER, methods=("POST",), everywhere=True)
def discard(import_id: int) -> Response:
    """Delete a file without importing its remaining rows."""
    import_files.discard(environment(), import_id)
    return report_done(url_for("author_imports.index"))


def _say_use(use: str) -> str:
    """Return the use of a column as a text; columns of the program's own format keep names."""
    return USES.get(use, use)


def _read_choices() -> ImportChoices:
    """Read the author's choices about a file from the form.

    Raises `InvalidInput` for a statement that all have agreed without how they know.
    """
    form = request.form
    because = form.get("because", "").strip() if form.get("confirmed") else ""
    if form.get("confirmed") and not because:
        raise InvalidInput({"because": Text("Please write how you know that they agreed.")})
    names = zip(form.getlist("column"), form.getlist("meaning"), strict=False)
    columns = {name: meaning for name, meaning in names if name.strip() and meaning}
    return ImportChoices(form.get("list", ""), form.get("platform", ""), columns, because)


def _redirect_to_file(import_id: int) -> Response:
    target = url_for("author_imports.show", import_id=import_id)
    return redirect_after_form(target)


def _render_index(errors: dict[str, str]) -> Response:
    return render_page(
        "author/imports.html",
        422 if errors else 200,
        files=import_files.list_newest(),
        errors=errors,
        typed=request.form,
        lists=list(current_author().lists.values()),
        platforms=PLATFORMS,
        at_most=import_files.BYTES_AT_MOST >> 20,
        ticket=make_upload_ticket(),
    )
