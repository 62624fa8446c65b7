"""The station's settings as frozen values, each with its kind and its default."""

import os
import re
import stat
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic import model_validator as model_check
from pydantic_core import PydanticCustomError

from bwcdock.core.names import LAYOUT, layout_problem
from bwcdock.errors import Misused

_SECRET_BYTES = 64 << 10

# ---------------------------------------------------------------------------------------------------------------------
# Kinds of values
# ---------------------------------------------------------------------------------------------------------------------

_UNITS = (
    {"B": 1}
    | {f"{p}iB": 1024**n for n, p in enumerate("KMGT", 1)}
    | {f"{p}B": 1000**n for n, p in enumerate("kMGT", 1)}
)


def _wrong(what: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("told", "{what}", {"what": what, "remedy": remedy})


def _bytes(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,15}) ?([kKMGT]?i?B)", value.strip())
    if not found or found[2] not in _UNITS:
        raise _wrong(
            f'is no size: "{value[:40]}".', f'Write bytes, or a whole number with one of {", ".join(_UNITS)}: "8 MiB".'
        )
    return int(found[1]) * _UNITS[found[2]]


def _pages(value: int) -> int:
    if value % 4096:
        raise _wrong("is not a multiple of 4096 bytes.", 'Direct reads need whole pages: write "4 MiB", for example.')
    return value


def _path_text(value: object) -> object:
    if isinstance(value, str) and not value:
        raise _wrong("is an empty path.", "Write a path, relative to this file or absolute.")
    if isinstance(value, str) and "\0" in value:
        raise _wrong("has a NUL character in it.", "Write it without; no file system knows such a name.")
    if isinstance(value, str) and value.startswith("~"):
        raise _wrong("begins with ~, which is not expanded.", "Write the whole path; ./~ for a folder of that name.")
    return value


def _rooted(value: Path, info: ValidationInfo) -> Path:
    return Path(os.path.normpath(info.context["base"] / value)) if info.context else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:  # unknown; not a name; a folder of the zone database
        raise _wrong(f'is no time zone: "{value[:40]}".', 'Write an IANA name such as "Asia/Shanghai".') from error
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise _wrong("has characters that cannot be printed.", "Write it on one line, without control characters.")
    return value


def _layout(value: str) -> str:
    if problem := layout_problem(value):
        raise _wrong(f"cannot be used: {problem}", f'The shipped one is "{LAYOUT}".')
    return value


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
        good = bool(colon) and 0 < int(port) < 65536
    except ValueError:
        good = False
    if not good:
        raise _wrong(
            f'is no address to listen at: "{value[:60]}".', 'Write "127.0.0.1:8343", "0.0.0.0:8343" or "[::]:8343".'
        )
    return value


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError as error:
        raise _wrong(f'is no network: "{value[:60]}".', 'Write "192.0.2.17/32" or "192.0.2.0/24".') from error
    return value


_WHOLE = Field(strict=True, le=2**53)
Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Count = Annotated[int, _WHOLE, Field(ge=1)]
CountOrZero = Annotated[int, _WHOLE, Field(ge=0)]
Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=10**9, allow_inf_nan=False)]
Ratio = Annotated[float, Field(strict=True, ge=0, lt=1, allow_inf_nan=False)]
Size = Annotated[int, BeforeValidator(_bytes), _WHOLE, Field(ge=1)]
# At 32 KiB a second a shift of footage takes days: less is a slip of the pen ("1 B"), and nothing would ever arrive.
Bandwidth = Annotated[Size, Field(ge=32 << 10)]
Flag = Annotated[bool, Field(strict=True)]
Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$")]
StationPath = Annotated[Path, BeforeValidator(_path_text), AfterValidator(_rooted)]


class Table(BaseModel):
    """A table of the settings: frozen, and a name it does not know is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # Defaults are validated too, also within a table the file leaves out: that is what roots their paths.
        validate_default=True,
        revalidate_instances="always",
    )


class Secret(Table):
    """Where a secret is; its value never stands in the settings: a file, or a credential systemd hands over."""

    file: StationPath | None = None
    credential: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] | None = None

    @model_check(mode="after")
    def _one(self) -> "Secret":
        if (self.file is None) == (self.credential is None):
            raise _wrong(
                "must name a file or a credential, one of them.", 'Write { credential = "name" } or { file = "path" }.'
            )
        return self

    def read(self, environ: Mapping[str, str] = os.environ) -> str:
        """The secret, without the line end after it. :class:`~bwcdock.errors.Misused` when it cannot be had safely."""
        if self.credential is not None:
            if not environ.get("CREDENTIALS_DIRECTORY"):
                hint = f"Start it from its unit, with LoadCredentialEncrypted={self.credential}:… in it."
                raise Misused("read a secret", f"No credential {self.credential}: systemd handed none over.", hint)
            path = Path(environ["CREDENTIALS_DIRECTORY"]) / self.credential
        else:
            path = self.file or Path()
        try:
            # Not blocking: a pipe in its place must not hang the start. Looked at after opening: nothing in between.
            with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
                mode = os.fstat(stream.fileno()).st_mode
                if not stat.S_ISREG(mode):
                    raise Misused("read a secret", f"{path} is not a file.", "Put it into a file of its own.")
                if mode & 0o007:
                    raise Misused(
                        "read a secret", f"Everyone on this machine may read {path}.", f"Run: chmod 600 {path}"
                    )
                text = stream.read(_SECRET_BYTES).decode().rstrip("\r\n")
        except OSError as error:
            raise Misused(
                "read a secret", f"{path}: {error.strerror}.", "Make it readable for the station's user."
            ) from error
        except UnicodeDecodeError as error:
            raise Misused("read a secret", f"{path} is not text.", "Write the secret as UTF-8 text.") from error
        if not text:
            raise Misused("read a secret", f"{path} is empty.", "Write the secret into it.")
        return text


# ---------------------------------------------------------------------------------------------------------------------
# The tables. The reason of every value stands beside it in config/bwcdock.toml.
# ---------------------------------------------------------------------------------------------------------------------


class Station(Table):
    """Which station this is and under which rules it works."""

    name: Name = "dock-01"
    unit: Text = "unit"
    zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    rules: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] = "S4-fuzhou"


class Paths(Table):
    """Where things are; relative to the directory of the settings file."""

    ledger: StationPath = Path("ledger")
    spool: StationPath = Path("spool")
    keys: StationPath = Path("keys")
    run: StationPath = Path("run")
    rules: tuple[StationPath, ...] = (Path("rules"),)
    quirks: tuple[StationPath, ...] = (Path("quirks"),)
    holidays: StationPath = Path("holidays.toml")
    slots: StationPath = Path("slots.toml")
    web: StationPath = Path("web")


class Drop(Table):
    """A folder whose children are taken for docked recorders."""

    path: StationPath
    slot: Count | None = None
    stable_s: Seconds = 5


class Watch(Table):
    """How arrivals are noticed."""

    rescan_s: Seconds = 30
    live_s: Seconds = 600


class Dock(Table):
    """The USB ports of the dock."""

    udev: Flag = False
    any_port: Flag = False
    switch_s: Seconds = 15
    resync_s: Seconds = 60


class Checks(Table):
    """What is found on a recorder before anything is pulled."""

    drift_note_s: Seconds = 3
    drift_warn_s: Seconds = 60
    battery_low_percent: Percent = 20
    storage_free_low_ratio: Ratio = 0.1
    again_s: Seconds = 60


class Pull(Table):
    """How bytes are read from a recorder."""

    chunk: Annotated[Size, AfterValidator(_pages)] = 4 << 20
    buffers: Annotated[int, Field(strict=True, ge=2, le=16)] = 2
    retries: CountOrZero = 3
    retry_wait_s: Seconds = 1
    second_read: Flag = False
    distrust_limit: Count = 2
    call_timeout_s: Seconds = 60
    open_timeout_s: Seconds = 60
    list_timeout_s: Seconds = 120


class Spool(Table):
    """The station's own copy."""

    reserve_ratio: Ratio = 0.05
    keep_after_confirm_s: Seconds = 7 * 86400
    second_look_after_s: Seconds = 86400
    scrub_days: Count = 7


class Erase(Table):
    """Whether and when files go from the recorders themselves."""

    enabled: Flag = False
    after_days: Count = 30
    reformat: Flag = False
    persons: Annotated[int, Field(strict=True, ge=2, le=5)] = 2
    timeout_s: Annotated[Seconds, Field(le=14400)] = 1800


class Sink(Table):
    """A place of central storage."""

    name: Name
    kind: Literal["filesystem"] = "filesystem"
    path: StationPath
    layout: Annotated[str, AfterValidator(_layout)] = LAYOUT
    bandwidth: Bandwidth | None = None


class Push(Table):
    """How records are carried to the sinks."""

    backoff_first_s: Seconds = 5
    backoff_max_s: Seconds = 300
    parallel: Count = 2
    call_timeout_s: Seconds = 300


class Law(Table):
    """What this bureau adds to its rule pack."""

    at_risk_ratio: Ratio = 0.25
    spot_check_percent: Percent = 5
    offload_met_by: Literal["confirmed"] | None = None
    local_rules: StationPath | None = None


class Web(Table):
    """The pages: the slot wall, the desk, figures for machines."""

    listen: Address = "127.0.0.1:8380"
    tls_listen: Address = "127.0.0.1:8343"
    names: Annotated[tuple[HostName, ...], Field(max_length=20)] = ()
    certificate: StationPath | None = None
    private_key: StationPath | None = None
    screens: Annotated[tuple[Network, ...], Field(max_length=100)] = ("127.0.0.0/8", "::1/128")
    columns: Annotated[int, Field(strict=True, ge=1, le=20)] = 8
    language: Literal["zh", "en"] = "zh"
    mask_names: Flag = True
    identify: Literal["pin", "badge"] = "pin"
    idle_s: Seconds = 900
    absolute_s: Seconds = 8 * 3600
    tries: Count = 5
    tries_within_s: Seconds = 900
    requests_per_s: Count = 50
    sign_ins_per_minute: Count = 30
    calls_per_s: Count = 20
    body: Size = 256 << 10
    screens_at_once: Count = 100
    viewings_at_once: Count = 8
    viewing_s: Seconds = 3600


class Papers(Table):
    """How papers are printed, and where packages lie that were asked for over the line."""

    font: StationPath | None = None
    exports: StationPath = Path("exports")
    exports_keep_s: Seconds = 7 * 86400


class Ledger(Table):
    """How often the ledger is signed, and when its silence is an alarm."""

    checkpoint_every_s: Seconds = 60
    beat_s: Seconds = 600
    witness_alarm_s: Seconds = 3600


class Limits(Table):
    """Every limit of the program, in one place."""

    recorders_at_once: Count = 24
    items_per_recorder: Count = 100_000
    open_records: Count = 50_000
    findings_per_session: Count = 200
    drop_children: Count = 200
    drop_entries: Count = 4096
    lane_calls: Count = 16
    hung_calls: Count = 8
    line_length: Annotated[int, Field(strict=True, ge=200, le=15000)] = 4096
    tick_s: Seconds = 1
    stop_s: Seconds = 5


class Log(Table):
    """What is written to the journal."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Settings(Table):
    """Everything. Without a file every setting has its default and paths stay relative."""

    station: Station = Station()
    paths: Paths = Paths()
    drop: Annotated[tuple[Drop, ...], Field(max_length=100)] = ()
    watch: Watch = Watch()
    dock: Dock = Dock()
    checks: Checks = Checks()
    pull: Pull = Pull()
    spool: Spool = Spool()
    erase: Erase = Erase()
    sink: Annotated[tuple[Sink, ...], Field(max_length=16)] = ()
    push: Push = Push()
    law: Law = Law()
    papers: Papers = Papers()
    web: Web = Web()
    ledger: Ledger = Ledger()
    limits: Limits = Limits()
    log: Log = Log()
