"""The API for reading: what pages and commands show, for programs, in the same shapes as `--json`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import Query, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, StringConstraints
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from bwcdock import __version__, overview
from bwcdock.core import desk
from bwcdock.core.desk.attribution import Own
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.matter import Matter
from bwcdock.core.desk.owing import MayOwe
from bwcdock.core.record import State
from bwcdock.core.rules import Standing
from bwcdock.core.view import FindingView, RecordView, SessionView, StatusView, finding_view
from bwcdock.desk import asking, recordings
from bwcdock.errors import Unreachable
from bwcdock.ledger import Reader
from bwcdock.ledger.codec import from_ms
from bwcdock.ledger.searching import Sought
from bwcdock.manifest import RECEIPTS, Receipt, open_signed
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import Caller, Place, may, sees_only_his_own
from bwcdock.web.problems import ANSWERS, Problem

BASE: Final = "/api/v1"

MOST: Final = 500
"""Lines of one answer; further ones by the cursor of the page before."""

PLACES: Final[dict[str, Place]] = {
    "person": Place.PEOPLE, "team": Place.PEOPLE, "handover": Place.PEOPLE, "device": Place.RECORDERS,
    "trip": Place.RECORDERS, "activity": Place.RECORDERS, "extension": Place.RECORDERS, "explanation": Place.WAITING,
    "hold": Place.HOLDS, "case": Place.CASES, "access": Place.ACCESS, "check": Place.CHECKS, "expiry": Place.EXPIRY,
    "paper": Place.PAPERS,
}  # fmt: skip
"""Where what people stated is read, by its kind."""

Word = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Cursor = Annotated[
    str, Query(max_length=100, pattern=r"^((-?\d{1,16})-([0-9a-f]{1,64}))?$", description="`next` of the page before")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """Some recordings, and the cursor of the next page; empty where this is the last."""

    records: tuple[RecordView, ...]
    next: str


class LedgerHead(BaseModel):
    """How long the ledger is and what it comes to; and its newest signed head, a C2SP checkpoint."""

    size: int
    root: str
    signed_size: int
    signed_at: str
    note: str


class EntryProof(BaseModel):
    """The leaf of an entry and the path by which it stands under the signed head (RFC 6962), in hexadecimal."""

    seq: int
    leaf: str
    leaf_hash: str
    path: tuple[str, ...]
    head_size: int
    head_root: str
    holds: bool | None


def routes(_: House) -> Pages:
    """Every call that reads, and the description of all calls."""
    pages = Pages()

    @pages.get(f"{BASE}/openapi.json", Place.API)
    async def described(request: Request) -> Response:
        return JSONResponse(description(request.app))

    _station(pages)
    _records(pages)
    _desk(pages)
    _ledger(pages)
    return pages


def description(app: Any) -> dict[str, Any]:
    """What OpenAPI says of the calls: no page is among them."""
    made: dict[str, Any] = get_openapi(
        title="bwcdock",
        version=__version__,
        summary="What a docking station knows, and what people do there, for programs.",
        routes=app.routes,
    )
    made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    made["security"] = [{"token": []}]
    for path in made["paths"].values():
        for call in path.values():
            call["responses"] |= ANSWERS  # FastAPI's own shape of what is wrong is not ours
    made["components"]["schemas"][Problem.__name__] = Problem.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        made["components"]["schemas"].pop(unused, None)
    return made


def _call(pages: Pages, path: str, place: Place, model: Any, tag: str) -> Callable[[Any], Any]:
    more = {"include_in_schema": True, "response_model": model, "tags": [tag]}
    return pages.get(f"{BASE}{path}", place, **more)


# --- the station ------------------------------------------------------------------------------------------------------


def _station(pages: Pages) -> None:
    @_call(pages, "/status", Place.STATION, StatusView, "station")
    async def status(house: TheHouse) -> StatusView:
        """The station now."""
        now = house.clock.now()
        try:
            return await house.asker.ask(lambda ledger: overview.status(house.settings, ledger, now))
        except OSError as error:
            what = f"The spool cannot be looked at from here: {error.strerror}."
            raise Unreachable("status", what, "`bwcdock status` at the station tells.") from error

    @_call(pages, "/sessions", Place.RECORDERS, list[SessionView], "station")
    async def sessions(house: TheHouse, recorder: Word = "", limit: Limit = 50) -> list[SessionView]:
        """The newest dockings, with what moves at this moment."""

        def asked(ledger: Reader) -> list[SessionView]:
            unfinished = ledger.unfinished()
            found = ledger.sessions(recorder=recorder, limit=limit)
            return [overview.shown(ledger, session, unfinished) for session in found]

        return await house.asker.ask(asked)

    @_call(pages, "/recorders", Place.RECORDERS, list[Device], "station")
    async def recorders(house: TheHouse) -> list[Device]:
        """The recorders of the register."""
        return await house.asker.ask(lambda ledger: ledger.matters(Device))

    @_call(pages, "/findings", Place.STATION, list[FindingView], "station")
    async def findings(house: TheHouse, limit: Limit = MOST) -> list[FindingView]:
        """What holds now and somebody should know, the newest last."""
        found = await house.asker.ask(lambda ledger: ledger.findings(limit=limit))
        return [finding_view(each.finding, about=f"{each.subject_kind} {each.subject}".strip()) for each in found]

    @_call(pages, "/receipts/{session}", Place.RECORDERS, Receipt, "station")
    async def receipt(house: TheHouse, session: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")]) -> Any:
        """The receipt (移交回执) of a docking; its signature was checked."""
        folder = house.settings.paths.ledger / RECEIPTS
        return await house.asker.ask(lambda ledger: _receipt(ledger, folder, session))


def _receipt(ledger: Reader, folder: Path, session: str) -> Receipt:
    found = ledger.session(session)
    path = folder / f"{session}.json"
    if found is None or not found.receipt or not path.is_file():
        raise HTTPException(404)
    return open_signed(path.read_bytes(), Receipt, ledger.verifier)


# --- recordings -------------------------------------------------------------------------------------------------------


def _records(pages: Pages) -> None:
    @_call(pages, "/records", Place.RECORDS, RecordPage, "recordings")
    async def records(
        house: TheHouse,
        caller: Who,
        text: Word = "",
        party: Word = "",
        case: Word = "",
        place: Word = "",
        event: Word = "",
        tag: Word = "",
        recorder: Word = "",
        state: Annotated[State | None, Query()] = None,
        standing: Annotated[Standing | None, Query()] = None,
        limit: Limit = 50,
        after: Cursor = "",
    ) -> RecordPage:
        """The recordings that are all this, the newest first; an officer's token has those that may be his."""
        sought = {"text": text, "party": party, "case": case, "place": place, "event": event, "tag": tag}
        only = {"recorders": (recorder,)} if recorder else {}
        named = {"state": state or "", "standing": standing, **only}
        return await _page(house, caller, {**sought, **named}, after, limit)

    @_call(pages, "/owes", Place.OWES, RecordPage, "recordings")
    async def owes(house: TheHouse, caller: Who, limit: Limit = 50, after: Cursor = "") -> RecordPage:
        """What is not offloaded as its article asks, the earliest due first."""
        return await _page(house, caller, {"owing": True}, after, limit)

    @_call(pages, "/records/{record}", Place.RECORDS, RecordView, "recordings")
    async def record(
        house: TheHouse, caller: Who, record: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32,64}$")]
    ) -> RecordView:
        """One recording."""
        now, pack = house.clock.now(), house.law.pack

        def asked(ledger: Reader) -> RecordView:
            found = ledger.record(record)
            # Another's is not told from none: that there is one is already more than he may know.
            if found is None or not may(caller, Place.RECORDS, pack, of=house.register.as_of(ledger).officers(found)):
                raise HTTPException(404)
            return overview.records(house.settings, ledger, [found], now)[0]

        return await house.asker.ask(asked)


async def _page(house: House, caller: Caller, sought: dict[str, Any], after: str, limit: int) -> RecordPage:
    now, ratio = house.clock.now(), house.settings.law.at_risk_ratio

    def asked(ledger: Reader) -> RecordPage:
        found = ledger.search(Sought(own=_own(ledger, house, caller), **sought), now, ratio, after=after, limit=limit)
        views = overview.records(house.settings, ledger, found.records, now)
        return RecordPage(records=tuple(views), next=found.next)

    return await house.asker.ask(asked)


def _own(ledger: Reader, house: House, caller: Caller) -> Own | None:
    return house.register.as_of(ledger).own(caller.person) if sees_only_his_own(caller, house.law.pack) else None


# --- the desk ---------------------------------------------------------------------------------------------------------


def _desk(pages: Pages) -> None:
    @_call(pages, "/waiting", Place.WAITING, list[asking.Waiting], "desk")
    async def waiting(house: TheHouse, caller: Who) -> list[asking.Waiting]:
        """What waits for a person, most urgent first; for an officer what names him."""
        now = house.clock.now()
        found = await house.asker.ask(
            lambda ledger: asking.waiting(ledger, house.law, now, house.register.as_of(ledger))
        )
        his = sees_only_his_own(caller, house.law.pack)
        return [each for each in found if not his or ("person", caller.person) in each.fill][:MOST]

    @_call(pages, "/may-owe", Place.OWES, list[MayOwe], "desk")
    async def may_owe(house: TheHouse, caller: Who) -> list[MayOwe]:
        """Issued recorders that no dock has emptied since, the earliest due first."""
        now = house.clock.now()
        found = await house.asker.ask(
            lambda ledger: asking.may_owe(ledger, house.law, now, house.register.as_of(ledger))
        )
        his = sees_only_his_own(caller, house.law.pack)
        return [each for each in found if not his or each.holder == caller.person]

    for kind, place in PLACES.items():
        _matters(pages, kind, place, desk.KINDS[kind].shape)


def _matters(pages: Pages, kind: str, place: Place, shape: type[Matter]) -> None:
    async def matters(house: TheHouse, caller: Who, state: Word = "", limit: Limit = MOST) -> Sequence[Any]:
        found = await house.asker.ask(lambda ledger: ledger.matters(shape, state))
        if sees_only_his_own(caller, house.law.pack):
            found = [each for each in found if caller.person in _named(each)]
        return found[:limit]

    matters.__name__ = f"{kind}_matters"
    matters.__doc__ = f"What people stated of each {kind}, by id: `bwcdock desk list {kind}`."
    _call(pages, f"/matters/{kind}", place, list[shape], "desk")(matters)  # type: ignore[valid-type]


def _named(matter: Matter) -> set[str]:
    """Whom a matter is about, or who began it."""
    names = {"by", "person", "applicant", "requested_by", "written_by", "handler"} & {f.name for f in fields(matter)}
    return {getattr(matter, name) for name in names}


# --- the ledger -------------------------------------------------------------------------------------------------------


def _ledger(pages: Pages) -> None:
    @_call(pages, "/ledger/head", Place.LEDGER, LedgerHead, "ledger")
    async def head(house: TheHouse) -> LedgerHead:
        """Its length, its root, and the newest head that the station signed."""

        def asked(ledger: Reader) -> LedgerHead:
            signed = ledger.last_head()
            return LedgerHead(
                size=ledger.size,
                root=ledger.root.hex(),
                signed_size=signed.checkpoint.size if signed else 0,
                signed_at=from_ms(signed.t).isoformat() if signed else "",
                note=signed.checkpoint.note if signed else "",
            )

        return await house.asker.ask(asked)

    @_call(pages, "/ledger/proof/{seq}", Place.LEDGER, EntryProof, "ledger")
    async def proof(house: TheHouse, seq: int) -> EntryProof:
        """That an entry stands in it."""

        def asked(ledger: Reader) -> EntryProof:
            if not 0 <= seq < ledger.size:
                raise HTTPException(404)
            told = recordings.proof_of(ledger, seq)
            return EntryProof(
                seq=seq,
                leaf=ledger.leaf(seq).decode(),
                leaf_hash=told.leaf_hash,
                path=told.path,
                head_size=told.head_size,
                head_root=told.head_root,
                holds=told.holds,
            )

        return await house.asker.ask(asked)
