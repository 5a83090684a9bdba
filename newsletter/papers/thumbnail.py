"""Pictures and documents of strangers to thumbnails. Run in a child process with limits.

Pillow and pypdfium2 (the extra ``figures``) are imported where they are used.
"""

import base64
import io
import re
from typing import TYPE_CHECKING, Any

from newsletter.core.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

# Twice the width at which mails show it, for sharp screens.
BOX = (480, 480)
MOST_PIXELS = 40_000_000
# Smaller or narrower things are icons, logos and rules.
SMALLEST = 120
MOST_OBLONG = 6
QUALITY = 82
FORMATS = ("PNG", "JPEG", "GIF")
PAGES = 6  # of a document, in which a first figure stands
# Of a page's width and height: what is smaller is a logo.
LEAST_WIDE, LEAST_HIGH = 0.25, 0.08
MOST_OBJECTS = 2000  # of a page
LONGEST_CAPTION = 300


def first_figure(data: bytes) -> dict[str, str]:
    """Where the first figure of an HTML page is, and what its caption says.

    Returns ``src`` (as written), ``base`` (of the page, or "") and ``caption``.

    Raises:
        InputError: there is none.
    """
    from lxml import html  # noqa: PLC0415  (in the child only)

    if not data.strip():
        raise InputError("the page is empty", where="")
    page = html.document_fromstring(data)
    for figure in page.iter("figure"):
        sources = [str(image.get("src") or "") for image in figure.iter("img")]
        source = next((each for each in sources if _is_picture(each)), "")
        if source:
            caption = next((each.text_content() for each in figure.iter("figcaption")), "")
            base = next((str(each.get("href") or "") for each in page.iter("base")), "")
            said = re.sub(r"\s+", " ", caption).strip()[:LONGEST_CAPTION]
            return {"src": source, "base": base, "caption": said}
    raise InputError("the page has no figure that is a picture", where="")


def _is_picture(source: str) -> bool:
    path = source.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0].lower()
    return path.endswith((".png", ".jpg", ".jpeg", ".gif")) and not source.startswith("data:")


def of_image(data: bytes) -> dict[str, Any]:
    """The thumbnail of a picture: ``jpeg`` (in base64), ``width`` and ``height``.

    Raises:
        InputError: it is no picture, or too large or too small for one.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(*image.size)
            image.draft("RGB", (2 * BOX[0], 2 * BOX[1]))
            image.load()
            return _thumbnail(image)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError("not a PNG, JPEG or GIF picture of a usual size", where="") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError("the picture is damaged", where="") from error


def of_pdf(data: bytes) -> dict[str, Any]:
    """The thumbnail of the first picture on the first pages of a document; as `of_image`.

    What is drawn over the picture, such as its labels, is seen too. Figures that consist of
    lines alone are not found.

    Raises:
        InputError: it is no PDF document, or has no such picture.
    """
    import pypdfium2  # noqa: PLC0415

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise InputError("not a PDF document that can be read", where="") from error
    for number in range(min(PAGES, len(document))):
        try:
            page = document[number]
            found = _picture_on(page)
            if found is not None:
                return _thumbnail(_cut(page, found))
        except pypdfium2.PdfiumError:
            continue  # a damaged page says nothing of the next
    raise InputError("the document has no picture on its first pages", where="")


def _picture_on(page: Any) -> tuple[float, float, float, float] | None:
    """(left, bottom, right, top) of the topmost picture of some size, in points."""
    from pypdfium2 import raw  # noqa: PLC0415

    width, height = page.get_size()
    found = []
    objects = page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    for _, each in zip(range(MOST_OBJECTS), objects, strict=False):
        left, bottom, right, top = each.get_bounds()
        box = max(0.0, left), max(0.0, bottom), min(width, right), min(height, top)
        wide, high = box[2] - box[0], box[3] - box[1]
        is_page = wide > 0.95 * width and high > 0.95 * height
        if wide >= LEAST_WIDE * width and high >= LEAST_HIGH * height and not is_page:
            found.append(box)
    return max(found, key=lambda box: box[3], default=None)


def _cut(page: Any, box: tuple[float, float, float, float]) -> "Image":
    width, height = page.get_size()
    left, bottom, right, top = box
    scale = min(4.0, 2 * BOX[0] / max(right - left, top - bottom))
    if width * height * scale * scale > MOST_PIXELS:
        raise InputError("the page is too large", where="")
    bitmap = page.render(scale=scale, crop=(left, bottom, width - right, height - top))
    picture: Image = bitmap.to_pil()
    return picture


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise InputError(f"the picture has more than {MOST_PIXELS:,} pixels", where="")
    if min(width, height) < SMALLEST or max(width, height) > MOST_OBLONG * min(width, height):
        raise InputError("the picture is too small or too narrow for a figure", where="")


def _thumbnail(image: "Image") -> dict[str, Any]:
    from PIL import Image  # noqa: PLC0415

    _check_size(*image.size)
    layers = image.convert("RGBA")
    paper = Image.new("RGBA", layers.size, "white")
    paper.alpha_composite(layers)
    small = paper.convert("RGB")
    small.thumbnail(BOX, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=QUALITY, optimize=True)
    width, height = small.size
    return {
        "jpeg": base64.b64encode(out.getvalue()).decode(),
        "width": width,
        "height": height,
    }
