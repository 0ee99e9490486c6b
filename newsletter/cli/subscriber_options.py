"""Options for a subscriber's data: answers in fields, topics, tags."""

from __future__ import annotations

import click


def _parse_answers(values: tuple[str, ...]) -> dict[str, str]:
    """Return the answers in `--field` options, by the names of the fields.

    Raises `click.BadParameter`.
    """
    answers = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"{value!r} must be NAME=ANSWER, such as town=Berlin")
        answers[name.strip()] = text
    return answers


field_option = click.option(
    "--field",
    "--answer",
    "answers",
    multiple=True,
    metavar="NAME=TEXT",
    callback=lambda ctx, parameter, value: _parse_answers(value),
    help="Their answer in a field of yours; to give a consent, --because is required.",
)
topic_option = click.option(
    "--topic", "topics", multiple=True, metavar="NAME", help="Send only these topics of the list."
)
tag_option = click.option(
    "--tag", multiple=True, metavar="WORD", help="Add a tag, for segments of letters."
)
