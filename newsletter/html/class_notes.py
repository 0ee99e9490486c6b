"""Translate a CSS class into a note about its meaning, for pictures.py and reduce.py. Pure.

The notes are: "again", a link that repeats another; "apart", text that follows other text and is
displayed apart from it; "beside", an element that is useful on a web page only and is left out;
"heard", text for screen readers that is not displayed; "note", a note that the page displays in the
margin, or when the pointer is on its mark.
"""

from __future__ import annotations

import re

from newsletter.html.pictures import is_letter_class

_LINE_NUMBERS = re.compile(
    r"(?:^|\s)(?:rouge-gutter|gutter|lineno|linenos|lnt?|line-numbers?|crayon-nums|blob-num|"
    r"hljs-ln-numbers)(?:$|\s)"
)
_PRISM = re.compile(r"(?:^|\s)(?:prism|lang(?:uage)?-[\w-]+)(?:$|\s)")
"""CSS classes of code that Prism highlights: `line-numbers` on such an element marks the code
itself, not a column of numbers."""
_BESIDE = re.compile(
    r"(?:^|\s)(?:sharedaddy|jp-relatedposts|kg-audio-player|kg-video-player|"
    r"addtoany_share_save_container|heateor_sss_sharing_container|wp-block-jetpack-sharing-buttons|"
    r"fake-input-wrapper|subscription-widget-wrap(?:-editor)?|shariff|swp_social_panel|ssba|"
    r"essb_links|a2a_kit|wp-block-outermost-social-sharing|ssp-playback|brlbs-cmpnt-cb-main|"
    r"_brlbs-content-blocker|cookieconsent-optout-\w+|hide-text|"
    r"wp-block-query-pagination|slideshowlink|jetpack-recipe-print|ez-toc-title-toggle|"
    r"wprm-checkbox-container|footnote_tooltip|eztoc-hide)(?:$|\s)|"
    r"(?:^|\s)et_pb_counter_amount\s(?:[\w-]{1,40}\s){0,5}overlay(?:$|\s)"
)
"""CSS classes of elements that are useful on a web page only: share buttons, related posts, the
clock of a player, pagination, checkboxes, and requests for consent."""
_PAGE_BOX = re.compile(
    r"(?:[a-z\d]{1,20}[-_]){0,4}related[-_]?(?:posts?|articles?|entries|"
    r"stories)(?:[-_][\w-]{1,40})?|"
    r"yarpp|crp_related|wp_rp|zem_rp|"
    r"(?:[a-z\d]{1,20}[-_]){0,4}shar(?:e|ing)[-_]?(?:buttons?|bar|icons?|links?|box|container|"
    r"wrap(?:per)?|area|list)|"
    r"post-views(?:-count)?|(?:entry|post|page)-views?-?(?:count(?:er)?)?|views-counter|wpp-views|"
    r"kk-star-ratings|post-ratings|rmp-widgets-container|yasr-vv\S{0,40}|wpulike|sl-wrapper|"
    r"jp-likes|"
    r"likebtn_container|pld-like-dislike-wrap|post-navigation|comments-area|wpdiscuz\S{0,40}|"
    r"print-only|only-print|visible-print\S{0,40}|d-print-(?:block|inline|flex)|printfriendly|"
    r"tribe-events-c-subscribe-dropdown\S{0,40}|tribe-events-cal-links|addeventatc|"
    r"beehiiv__footer|mw-editsection|mw-cite-backlink|w-form-(?:done|fail)|wpcf7-response-output|"
    r"kg-signup-card|fn-bracket|informations|comment-add|comment[-_]forbidden|wp-polls-loading|"
    r"elementor-countdown-item|highlight__panel|"
    r"tasty-recipes-(?:scale-container|yield-scale)|tasty-recipe-cook-mode|"
    r"wprm-prevent-sleep\S{0,40}|wprm-recipe-(?:adjustable|unit)\S{0,60}|"
    r"mv-create-(?:print|pinterest|hands-free|social|jtr)\S{0,40}|jump-to-recipe\S{0,40}|"
    r"katex-twin",
    re.I,
)
"""Class names of elements that are useful on a web page only; plugins have many of them."""
_CLOCK = re.compile(r"(?:days|hours|minutes|seconds) section values|(?:^|\s)sep section(?:$|\s)")
"""CSS classes of empty countdown fields, which a script fills (Divi)."""
_PAGE_LINK = re.compile(
    r"skip-?(?:link|to|nav)|screen-[a-z]{1,9}-shortcut|bctt-ctt-btn|click-to-tweet__twitter-btn|"
    r"(?:mv-create|wprm-recipe)-(?:pin|jump)|share-pin|jump-to-recipe"
)
"""CSS classes of links that are useful on a web page only: to skip its menu, or to share a sentence
or picture."""
_HEARD = re.compile(
    r"(?:^|[\s_-])(?:sr-only|visually-?hidden|screen-[a-z]{1,9}-(?:text|only)|a11y-hidden)(?:$|\s)"
)
"""CSS classes of text for screen readers, which is not displayed."""
_NOTE = re.compile(r"(?:^|[\s_-])(?:sidenote|marginnote|footnote__note)(?:$|\s)")
_APART = re.compile(
    r"kg-bookmark-publisher|(?:^|[\s_-])(?:artist|percentage|counter_amount)(?:$|\s)"
)
"""CSS classes of text that is displayed apart from the text before it."""
_GALLERY = re.compile(
    r"blocks-gallery|gallery-ul|slideshow_swiper-wrapper|splide__list|swiper-wrapper|"
    r"(?:^|\s)slides(?:$|\s)"
)
"""CSS classes of lists of pictures."""
_PANEL = re.compile(
    r"(?:tab|accordion|toggle|collapse|faq|panel)[_-]*(?:content|panel|body|answer)|"
    r"(?:^|\s)wp-block-tab(?:$|\s)|(?:^|[\s_-])(?:slides?|carousel-item)(?:$|[\s_-])",
    re.I,
)
"""CSS classes of collapsed parts that open on a click; their hidden content belongs to the post."""
_TOGGLE = re.compile(r"(?:accordion|toggle)[\w-]{0,40}icon", re.I)
"""CSS classes of the icon beside the heading of a collapsed part."""
_BUTTON = re.compile(
    r"(?:^|[\s_-])(?:mcnB|b)utton(?:__link|-element)?(?:$|\s)|(?:^|\s)(?:kg-)?btn(?:$|\s)"
)


def _is_beside(value: str) -> bool:
    """Tell whether a CSS class marks an element that is useful on a web page only."""
    return bool(
        _BESIDE.search(value)
        or _CLOCK.search(value)
        or any(_PAGE_BOX.fullmatch(name) for name in value.split()[:40])
    )


def note_class(tag: str, value: str) -> str | None:
    """Return the meaning of a CSS class as a note ("again", "beside"), or None."""
    if tag == "img":
        return "letter" if is_letter_class(value) else None
    if tag == "ul":
        return "gallery" if _GALLERY.search(value) else None
    if tag in ("div", "aside", "label", "li", "nav", "p", "section"):
        if _is_beside(value) or (tag in ("div", "p") and _HEARD.search(value)):
            return "beside"
        return "panel" if _PANEL.search(value) else None
    if tag in ("pre", "td", "span"):
        if _is_beside(value):
            return "beside"
        if tag == "span" and _HEARD.search(value):
            return "heard"
        if tag == "span" and _APART.search(value):
            return "apart"
        if tag == "span" and _NOTE.search(value):
            return "note"
        is_beside = (
            _TOGGLE.search(value)
            if tag == "span" and "icon" in value
            else _LINE_NUMBERS.search(value) and not (tag == "pre" and _PRISM.search(value))
        )
        return "beside" if is_beside else None
    if tag == "object":
        return "again" if "wp-block-file__embed" in value else None
    if tag == "a" and _PAGE_LINK.search(value):
        return "again"
    if "wp-block-file__button" in value or "file-embed-button narrow" in value:
        return "again"
    return "button" if _BUTTON.search(value) else None
