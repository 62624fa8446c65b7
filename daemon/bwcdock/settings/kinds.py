"""The kinds of values that settings have, each with its refusal."""

import os
import re
import stat
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic import model_validator as model_check
from pydantic_core import PydanticCustomError

from bwcdock.core.names import LAYOUT, layout_problem
from bwcdock.core.window import NoWindow, parse
from bwcdock.errors import Misused

_SECRET_BYTES = 64 << 10

_UNITS = (
    {"B": 1}
    | {f"{p}iB": 1024**n for n, p in enumerate("KMGT", 1)}
    | {f"{p}B": 1000**n for n, p in enumerate("kMGT", 1)}
)


def wrong(what: str, remedy: str) -> PydanticCustomError:
    """What is wrong with a value, as a sentence without its subject, and the remedy."""
    return PydanticCustomError("told", "{what}", {"what": what, "remedy": remedy})


def _bytes(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,15}) ?([kKMGT]?i?B)", value.strip())
    if not found or found[2] not in _UNITS:
        raise wrong(
            f'is no size: "{value[:40]}".', f'Write bytes, or a whole number with one of {", ".join(_UNITS)}: "8 MiB".'
        )
    return int(found[1]) * _UNITS[found[2]]


def pages(value: int) -> int:
    """Whole pages of 4096 bytes."""
    if value % 4096:
        raise wrong("is not a multiple of 4096 bytes.", 'Direct reads need whole pages: write "4 MiB", for example.')
    return value


def _path_text(value: object) -> object:
    if isinstance(value, str) and not value:
        raise wrong("is an empty path.", "Write a path, relative to this file or absolute.")
    if isinstance(value, str) and "\0" in value:
        raise wrong("has a NUL character in it.", "Write it without; no file system knows such a name.")
    if isinstance(value, str) and value.startswith("~"):
        raise wrong("begins with ~, which is not expanded.", "Write the whole path; ./~ for a folder of that name.")
    return value


def _rooted(value: Path, info: ValidationInfo) -> Path:
    return Path(os.path.normpath(info.context["base"] / value)) if info.context else value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:  # unknown; not a name; a folder of the zone database
        raise wrong(f'is no time zone: "{value[:40]}".', 'Write an IANA name such as "Asia/Shanghai".') from error
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise wrong("has characters that cannot be printed.", "Write it on one line, without control characters.")
    return value


def _layout(value: str) -> str:
    if problem := layout_problem(value):
        raise wrong(f"cannot be used: {problem}", f'The shipped one is "{LAYOUT}".')
    return value


def _window(value: str) -> str:
    try:
        parse(value)
    except NoWindow as problem:
        raise wrong(str(problem), problem.remedy) from problem
    return value


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
        good = bool(colon) and 0 < int(port) < 65536
    except ValueError:
        good = False
    if not good:
        raise wrong(
            f'is no address to listen at: "{value[:60]}".', 'Write "127.0.0.1:8343", "0.0.0.0:8343" or "[::]:8343".'
        )
    return value


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError as error:
        raise wrong(f'is no network: "{value[:60]}".', 'Write "192.0.2.17/32" or "192.0.2.0/24".') from error
    return value


WHOLE = Field(strict=True, le=2**53)
Text = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Count = Annotated[int, WHOLE, Field(ge=1)]
CountOrZero = Annotated[int, WHOLE, Field(ge=0)]
Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=10**9, allow_inf_nan=False)]
Ratio = Annotated[float, Field(strict=True, ge=0, lt=1, allow_inf_nan=False)]
Size = Annotated[int, BeforeValidator(_bytes), WHOLE, Field(ge=1)]
# At 32 KiB a second a shift of footage takes days: less is a slip of the pen ("1 B"), and nothing would ever arrive.
Bandwidth = Annotated[Size, Field(ge=32 << 10)]
Flag = Annotated[bool, Field(strict=True)]
Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$")]
Layout = Annotated[str, AfterValidator(_layout)]
Zone = Annotated[str, AfterValidator(_zone)]
Hours = Annotated[str, AfterValidator(_window)]
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
            raise wrong(
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
