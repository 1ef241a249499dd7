"""Files that only other programs write: Excel workbooks, made by hand."""

import datetime as dt
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZipFile

import pytest

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/>'
    '<xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>'
)


class Error(str):
    """A cell whose formula failed, such as Error('#N/A')."""


def _cell(value, at: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c r="{at}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, Error):
        return f'<c r="{at}" t="e"><v>{value}</v></c>'
    if isinstance(value, dt.datetime):
        days = (value - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1)
        return f'<c r="{at}" s="2"><v>{days!r}</v></c>'
    if isinstance(value, dt.date):
        return f'<c r="{at}" s="1"><v>{(value - dt.date(1899, 12, 30)).days}</v></c>'
    if isinstance(value, str):
        return f'<c r="{at}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f'<c r="{at}"><v>{value!r}</v></c>'


def _sheet(rows) -> str:
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = "".join(_cell(value, f"{chr(65 + at)}{number}") for at, value in enumerate(row))
        lines.append(f'<row r="{number}">{cells}</row>')
    return f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


@pytest.fixture
def write_workbook(tmp_path: Path):
    """Return a function that writes sheets (name -> rows) to an .xlsx file and returns its path."""

    def write(sheets: dict[str, list[list]], name: str = "list.xlsx", hidden: tuple[str, ...] = ()) -> Path:
        path = tmp_path / name
        parts = list(enumerate(sheets, start=1))
        with ZipFile(path, "w") as archive:
            kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
            overrides = "".join(
                f'<Override PartName="/xl/worksheets/sheet{at}.xml" ContentType="{kind}.worksheet+xml"/>'
                for at, _ in parts
            )
            archive.writestr(
                "[Content_Types].xml",
                f'<Types xmlns="{PACKAGE}/content-types">'
                '<Default Extension="xml" ContentType="application/xml"/>'
                '<Default Extension="rels"'
                ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
                f'<Override PartName="/xl/styles.xml" ContentType="{kind}.styles+xml"/>{overrides}</Types>',
            )
            archive.writestr(
                "_rels/.rels",
                f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
                f'Type="{RELATED}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            )
            listed = "".join(
                f'<sheet name={quoteattr(sheet)} sheetId="{at}" r:id="rId{at}"'
                + (' state="hidden"/>' if sheet in hidden else "/>")
                for at, sheet in parts
            )
            archive.writestr(
                "xl/workbook.xml",
                f'<workbook xmlns="{MAIN}" xmlns:r="{RELATED}"><sheets>{listed}</sheets></workbook>',
            )
            links = "".join(
                f'<Relationship Id="rId{at}" Type="{RELATED}/worksheet" Target="worksheets/sheet{at}.xml"/>'
                for at, _ in parts
            )
            archive.writestr(
                "xl/_rels/workbook.xml.rels",
                f'<Relationships xmlns="{PACKAGE}/relationships">{links}'
                f'<Relationship Id="rId99" Type="{RELATED}/styles" Target="styles.xml"/></Relationships>',
            )
            archive.writestr("xl/styles.xml", STYLES)
            for at, sheet in parts:
                archive.writestr(f"xl/worksheets/sheet{at}.xml", _sheet(sheets[sheet]))
        return path

    return write


@pytest.fixture
def formula_error() -> Error:
    """A cell whose formula failed."""
    return Error("#N/A")
