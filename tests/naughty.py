"""500 strings that have broken somebody's program: made by class, so that each class is there whole."""

from __future__ import annotations

from itertools import product

CONTROLS = [chr(code) for code in (*range(32), 0x7F, *range(0x80, 0xA0))]
UNSEEN = [chr(code) for code in (
    0xA0, 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x180E, *range(0x2000, 0x2010), *range(0x2028, 0x2030), *range(0x205F, 0x2070),
    0x2800, 0x3000, 0x3164, 0xFE0F, 0xFEFF, 0xFFA0, *range(0xFFF9, 0xFFFE), 0xFFFE, 0xFFFF, 0x1D173, 0xE0001, 0xE0041, 0x10FFFF,
)]  # fmt: skip
SURROGATES = [
    "\ud800",
    "\udbff",
    "\udc00",
    "\udfff",
    "\ud83d",
    "\ude00\ud83d",
    "\ud800" * 50,
    "a\udc80b",
    "\udcff@\ud800.com",
]
LETTERS = [
    "Ω≈ç√∫˜µ≤≥÷", "社會科學院語學研究所", "田中さんにあげて下さい", "울란바토르", "ﷺ", "الكل في المجمو عة", "בְּרֵאשִׁית", "᚛᚛ᚉᚑᚅᚔᚉᚉᚔᚋ᚜", "𠜎𠜱𠝹𠱓", "ⅷⅧ¹²³½", "ßẞıİŉǰ",
    "ＡＢＣ１２３", "𝐀𝒃𝓒𝔇", "🅰🅱", "e\u0301\u0301\u0301", "Z" + "\u0310\u0321\u0335" * 60, "\u0300" * 300, "Å\u212bA\u030a", "\u1e9b\u0323", "ﬁﬂﬀ", "ǅ",
    "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏿", "🇩🇪🇸", "\u200d" * 40, "👩‍" * 100, "1️⃣", "\U0001f3fb", "🏴\U000e0067\U000e0062\U000e007f", "ب" * 300, "a\u202eexe.fdp", "\u2066\u2067\u2068",
    "\u202a\u202b\u202d\u202e\u202c", "\u2069" * 20, "a\u202e" * 200, "שלום\u200fabc\u200eعربي",
]  # fmt: skip
MARKUP = [
    pre + tag + post
    for pre, post in (("", ""), ('">', ""), ("'>", "<!--"), ("</textarea>", ""))
    for tag in (
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<iframe srcdoc='&lt;script&gt;'>",
        "<a href=javascript:alert(1)>x</a>", "<style>*{display:none}</style>", "<base href=//evil.example>", "<form action=//evil.example>",
        "<meta http-equiv=refresh content=0>", "<math><mtext><table><mglyph><style>", "<!--", "<![CDATA[", "]]>", "<?php phpinfo();?>", "&#0;&#x110000;&lt;",
    )
]  # fmt: skip
QUERIES = [
    "' OR '1'='1", '" OR ""="', "'; DROP TABLE subscribers;--", "1; SELECT pg_sleep(9)--", "') UNION SELECT NULL,NULL--", "\\'; --", "%27%20OR%201=1", "admin'--", "' AND 1=CAST((SELECT version()) AS int)--",
    "1' ORDER BY 100--", "_%_%", "\\", "\\\\", "\\x00", "$$;$$", ":email", "%(email)s", "?1", "@@version", "{$ne: null}", "{'$gt': ''}", "*)(uid=*))(|(uid=*", "x' AND email IS NULL; --",
]  # fmt: skip
TEMPLATES = [
    "{{ 7*7 }}", "{% raw %}", "{{ config.items() }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "%s%s%s%n", "%d%x%p", "%(name)s", "{0}", "{name.__init__}",
    "{}{}{}", "%", "%%", "%zz", "\ue000email\ue001", "\ue000name", "\ue001", "\x1e", "\x1f" * 5, "*|UNSUB|*", "[[unsubscribe]]",
]  # fmt: skip
HEADERS = [
    pre + "Bcc: victim@example.com" + post
    for pre, post in product(("\r\n", "\n", "\r", "\r\n\r\n", "\x0b", "\x85", "\u2028", "%0d%0a", "\\r\\n"), ("", "\r\n.\r\n"))
] + ["=?utf-8?q?=00?=", "=?utf-8?b?AAAA?=", "\r\n.\r\nMAIL FROM:<x>", "a\n.\nb", "From: x", "Content-Type: text/html"]  # fmt: skip
PATHS = [
    "../../../../etc/passwd", "..\\..\\windows\\win.ini", "....//....//etc/passwd", "/etc/passwd%00.png", "file:///etc/passwd", "//evil.example", "/\\evil.example", "https:evil.example", "http://[::1]/", "http://169.254.169.254/",
    "\\\\host\\share", "CON", "NUL", "aux.txt", "C:\\", "~root", "$(id)", "`id`", "; id", "| id", "&& id", "-rf", "--help", "%2e%2e%2f", "%c0%ae%c0%ae/", ".", "..", "/", "//", "?", "#", "a?b#c", "a;b=c",
]  # fmt: skip
NUMBERS = [
    "0", "-1", "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "0x7fffffff", "2147483648", "9223372036854775808", "9" * 400, "1" * 5000, "0.0000000001", "1,000", "1_000", "٣", "１", "0b1", "1e1e1", "--1", "+-0", "",
    "true", "false", "null", "None", "undefined", "[]", "{}", "[object Object]", "0001-01-01", "9999-12-31", "2026-02-30", "1970-01-01T00:00:00Z", "2026-11-24T25:61:61", "-0001-01-01", "10000-01-01", "tomorrow",
]  # fmt: skip
HUGE = ["x" * 255, "x" * 256, "x" * 60_000, "é" * 9_000, "😀" * 4_000, " " * 50_000, "\n" * 9_000, "<b>" * 9_000, "a@" * 9_000, "." * 9_000, "[" * 9_000, '"' * 9_000, "\0" * 9_000, "&" * 9_000, "%" * 9_000, "(" * 9_000]  # fmt: skip
SHEETS = ["=1+1", "=cmd|'/c calc'!A0", "+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", '=HYPERLINK("https://evil.example")', '"', '""', '","', "'", ";", "|", "a,b\nc", "sep=;"]  # fmt: skip
LOGS = [
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\b\b\b",
    "\rINFO forged",
    "\n2026-11-24 INFO forged",
    "a\tb",
    "\x9b31m",
]

NAUGHTY: list[str] = list(dict.fromkeys([
    *CONTROLS, *(f"a{one}b" for one in CONTROLS), *UNSEEN, *(f"ana{one}@example.com" for one in UNSEEN), *SURROGATES, *LETTERS, *MARKUP, *QUERIES,
    *TEMPLATES, *HEADERS, *PATHS, *NUMBERS, *HUGE, *SHEETS, *LOGS,
]))  # fmt: skip
