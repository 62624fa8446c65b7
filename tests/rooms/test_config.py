"""Settings: what a file means, and what is said when it is wrong."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from bwcdock import config, resources
from bwcdock.config import Drop, FolderSink, Secret, Settings, check, find_station, load, render_template
from bwcdock.errors import Misused
from bwcdock.settings.sinks import KINDS, AnySink
from bwcdock.toml_lines import line_of, lines_of
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture
def wrong(tmp_path):
    """Write a settings file; give back its problems as (line, what, remedy)."""

    def write(text):
        path = tmp_path / "bwcdock.toml"
        path.write_text(text)
        return [(p.line, p.what, p.remedy) for p in check(path)]

    return write


def one(problems):
    assert len(problems) == 1, problems
    return problems[0]


KEYS = '\nbucket = "evidence"\naccess_key = { credential = "a" }\nsecret_key = { credential = "b" }'
S3 = '\nendpoint = "https://store.example"' + KEYS
SSH = '\nhost = "nas"\nuser = "dock"\nprivate_key = { credential = "k" }\nknown_hosts = "hosts"'

# --- the shipped file ---


AS_A_COMMENT = {"unlock"}
"""Tables that no station has unless somebody writes one."""


def tables():
    yield from ((name, model) for name, model in config._tables().items() if name not in AS_A_COMMENT)


def test_the_shipped_file_holds_every_setting():
    text = (resources.config_dir() / "bwcdock.toml").read_text()
    for name, model in tables():
        body = re.search(rf"(?ms)^\[\[?{name}\]\]?\n(.*?)(?=^\[|\Z)", text)
        assert body, name
        for setting in model.model_fields:
            found = re.search(rf"(?m)^(?:# )?{setting} = .+$", body[1])
            assert found, f"[{name}] {setting}"
            before = body[1][: found.start()].rstrip("\n").rsplit("\n", 1)[-1]
            assert before.startswith("#"), f"[{name}] {setting} has no reason"


@pytest.mark.parametrize("kind", ["s3", "sftp"])
def test_the_shipped_file_holds_every_setting_of_each_kind_of_sink(kind, tmp_path):
    """As a comment, which becomes a sink that can be used by taking the marks away."""
    text = (resources.config_dir() / "bwcdock.toml").read_text()
    found = re.search(rf'(?ms)^# \[\[sink\]\]\n(# name = "[^"]*"\n# kind = "{kind}"\n.*?)\n\n', text)
    assert found
    body = found[1]
    for setting in KINDS[kind].model_fields.keys() - AnySink.model_fields.keys() - {"kind"}:
        there = re.search(rf"(?m)^# (?:# )?{setting} = .+$", body)
        assert there, setting
        assert re.match(r"^# # \S", body[: there.start()].rstrip("\n").rsplit("\n", 1)[-1]), setting
    (tmp_path / "bwcdock.toml").write_text(re.sub("(?m)^# ", "", f"[[sink]]\n{body}\n"))
    assert [sink.kind for sink in load(tmp_path).sink] == [kind]


@pytest.mark.parametrize("name", AS_A_COMMENT)
def test_the_shipped_file_holds_every_setting_of_a_table_that_is_a_comment(name, tmp_path):
    text = (resources.config_dir() / "bwcdock.toml").read_text()
    found = re.search(rf"(?ms)^# \[\[{name}\]\]\n(.*?)\n\n", text)
    assert found
    for setting in config._tables()[name].model_fields:
        there = re.search(rf"(?m)^# {setting} = .+$", found[1])
        assert there, setting
        assert re.match(r"^# # \S", found[1][: there.start()].rstrip("\n").rsplit("\n", 1)[-1]), setting
    (tmp_path / "bwcdock.toml").write_text(re.sub("(?m)^# ", "", f"[[{name}]]\n{found[1]}\n"))
    assert len(getattr(load(tmp_path), name)) == 1


def test_the_shipped_file_says_the_defaults(tmp_path):
    path = tmp_path / "bwcdock.toml"
    path.write_text((resources.config_dir() / "bwcdock.toml").read_text())
    plain = tmp_path / "plain.toml"
    plain.write_text('[[drop]]\npath = "drop"\n[[sink]]\nname = "central"\npath = "central"\n')
    assert load(path) == load(plain)
    plain.write_text("")
    bare = load(plain)
    assert load(path).model_dump(exclude={"drop", "sink"}) == bare.model_dump(exclude={"drop", "sink"})
    assert (bare.drop, bare.sink) == ((), ())


def test_settings_that_are_off_can_be_switched_on_as_shown(tmp_path):
    text = re.sub(r"(?m)^# (\w+ = .+|\[\[\w+\]\])$", r"\1", (resources.config_dir() / "bwcdock.toml").read_text())
    path = tmp_path / "bwcdock.toml"
    path.write_text(text)
    found = load(path)
    assert found.law.offload_met_by == "confirmed"
    assert found.sink[0].bandwidth == 20 << 20
    assert found.drop[0].slot == 1
    assert found.unlock[0].password.credential == "dv16-password"
    assert [sink.kind for sink in found.sink] == ["filesystem", "s3", "sftp"]


def test_the_template_is_filled_in_and_loads(tmp_path):
    text = render_template("fuzhou-dock-01", '市城管支队 "一" \\ 大队', "S2-guhan")
    (tmp_path / "bwcdock.toml").write_text(text)
    found = load(tmp_path)
    assert (found.station.name, found.station.unit, found.station.rules) == (
        "fuzhou-dock-01",
        '市城管支队 "一" \\ 大队',
        "S2-guhan",
    )
    assert [s.name for s in found.sink] == ["central"]


@pytest.mark.parametrize(("name", "unit", "rules"), [("Dock 1", "u", "S4"), ("d", "a\nb", "S4"), ("d", "u", "../x")])
def test_a_template_that_would_not_load_is_not_written(name, unit, rules):
    with pytest.raises(Misused):
        render_template(name, unit, rules)


# --- what a file means ---


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "st").mkdir()
    (tmp_path / "st" / "bwcdock.toml").write_text(
        '[paths]\nspool = "/srv/spool"\nrules = ["a", "../b"]\n[[drop]]\npath = "drop"\n'
    )
    monkeypatch.chdir(tmp_path)
    found = load(Path("st"))
    assert found.paths.ledger == tmp_path / "st" / "ledger"
    assert found.paths.spool == Path("/srv/spool")
    assert found.paths.rules == (tmp_path / "st" / "a", tmp_path / "b")
    assert found.drop[0].path == tmp_path / "st" / "drop"


def test_paths_are_rooted_without_a_paths_table(tmp_path):
    (tmp_path / "bwcdock.toml").write_text("")
    assert load(tmp_path).paths.ledger == tmp_path / "ledger"


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Settings().pull.retries = 5
    named = Settings(sink=[FolderSink(name="n", path=Path("n"))])
    assert FolderSink(name="nas", path=Path("nas")).layout == named.sink[0].layout
    assert Drop(path=Path("d")).stable_s == 5


@pytest.mark.parametrize(
    ("written", "meant"),
    [("4096", 4096), ('"4 KiB"', 4096), ('"8MiB"', 8 << 20), ('"1 GiB"', 1 << 30), ('"4096 B"', 4096)],
)
def test_sizes(tmp_path, written, meant):
    (tmp_path / "bwcdock.toml").write_text(f"[pull]\nchunk = {written}\n")
    assert load(tmp_path).pull.chunk == meant


def test_decimal_sizes(tmp_path):
    (tmp_path / "bwcdock.toml").write_text('[[sink]]\nname = "a"\npath = "a"\nbandwidth = "20 MB"\n')
    assert load(tmp_path).sink[0].bandwidth == 20_000_000


def test_where_the_station_is():
    assert find_station(Path("/a"), {"BWCDOCK_STATION": "/b"}) == Path("/a")
    assert find_station(None, {"BWCDOCK_STATION": "/b"}) == Path("/b")
    assert find_station(None, {"BWCDOCK_STATION": ""}) == Path("/etc/bwcdock")
    assert find_station(None, {}) == Path("/etc/bwcdock")


# --- what is said when it is wrong ---


def test_a_misspelt_setting(wrong):
    line, what, remedy = one(wrong("# a\n\n[pull]\nchunk = 4096\nretires = 3\n"))
    assert (line, what, remedy) == (5, "[pull] retires is not a setting.", 'Did you mean "retries"?')


def test_a_misspelt_table(wrong):
    assert one(wrong("[station]\n[pul]\nretries = 3\n")) == (2, "[pul] is not a setting.", 'Did you mean "pull"?')


def test_a_setting_in_the_wrong_table(wrong):
    assert one(wrong("[push]\nscrub_days = 3\n"))[2] == "It belongs in [spool]."


def test_a_setting_nobody_knows(wrong):
    assert one(wrong("[log]\nzzz = 3\n"))[2] == "Known here: level, format."


def test_a_password_in_the_settings_is_not_repeated(wrong):
    problems = wrong('[station]\npassword = "hunter2"\n[pull]\nretries = "hunter2"\n')
    assert len(problems) == 2
    assert "hunter2" not in str(problems)


@pytest.mark.parametrize(
    ("text", "line", "what", "remedy"),
    [
        ('[pull]\nretries = "3"', 2, "must be a whole number, not text.", "Write a whole number."),
        ("[pull]\nretries = 3.5", 2, "must be a whole number, not a fraction.", "Write a whole number."),
        ("[pull]\nretries = true", 2, "must be a whole number, not true or false.", "Write a whole number."),
        ("[pull]\nsecond_read = 1", 2, "must be true or false, not a whole number.", "Write true or false."),
        ("[pull]\nretry_wait_s = inf", 2, "cannot be used: Input should be", "Correct it"),
        ("[pull]\nretry_wait_s = -1", 2, "is -1", "It must be more than 0"),
        ("[pull]\nchunk = 5000", 2, "not a multiple of 4096", '"4 MiB"'),
        ('[pull]\nchunk = "4 megs"', 2, 'is no size: "4 megs".', "KiB"),
        ("[pull]\ncall_timeout_s = 2026-01-01", 2, "not a date or time", "Write a number."),
        ("[paths]\nspool = 5", 2, "must be a path in quotes", "Write a path"),
        ('[paths]\nspool = ""', 2, "is an empty path", "relative to this file"),
        ('[paths]\nspool = "a\\u0000b"', 2, "spool has a NUL character", "without"),
        ('[[drop]]\npath = "~/drop"', 2, "begins with ~, which is not expanded", "the whole path"),
        ('[paths]\nquirks = ["~dock/quirks"]', 2, "begins with ~", "the whole path"),
        ('[[sink]]\nname = "a"\npath = "p"\nbandwidth = "1 B"', 4, "bandwidth is 1 B.", "at least 32768"),
        ('[paths]\nrules = "a"', 2, "must be a list, not text.", "Write a list."),
        ('[paths]\nrules = [\n  "a",\n  5,\n]', 2, "[paths] rules 2 must be a path", "Write"),
        ('[station]\nname = "Dock One"', 2, 'is "Dock One"', "letters, digits and hyphens"),
        ('[station]\nzone = "China"', 2, 'is no time zone: "China"', "Asia/Shanghai"),
        ('[law]\noffload_met_by = "sealed"', 2, 'is "sealed"', "'confirmed'"),
        ('[drop]\npath = "a"', 1, "must be a list, not a table.", "Write [[drop]] in double brackets."),
        ("[[pull]]\nretries = 3", 1, "must be a table, not a list.", "Write [pull] in single brackets"),
        ('[[drop]]\npath = "a"\n\n[[drop]]\nslot = 1', 4, "[[drop]] 2 path is missing.", "Add it."),
        ('[[drop]]\npath = "a"\n\n[[drop]]\nslot = 0\npath = "b"', 5, "[[drop]] 2 slot is 0.", "at least 1"),
        ('[[sink]]\nname = "a"\npath = "p"\nlayout = "{unit}"', 4, "lacks {id}", "{id}"),
        ('[[sink]]\nname = "spool"\npath = "p"', 2, '"spool" is taken by the spool.', "another name"),
        ("[checks]\ndrift_note_s = 100", 1, "drift_warn_s is less than drift_note_s", "after"),
        ("[push]\nbackoff_max_s = 1", 2, "is less than backoff_first_s", "at least"),
        ('[[drop]]\npath = "spool/in"', 2, "[[drop]] 1 path and [paths] spool lie in one another.", "its own"),
        ('[[sink]]\nname = "a"\npath = "."', 3, "lie in one another", "its own"),
        ('[[sink]]\nname = "a"\npath = "/a"\nwindow = ["mon 7-19"]', 4, "is no window", "mon-fri 19:00-07:00"),
        ('[[sink]]\nname = "a"\npath = "/a"\nbackoff_first_s = 400', 4, "300 s after a first of 400 s", "Set both"),
        ('[[sink]]\nname = "a"\npath = "/a"\nbackoff_max_s = 4', 4, "4 s after a first of 5 s", "Set both"),
        ('[[sink]]\nname = "a"\nkind = "ftp"', 3, '[[sink]] 1 kind is "ftp"', "s3"),
        ('[[sink]]\nname = "a"\nkind = "s3"\nbukket = "b"' + S3, 4, "[[sink]] 1 bukket is not a setting", '"bucket"'),
        ('[[sink]]\nname = "a"\nkind = "s3"\nendpoint = "http://store.example"' + KEYS, 4, "is not encrypted", "https"),
        ('[[sink]]\nname = "a"\nkind = "s3"\nendpoint = "store.example"' + KEYS, 4, "is no address", "https"),
        ('[[sink]]\nname = "a"\nkind = "s3"\nprefix = "../x"' + S3, 4, "is no place within the store", "slashes"),
        ('[[sink]]\nname = "a"\nkind = "s3"\nkms_key = "k"' + S3, 1, "does not use", "aws:kms"),
        (
            '[[sink]]\nname = "a"\nkind = "sftp"\nroot = "data"' + SSH,
            4,
            "is no folder of the server",
            "from the root",
        ),
    ],
)
def test_a_wrong_value(wrong, text, line, what, remedy):
    found = one(wrong(text + "\n"))
    assert found[0] == line
    assert what in found[1]
    assert remedy in found[2]


def test_a_bound_is_written_as_people_write_it(wrong):
    assert one(wrong("[pull]\nretry_wait_s = -1\n"))[2] == "It must be more than 0."
    assert one(wrong("[spool]\nreserve_ratio = 1.5\n"))[2] == "It must be less than 1."


def test_two_drops_with_one_slot_and_two_sinks_with_one_name(wrong):
    text = '[[drop]]\npath="a"\nslot=1\n[[drop]]\npath="b"\nslot=1\n'
    text += '[[sink]]\nname="n"\npath="c"\n[[sink]]\nname="n"\npath="d"\n'
    assert [(line, what) for line, what, _ in wrong(text)] == [
        (6, "[[drop]] 2 slot is that of [[drop]] 1 too."),
        (11, '[[sink]] 2 name "n" is taken by [[sink]] 1.'),
    ]


def test_all_problems_are_told_in_the_order_of_the_file(tmp_path, wrong):
    text = '[log]\nlevel = "loud"\n[pull]\nretires = 1\n[station]\nzone = 5\n'
    assert [line for line, _, _ in wrong(text)] == [2, 4, 6]
    with pytest.raises(Misused) as told:
        load(tmp_path)
    assert "3 things are wrong" in told.value.what
    assert f"{tmp_path}/bwcdock.toml:4: [pull] retires is not a setting. Did you mean" in told.value.what


def test_one_problem_is_one_sentence_with_its_remedy(tmp_path, wrong):
    wrong("[pull]\nretires = 1\n")
    with pytest.raises(Misused) as told:
        load(tmp_path / "bwcdock.toml")
    assert told.value.what == f"{tmp_path}/bwcdock.toml:2: [pull] retires is not a setting."
    assert told.value.hint == 'Did you mean "retries"?'


def test_not_toml(wrong):
    line, what, _ = one(wrong("[station]\nname = dock\n"))
    assert line == 2
    assert "This is not TOML" in what
    assert one(wrong('[station]\nname = "a"\nunit = """x\n'))[0] == 4
    assert one(wrong("[log]\n[log]\n"))[0] == 2


def test_not_text(tmp_path):
    (tmp_path / "bwcdock.toml").write_bytes(b"[station]\nunit = '\xb8\xa3'\n")
    assert [p.line for p in check(tmp_path)] == [2]


def test_no_file(tmp_path):
    with pytest.raises(Misused, match=r"no such file.*bwcdock init"):
        load(tmp_path)
    assert str(check(tmp_path / "x.toml")[0]).startswith(f"{tmp_path}/x.toml: There is")


def test_what_is_no_file(tmp_path):
    """A pipe would wait for a writer, a device says nothing."""
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/null")):
        assert str(one(check(path))) == f"{path}: It is not a file. Name a settings file, or a station's directory."


def test_a_huge_file(tmp_path):
    (tmp_path / "bwcdock.toml").write_bytes(b"#" * (2 << 20))
    assert "longer than 1 MiB" in check(tmp_path)[0].what


# --- secrets ---


def test_a_secret_in_a_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text("hunter2\n")
    path.chmod(0o600)
    secret = Secret(file=path)
    assert secret.read({}) == "hunter2"
    assert "hunter2" not in repr(secret)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602])
def test_a_secret_everyone_may_touch_is_refused(tmp_path, mode):
    path = tmp_path / "secret"
    path.write_text("hunter2\n")
    path.chmod(mode)
    with pytest.raises(Misused, match="Everyone") as told:
        Secret(file=path).read({})
    assert "chmod 600" in told.value.hint


def test_a_secret_systemd_hands_over(tmp_path):
    path = tmp_path / "nas"
    path.write_text("hunter2")
    path.chmod(0o400)
    assert Secret(credential="nas").read({"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "hunter2"
    with pytest.raises(Misused, match="systemd handed none over"):
        Secret(credential="nas").read({})
    with pytest.raises(Misused, match="No such file"):
        Secret(credential="other").read({"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_secrets_that_are_none(tmp_path):
    empty = tmp_path / "empty"
    empty.touch(mode=0o600)
    with pytest.raises(Misused, match="is empty"):
        Secret(file=empty).read({})
    with pytest.raises(Misused):
        Secret(file=tmp_path).read({})
    for broken in ({}, {"file": "a", "credential": "b"}, {"credential": "../b"}):
        with pytest.raises(ValueError, match="validation error"):
            Secret.model_validate(broken)


# --- lines ---

DEEP = '''# top
top = 1
[a] # [not]
x = """
[fake]
y = 1
""" # end
'quoted key' = [ # list
  "[", 3,
]
b.c = { d = 1 }
[a."e.f".g]
h = 'it''s'[[list]]
'''


def test_lines_of_nested_tables():
    text = DEEP.replace("'it''s'", "'its'\n")
    lines = lines_of(text)
    tomllib.loads(text)
    assert lines[("top",)] == 2
    assert lines[("a",)] == 3
    assert lines["a", "x"] == 4
    assert ("fake",) not in lines
    assert lines["a", "quoted key"] == 8
    assert lines["a", "b", "c"] == 11
    assert line_of(("a", "b", "c", "d"), lines) == 11
    assert lines["a", "e.f", "g"] == 12
    assert lines["a", "e.f", "g", "h"] == 13
    assert lines["list", 0] == 14
    assert line_of(("nowhere",), lines) is None


def test_lines_of_arrays_of_tables():
    text = "[[s]]\nn = 1\n[s.t]\nv = 1\n[[s.u]]\nw = 1\n[[s.u]]\nw = 2\n[[s]]\nn = 2\n[[s.u]]\nw = 3\n"
    tomllib.loads(text)
    lines = lines_of(text)
    assert lines["s", 0, "n"] == 2
    assert lines["s", 0, "t", "v"] == 4
    assert lines["s", 0, "u", 1, "w"] == 8
    assert lines["s", 1] == 9
    assert lines["s", 1, "u", 0, "w"] == 12
    assert line_of(("s", 1, "missing"), lines) == 9


KEYS = st.sampled_from(["a", "b", "c-d", '"x y"', "'#'", '"]"'])
VALUES = st.sampled_from(
    [
        "1",
        '"a # b"',
        "'[x]'",
        '"""\n[t]\nk = 1\n"""',
        "[\n 1, # ]\n 2\n]",
        "{ a = 1, b = [2] }",
        "'''\n''a'''",
        r'"\"="',
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(KEYS, VALUES), max_size=6, unique_by=lambda kv: kv[0]), st.integers(0, 3), st.booleans())
def test_every_key_is_found_on_its_line(pairs, gap, crlf):
    text = "\n" * gap + "[table]\n"
    truth = {}
    for key, value in pairs:
        truth["table", tomllib.loads(f"k = {key}")["k"] if key[0] in "\"'" else key] = text.count("\n") + 1
        text += f"{key} = {value} # x\n"
    text = text.replace("\n", "\r\n") if crlf else text
    assert len(tomllib.loads(text)["table"]) == len(pairs)
    assert lines_of(text) == {("table",): gap + 1, **truth}
