"""The receipt as a QR code: what an officer takes along on his phone to show what he handed over, and when."""

import io
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import segno

from bwcdock.web.wall.eyes import Handed


def text_of(handed: Handed, station: str, zone: str) -> str:
    """The words in it, as any phone shows them. The digest is that of the signed receipt."""
    at: datetime = handed.at.astimezone(ZoneInfo(zone))
    return (
        f"移交回执 {station}\n记录仪 {handed.recorder}\n批次 {handed.session[:12]}\n"
        f"{handed.count} 个文件 {handed.size} 字节\n{at:%Y-%m-%d %H:%M:%S}\nSHA-256 {handed.digest}"
    )


@lru_cache(maxsize=200)
def svg_of(text: str) -> str:
    """The code as SVG, dark on white with its quiet zone; it has no style, which no page of ours may carry."""
    out = io.BytesIO()
    segno.make(text, error="m", boost_error=False).save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=True,
        omitsize=True,
        dark="#000",
        light="#fff",
        border=3,
        svgclass="qr",
        lineclass=None,
        nl=False,
    )
    return out.getvalue().decode()
