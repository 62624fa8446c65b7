"""The shipped quirk files read their own makers' names; a wrong one is an error that names file and key."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from bwcdock.core.facts import Item, Kind, Sighting
from bwcdock.core.names import escape
from bwcdock.errors import Misused
from bwcdock.testing import cards
from bwcdock_drivers import card
from bwcdock_drivers.card import PLUG_TO_LOOK_MS, Card, Described, clock_file, described, drift
from bwcdock_drivers.folder import FolderDriver
from bwcdock_drivers.linting import lint
from bwcdock_drivers.mass_storage import MassStorageDriver
from bwcdock_drivers.naming import Found, to_utc
from bwcdock_drivers.quirks import DEFAULT, ClockRule, Quirk, Quirks
from bwcdock_drivers.quirks import _over as over
from hypothesis import given, settings
from hypothesis import strategies as st

SHIPPED = Path(str(resources.files("bwcdock_drivers"))) / "quirks"
QUIRKS = Quirks()
MODIFIED = datetime(2026, 11, 21, 9, 0)  # noqa: DTZ001 - a recorder's wall time
NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
DOCKED = Sighting(port="usb-1", source="/dev/null")


def look(
    *paths: str,
    label: str = "",
    quirks: Quirks = QUIRKS,
    sighting: Sighting = DOCKED,
    modified: datetime | None = MODIFIED,
    attributes: Sequence[str] = (),
) -> Described:
    found = [
        Found(path=p, size=10, modified=modified, resolution_ms=2000, attributes=frozenset(attributes)) for p in paths
    ]
    made = Card(
        sighting=sighting, filesystem="fat32", label=label, fallback=("vol-1234ABCD", "volume-serial"), found=found
    )
    return described(made, quirks)


def one(*paths: str, **more) -> tuple[Described, Item]:
    seen = look(*paths, **more)
    return seen, next(i for i in seen.items if i.path == paths[0])


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC) - timedelta(hours=8)


# --- each shipped quirk -----------------------------------------------------------------------------------------------


def test_every_shipped_file_is_sound_and_tested_here():
    names = {p.stem for p in SHIPPED.glob("*.toml")}
    assert {q.name for q in QUIRKS.all} == names
    assert lint(list(SHIPPED.glob("*.toml"))) == []
    assert names == {"dcam", "dahua-mpt", "zzx", "novatek", "gopro", "insta360", "havis", "dv16", DEFAULT}


def test_dcam():
    path = "IMP/DCAM_D2F018_033021_20261121_083000_IMP_enc.mp4"
    seen, item = one(path, "LOG/plug_D2F018.txt", "Temp/DCAM_D2F018_033021_20261121_090000.mp4", "Media/x.mp4.target")
    assert (seen.identity.serial, seen.identity.basis, seen.identity.vendor) == ("D2F018", "name-group", "DCAM")
    assert (item.officer, item.kind, item.markers) == ("033021", Kind.VIDEO, ("encrypted", "important"))
    assert (item.claim.start, item.claim.end, item.claim.source) == (local(2026, 11, 21, 8, 30), None, "name")
    assert (item.claim.zone, item.claim.resolution_ms) == ("Asia/Shanghai", 1000)
    assert item.claim.text == "DCAM_D2F018_033021_20261121_083000_IMP_enc.mp4"
    staged = "Temp/DCAM_D2F018_033021_20261121_090000.mp4"
    assert [i.path for i in seen.items] == [path, "LOG/plug_D2F018.txt", staged]
    assert seen.items[2].markers == ("stray",)  # a recording that was never published is not dropped
    (left,) = seen.notes
    assert left.code == "files.skipped"
    assert [name for name, _ in left.evidence] == ["Media/x.mp4.target"]
    assert seen.plugged is not None
    assert seen.plugged.path == "LOG/plug_D2F018.txt"
    for end, kind in (("jpg", Kind.PHOTO), ("aac", Kind.AUDIO), ("m4a", Kind.AUDIO)):
        _, item = one(f"Media/DCAM_D2F018_王建国_20261121_083000.{end}")
        assert (item.kind, item.officer, item.markers) == (kind, "王建国", ())


def test_a_recording_is_brought_in_from_wherever_it_lies():
    seen, item = one("LOST.DIR/a.mp4", "LOST.DIR/12345", "System Volume Information/IndexerVolumeGuid", "DCIM/b.mp4")
    assert (item.path, item.markers) == ("LOST.DIR/a.mp4", ("stray",))
    assert {i.path: i.markers for i in seen.items} == {"LOST.DIR/a.mp4": ("stray",), "DCIM/b.mp4": ()}
    (left,) = (n for n in seen.notes if n.code == "files.skipped")
    assert [name for name, _ in left.evidence] == ["LOST.DIR/12345", "System Volume Information/IndexerVolumeGuid"]


def test_dahua_has_its_date_only_in_the_folder():
    path = "mpt/2026-11-20/001/dav/23/23.58.10-00.03.10[R][0@0][0].mp4"
    seen, item = one(path, label="MPT0417")
    assert seen.quirk.name == "dahua-mpt"
    assert (seen.identity.serial, seen.identity.basis) == ("MPT0417", "label")
    assert (item.claim.start, item.claim.end) == (local(2026, 11, 20, 23, 58, 10), local(2026, 11, 21, 0, 3, 10))
    assert (item.series, item.sequence, item.kind) == ("", None, Kind.VIDEO)
    assert look(path, label="NO NAME").identity.basis == "volume-serial"


def test_zzx_has_its_start_in_the_fourth_field():
    seen, item = one("police/video/20261121/ZZX2080_033021_王建国_20261121083000.mp4")
    assert (seen.identity.serial, seen.identity.vendor) == ("ZZX2080", "ZZX")
    assert (item.officer, item.claim.start) == ("033021", local(2026, 11, 21, 8, 30))
    assert seen.plugged is None


def test_novatek_counts_through_its_folders():
    seen, item = one("Video/Normal/2017_0101_060101_001A.MP4", "Video/EVENT/2017_0101_060201_002A.MP4")
    assert (seen.quirk.name, seen.identity.serial) == ("novatek", "vol-1234ABCD")
    assert (item.sequence, item.series, item.claim.start) == (1, "A", local(2017, 1, 1, 6, 1, 1))
    assert [(i.sequence, i.series, i.markers) for i in seen.items] == [(2, "A", ("important",)), (1, "A", ())]


def test_gopro_chapters_are_one_activity_with_their_side_files():
    names = ("GX010123.MP4", "GX020123.MP4", "GL010123.LRV", "GX010123.THM", "GOPR0007.MP4", "GP010007.MP4")
    seen = look(*(f"DCIM/100GOPRO/{n}" for n in names))
    items = {i.path.rpartition("/")[2]: i for i in seen.items}
    assert seen.quirk.name == "gopro"
    assert [(items[n].activity, items[n].series, items[n].sequence) for n in names[:2]] == [
        ("0123", "0123", 1),
        ("0123", "0123", 2),
    ]
    assert [s.rpartition("/")[2] for s in items["GX010123.MP4"].sidecars] == ["GL010123.LRV", "GX010123.THM"]
    assert items["GX020123.MP4"].sidecars == ()
    assert (items["GL010123.LRV"].kind, items["GL010123.LRV"].sequence) == (Kind.OTHER, None)
    assert items["GOPR0007.MP4"].activity == items["GP010007.MP4"].activity == "0007"
    assert items["GX010123.MP4"].claim.source == "mtime"


def test_insta360_lenses_are_one_activity():
    seen = look(
        "DCIM/VID_20260101_120000_00_001.insv",
        "DCIM/VID_20260101_120000_10_001.insv",
        "DCIM/LRV_20260101_120000_01_001.lrv",
    )
    lens, other = (i for i in seen.items if i.kind is Kind.VIDEO)
    assert seen.quirk.name == "insta360"
    assert lens.activity == other.activity == "20260101_120000"
    assert [(i.series, i.sequence) for i in (lens, other)] == [("00", 1), ("10", 1)]
    assert lens.claim.start == local(2026, 1, 1, 12)
    assert lens.sidecars == ("DCIM/LRV_20260101_120000_01_001.lrv",)


def test_havis_marks_stand_before_the_dot():
    seen = look("rec/unit7-0001.mp4", "rec/unit7-0001+.mp4", "rec/unit7-0002#.mp4")
    assert seen.quirk.name == "havis"
    assert [(i.path, i.markers) for i in seen.items] == [
        ("rec/unit7-0001+.mp4", ("continued",)),
        ("rec/unit7-0001.mp4", ()),
        ("rec/unit7-0002#.mp4", ("important",)),
    ]


def test_dv16_is_known_by_its_inquiry_and_named_by_its_label():
    scsi = Sighting(
        port="p", source="/dev/sdb", properties=(("ID_VENDOR", "DV16____"), ("ID_MODEL", "DEVICE_V1.00____"))
    )
    seen = look("DCIM/1.AVI", label="A012345", sighting=scsi)
    assert (seen.identity.quirk, seen.identity.serial, seen.identity.basis) == ("dv16", "A012345", "label")
    assert look("DCIM/1.AVI", label="SD", sighting=scsi).identity.serial == "vol-1234ABCD"
    assert look("DCIM/1.AVI", label="A012345").identity.quirk == DEFAULT


def test_default_reads_a_date_where_there_is_one_and_else_the_end_by_its_mtime():
    seen, item = one("DCIM/REC_20261121_083000.AVI", "DCIM/clip.avi", "DCIM/clip.txt")
    assert seen.identity.quirk == DEFAULT
    assert (item.claim.start, item.claim.source) == (local(2026, 11, 21, 8, 30), "name")
    clip = next(i for i in seen.items if i.path == "DCIM/clip.avi")
    assert clip.sidecars == ("DCIM/clip.txt",)
    assert (clip.claim.start, clip.claim.end, clip.claim.source) == (None, local(2026, 11, 21, 9), "mtime")
    assert (clip.claim.text, clip.claim.resolution_ms) == ("2026-11-21 09:00:00", 2000)
    assert clip.modified == clip.claim.end
    for name in ("20261321_083000.mp4", "20261121_250000.mp4", "120261121_0830005.mp4", "20260230_083000.mp4"):
        assert one(name)[1].claim.source == "mtime", name


def test_attributes_and_folders_mark():
    _, item = one("DCIM/EVENT/1.mp4", attributes=["read-only"])
    assert item.markers == ("important", "locked")
    _, item = one("DCIM/EVENTS/1.mp4", attributes=["hidden"])
    assert item.markers == ()


def test_no_time_at_all_is_no_claim():
    _, item = one("DCIM/1.mp4", modified=None)
    assert (item.modified, item.claim.start, item.claim.end, item.claim.text) == (None, None, None, "")


def test_names_that_do_not_agree_are_told():
    paths = [f"Media/DCAM_{d}_1_20261121_08300{n}.mp4" for n, d in enumerate("AAB")]
    seen = look(*paths)
    assert seen.identity.serial == "A"
    (mixed,) = seen.notes
    assert (mixed.code, mixed.evidence) == ("identity.mixed", (("A", "2"), ("B", "1")))


# --- time -------------------------------------------------------------------------------------------------------------


def test_of_two_moments_with_one_showing_the_earlier_is_meant():
    ambiguous = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - shown twice in Berlin that night
    assert to_utc(ambiguous, "Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert to_utc(ambiguous, "-03:30") == datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
    assert to_utc(datetime(1, 1, 1), "Asia/Shanghai") is None  # noqa: DTZ001


def plugged(at: datetime, *others: tuple[str, datetime]) -> Described:
    listed = [("LOG/plug_1.txt", at), ("Media/DCAM_1_2_20261121_083000.mp4", MODIFIED), *others]
    found = [Found(path=p, size=1, modified=m, resolution_ms=10) for p, m in listed]
    return described(
        Card(sighting=DOCKED, filesystem="exfat", label="", fallback=("vol-1", "volume-serial"), found=found), QUIRKS
    )


def test_a_plug_file_gives_the_drift_at_the_moment_of_opening():
    seen = plugged(datetime(2026, 11, 21, 10, 5))  # noqa: DTZ001
    told = drift(seen, NOW + timedelta(seconds=90), 90_000, live=True)
    assert told is not None
    assert (told.method, told.bound, told.offset_ms) == ("plug-file", "exact", 300_000)
    assert told.uncertainty_ms == PLUG_TO_LOOK_MS + 10
    assert told.read_at == NOW


def test_a_plug_file_tells_nothing_of_an_old_image_or_another_day():
    at = datetime(2026, 11, 21, 10, 5)  # noqa: DTZ001
    bound = drift(plugged(at), NOW, 0, live=False)
    assert bound is not None
    assert (bound.method, bound.bound, bound.offset_ms) == ("newest-file", "at_least", 300_000)
    later = ("Media/DCAM_1_2_20261121_093000.mp4", datetime(2026, 11, 21, 9, 40))  # noqa: DTZ001
    assert drift(plugged(datetime(2026, 11, 21, 9, 0), later), NOW, 0, live=True) is None  # noqa: DTZ001


# --- wrong files ------------------------------------------------------------------------------------------------------

SOUND = 'about = "a"\n[match]\nlabel = "^X"\n'


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (SOUND + 'colour = "red"\n', "match.colour"),
        (SOUND + "[naming]\npattern = []\n", "naming.pattern"),
        (SOUND + "[clocks]\n", "clocks"),
        (SOUND.replace("^X", "(X"), "match.label"),
        (SOUND.replace("^X", "(?:a+)+b"), "match.label"),
        (SOUND.replace("^X", "x" * 401), "match.label"),
        (SOUND + "[naming]\npatterns = ['(?P<office>x)']\n", "naming.patterns.0"),
        (SOUND + '[clock]\nzone = "Asia/Peking"\n', "clock.zone"),
        (SOUND + '[clock]\nzone = "../../etc/passwd"\n', "clock.zone"),
        (SOUND + '[identity]\nserial = ["guess"]\n', "identity.serial.0"),
        (SOUND + "[identity]\nlabel = '^Z'\n", "identity"),
        (SOUND + "[markers.locked]\nattributes = ['archive']\n", "markers.locked.attributes.0"),
        (SOUND + '[kinds]\nmp4 = "film"\n', "kinds.mp4"),
        (SOUND + '[kinds]\n".mp4" = "video"\n', "kinds..mp4"),
        ("[match]\nlabel = 'X'\n", "about"),
        ('about = "a"\n', "match"),
        ('name = "x"\n' + SOUND, "name"),
        ("about = ", "not TOML"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_file_and_key(tmp_path, text, key):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert any(problem.startswith("mine.toml: ") and key in problem for problem in lint([path])), lint([path])
    for driver in (FolderDriver, MassStorageDriver):
        with pytest.raises(Misused) as error:
            driver(quirk_dirs=[tmp_path])
        assert "mine.toml" in error.value.what
        assert key in error.value.what
    path.write_text(SOUND)
    assert lint([path]) == []


def test_a_file_that_cannot_be_read_and_a_folder_that_is_none(tmp_path):
    assert lint([tmp_path / "none.toml"]) == ["none.toml: cannot be read (No such file or directory)"]
    with pytest.raises(Misused, match="not a directory"):
        Quirks([tmp_path / "none"])


# --- which one --------------------------------------------------------------------------------------------------------


def test_more_conditions_win_then_drop_ins(tmp_path):
    def put(name: str, match: str, vendor: str) -> None:
        (tmp_path / f"{name}.toml").write_text(f'about = "a"\n[match]\n{match}\n[identity]\nvendor = "{vendor}"\n')

    path = "Media/DCAM_A_1_20261121_083000.mp4"
    put("zz", 'paths = ["*dcam_*"]', "tie")
    assert look(path, quirks=Quirks([tmp_path])).identity.vendor == "tie"
    put("zzz", 'label = "^B"\npaths = ["*dcam_*"]', "two")
    assert look(path, quirks=Quirks([tmp_path]), label="BUREAU").identity.vendor == "two"
    assert look(path, quirks=Quirks([tmp_path]), label="X").identity.vendor == "tie"
    put("dcam", 'filesystem = ["exfat"]', "replaced")
    assert all(q.identity.vendor != "DCAM" for q in Quirks([tmp_path]).all)


def test_a_bureau_elsewhere_sets_its_zone_once(tmp_path):
    (tmp_path / "default.toml").write_text('about = "ours"\n[clock]\nzone = "+07:00"\n')
    _, item = one("Media/DCAM_A_1_20261121_083000.mp4", quirks=Quirks([tmp_path]))
    assert item.claim.start == datetime(2026, 11, 21, 1, 30, tzinfo=UTC)
    assert item.claim.zone == "+07:00"


# --- hostile names ----------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40).filter(lambda b: b"/" not in b), min_size=1, max_size=6))
def test_any_name_is_read_without_harm(parts):
    path = "/".join(map(escape, parts))
    seen, item = one(path)
    assert item.path == path
    assert item.path.isprintable()
    assert len(item.officer) <= 64
    assert seen.identity.serial.isprintable()


@pytest.mark.parametrize(
    "path",
    ["/".join(["20261121"] * 400), "20261121_" * 400, "_" * 4000, "DCAM_" * 800, "9" * 4000, "a." * 2000, "0[" * 2000],
)
def test_a_long_name_takes_no_time(path):
    began = time.monotonic()
    look(*(path + str(n) for n in range(20)))
    assert time.monotonic() - began < 1


def test_a_finding_stays_small_whatever_is_found():
    told = card.finding("x", card.Severity.WARN, "w", "r", (("警" * 4000, "9" * 4000) for _ in range(5000)), 7000)
    assert sum(len(a.encode()) + len(b.encode()) for a, b in told.evidence) <= card.EVIDENCE_BYTES
    assert len(told.evidence) - 1 + int(told.evidence[-1][1]) == 7000


# --- whole cards ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", [cards.dcam_exfat, cards.dahua_fat32, cards.zzx_fat32, cards.novatek_fat32])
def test_a_whole_card_is_read_as_its_maker_meant_it(recipe, tmp_path):
    made = recipe(tmp_path / "card.img", NOW, clips=4, seconds=2, size=64 << 20)
    with MassStorageDriver().open(Sighting(port="usb-1", source=str(made.path))) as recorder:
        identity, condition = recorder.identity(), recorder.condition(NOW)
        items = {i.path: i for i in recorder.items()}
    assert identity.basis == made.basis
    assert identity.label == made.label
    if made.basis != "volume-serial":
        assert identity.serial == made.serial
    assert condition.dirty == made.dirty
    assert set(items) == {f.path for f in made.items}
    for file in made.items:
        item = items[file.path]
        assert (item.size, item.kind, item.officer) == (file.size, file.kind, file.officer)
        assert ("important" in item.markers, "locked" in item.markers) == (file.important, file.locked)
        assert (item.sequence, item.claim.start, item.claim.end) == (
            file.number,
            file.start,
            file.end or (None if file.start else item.modified),
        )
        assert item.modified == to_utc(file.modified, "Asia/Shanghai")
    told = {n.code: n for n in condition.notes}
    assert (
        [n for n, _ in told["deleted.before_docking"].evidence] == [f.path for f in made.deleted]
        if made.deleted
        else ("deleted.before_docking" not in told)
    )
    if made.plug_file and identity.vendor == "DCAM":
        assert condition.drift is not None
        assert abs(condition.drift.offset_ms - made.clock_offset_s * 1000) <= condition.drift.uncertainty_ms


# --- files that set a clock -------------------------------------------------------------------------------------------


def camera(form: str, *paths: str, zone: str = "+08:00") -> Described:
    rule = ClockRule(zone=zone, set_file="Tag.txt", set_format=form)
    return look(*paths, quirks=Quirks.only(Quirk(name="cam", about="a", clock=rule)))


@pytest.mark.parametrize(
    ("form", "zone", "content"),
    [
        ("%Y-%m-%d %H:%M:%S", "+08:00", b"2026-11-21 10:00:00"),
        ("[date]\r\n%Y/%m/%d\r\n%H:%M:%S", "+08:00", b"[date]\r\n2026/11/21\r\n10:00:00"),
        ("%d.%m.%Y %H%M%S", "Europe/Berlin", b"21.11.2026 030000"),
    ],
)
def test_what_is_in_a_file_that_sets_a_clock(form: str, zone: str, content: bytes):
    told = clock_file(camera(form, zone=zone), NOW + timedelta(milliseconds=900))
    assert told is not None
    assert (told.name, told.content, told.set_to) == ("Tag.txt", content, NOW)


def test_without_a_word_of_its_quirk_there_is_none():
    assert clock_file(plugged(datetime(2026, 11, 21, 10, 5)), NOW) is None  # noqa: DTZ001


def test_a_file_that_the_recorder_has_not_read_yet_is_no_recording():
    seen = camera("%Y-%m-%d %H:%M:%S", "TAG.TXT", "DCIM/TAG.TXT", "a.mp4")
    assert [item.path for item in seen.items] == ["DCIM/TAG.TXT", "a.mp4"]
    assert "files.skipped" in [note.code for note in seen.notes]


def test_the_default_sets_no_clock_for_others():
    rule = ClockRule(set_file="TAG.TXT", set_format="%Y-%m-%d %H:%M:%S")
    base = Quirk(name=DEFAULT, about="a", clock=rule)
    assert over(Quirk(name="cam", about="a"), base).clock.set_file is None
