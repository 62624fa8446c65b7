"""Makes what recorders record: short playable videos, sound, photos and logs, in memory and fast.

Pictures and tones come from the test sources of FFmpeg's own filter library, through PyAV. A scene is encoded once per
process and then only wrapped anew for every clip, so that a card full of footage costs seconds.
"""

import importlib
import io
import math
import struct
import wave
from array import array
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, pairwise
from types import ModuleType
from typing import Any

from bwcdock.errors import Misused

_RATE = 5  # pictures a second: enough to see it move, and a minute stays near 2 MiB
_TONE_RATE = 8000  # samples a second, as recorders do for speech
_QUICKTIME_EPOCH = 2082844800  # seconds from 1904-01-01 to 1970-01-01 (ISO/IEC 14496-12, 8.2.2)


def clip(started: datetime, seconds: int = 60, *, scene: int = 0, kbit_s: int = 250, fragmented: bool = False) -> bytes:
    """An MP4 (H.264 640x360, AAC) of ``seconds``, its creation_time ``started`` (aware).

    A recorder that writes local time as if it were UTC is imitated by giving such a time. ``scene`` 0..7 changes
    colours and tone. About ``kbit_s`` * ``seconds`` / 8 kB; ``fragmented`` writes moof boxes instead of one index.
    """
    return _wrap(_scene(scene % 8, seconds, kbit_s, sound_only=False), started, fragmented=fragmented)


def sound(started: datetime, seconds: int = 60, *, scene: int = 0) -> bytes:
    """An M4A (AAC mono, 16 kbit/s) of ``seconds``, its creation_time ``started`` (aware)."""
    return _wrap(_scene(scene % 8, seconds, 0, sound_only=True), started, fragmented=False)


def tone(seconds: int = 60, *, scene: int = 0) -> bytes:
    """A WAV (8 kHz, 16 bit, mono) of ``seconds``; needs no PyAV."""
    pitch = 220 + 55 * scene  # whole hertz, so that one second repeats without a click
    second = array("h", (round(9000 * math.sin(math.tau * pitch * at / _TONE_RATE)) for at in range(_TONE_RATE)))
    out = io.BytesIO()
    with wave.open(out, "wb") as sheet:
        sheet.setnchannels(1)
        sheet.setsampwidth(2)
        sheet.setframerate(_TONE_RATE)
        sheet.writeframes(second.tobytes() * seconds)
    return out.getvalue()


def photo(taken: datetime, *, scene: int = 0, make: str = "BWC", model: str = "TEST") -> bytes:
    """A JPEG (1280x720) whose EXIF says ``DateTimeOriginal`` = the wall time in ``taken``; its zone is not written."""
    av = _pyav()
    (frame,) = _pull(av, f"testsrc2=size=1280x720:rate=1:duration=1,hue=h={45 * scene},format=yuvj420p", "buffersink")
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 1280, 720, "yuvj420p", frame.time_base
    jpeg = b"".join(bytes(packet) for packet in chain(encoder.encode(frame), encoder.encode(None)))
    exif = b"Exif\0\0" + _exif(taken, make, model)
    return jpeg[:2] + struct.pack(">HH", 0xFFE1, len(exif) + 2) + exif + jpeg[2:]


def log(lines: Iterable[str]) -> bytes:
    """A text file with the line ends of a recorder (CRLF), in UTF-8."""
    return "".join(f"{line}\r\n" for line in lines).encode()


def truncate(media: bytes, fraction: float) -> bytes:
    """The first part of a file, as after a power cut: an MP4 loses its index, which stands at its end."""
    return media[: int(len(media) * fraction)]


def husk(size: int, started: datetime, seconds: int) -> bytes:
    """The head of an MP4 of ``size`` bytes in all: index first, then a media box that takes whatever follows.

    For files of any size made of random bytes: a box walker finds a whole file of ``seconds``, no player a picture.
    """
    moment = int(started.timestamp()) + _QUICKTIME_EPOCH
    unity = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    mvhd = struct.pack(">IIIIIIH10x", 0, moment, moment, 1000, seconds * 1000, 0x10000, 0x0100)
    mvhd += unity + bytes(24) + struct.pack(">I", 1)
    head = _box(b"ftyp", b"isom\0\0\2\0isommp41") + _box(b"moov", _box(b"mvhd", mvhd))
    return head + struct.pack(">I4sQ", 1, b"mdat", size - len(head))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _pyav() -> ModuleType:
    try:
        return importlib.import_module("av")
    except ImportError as missing:
        raise Misused("make footage", "PyAV is not installed.", "Install bwcdock[demo].") from missing


@lru_cache(maxsize=24)  # some 50 MB at most with minutes of a few MiB
def _scene(scene: int, seconds: int, kbit_s: int, *, sound_only: bool) -> bytes:
    """One encoded minute, as an MP4 without a date."""
    av = _pyav()
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        streams: list[tuple[Any, Iterator[Any]]] = []
        if not sound_only:
            picture = container.add_stream("libx264" if "libx264" in av.codecs_available else "mpeg4", rate=_RATE)
            picture.width, picture.height, picture.pix_fmt = 640, 360, "yuv420p"
            # Less than asked for: the sound and the container take the rest.
            picture.bit_rate, picture.options = max(16, kbit_s - 20) * 1000, {"preset": "ultrafast"}
            # Noise keeps the encoder busy up to its bit rate, as a real lens in the dusk does.
            source = f"testsrc2=size=640x360:rate={_RATE}:duration={seconds},hue=h={45 * scene},noise=alls=12:allf=t"
            streams.append((picture, _pull(av, f"{source},format=yuv420p", "buffersink")))
        voice = container.add_stream("aac", rate=_TONE_RATE, layout="mono")
        voice.bit_rate = 16_000
        source = f"sine=frequency={220 + 55 * scene}:sample_rate={_TONE_RATE}:duration={seconds}"
        streams.append((voice, _pull(av, f"{source},aformat=sample_fmts=fltp:channel_layouts=mono", "abuffersink")))
        for stream, frames in streams:
            for frame in chain(frames, (None,)):
                container.mux(stream.encode(frame))
    return out.getvalue()


def _pull(av: ModuleType, source: str, sink: str) -> Iterator[Any]:
    """The frames of a filter chain ``name=options,name=options``."""
    graph = av.filter.Graph()
    steps = [graph.add(*step.split("=", 1)) for step in source.split(",")] + [graph.add(sink)]
    for before, after in pairwise(steps):
        before.link_to(after)
    graph.configure()
    pull: Callable[[], Any] = graph.pull
    while True:
        try:
            frame = pull()
        except (av.error.EOFError, av.error.BlockingIOError):
            return
        yield frame


def _wrap(scene: bytes, started: datetime, *, fragmented: bool) -> bytes:
    """The same packets in a new container with a date."""
    av = _pyav()
    options = {"movflags": "frag_keyframe+empty_moov"} if fragmented else {}
    out = io.BytesIO()
    with av.open(io.BytesIO(scene)) as source, av.open(out, "w", format="mp4", options=options) as target:
        target.metadata["creation_time"] = started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        streams = [target.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.dts is not None:  # the empty packet that flushes a decoder
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return out.getvalue()


def _exif(taken: datetime, make: str, model: str) -> bytes:
    """A little-endian TIFF with two directories (Exif 2.32, 4.6): the image's and Exif's own."""
    moment = taken.strftime("%Y:%m:%d %H:%M:%S")
    first = [(0x010F, make), (0x0110, model), (0x0132, moment)]
    body = _ifd(8, first, 8 + len(_ifd(8, first, 0)))  # how long it is does not depend on where it points
    return b"II*\0" + struct.pack("<I", 8) + body + _ifd(8 + len(body), [(0x9003, moment), (0x9004, moment)], None)


def _ifd(start: int, texts: list[tuple[int, str]], exif_at: int | None) -> bytes:
    """One directory of ASCII values longer than four bytes, at ``start``, their text right behind it."""
    count = len(texts) + (exif_at is not None)
    text_at, entries, strings = start + 2 + 12 * count + 4, b"", b""
    for tag, text in texts:
        value = text.encode() + b"\0"
        value = value.ljust(5, b"\0")  # up to four bytes would have to stand in the entry itself
        entries += struct.pack("<HHII", tag, 2, len(value), text_at + len(strings))
        strings += value
    if exif_at is not None:
        entries += struct.pack("<HHII", 0x8769, 4, 1, exif_at)
    return struct.pack("<H", count) + entries + bytes(4) + strings
