"""The one font of the PDF papers: a Chinese one, named in the settings or found where Debian's packages put theirs."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fontTools.ttLib import TTCollection, TTFont, TTLibError

from bwcdock.core.refusal import because
from bwcdock.errors import Misused

PLACES = (
    Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"),
    Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
)
"""Best first: Noto has the most of the rare characters in people's names, Micro Hei none beyond the common 20,900.
Droid Sans Fallback is not among them: it has no Latin letters and no digits."""

PACKAGE = "fonts-wqy-zenhei"
"""The one to install: 16 MB with nearly all that Noto (90 MB) has."""

SAMPLE = "移交回执证据说明龘Aa09"
"""What a font must have to be of use: Chinese, a rarer character, letters and digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Font:
    """A font file, and which of the fonts in it where it is a collection."""

    path: Path
    index: int = 0


def find(named: Path | None = None, places: Sequence[Path] = PLACES) -> Font:
    """The font to print with; :class:`~bwcdock.errors.Misused` names the package where there is none.

    A font that is named is taken or refused, never passed over for another.
    """
    if named is not None:
        return _looked_at(named)
    for path in places:
        if path.is_file():
            return _looked_at(path)
    why = because("font.none", "There is no Chinese font on this machine.", package=PACKAGE)
    raise Misused("print a PDF", why, f"Install {PACKAGE}, or take HTML instead of PDF.")


def if_any(named: Path | None = None) -> Font | None:
    """The font, or none where the station has none: a package then has its papers as HTML."""
    try:
        return find(named)
    except Misused:
        if named is not None:
            raise
        return None


def _looked_at(path: Path) -> Font:
    try:
        with path.open("rb") as stream:
            return Font(path=path, index=_face(stream))
    except OSError as error:
        what = f"The font {path} cannot be read: {error.strerror or error}."
        why = because("font.unfit", what, path=str(path), package=PACKAGE)
        raise Misused("print a PDF", why, f"Correct [papers] font, or install {PACKAGE}.") from error
    except (TTLibError, KeyError, ValueError, AssertionError, EOFError, struct.error) as error:
        what = f"{path} is no font to print Chinese with ({error})."
        why = because("font.unfit", what, path=str(path), package=PACKAGE)
        raise Misused("print a PDF", why, f"Name another in [papers] font, or install {PACKAGE}.") from error


def _face(stream: BinaryIO) -> int:
    """Which font of the file to take, looked at as far as it must be; an error where it is of no use."""
    collection = stream.read(4) == b"ttcf"
    stream.seek(0)
    if not collection:
        _useful(TTFont(stream, lazy=True))
        return 0
    fonts = TTCollection(stream, lazy=True).fonts
    names = [str(font["name"].getDebugName(4) or "") for font in fonts]
    # Of Noto's ten the one with the shapes of the mainland; others have one face or count the first as it.
    index = next((at for at, name in enumerate(names) if name.endswith(" SC") and "Mono" not in name), 0)
    _useful(fonts[index])
    return index


def _useful(font: TTFont) -> None:
    known = font.getBestCmap() or {}
    if lacks := [char for char in SAMPLE if ord(char) not in known]:
        raise ValueError(f"it lacks {lacks[0]}")
