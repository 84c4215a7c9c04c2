"""Pages that run nothing, made from notebooks that anybody may have written.

What a page may hold is listed; the rest is taken out of the parsed page, so that no way of writing
it can lead around the list.
"""

import base64
import io
import re
from html import escape
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup, Tag
from bs4.element import PreformattedString
from nbformat import NotebookNode
from PIL import Image

from openscenes.errors import DataError
from openscenes.files import one_line, read_text
from openscenes.study.figures.few_bytes import fewest

_MATH = (
    *("math", "merror", "mfenced", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mpadded"),
    *("mphantom", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup"),
    *("mtable", "mtd", "mtext", "mtr", "munder", "munderover"),
)
_TAGS = {
    *("a", "abbr", "article", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd"),
    *("del", "details", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4"),
    *("h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "main", "mark", "nav", "ol", "p", "pre"),
    *("q", "s", "samp", "section", "small", "span", "strong", "sub", "summary", "sup", "table"),
    *("tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "var", *_MATH),
}
# Their text is no text of the page, or is read by other rules than the rest.
_DROPPED = {
    *("script", "style", "template", "noscript", "noembed", "noframes", "iframe", "frame"),
    *("frameset", "object", "embed", "applet", "svg", "xmp", "plaintext", "textarea", "title"),
    *("select", "option", "audio", "video", "canvas", "link", "meta", "base"),
}
_EVERYWHERE = ("class", "id", "title")
_OF_CELLS = ("colspan", "rowspan", "valign", "style")
_OF_MATH = (
    *("xmlns", "display", "mathvariant", "fence", "form", "maxsize", "minsize", "stretchy"),
    *("accent", "width", "height", "depth", "separator", "linethickness", "columnalign"),
)
_ATTRIBUTES = {
    "a": ("href",), "img": ("src", "alt", "width", "height"), "details": ("open",),
    "table": ("border",), "ol": ("start",), **dict.fromkeys(("td", "th", "tr"), _OF_CELLS),
    **dict.fromkeys(_MATH, _OF_MATH),
}  # fmt: skip
_ALIGNED = re.compile(r"text-align: ?(left|right|center);?")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*")
_IGNORED = re.compile(r"[\x00-\x20\x7f-\x9f\u200b-\u200f\u2028\u2029\ufeff]")


def make_inert(page: BeautifulSoup) -> None:
    """Take out of a page what runs, loads or sends; its own head and frame stay."""
    own = {id(tag) for tag in (page.html, page.head, page.body) if tag is not None}
    own |= {id(tag) for tag in page.head.find_all(True)} if page.head is not None else set()
    for text in page.find_all(string=lambda found: isinstance(found, PreformattedString)):
        if text.find_parent() is not None and id(text.parent) not in own:
            text.extract()  # a comment, a declaration
        elif text.find_previous_sibling() is not None:
            text.extract()
    for tag in page.find_all(True):
        if id(tag) in own or tag.decomposed:
            continue
        if tag.name in _DROPPED:
            tag.decompose()
        elif tag.name not in _TAGS:
            tag.unwrap()
        else:
            tag.attrs = {key: value for key, value in tag.attrs.items() if _kept(tag, key)}


def _kept(tag: Tag, key: str) -> bool:
    value = str(tag[key])
    if key not in (*_EVERYWHERE, *_ATTRIBUTES.get(tag.name, ())):
        return False
    if key == "style":
        return _ALIGNED.fullmatch(value) is not None
    if key == "src" and _IMAGE.fullmatch(value):
        return True
    if key in ("href", "src") and (_IGNORED.search(value) or value.startswith(("//", "\\"))):
        return False  # browsers read over blanks and control characters in an address
    scheme = _SCHEME.match(value)
    if key == "href":
        return scheme is None or scheme[1].lower() in ("http", "https", "mailto")
    return key != "src" or scheme is None


def read_notebook(path: Path) -> NotebookNode:
    """A notebook of a reports folder."""
    text = read_text(path, "notebook")
    try:
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError,
            nbformat.ValidationError) as error:  # fmt: skip
        why = one_line(str(error).strip().partition("\n")[0], 100)
        raise DataError(
            f"the notebook {one_line(str(path))} is damaged ({why}); make its table or lesson again"
        ) from error
    return notebook


def thumbnail(notebook: NotebookNode) -> str:
    """The first image, small, within the page; nothing where there is none."""
    for output in (shown for cell in notebook.cells for shown in cell.get("outputs", ())):
        for kind in ("image/png", "image/jpeg"):
            if kind in output.get("data", {}):
                try:
                    content = io.BytesIO(base64.b64decode(output.data[kind]))
                    with Image.open(content, formats=("PNG", "JPEG")) as image:
                        shown = image.convert("RGBA")
                except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                    continue  # a damaged image; the page itself shows it as such
                shown.thumbnail((640, 640))
                paper = Image.new("RGBA", shown.size, "white")
                small, written = fewest(Image.alpha_composite(paper, shown))
                alt = output.metadata.get(kind, {}).get("alt", "")
                inside = base64.b64encode(small).decode()
                return f'<img src="data:image/{written};base64,{inside}" alt="{escape(alt)}">'
    return ""
