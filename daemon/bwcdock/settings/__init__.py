"""The station's settings as frozen values, each with its kind and its default."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bwcdock.core.window import Window
from bwcdock.settings.kinds import (
    Address,
    Count,
    CountOrZero,
    Flag,
    HostName,
    Name,
    Network,
    Percent,
    Ratio,
    Seconds,
    Secret,
    Size,
    StationPath,
    Table,
    Text,
    Zone,
    pages,
)
from bwcdock.settings.sinks import FolderSink, S3Sink, SftpSink, Sink

__all__ = [
    "Catalogue", "Checks", "Dock", "Drop", "Erase", "FolderSink", "Law", "Ledger", "Limits", "Log", "Papers", "Paths",
    "Pull", "Push", "S3Sink", "Secret", "Settings", "SftpSink", "Sink", "Spool", "Station", "Unlock", "Watch", "Web",
]  # fmt: skip

# ---------------------------------------------------------------------------------------------------------------------
# The tables. The reason of every value stands beside it in config/bwcdock.toml.
# ---------------------------------------------------------------------------------------------------------------------


class Station(Table):
    """Which station this is and under which rules it works."""

    name: Name = "dock-01"
    unit: Text = "unit"
    zone: Zone = "Asia/Shanghai"
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
    """A folder whose children are taken for docked recorders, or for footage from elsewhere."""

    path: StationPath
    slot: Count | None = None
    stable_s: Seconds = 5
    holds: Literal["recorders", "exports"] = "recorders"


class Watch(Table):
    """How arrivals are noticed."""

    rescan_s: Seconds = 30
    writing_s: Seconds = 300
    live_s: Seconds = 600


class Dock(Table):
    """The USB ports of the dock."""

    udev: Flag = False
    any_port: Flag = False
    switch_s: Seconds = 15
    resync_s: Seconds = 60
    set_clock: Flag = False
    set_clock_beyond_s: Seconds = 3
    set_file_beyond_s: Seconds = 86400


class Unlock(Table):
    """The password of recorders that ask for one before they show their files."""

    driver: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
    serials: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()
    password: Secret


class Checks(Table):
    """What is found on a recorder before anything is pulled."""

    drift_note_s: Seconds = 3
    drift_warn_s: Seconds = 60
    battery_low_percent: Percent = 20
    storage_free_low_ratio: Ratio = 0.1
    again_s: Seconds = 60


class Pull(Table):
    """How bytes are read from a recorder."""

    chunk: Annotated[Size, AfterValidator(pages)] = 4 << 20
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
    viewing_fetch: Size = 4 << 30


class Papers(Table):
    """How papers are printed, and where packages lie that were asked for over the line."""

    font: StationPath | None = None
    exports: StationPath = Path("exports")
    exports_keep_s: Seconds = 7 * 86400


class Catalogue(Table):
    """The catalogue that docks share, or one dock's own."""

    url: Secret | None = None
    file: StationPath | None = None
    batch: Annotated[int, Field(strict=True, ge=1, le=5000)] = 500
    every_s: Seconds = 5
    backoff_max_s: Seconds = 300
    connect_timeout_s: Seconds = 10
    statement_timeout_s: Seconds = 30


class Ledger(Table):
    """How often the ledger is signed, and when its silence is an alarm."""

    checkpoint_every_s: Seconds = 60
    beat_s: Seconds = 600
    witness_alarm_s: Seconds = 3600


class Limits(Table):
    """Every limit of the program, in one place."""

    recorders_at_once: Count = 24
    items_per_recorder: Count = 100_000
    open_records: Count = 200
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
    unlock: Annotated[tuple[Unlock, ...], Field(max_length=100)] = ()
    checks: Checks = Checks()
    pull: Pull = Pull()
    spool: Spool = Spool()
    erase: Erase = Erase()
    sink: Annotated[tuple[Sink, ...], Field(max_length=16)] = ()
    push: Push = Push()
    law: Law = Law()
    papers: Papers = Papers()
    web: Web = Web()
    catalogue: Catalogue = Catalogue()
    ledger: Ledger = Ledger()
    limits: Limits = Limits()
    log: Log = Log()

    def closed(self, now: datetime) -> dict[str, datetime]:
        """The sinks outside their hours at ``now``, each with the moment from which recordings are carried there."""
        opens = {sink.name: Window(sink.window, self.station.zone).opens(now) for sink in self.sink}
        return {name: moment for name, moment in opens.items() if moment > now}

    def push_to(self, name: str) -> Push:
        """How recordings are carried to one sink: as [push] says, but for what the sink itself says."""
        own = next((sink for sink in self.sink if sink.name == name), None)
        told = {field: getattr(own, field) for field in ("backoff_first_s", "backoff_max_s", "parallel")} if own else {}
        return self.push.model_copy(update={field: value for field, value in told.items() if value is not None})
