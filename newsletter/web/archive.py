"""The public archive of campaigns: pages, pictures, feed and sitemap."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from newsletter.services.campaigns import archive as archiving
from newsletter.services.letters import pictures
from newsletter.services.lists import archived_campaigns
from newsletter.services.runtime import environment
from newsletter.services.signup import forms
from newsletter.web import visits
from newsletter.web.locale import set_languages
from newsletter.web.responses import render_page
from newsletter.web.signup import render_form

blueprint = Blueprint("archive", __name__)

FEED_LENGTH = 20
SITEMAP_SECONDS = 3600
"""Seconds for which caches may keep the sitemap; search engines read it once a day."""


@blueprint.get("/<slug>/archive/")
def archive(slug: str) -> Response:
    """List the campaigns of a list, or (`q`) those with a text in their subject."""
    owner = archived_campaigns.get_archive_owner(slug)
    set_languages(mailing_list=owner.language)
    search = request.args.get("q", "").strip()[: archived_campaigns.SEARCH_AT_MOST]
    before = request.args.get("before", "")[:80]
    listing = archived_campaigns.list_page(slug, before=before, search=search)
    url = environment().links.archive(slug) + (
        f"?{urlencode({'before': before})}" if before else ""
    )
    answer = render_page("archive.html", list=owner, listing=listing, search=search, url=url)
    if search:
        answer.headers["X-Robots-Tag"] = "noindex"
    return answer


@blueprint.get("/<slug>/archive/<name>")
def show_campaign(slug: str, name: str) -> AnyResponse:
    """Show one campaign with the sign-up form; redirect from the handle used in mails."""
    env = environment()
    handle_path = archiving.find_path(slug, name)
    if handle_path:
        return redirect(handle_path, 301)
    page, html = archiving.get_page(env, slug, name)
    list_form = forms.get_form(slug)
    url = env.links.archive(slug, name)
    answer = render_form(
        "archived.html",
        list_form,
        shown=page,
        url=url,
        linked_data=_describe(page, list_form, url),
        slots={"html": Markup(html)},  # noqa: S704 - cleaned HTML
        action=f"/{slug}/subscribe",
        form="page",
    )
    visits.count_view(answer, list_form.list_id, page.campaign_id)
    if not page.indexed:
        answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def _describe(page: archiving.ArchivePage, list_form: forms.Form, url: str) -> Markup:
    """Return a campaign as JSON-LD (schema.org/BlogPosting)."""
    author = {"@type": "Person", "name": list_form.from_name}
    if list_form.look.site_url:
        author["url"] = list_form.look.site_url
    data: dict[str, object] = {
        "@context": "https://schema.org",
        "@type": "BlogPosting",
        "headline": page.subject,
        "description": page.description,
        "datePublished": page.sent_at.isoformat(),
        "inLanguage": list_form.language.replace("_", "-"),
        "mainEntityOfPage": page.canonical,
        "url": url,
        "author": author,
    }
    if page.picture:
        data["image"] = page.picture
    return htmlsafe_json_dumps(data)


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
    visits.count_feed_readers(forms.get_form(slug).list_id)
    xml = render_template("archive_feed.xml", list=owner, campaigns=campaigns, links=env.links)
    return Response(xml, mimetype="application/atom+xml")


@blueprint.get("/sitemap.xml")
def sitemap() -> Response:
    """Serve the sitemap (sitemaps.org, protocol 0.9)."""
    xml = render_template("sitemap.xml", pages=archiving.list_sitemap(), links=environment().links)
    headers = {"Cache-Control": f"public, max-age={SITEMAP_SECONDS}"}
    return Response(xml, mimetype="application/xml", headers=headers)
