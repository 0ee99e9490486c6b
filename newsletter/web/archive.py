"""Show everybody what was mailed, without anything of a subscriber in it."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from newsletter.services.campaigns import archive as archiving
from newsletter.services.letters import pictures
from newsletter.services.lists import archived_campaigns
from newsletter.services.runtime import environment
from newsletter.web.locale import set_languages
from newsletter.web.responses import render_page

blueprint = Blueprint("archive", __name__)

# A mail's own styles stand in its HTML; nothing in it may run, frame or post.
MAIL_POLICY = (
    "sandbox allow-popups allow-top-navigation-by-user-activation; default-src 'none'; "
    "img-src https: http:; style-src 'unsafe-inline'; base-uri 'none'"
)
FEED_LENGTH = 20


@blueprint.get("/<slug>/archive/")
def archive(slug: str) -> Response:
    """List the campaigns of a list."""
    mailing_list = archived_campaigns.get_archive_owner(slug)
    set_languages(mailing_list=mailing_list.language)
    return render_page(
        "archive.html",
        list=mailing_list,
        campaigns=archived_campaigns.list_archived(slug, limit=500),
    )


@blueprint.get("/<slug>/archive/<handle>")
def show_campaign(slug: str, handle: str) -> Response:
    """Show one campaign as it was mailed, without what belongs to a subscriber."""
    html = archiving.render_page(environment(), slug, handle)
    return Response(html, mimetype="text/html", headers={"Content-Security-Policy": MAIL_POLICY})


@blueprint.get("/<slug>/archive/media/<name>")
def media(slug: str, name: str) -> Response:
    """Serve an image of a letter.

    Its name is made of its content, so that it never changes.
    """
    image = pictures.get_picture(name)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Security-Policy": "default-src 'none'",
    }
    return Response(image.data, mimetype=image.media_type, headers=headers)


@blueprint.get("/<slug>/archive/feed.xml")
def archive_feed(slug: str) -> Response:
    """Serve the archive as a feed, with the full content of each campaign."""
    env = environment()
    owner = archived_campaigns.get_archive_owner(slug)
    campaigns = archiving.list_newest(env, slug, limit=FEED_LENGTH)
    xml = render_template("archive_feed.xml", list=owner, campaigns=campaigns, links=env.links)
    return Response(xml, mimetype="application/atom+xml")
