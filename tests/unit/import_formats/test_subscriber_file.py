"""Subscriber files of other programs: what is read, and what a broken row does to its neighbours
(C01, C02, C04, C08).
"""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.errors import Refused
from newsletter.import_formats import archive as unpacking
from newsletter.import_formats.formula_injection import guard_cell, unguard_cell
from newsletter.import_formats.moments import parse_moment
from newsletter.import_formats.subscriber_file import open_subscriber_file, open_tables
from newsletter.import_formats.table import (
    IN_VAIN_AT_MOST,
    LINES_AT_MOST,
    Lines,
    TableRow,
    read_rows,
)
from newsletter.import_formats.types import SubscriberRow
from newsletter.import_formats.zip_directory import DIRECTORY_AT_MOST, MEMBERS_AT_MOST
from tests.platforms import FILES


def read(
    tmp_path: Path, content: bytes | str, name: str = "x.csv", platform: str | None = None
) -> list[SubscriberRow | TableRow]:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_subscriber_file(file, platform) as opened:
        return list(opened.people)


def people(tmp_path: Path, content: bytes | str, name: str = "x.csv") -> dict[str, SubscriberRow]:
    return {
        row.email: row for row in read(tmp_path, content, name) if isinstance(row, SubscriberRow)
    }


@pytest.mark.parametrize(
    ("name", "content", "platform", "words"), FILES, ids=[file[0] for file in FILES]
)
def test_c01_c02_the_exports_of_every_platform(
    tmp_path: Path, name: str, content: str, platform: str, words: dict[str, str]
) -> None:
    file = tmp_path / name
    file.write_text(content)
    with open_subscriber_file(file) as opened:
        rows = list(opened.people)
        assert opened.platform.name == platform
        assert opened.share() == 1
    assert {row.email: row.word for row in rows if isinstance(row, SubscriberRow)} == words
    assert len(rows) == len(words)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_c04_encodings_delimiters_and_line_ends(
    tmp_path: Path, encoding: str, end: str, mark: str
) -> None:
    table = [
        ['"Name"', '"E-Mail"'],
        ["Jürgen", "j@example.com"],
        [f'"Zoë{mark} ""Z"""', "z@example.com"],
    ]
    rows = people(tmp_path, end.join(mark.join(row) for row in table).encode(encoding))
    assert {email: person.name for email, person in rows.items()} == {
        "j@example.com": "Jürgen",
        "z@example.com": 'Zoë "Z"' if mark == "\t" else f'Zoë{mark} "Z"',
    }


def test_c04_what_excel_wrote_on_a_mac(tmp_path: Path) -> None:
    rows = people(
        tmp_path, "Name;E-Mail\rJürgen Müßig;j@example.com\rZoë;z@example.com\r".encode("mac_roman")
    )
    assert [person.name for person in rows.values()] == ["Jürgen Müßig", "Zoë"]


def test_c04_a_broken_row_spoils_no_other(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        "email,name,note\n"
        'a@example.com,"Ana, never closed,\n'
        "b@example.com,Bob\n"
        'c@example.com,"Cy\nof two lines",x,y,z\n'
        'd@example.com,"Di\r\nof two lines",x\n'
        'e@example.com,"says \\"hi\\", twice",x\n'
        'f@example.com,5" pipe,x\n'
        'g@example.com,"Gil "the" Great",x\n'
        "\0h@example.com,H\0al,x\n"
        "i\0i@example.com,I,x\n"
        ",,\n"
        ",No address,\n",
    )
    assert [(row.line, row.problem) for row in rows if isinstance(row, TableRow)] == [
        (2, "a quotation mark is never closed"),
    ]
    names = {row.email: (row.line, row.name) for row in rows if isinstance(row, SubscriberRow)}
    assert names["b@example.com"] == (3, "Bob")
    assert names["c@example.com"] == (4, "Cy of two lines"), "ragged, and nobody is swallowed"
    assert names["d@example.com"] == (6, "Di of two lines")
    assert names["e@example.com"] == (8, 'says "hi", twice')
    assert names["f@example.com"] == (9, '5" pipe')
    assert names["g@example.com"][1].startswith("Gil the")
    assert names["\0h@example.com"] == (11, "Hal"), "as it stands, also at the edge"
    assert names["i\0i@example.com"] == (12, "I"), "not somebody else's address"
    assert names[""] == (14, "No address")


def test_c04_a_hundred_thousand_open_quotation_marks_are_no_trap(tmp_path: Path) -> None:
    rows = read(tmp_path, "email,name\n" + 'a@example.com,"\n' * 3000 + "b@example.com,x\n")
    assert isinstance(rows[-1], SubscriberRow)
    assert len(rows) >= 1500


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (b"PK\x03\x04rest", "ZIP archive"),
        (bytes(range(256)) * 8, "not a text file"),
        (b"\xd0\xcf\x11\xe0", "Excel"),
        (b"<!doctype html>", "web page"),
        (b'[{"email": 1}]', "JSON"),
        (b"name,city\nAna,Berlin\n", "no column"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b", "compressed"),
        (b"sep=;\n", "empty"),
    ],
)
def test_what_is_no_table_of_subscribers_is_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    with pytest.raises(Refused, match=expected):
        read(tmp_path, content)


def test_a_header_is_found_below_a_title_and_by_what_is_under_it(tmp_path: Path) -> None:
    assert set(
        people(tmp_path, "My readers,,\n,,\nName,E-mail,City\nAna,a@example.com,Berlin\n")
    ) == {"a@example.com"}
    assert set(people(tmp_path, "Who,Contact\nAna,a@example.com\nBob,b@example.com\n")) == {
        "a@example.com",
        "b@example.com",
    }
    assert set(people(tmp_path, "Email,Email status\na@example.com,ok\n")) == {"a@example.com"}
    assert set(people(tmp_path, "Ana,a@example.com\nBob,b@example.com\n")) == {
        "a@example.com",
        "b@example.com",
    }


def test_a_place_is_no_status(tmp_path: Path) -> None:
    rows = people(
        tmp_path, "email,city,state\na@example.com,LA,California\nb@example.com,NY,unsubscribed\n"
    )
    assert [rows[email].word for email in ("a@example.com", "b@example.com")] == ["silent", "no"]


def test_c02_a_word_against_her_counts_where_yes_or_no_is_expected(tmp_path: Path) -> None:
    rows = people(
        tmp_path,
        "email,subscribed,active,opt in,do not contact\n"
        "a@example.com,Unsubscribed,,,\nb@example.com,,inactive,,\nc@example.com,,bounced,,\n"
        "d@example.com,,,Opted out,\ne@example.com,,,pending,\nf@example.com,,,,Bounced\n"
        "g@example.com,Subscribed,,,\n",
    )
    words = [rows[f"{letter}@example.com"].word for letter in "abcdefg"]
    assert words == ["no", "no", "bounced", "no", "pending", "bounced", "silent"]


def test_c02_a_status_counts_without_a_header(tmp_path: Path) -> None:
    rows = people(tmp_path, "a@example.com,Ana,subscribed\nb@example.com,Bob,unsubscribed\n")
    assert [(person.email, person.word) for person in rows.values()] == [
        ("a@example.com", "yes"),
        ("b@example.com", "no"),
    ]


def test_c04_a_line_of_megabytes_is_one_row_and_what_it_holds_is_nobody(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        "email,name\na@example.com," + "z@example.com,x " * 200_000 + "\nb@example.com,Bob\n",
    )
    assert [row.line for row in rows] == [2, 3]
    assert isinstance(rows[0], TableRow)
    assert "too long" in rows[0].problem
    assert isinstance(rows[1], SubscriberRow)


def test_in_a_file_of_nobody_knows_whose_active_is_no_consent(tmp_path: Path) -> None:
    rows = people(
        tmp_path,
        "email,status\na@example.com,active\nb@example.com,subscribed\nc@example.com,Bounced\n",
    )
    assert [rows[f"{letter}@example.com"].word for letter in "abc"] == ["silent", "yes", "bounced"]


def test_evidence_of_consent_of_another_platform_is_kept(tmp_path: Path) -> None:
    person = people(tmp_path, FILES[0][1], "subscribed.csv")["a@example.com"]
    assert (
        person.note
        == "Mailchimp: asked 2018-02-12 10:54 UTC, confirmed 2018-02-12 10:55 UTC, subscribed"
    )
    assert person.consented_at == datetime(2018, 2, 12, 10, 55, tzinfo=UTC)
    assert person.created_at == datetime(2018, 2, 12, 10, 54, 27, tzinfo=UTC)
    assert (person.name, person.ip, person.tags) == ("Ana Coach", "1.2.3.5", ("Editors", "Vip"))


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2021-02-04 07:55:20 +0000", "2021-02-04T07:55:20"),
        ("2023-03-24 10:23:10 UTC", "2023-03-24T10:23:10"),
        ("2018-08-27T15:06:27.713Z", "2018-08-27T15:06:27.713000"),
        ("2021-02-04", "2021-02-04T00:00:00"),
        ("2021-02-04T07:55:20+02:00", "2021-02-04T05:55:20"),
        ("1612425320", "2021-02-04T07:55:20"),
        ("1612425320000", "2021-02-04T07:55:20"),
        ("04.02.2021 07:55", "2021-02-04T07:55:00"),
        ("2/4/2021 7:55", "2021-02-04T07:55:00"),
        ("23/4/2021", "2021-04-23T00:00:00"),
        ("Feb 4, 2021, 7:55 AM", "2021-02-04T07:55:00"),
        ("4 February 2021", "2021-02-04T00:00:00"),
        ("0000-00-00 00:00:00", None),
        ("1970-01-01 00:00:00", None),
        ("never", None),
        ("", None),
        ("12", None),
        ("9999-12-31", None),
        ("99999999999", None),
    ],
)
def test_moments_as_programs_write_them(text: str, iso: str | None) -> None:
    moment = parse_moment(text)
    assert (moment.replace(tzinfo=None).isoformat() if moment else None) == iso


@given(st.one_of(st.text(), st.text(alphabet=";'=+- a")))
@example("Ana;=HYPERLINK(1)")
@example(";'=1;''=2")
def test_c08_no_cell_is_a_formula_and_each_comes_back(text: str) -> None:
    cell = guard_cell(text)
    for part in (cell, *cell.split(";")):
        assert not part.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert unguard_cell(cell) == text


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        try:
            read(Path(folder), b"email,name\na@example.com,Ana\n" + content)
        except Refused:
            return


def header_and_rows(*rows: str) -> str:
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    "name", ["mailchimp_unsubscribed.csv", "Unsubscribed members.csv", "unsubscribers.csv"]
)
def test_c02_a_file_named_for_those_who_left_makes_nobody_active(tmp_path: Path, name: str) -> None:
    content = header_and_rows("email,status,subscribed_at", "a@example.com,active,2020-01-01")
    assert people(tmp_path, content, name)["a@example.com"].word == "no"
    assert (
        people(tmp_path, content, "subscribed_members_export_1.csv")["a@example.com"].word == "yes"
    )


def test_c02_of_two_columns_with_one_name_the_stricter_counts(tmp_path: Path) -> None:
    rows = (
        "email,status,status",
        "a@example.com,subscribed,unsubscribed",
        "b@example.com,cleaned,subscribed",
    )
    result = people(tmp_path, header_and_rows(*rows))
    assert [result[email].word for email in ("a@example.com", "b@example.com")] == ["no", "bounced"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("SUBSCRIBED", "yes"),
        ("  Unsubscribed ", "no"),
        ("Abgemeldet", "no"),
        ("Désabonnée", "no"),
        ("desabonne", "no"),
        ("Disiscritto", "no"),
        ("Dezabonat", "no"),
        ("não inscrito", "no"),
        ("Iscritta", "yes"),
        ("Unbestätigt", "pending"),
        ("Aktiv", "silent"),
        ("rejeté", "bounced"),
        ("needs_attention", "pending"),
        ("غير معروف", "unknown"),
    ],
)
def test_c02_status_words_of_other_languages(tmp_path: Path, text: str, word: str) -> None:
    assert people(tmp_path, f"email,status\na@example.com,{text}\n")["a@example.com"].word == word


def test_a_table_in_the_middle_of_which_its_header_comes_again(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        "email,status\na@example.com,subscribed\nemail,status\n\0\0\0\0\n"
        "b@example.com,subscribed\n",
    )
    assert [row.email for row in rows if isinstance(row, SubscriberRow)] == [
        "a@example.com",
        "email",
        "b@example.com",
    ]


# ── archives and workbooks
# ─────────────────────────────────────────────────────────────────────────


def archive(**members: str | bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def workbook(*sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def every(
    tmp_path: Path, content: bytes, name: str
) -> tuple[dict[str, str], list[str], tuple[str, ...]]:
    """Return what the rows of all tables in a file say, which tables were read, and which were
    not.
    """
    (tmp_path / name).write_bytes(content)
    words = {}
    names = []
    passed = ()
    for table in open_tables(tmp_path / name):
        words |= {row.email: row.word for row in table.people if isinstance(row, SubscriberRow)}
        names.append(table.name)
        passed = table.passed_over
    return words, names, passed


def test_c01_the_archive_of_an_audience_is_read_whole(tmp_path: Path) -> None:
    parts = {name: content for name, content, platform, _ in FILES if platform == "mailchimp"}
    words, names, passed = every(
        tmp_path, archive(**parts, **{"__MACOSX__._cleaned.csv": b"\0\5"}), "audience.zip"
    )
    assert len(names) == len(parts)
    assert (set(words), passed) == ({"a@example.com", "b@example.com", "c@example.com"}, ())


def test_c01_who_opened_which_mail_is_no_subscriber(tmp_path: Path) -> None:
    content = next(content for _, content, platform, _ in FILES if platform == "substack")
    opens = "post_id,timestamp,email\n1,2024-01-01,gone@example.com\n"
    result = every(
        tmp_path, archive(**{"email_list.csv": content, "posts__1.opens.csv": opens}), "export.zip"
    )
    assert "gone@example.com" not in result[0]
    assert result[1:] == (["email_list.csv"], ("1.opens.csv",))
    with pytest.raises(Refused, match="several tables of addresses"):
        every(tmp_path, archive(a__csv="", **{"a.csv": opens, "b.csv": opens}), "two.zip")


def test_c01_a_workbook_is_read_by_its_first_sheet_with_addresses(tmp_path: Path) -> None:
    people_there: list[list[object]] = [
        ["My readers"],
        ["Name", "E-Mail", "Status", "Subscribed at"],
        ["Zoë", "a@example.com", "subscribed", datetime(2021, 2, 4, 7, 55)],
        ["two\nlines", "b@example.com", "unsubscribed", None],
        [None, None, None, None],
        [5, "=1+1", True, 2.0],
    ]
    words, names, passed = every(
        tmp_path, workbook([["notes"]], people_there, [["c@example.com"]]), "readers.xlsx"
    )
    assert words == {"a@example.com": "yes", "b@example.com": "no", "": "unknown"}
    assert (names, passed) == (["sheet 2 (Sheet1)"], ("sheet 1 (Sheet)", "sheet 3 (Sheet2)"))
    assert every(tmp_path, workbook([["c@example.com"]], []), "one.xlsx")[1:] == ([""], ())
    assert every(tmp_path, archive(**{"in.xlsx": workbook([["c@example.com"]])}), "in.zip")[0] == {
        "c@example.com": "silent"
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (archive(**{"a.html": "<p>", "b.json": "[]"}), "holds no table"),
        (archive(**{"a.csv": "email\n" + "a@example.com\n" * 99})[:70], "damaged"),
        (archive(**{"xl/workbook.xml": "<workbook/>"}), "cannot be read as a workbook"),
        (archive(**{"a.csv": "name\nAna\n", "b.xlsx": b"PK\3\4nonsense"}), "holds no table"),
        (
            archive(**{f"{number}.csv": "" for number in range(MEMBERS_AT_MOST + 1)}),
            "holds 5,001 files",
        ),
    ],
    ids=["no table", "cut off", "no workbook", "broken inside", "many"],
)
def test_archives_that_cannot_be_read_are_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    with pytest.raises(Refused, match=expected):
        every(tmp_path, content, "x.zip")


def test_a_member_of_broken_bytes_is_refused_and_a_long_name_is_not(tmp_path: Path) -> None:
    broken = bytearray(archive(**{"a.csv": "email\n" + "a@example.com\n" * 99}))
    broken[36] = 0xFF  # a kind of block that DEFLATE has not
    with pytest.raises(Refused, match="cannot be unpacked"):
        every(tmp_path, bytes(broken), "x.zip")
    named = archive(**{"\U00020000" * 90 + ".csv": "email\na@example.com\n"})
    assert set(every(tmp_path, named, "y.zip")[0]) == {"a@example.com"}


def test_what_an_archive_holds_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = archive(**{"a.csv": "email\n" + "a@example.com\n" * 100_000})
    with pytest.raises(Refused, match="holds far more than its size"):
        every(
            tmp_path,
            archive(**{"a.csv": "email\na@example.com\n" + "\n" * (17 << 20)}),
            "lines.zip",
        )
    monkeypatch.setattr(unpacking, "FLOOR", 1000)
    with pytest.raises(Refused, match="holds far more than its size"):
        every(tmp_path, bomb, "bomb.zip")
    monkeypatch.setattr(unpacking, "WORDS_AT_MOST", 10)
    with pytest.raises(Refused, match="too large"):
        every(tmp_path, workbook([["a@example.com"]]), "bomb.xlsx")


def sheets(content: str, *, times: int = 1) -> bytes:
    """Return a workbook whose sheets are all one member of the archive, with these rows in it."""
    book = openpyxl.Workbook()
    for _ in range(times - 1):
        book.create_sheet()
    packed = io.BytesIO()
    out = io.BytesIO()
    book.save(packed)
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{space}"><sheetData>{content}</sheetData></worksheet>'
    with (
        zipfile.ZipFile(packed) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name == "xl/_rels/workbook.xml.rels":
                data = re.sub(rb"worksheets/sheet\d+\.xml", b"worksheets/sheet1.xml", data)
            target.writestr(name, sheet if name.startswith("xl/worksheets/sheet") else data)
    return out.getvalue()


ADDRESS = '<row r="1"><c r="A1" t="inlineStr"><is><t>a@example.com</t></is></c></row>'


def test_an_archives_list_of_files_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    """It is read at once otherwise, and each line of it becomes an object."""
    small = archive(**{"a.csv": "email\na@example.com\n"})
    start = small.index(b"PK\x01\x02")
    end = small.index(b"PK\x05\x06")
    lines = small[start:end] * 200_000
    counts = struct.pack("<HHHHII", 0, 0, 1, 1, len(lines), start)
    file = tmp_path / "many.zip"
    file.write_bytes(small[:start] + lines + b"PK\x05\x06" + counts + b"\0\0")
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match=r"holds 5,000\+ files"), unpacking.unpack(file):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * DIRECTORY_AT_MOST


@pytest.mark.parametrize(
    "content",
    [
        "".join(f'<row r="{at}"><c r="XFD{at}"><v>1</v></c></row>' for at in range(2, 3000)),
        '<row r="1048576"><c r="A1048576"><v>1</v></c></row>',
        f"<row>{'<c><v>1</v></c>' * 100}</row>" * 2000,
        f"<!--{'x' * 300_000}-->",
        "".join(
            f'<row><c t="inlineStr"><is><t>{"x" * 1000}</t></is></c></row>' for _ in range(300)
        ),
    ],
    ids=[
        "wide rows",
        "a gap of a million rows",
        "many cells",
        "one member as many sheets",
        "many characters",
    ],
)
def test_p3_a_small_workbook_cannot_keep_the_program_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    """Each would run for minutes without bounds; here the bounds are a tenth, so that the test is
    quick.
    """
    for name, value in (
        ("FLOOR", 1 << 20),
        ("CELLS_IN_ALL", 2_000_000),
        ("FILLED_AT_LEAST", 100_000),
    ):
        monkeypatch.setattr(unpacking, name, value)
    with pytest.raises(Refused, match="too large to be read as a workbook"):
        every(tmp_path, sheets(ADDRESS + content, times=5), "bomb.xlsx")


def test_p3_an_ordinary_workbook_is_far_from_the_bounds(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["Email", "Name"],
        *([f"r{at}@example.com", f"Name {at}"] for at in range(3000)),
    ]
    assert len(every(tmp_path, workbook(rows), "readers.xlsx")[0]) == 3000


def test_names_in_an_archive_lead_nowhere_and_move_no_cursor(tmp_path: Path) -> None:
    hostile = archive(
        **{
            "../../\x1b[2Jevil.csv": "email\na@example.com\n",
            "b.csv": "x\n1\n",
            f"{'n' * 300}.csv": "x\n",
        }
    )
    words, names, _ = every(tmp_path, hostile, "x.zip")
    assert words == {"a@example.com": "silent"}
    assert names == ["_2Jevil.csv"]
    assert not list(tmp_path.parent.glob("*evil*"))


def test_h2_the_standard_is_tried_first(tmp_path: Path) -> None:
    rows = [
        'a@example.com,"x \\"" y",1',
        'b@example.com,"ends with \\",2',
        'c@example.com,"say ""hi""",3',
    ]
    result = people(tmp_path, "email,name,n\n" + "\n".join(rows) + "\n")
    assert [person.name for person in result.values()] == ['x \\" y', "ends with \\", 'say "hi"']


def test_h2_another_dialect_holds_for_the_whole_file(tmp_path: Path) -> None:
    rows = [
        'a@example.com,"says \\"hi\\", twice",1',
        'b@example.com,"a ""b"" c:\\x",2',
        'c@example.com,"x \\"\\" y",3',
    ]
    result = people(tmp_path, "email,name,n\n" + "\n".join(rows) + "\n")
    assert [person.name for person in result.values()] == [
        'says "hi", twice',
        'a "b" c:\\x',
        'x "" y',
    ]


def test_h2_never_for_a_file_of_ours(tmp_path: Path) -> None:
    header = "email,list,status,cadence,name"
    rows = [
        'a@example.com,blog,active,weekly,"x \\"" y"',
        'b@example.com,blog,active,weekly,"bad \\" one, two"',
    ]
    result = people(tmp_path, header + "\n" + "\n".join(rows) + "\n")
    assert result["a@example.com"].name == 'x \\" y'


def test_h5_more_cells_than_the_header_are_counted(tmp_path: Path) -> None:
    content = (
        "email,name,unsubscribed\na@example.com,Coach, Ana,,yes\nb@example.com,Bob,,,\n"
        "c@example.com,Cy,\n"
    )
    rows = people(tmp_path, content)
    assert {email: (person.extra, person.word) for email, person in rows.items()} == {
        "a@example.com": (2, "unknown"),
        "b@example.com": (0, "silent"),
        "c@example.com": (0, "silent"),
    }
    assert (
        people(tmp_path, "email,name\na@example.com,Coach, Ana\n")["a@example.com"].word == "silent"
    )


def test_h6_the_columns_that_were_found_are_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no column of addresses; its columns: Nom, Ville"):
        read(tmp_path, "Nom,Ville\nAna,Rome\n")
    with pytest.raises(Refused, match="no export of this program: it has no column cadence, list"):
        read(tmp_path, "email,status\na@example.com,active\n", platform="newsletter")


def test_a_row_alone_with_a_backslash_is_told_from_a_dialect_by_the_rest(tmp_path: Path) -> None:
    content = 'email,name\na@example.com,"C:\\"\nb@example.com,"D:\\"\nc@example.com,"x\\"y"\n'
    assert people(tmp_path, content)["a@example.com"].name == "C:\\"


def test_quotation_marks_that_are_never_closed_cost_bounded_work() -> None:
    """Each row looked at the next hundred lines, and parsed them anew with every mark in them."""

    class CountedLines(Lines):
        count = 0

        def next(self) -> str | None:
            self.count += 1
            return super().next()

    rows = 3000
    text = "".join(f'{number}","{"x" * 4000}\n' for number in range(rows))
    lines = CountedLines(io.StringIO(text))
    problems = [row.problem for row in read_rows(lines, ",", 2)]
    assert problems == ["a quotation mark is never closed"] * rows
    assert lines.count < rows + IN_VAIN_AT_MOST / 4000 + 2 * LINES_AT_MOST < 100 * rows


def test_a_cell_over_lines_stays_one_beside_a_mark_that_is_never_closed() -> None:
    text = 'a@example.com,"Ana\nof ""Rome"""\nb@example.com,"Bob\nc@example.com,Cy\n'
    assert [(row.line, row.cells) for row in read_rows(Lines(io.StringIO(text)), ",", 2)] == [
        (1, ["a@example.com", 'Ana\nof "Rome"']),
        (3, []),
        (4, ["c@example.com", "Cy"]),
    ]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_broken_member_of_a_rare_packing_is_refused(tmp_path: Path, method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        packed.writestr("a.csv", "email\n" + "a@example.com\n" * 99)
    broken = bytearray(out.getvalue())
    start = 30 + len("a.csv") + 9
    broken[start : start + 20] = b"\xff" * 20
    with pytest.raises(Refused, match="cannot be unpacked"):
        every(tmp_path, bytes(broken), "x.zip")
