"""Build the template variables of mails to authors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from newsletter.db.session import reading
from newsletter.services.digests.review_content import describe_review
from newsletter.services.mail_context import ListContext
from newsletter.services.runtime import Environment
from newsletter.vocabulary import MailKind


def describe(
    env: Environment, mail: MailKind, context: Mapping[str, Any], list_context: ListContext
) -> dict[str, object]:
    """Return the template variables of `mail`; `context` is stored with its delivery."""
    variables: dict[str, object] = {
        "list": list_context,
        "notice": context,
        "site": urlsplit(env.settings.base_url).netloc,
    }
    if mail is MailKind.LOG_IN:
        login = str(context["login"])
        variables["action_url"] = env.links.log_in(login, env.now)
        variables["code"] = env.tokens.make_code(login)
    elif mail is MailKind.REVIEW:
        with reading() as session:
            variables["review"] = describe_review(
                env,
                session,
                int(context["review"]),
                list_context.language,
                to=str(context["to"]),
            )
    return variables
