"""Containers say what they are, whole or cut, true or hostile; nothing they say makes the reader stumble or read on."""

import io
import struct
import wave
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from time import process_time

import av
import pytest
from bwcdock import media
from bwcdock.core.facts import MediaFacts
from bwcdock.media import exif, source
from bwcdock.media.source import MAX_BYTES, MAX_STRUCTURES, WINDOW, Draft, Source, printable
from hypothesis import given, settings
from hypothesis import strategies as st

MADE = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)


class Tape:
    """A file in memory that remembers what was read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads: list[tuple[int, int]] = []

    def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length >= 0
        assert offset + length <= len(self.data)
        self.reads.append((offset, length))
        return self.data[offset : offset + length]

    @property
    def bytes_read(self) -> int:
        return sum(length for _, length in self.reads)


def look(data: bytes, name: str = "") -> MediaFacts:
    return media.look(Tape(data).read, len(data), name)


# --- real files ---------------------------------------------------------------------------------------------------

FORMATS = {
    "plain.mp4": ("mp4", {}),
    "front.mp4": ("mp4", {"movflags": "faststart"}),
    "plain.mov": ("mov", {}),
    "plain.avi": ("avi", {}),
    "frag.mp4": ("mp4", {"movflags": "frag_keyframe+empty_moov"}),
    "base.mp4": ("mp4", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    "dash.mp4": ("mp4", {"movflags": "frag_keyframe+dash+global_sidx"}),
    "each.mp4": ("mp4", {"movflags": "frag_every_frame+empty_moov"}),
}


def film(path: str, container: str, options: dict[str, str], rate: int = 10, frames: int = 40) -> bytes:
    with av.open(path, "w", format=container, options=options) as out:
        out.metadata.update({"creation_time": MADE.isoformat()})
        stream = out.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([index]) * plane.buffer_size)
            frame.pts, frame.time_base = index, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with open(path, "rb") as made:
        return made.read()


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("films")
    return {name: film(str(folder / name), *how) for name, how in FORMATS.items()}


def sound(seconds: float = 3) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(8000)
        made.writeframes(bytes(int(16_000 * seconds)))
    return out.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_film_says_what_it_is(films, name):
    facts = look(films[name], name)
    assert facts.container == name[-3:]
    assert facts.duration_ms == 4000
    assert not facts.truncated
    assert facts.fragmented == (name[:4] in ("frag", "base", "dash", "each"))
    assert facts.encoder.startswith("Lavf")
    assert facts.problems == ()
    assert facts.started == (None if name.endswith("avi") else MADE)


@pytest.mark.parametrize("name", FORMATS)
def test_a_cut_film_is_cut_wherever_it_is_cut(films, name):
    data = films[name]
    for kept in range(12, len(data), max(1, len(data) // 150)):
        facts = look(data[:kept], name)
        # A fragmented file cut exactly between two fragments is whole: shorter, and playable; before its index, whole.
        next_box = data[kept + 4 : kept + 8]
        shorter = facts.duration_ms is not None and facts.duration_ms < 4000
        whole = facts.fragmented and (next_box == b"mfra" or (next_box == b"moof" and shorter))
        assert facts.truncated or whole, kept
        assert facts.problems or not facts.truncated


def test_a_film_cut_between_fragments_is_whole_and_shorter(films):
    data = films["each.mp4"]
    second = data.index(b"moof", data.index(b"moof") + 4) - 4
    facts = look(data[:second], "each.mp4")
    assert (facts.truncated, facts.duration_ms) == (False, 100)


def test_a_fragment_without_its_footage_is_cut_and_not_counted(films):
    data = films["each.mp4"]
    third = [at for at in range(len(data)) if data[at : at + 4] == b"mdat"][2] - 4
    facts = look(data[:third], "each.mp4")
    assert (facts.truncated, facts.duration_ms) == (True, 200)
    assert facts.problems == ("The last fragment has no footage.",)


def test_sound():
    assert look(sound(), "a.wav") == MediaFacts(container="wav", duration_ms=3000)
    cut = look(sound()[:-16_000], "a.wav")
    assert (cut.truncated, cut.duration_ms) == (True, 2000)
    never_closed = bytearray(sound())
    never_closed[40:44] = bytes(4)
    facts = look(bytes(never_closed), "a.wav")
    assert (facts.truncated, facts.duration_ms) == (True, 3000)


def test_a_film_is_read_by_seeking_and_fast(films):
    # 4 GB of footage before the index: only a handful of small reads, none of them inside it.
    whole = films["plain.mp4"]
    at = whole.index(b"mdat") - 4
    moov = whole[whole.index(b"moov") - 4 :]
    hole = 4 << 30
    head = whole[:at] + struct.pack(">I4sQ", 1, b"mdat", hole + 16)
    reads: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        if offset < len(head):
            return (head + bytes(WINDOW))[offset : offset + length]
        offset -= len(head) + hole
        return moov[offset : offset + length] if offset >= 0 else bytes(length)

    facts = media.look(read, len(head) + hole + len(moov), "big.mp4")
    assert (facts.duration_ms, facts.truncated, facts.problems) == (4000, False, ())
    assert sum(length for _, length in reads) < 4096
    began = process_time()
    for _ in range(50):
        look(whole, "a.mp4")
    assert (process_time() - began) / 50 < 0.002  # measured 0.15 ms


def test_content_decides_and_the_name_is_compared(films):
    assert look(films["plain.mp4"], "a.jpg").problems == ("The name says .jpg, the content is mp4.",)
    assert look(films["plain.mov"], "A.MP4").problems == ()
    assert look(films["plain.avi"], "noname").problems == ()
    assert look(b"NMEA $GPRMC", "a.log") == MediaFacts()
    assert look(b"\x00" * 4096, "a.mp4").problems == (
        "The name says .mp4, the content is no such container. It begins with zeros.",
    )
    assert look(b"", "a.mp4").problems == ("The file is empty.",)


# --- boxes made by hand -------------------------------------------------------------------------------------------


def box(kind: bytes, *body: bytes) -> bytes:
    inside = b"".join(body)
    return struct.pack(">I4s", 8 + len(inside), kind) + inside


def mvhd(created: int = 0, scale: int = 1000, ticks: int = 5000, version: int = 0) -> bytes:
    layout = ">IQQIQ" if version else ">IIIII"
    return box(b"mvhd", struct.pack(layout, version << 24, created, 0, scale, ticks), bytes(80))


FTYP = box(b"ftyp", b"isom", bytes(4))
MDAT = box(b"mdat", bytes(100))
SECONDS = int((MADE - datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())


def movie(*parts: bytes) -> bytes:
    return FTYP + MDAT + box(b"moov", *parts)


def test_both_versions_of_the_movie_header():
    for version in (0, 1):
        facts = look(movie(mvhd(SECONDS, 90_000, 450_000, version)))
        assert (facts.started, facts.duration_ms, facts.problems) == (MADE, 5000, ())
    assert look(movie(mvhd(0))).started is None
    assert look(movie(mvhd(ticks=2**32 - 1))).duration_ms is None
    assert look(movie(mvhd(ticks=2**64 - 1, version=1))).duration_ms is None


def test_absurd_figures_are_problems():
    assert "zero ticks" in look(movie(mvhd(scale=0))).problems[0]
    assert "duration" in look(movie(mvhd(scale=1, ticks=2**32 - 2))).problems[0]
    assert "date" in look(movie(mvhd(created=2**63, version=1))).problems[0]


def test_tracks_give_the_duration_where_the_movie_does_not():
    def track(scale: int, ticks: int) -> bytes:
        return box(b"trak", box(b"mdia", box(b"mdhd", struct.pack(">IIIII", 0, SECONDS, 0, scale, ticks))))

    facts = look(movie(mvhd(ticks=0), track(0, 99), track(8000, 16_000), track(1000, 1000)))
    assert (facts.duration_ms, facts.started) == (2000, MADE)


def test_index_without_footage_and_index_beyond_the_end():
    assert look(FTYP + box(b"moov", mvhd())).truncated
    inside, outside = (
        box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"stco", struct.pack(">III", 0, 1, place))))))
        for place in (20, 100_000)
    )
    assert not look(movie(mvhd(), inside)).truncated
    # To the end of the file, wherever that is: only the chunk offsets tell that it was cut.
    open_ended = FTYP + box(b"moov", mvhd(), outside) + struct.pack(">I4s", 0, b"mdat") + bytes(100)
    assert look(open_ended).truncated
    assert not look(open_ended.replace(outside, inside)).truncated


def test_quicktime_without_a_brand_padding_and_a_cut_header():
    old = MDAT + box(b"moov", mvhd())
    assert look(old) == MediaFacts(container="mov", duration_ms=5000)
    assert not look(old + bytes(7)).truncated
    assert not look(old + bytes(4096)).truncated
    assert look(old + b"\x00\x00\x01").truncated
    assert look(MDAT).truncated


def test_pictures_in_boxes_are_not_called_cut():
    assert look(box(b"ftyp", b"heic", bytes(4)) + MDAT) == MediaFacts()


def tagged(text: bytes) -> bytes:
    value = box(b"ilst", box(b"\xa9too", box(b"data", bytes(8), text)))
    return box(b"udta", box(b"meta", bytes(4), value))


def test_encoder_text_is_limited_and_harmless():
    assert look(movie(mvhd(), tagged(b"Cam 1.0\0rest"))).encoder == "Cam 1.0"
    assert look(movie(mvhd(), tagged("执法\u202e\x1b[31m".encode()))).encoder == r"执法\u202e\x1b[31m"
    assert look(movie(mvhd(), tagged(b"\xff\xfe"))).encoder == r"\xff\xfe"
    assert len(look(movie(mvhd(), tagged(b"x" * 10_000))).encoder) == 64
    plain = box(b"udta", box(b"\xa9swr", struct.pack(">HH", 5, 0), b"Novat"))
    assert look(movie(mvhd(), plain)).encoder == "Novat"


@given(st.binary(max_size=400))
def test_printable_is_printable(raw):
    text = printable(raw)
    assert text.isprintable()
    assert len(text) <= 64


def fragment(start: int | None, samples: list[int], number: int = 1) -> bytes:
    run = box(b"trun", struct.pack(">II", 0x100, len(samples)), *(struct.pack(">I", each) for each in samples))
    when = box(b"tfdt", struct.pack(">II", 0, start)) if start is not None else b""
    return box(b"moof", box(b"traf", box(b"tfhd", struct.pack(">II", 0, number)), when, run)) + MDAT


def fragmented(*rest: bytes, promised: bytes = b"") -> bytes:
    ids = box(b"tkhd", struct.pack(">IIII", 0, 0, 0, 1))
    track = box(b"trak", ids, box(b"mdia", box(b"mdhd", struct.pack(">IIIII", 0, 0, 0, 1000, 0))))
    extends = box(b"mvex", promised, box(b"trex", struct.pack(">IIIIII", 0, 1, 1, 40, 0, 0)))
    return b"".join((FTYP, box(b"moov", mvhd(ticks=0), track, extends), *rest))


def test_fragments_are_measured_first_to_last():
    facts = look(fragmented(fragment(10_000, [500] * 4), fragment(12_000, [500] * 3)))
    assert (facts.duration_ms, facts.truncated, facts.fragmented) == (3500, False, True)


def test_fragments_without_times_are_summed():
    assert look(fragmented(fragment(None, [500] * 4), fragment(None, [500] * 3))).duration_ms == 3500


def test_sample_durations_by_default():
    run = box(b"moof", box(b"traf", box(b"tfhd", struct.pack(">II", 0, 1)), box(b"trun", struct.pack(">II", 0, 50))))
    assert look(fragmented(run + MDAT)).duration_ms == 2000  # 50 samples of the movie's default 40
    own = box(b"tfhd", struct.pack(">IIQII", 0x0B, 1, 0, 1, 20))
    run = box(b"moof", box(b"traf", own, box(b"trun", struct.pack(">II", 0, 50))))
    assert look(fragmented(run + MDAT)).duration_ms == 1000


def test_promises_count_where_no_fragment_can_be_measured():
    promised = box(b"mehd", struct.pack(">II", 0, 7000))
    assert look(fragmented(fragment(0, []), promised=promised)).duration_ms == 7000
    index = box(
        b"sidx",
        struct.pack(">IIIIIHH", 0, 1, 1000, 0, 0, 0, 3),
        struct.pack(">9I", 9, 3000, 0, 9, 1000, 0, 2**31, 9999, 0),
    )
    assert look(fragmented(index, fragment(0, []))).duration_ms == 4000
    assert look(fragmented()).truncated


# --- RIFF made by hand --------------------------------------------------------------------------------------------


def chunk(kind: bytes, *body: bytes) -> bytes:
    inside = b"".join(body)
    return struct.pack("<4sI", kind, len(inside)) + inside + bytes(len(inside) & 1)


def reel(*extra: bytes, index: bytes = chunk(b"idx1", bytes(16)), frames: int = 100) -> bytes:
    avih = chunk(b"avih", struct.pack("<5I", 40_000, 0, 0, 0x10, frames), bytes(36))
    return chunk(b"RIFF", b"AVI ", chunk(b"LIST", b"hdrl", avih, *extra), chunk(b"LIST", b"movi", bytes(99)), index)


def test_avi_frames_dates_and_encoder():
    when = chunk(b"IDIT", b"Wed May 01 09:30:00 2024\n\0")
    facts = look(reel(when), "a.avi")
    assert facts == MediaFacts(container="avi", started=MADE, duration_ms=4000)
    assert look(reel(chunk(b"IDIT", b"2024-05-01 09:30:00"))).started == MADE
    assert look(reel(chunk(b"IDIT", b"2024-13-01 09:30:00"))).started is None
    assert look(reel(chunk(b"IDIT", b"sometime"))).started is None


def test_avi_in_several_pieces():
    more = chunk(b"LIST", b"odml", chunk(b"dmlh", struct.pack("<I", 250)))
    index = chunk(b"LIST", b"strl", chunk(b"indx", struct.pack("<II", 0, 2)))
    second = chunk(b"RIFF", b"AVIX", chunk(b"LIST", b"movi", bytes(10)))
    facts = look(reel(more, index, index=b"") + second)
    assert (facts.duration_ms, facts.truncated) == (10_000, False)
    assert look((reel(more, index, index=b"") + second)[:-1]).truncated
    empty = chunk(b"LIST", b"strl", chunk(b"indx", struct.pack("<II", 0, 0)))
    assert look(reel(more, empty, index=b"") + second).truncated


def test_avi_without_index_or_never_closed():
    assert look(reel(index=b"")).problems == ("The index (idx1) was never written or is not reached.",)
    open_film = bytearray(reel(index=b"", frames=0))
    open_film[4:8] = bytes(4)
    facts = look(bytes(open_film))
    assert facts.truncated
    assert facts.duration_ms is None
    assert "never closed" in facts.problems[0]


def test_avi_streams_give_the_duration_where_the_header_does_not():
    strh = chunk(b"strh", bytes(20), struct.pack("<IIII", 1, 25, 0, 75))
    assert look(reel(chunk(b"LIST", b"strl", strh), frames=0)).duration_ms == 3000


def test_large_wave_and_broadcast_wave():
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16))
    ds64 = chunk(b"ds64", struct.pack("<QQQ", 0, 32_000, 0))
    data = struct.pack("<4sI", b"data", 0xFFFFFFFF) + bytes(32_000)
    large = b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + ds64 + form + data
    assert look(large) == MediaFacts(container="wav", duration_ms=2000)
    assert look(large[:-1]).truncated
    bext = chunk(b"bext", bytes(320), b"2024-05-0109:30:00", bytes(10))
    facts = look(chunk(b"RIFF", b"WAVE", bext, form, chunk(b"data", bytes(16_000))))
    assert (facts.started, facts.duration_ms) == (MADE, 1000)
    assert look(b"RIFF\x04\0\0\0WAVE").truncated


# --- JPEG made by hand --------------------------------------------------------------------------------------------


def entries(base: int, fields: list[tuple[int, int, int, bytes]]) -> bytes:
    """A TIFF directory at ``base``: tag, type, count, value."""
    table, heap = struct.pack("<H", len(fields)), b""
    room = base + 2 + 12 * len(fields) + 4
    for tag, kind, count, value in fields:
        inline = value if len(value) <= 4 else struct.pack("<I", room + len(heap))
        table += struct.pack("<HHI", tag, kind, count) + inline.ljust(4, b"\0")
        heap += value if len(value) > 4 else b""
    return table + bytes(4) + heap


def ascii_field(tag: int, text: str) -> tuple[int, int, int, bytes]:
    return tag, 2, len(text) + 1, text.encode() + b"\0"


def photo(zone: str = "", gps: bool = False, block: bytes | None = None) -> bytes:
    if block is None:
        taken = [ascii_field(0x9003, "2024:05:01 09:30:00")] + ([ascii_field(0x9011, zone)] if zone else [])
        clock = struct.pack("<6I", 1, 1, 30, 1, 5, 1)
        position = [(0x0007, 5, 3, clock), ascii_field(0x001D, "2024:05:01")]
        root = [ascii_field(0x0131, "Cam 2.0"), (0x8769, 4, 1, struct.pack("<I", 200))]
        root += [(0x8825, 4, 1, struct.pack("<I", 400))] if gps else []
        block = b"II*\0\x08\0\0\0" + entries(8, root)
        block = block.ljust(200, b"\0") + entries(200, taken)
        block = block.ljust(400, b"\0") + (entries(400, position) if gps else b"")
    app1 = b"Exif\0\0" + block
    scan = b"\xff\xda" + struct.pack(">H", 8) + bytes(6) + b"\x12\x34" * 50
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", 2 + len(app1)) + app1 + scan + b"\xff\xd9"


def test_photo():
    assert look(photo(), "a.jpg") == MediaFacts(container="jpeg", started=MADE, encoder="Cam 2.0")
    assert look(photo("+08:00")).started == MADE - timedelta(hours=8)
    assert look(photo("-03:30")).started == MADE + timedelta(hours=3, minutes=30)
    assert look(photo("+99:99")).started == MADE
    assert look(photo(gps=True)).gps_time == datetime(2024, 5, 1, 1, 30, 5, tzinfo=UTC)


def test_a_cut_photo_is_cut_wherever_it_is_cut():
    # The thumbnail's own end marker inside the Exif block must not pass for the end of the picture.
    whole = photo(block=b"II*\0\x08\0\0\0" + entries(8, []) + b"\xff\xd8thumb\xff\xd9" + bytes(50))
    assert not look(whole).truncated
    assert not look(whole + bytes(5000)).truncated
    for kept in range(4, len(whole)):
        assert look(whole[:kept]).truncated, kept


def test_a_tangled_exif_block_is_given_up_soon():
    # A thousand overlapping directories, each of them with the GPS directory in every entry.
    gps = struct.pack("<HHII", 0x8825, 4, 1, 8)
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 5000) + gps * 5000
    began = process_time()
    facts = look(photo(block=block))
    assert process_time() - began < 0.5  # measured 15 ms; unbounded it takes minutes
    assert facts.problems == ("The Exif block is too tangled to follow.",)


def test_many_small_reads_are_rationed_too():
    block = exif._Rationed(bytes(8))

    def read_on() -> None:
        for _ in range(10_000):
            block.seek(0)
            block.read(2)

    with pytest.raises(source.Malformed):
        read_on()


def test_a_block_exifread_stumbles_over_is_a_problem():
    cut_float = struct.pack("<HHII", 0x9201, 12, 1, 60_000)  # one double, outside the block
    facts = look(photo(block=b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + cut_float + bytes(4)))
    assert facts == MediaFacts(container="jpeg", problems=("The Exif block is broken.",))


# --- hostile files ------------------------------------------------------------------------------------------------

PAST, SMALL, MANY = "reaches past the box that holds it", "too small for its fields", "More than 20000 structures"
OUTSIZE = 2**32 - 1


def table(kind: bytes, *words: int) -> bytes:
    """A sample table box in its place."""
    inner = box(kind, struct.pack(f">{len(words)}I", *words))
    return box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", inner))))


def moof(*parts: bytes) -> bytes:
    return box(b"moof", box(b"traf", *parts)) + MDAT


HOSTILE = {
    "child of no size": (movie(struct.pack(">I4s", 0, b"trak"), mvhd()), PAST),
    "child past its parent": (movie(struct.pack(">I4s", 2**31, b"trak"), mvhd()), PAST),
    "smaller than its header": (movie(struct.pack(">I4s", 7, b"trak"), mvhd()), "smaller than its own header"),
    "short fields": (movie(box(b"mvhd", bytes(12))), SMALL),
    "huge 64-bit size": (FTYP + struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1) + bytes(64), "more than the file has"),
    "64-bit size of nothing": (FTYP + struct.pack(">I4sQ", 1, b"mdat", 0) + bytes(64), "smaller than its own header"),
    "a hundred thousand boxes": (FTYP + box(b"free") * 100_000, MANY),
    "fifty thousand tracks": (movie(mvhd(), *[box(b"trak")] * 50_000), MANY),
    "no box at all": (FTYP + b"\xff" * 64, "no box where a box should be"),
    "huge chunk table": (movie(table(b"stco", 0, OUTSIZE)), SMALL),
    "huge fragment": (fragmented(moof(box(b"trun", struct.pack(">II", 0xF01, OUTSIZE)))), SMALL),
    "endless default samples": (
        fragmented(
            moof(box(b"tfhd", struct.pack(">III", 8, 1, OUTSIZE)), box(b"trun", struct.pack(">II", 0, OUTSIZE)))
        ),
        "cannot be true",
    ),
    "fragments running backwards": (fragmented(fragment(2**31, [1]), fragment(0, [1])), "backwards"),
    "avi of tiny chunks": (chunk(b"RIFF", b"AVI ", chunk(b"JUNK") * 100_000), MANY),
    "avi in avi": (chunk(b"RIFF", b"AVI ", *[struct.pack("<4sI4s", b"LIST", 2**31, b"hdrl")] * 5000), "promises"),
    "wav without rate": (chunk(b"RIFF", b"WAVE", chunk(b"fmt ", bytes(16)), chunk(b"data", bytes(10))), "zero ticks"),
    "wav with short format": (chunk(b"RIFF", b"WAVE", chunk(b"fmt ", bytes(3)), chunk(b"data", bytes(10))), SMALL),
    "jpeg of empty segments": (b"\xff\xd8" + b"\xff\xe0\0\x02" * 50_000, MANY),
    "jpeg segment of no size": (b"\xff\xd8\xff\xe0\0\0" + bytes(99), "smaller than its own header"),
    "jpeg of fill bytes": (b"\xff\xd8" + b"\xff" * 100_000, MANY),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_structures_are_refused_within_the_budget(name):
    data, sentence = HOSTILE[name]
    tape = Tape(data)
    draft = Draft()
    began = process_time()
    media.gather(Source(tape.read, len(data)), "a.bin", draft)
    assert process_time() - began < 1  # measured 0.15 s at most
    assert tape.bytes_read <= MAX_BYTES
    assert sentence in draft.problems[0]
    assert all(each.isprintable() and each.endswith(".") for each in draft.problems)


def test_nesting_is_not_followed_deeper_than_the_tables_go():
    nested = mvhd()
    for _ in range(3000):
        nested = box(b"moov", nested)
    tape = Tape(movie(mvhd(), nested))
    assert media.look(tape.read, len(tape.data), "a.mp4") == look(movie(mvhd()))
    assert tape.bytes_read < 1000


def test_the_structure_budget_runs_out_before_the_byte_budget():
    assert MAX_STRUCTURES * WINDOW < MAX_BYTES
    many = look(HOSTILE["a hundred thousand boxes"][0])
    assert many.problems[0] == f"More than {MAX_STRUCTURES} structures; the rest was not looked at."


@pytest.mark.parametrize("budget", [10, 11, 12, 30, 31, 32, 33])
def test_a_film_too_long_to_walk_is_not_called_cut(monkeypatch, budget):
    monkeypatch.setattr(source, "MAX_STRUCTURES", budget)
    promised = box(b"mehd", struct.pack(">II", 0, 7000))
    facts = look(fragmented(*[fragment(100 * n, [100]) for n in range(30)], promised=promised))
    assert (facts.truncated, facts.duration_ms) == (False, 7000)
    assert facts.problems == (f"More than {budget} structures; the rest was not looked at.",)


def test_the_byte_budget_holds(monkeypatch):
    monkeypatch.setattr(source, "MAX_BYTES", 300)
    facts = look(movie(mvhd(), *[box(b"trak", bytes(500))] * 20))
    assert any("bytes of structure" in problem for problem in facts.problems)


def test_what_read_raises_is_heard():
    def read(offset: int, length: int) -> bytes:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        media.look(read, 100, "a.mp4")


def test_a_reader_that_gives_little_by_little_and_a_size_that_lies(films):
    data = films["plain.mp4"]
    assert media.look(lambda at, length: data[at : at + min(length, 3)], len(data), "") == look(data)
    assert media.look(lambda at, length: data[at:], len(data), "") == look(data)  # more than asked for
    assert media.look(lambda at, length: data[at : at + length], len(data) + 500, "").problems
    assert media.look(lambda at, length: b"", 10**18, "a.mp4").problems
    assert media.look(lambda at, length: b"", -5, "a.mp4").problems == ("The file is empty.",)


def test_a_mistake_of_a_reader_becomes_a_problem(monkeypatch):
    def stumble(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(exif, "jpeg", stumble)
    assert look(photo()).problems == ("The container could not be read (ZeroDivisionError).",)


def examine(data: bytes, name: str = "a.mp4") -> None:
    """No budget broken, no exception (also not one that ``look`` would turn into a problem), lawful facts."""
    tape = Tape(data)
    draft = Draft()
    media.gather(Source(tape.read, len(data)), name, draft)
    facts = draft.facts()
    assert tape.bytes_read <= MAX_BYTES
    assert facts.duration_ms is None or 0 <= facts.duration_ms <= source.MAX_DURATION_MS
    assert facts.encoder.isprintable()
    assert len(facts.encoder) <= 64
    assert all(problem.isprintable() for problem in facts.problems)


HEADS = st.sampled_from(
    [b"", FTYP, MDAT, b"RIFF\xff\0\0\0AVI ", b"RIFF\xff\0\0\0WAVE", b"RF64\xff\xff\xff\xffWAVE", b"\xff\xd8\xff\xe1"]
)


@settings(max_examples=400)
@given(head=HEADS, rest=st.binary(max_size=600))
def test_arbitrary_bytes_never_raise(head, rest):
    examine(head + rest)


KINDS = st.sampled_from(
    b"moov trak mdia minf stbl mvex udta meta ilst \xa9too data moof traf mvhd mdhd tkhd mehd trex stco co64 tfhd tfdt "
    b"trun sidx mdat free \xa9swr".split()
)
TREES = st.recursive(
    st.builds(box, KINDS, st.binary(max_size=40)),
    lambda inner: st.builds(lambda kind, parts: box(kind, *parts), KINDS, st.lists(inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=300)
@given(parts=st.lists(TREES, max_size=5))
def test_arbitrary_trees_of_real_boxes_never_raise(parts):
    examine(FTYP + b"".join(parts))


@settings(max_examples=400)
@given(data=st.data())
def test_mutated_real_files_never_raise(films, data):
    seeds = {
        **films,
        "a.wav": sound(0.05),
        "a.jpg": photo("+08:00", gps=True),
        "r.avi": reel(),
        "f.mp4": fragmented(fragment(0, [500] * 3), fragment(1500, [500])),
    }
    name = data.draw(st.sampled_from(sorted(seeds)))
    mutant = bytearray(seeds[name])
    for _ in range(data.draw(st.integers(1, 6))):
        # Mostly in the headers: a flipped bit of footage changes nothing.
        place = data.draw(st.integers(0, len(mutant) - 1))
        change = data.draw(st.sampled_from(["byte", "word", "cut", "copy"]))
        if change == "byte":
            mutant[place] = data.draw(st.integers(0, 255))
        elif change == "word":
            mutant[place : place + 4] = data.draw(
                st.sampled_from([bytes(4), b"\xff" * 4, b"\0\0\0\x01", b"\x7f\xff\xff\xff"])
            )
        elif change == "cut" and place > 16:
            del mutant[place:]
        else:
            mutant[place:place] = mutant[place : place + 64]
    examine(bytes(mutant), name)
