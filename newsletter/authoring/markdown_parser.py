"""Parse an author's Markdown into tokens, and render tokens as HTML of known tags only. Pure.

`markdown.py` describes the Markdown, and fills in the addresses between the two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.attrs import attrs_plugin
from mdit_py_plugins.footnote import footnote_plugin

from newsletter.authoring import plain_text, questions
from newsletter.errors import Refused
from newsletter.html import video_embeds
from newsletter.html.players import MediaKind
from newsletter.html.text import to_plain_lines
from newsletter.html.video_embeds import find_video_id
from newsletter.i18n import Text

LETTER_AT_MOST = 300_000
"""Characters of Markdown; a long letter has twenty thousand."""
PARTS_AT_MOST = 100_000
"""Tokens of Markdown; a long letter has two thousand, and more than this many take minutes."""
COLUMN_WIDTH = 536
"""Pixels: the width of a letter's column; no picture is displayed wider."""
_WORDS = ("text", "code_inline", "em_open", "em_close", "strong_open", "strong_close")


def parse_markdown(source: str) -> list[Token]:
    """Return the tokens of `source`; a button or video on a line of its own is one token.

    Raises `Refused` if they are too many.
    """
    tokens = _MARKDOWN.parse(to_plain_lines(source, limit=LETTER_AT_MOST))
    if sum(1 + len(token.children or ()) for token in tokens) > PARTS_AT_MOST:
        raise Refused(
            Text(
                "the letter has more than %(most)s parts (words set apart, links, cells of tables)",
                most=f"{PARTS_AT_MOST:,}",
            )
        )
    return tokens


def render_tokens(tokens: Sequence[Token]) -> str:
    """Render tokens as HTML, once every URL in them is resolved."""
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _join_lone_links(state: StateCore) -> None:
    """Turn each paragraph that is only a button, or only a link to a video, into one token."""
    out: list[Token] = []
    tokens = state.tokens
    for number, token in enumerate(tokens):
        if token.type == "inline" and number and tokens[number - 1].type == "paragraph_open":
            block = _find_block(token.children or [])
            if block:
                out.pop()
                out.append(block)
                continue
        if (
            token.type == "paragraph_close"
            and out
            and out[-1].type in ("button", "video")
            and not out[-1].meta["done"]
        ):
            out[-1].meta["done"] = True
            continue
        out.append(token)
    state.tokens = out


def _find_block(children: Sequence[Token]) -> Token | None:
    if len(children) < 3 or (children[0].type, children[-1].type) != ("link_open", "link_close"):
        return None
    inside = children[1:-1]
    if any(child.type not in _WORDS for child in inside):
        return None
    href = str(children[0].attrs.get("href", ""))
    label = "".join(child.content for child in inside)
    meta = {"href": href, "label": label, "done": False}
    if "button" in str(children[0].attrs.get("class", "")).split():
        return Token("button", "", 0, meta=meta, block=True)
    if video := find_video_id(href):
        title = "" if label.rstrip("/") == href.rstrip("/") else label
        return Token("video", "", 0, meta=meta | {"label": title, "video": video}, block=True)
    return None


def _render_image(self: object, tokens: Sequence[Token], number: int, *_: object) -> str:
    meta = tokens[number].meta
    if not meta.get("url"):
        return escape(meta.get("alt", ""))
    width = f' width="{meta["width"]}"' if meta["width"] else ""
    return f'<img src="{escape(meta["url"])}" alt="{escape(meta["alt"])}"{width}>'


def _render_button(self: object, tokens: Sequence[Token], number: int, *_: object) -> str:
    meta = tokens[number].meta
    if not meta["url"]:
        return f"<p>{escape(meta['label'])}</p>\n"
    return (
        '<table role="presentation" cellpadding="0" cellspacing="0" '
        'style="margin: 8px 0 24px;"><tr>'
        '<td class="button" align="center" style="padding: 0; border: 0;">'
        f'<a href="{escape(meta["url"])}">{escape(meta["label"])}</a></td></tr></table>\n'
    )


def _render_video(self: object, tokens: Sequence[Token], number: int, *_: object) -> str:
    meta = tokens[number].meta
    if not meta["url"]:
        return f"<p>{escape(meta['label'])}</p>\n"
    still = meta["picture"]
    media = video_embeds.Media(MediaKind.VIDEO, meta["url"], meta["label"])
    width = min((still and still.width) or COLUMN_WIDTH, COLUMN_WIDTH)
    card = video_embeds.render_card(media, picture=still.url if still else "", width=width)
    return f"<p>{card}</p>\n"


def _render_question(self: object, tokens: Sequence[Token], number: int, *_: object) -> str:
    meta = tokens[number].meta
    links = meta["links"] or [""] * len(meta["question"].choices)
    style = (
        "display: inline-block; padding: 8px 16px; margin: 8px 8px 0 0; "
        "border: 1px solid #767676; border-radius: 4px;"
    )
    choices = "\n".join(
        f'<a href="{escape(url)}" style="{style}">{escape(choice)}</a>'
        if url
        else f'<span style="{style}">{escape(choice)}</span>'
        for choice, url in zip(meta["question"].choices, links, strict=True)
    )
    return f"<p><strong>{escape(meta['question'].text)}</strong><br>\n{choices}</p>\n"


def _render_note(self: object, tokens: Sequence[Token], number: int, *_: object) -> str:
    return f'<sup style="line-height: 0;">{plain_text.get_note_number(tokens[number])}</sup>'


def _accept_any_address(address: str) -> bool:
    """Accept every address as a link: markdown.py decides later whether it leads anywhere."""
    return True


def _always_render(html: str) -> Callable[..., str]:
    return lambda *_: html


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": True, "xhtmlOut": False})
    parser.enable(["table", "strikethrough", "linkify"]).use(footnote_plugin)
    parser.use(attrs_plugin, after=("image", "link_close"), allowed=["width", "class"])
    parser.validateLink = _accept_any_address  # type: ignore[assignment, method-assign]
    assert parser.linkify is not None
    # Only what begins with https:// is an address.
    parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False})
    parser.core.ruler.push("lone_links", _join_lone_links)
    parser.block.ruler.before(
        "reference", "question", questions.read_question, {"alt": ["paragraph"]}
    )
    parser.add_render_rule("question", _render_question)
    parser.add_render_rule("image", _render_image)
    parser.add_render_rule("button", _render_button)
    parser.add_render_rule("video", _render_video)
    parser.add_render_rule("footnote_ref", _render_note)
    # Links from a note to its place and back fail in many mail programs: the numbers speak for
    # themselves.
    parser.add_render_rule("footnote_anchor", _always_render(""))
    parser.add_render_rule(
        "footnote_block_open", _always_render('<hr>\n<ol style="font-size: 14px;">\n')
    )
    parser.add_render_rule("footnote_block_close", _always_render("</ol>\n"))
    parser.add_render_rule("footnote_open", _always_render("<li>"))
    parser.add_render_rule("footnote_close", _always_render("</li>\n"))
    return parser


_MARKDOWN = _make_parser()
