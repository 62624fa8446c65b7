"""Footage itself: played and handed over under a granted request, with the register's line before the first byte."""

from functools import partial
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bwcdock.core.desk.access import Access
from bwcdock.core.facts import Actor
from bwcdock.core.record import Record
from bwcdock.desk import line, lists
from bwcdock.desk.verbs import MOST_COPIES
from bwcdock.errors import BwcdockError
from bwcdock.lanes import Lane
from bwcdock.ledger import Reader
from bwcdock.web.house import House
from bwcdock.web.packages import Packages
from bwcdock.web.pages import Pages, Said, TheHouse, Who
from bwcdock.web.policy import Caller, Place, may
from bwcdock.web.ranges import Part
from bwcdock.web.render import page
from bwcdock.web.viewings import Viewings

DISC = "application/vnd.efi.iso"
"""The type of a disc image (IANA)."""


def routes(house: House) -> Pages:
    """Viewing and export."""
    pages = Pages()
    web = house.settings.web
    viewings = Viewings(most=web.viewings_at_once, seconds=web.viewing_s, monotonic=house.clock.monotonic)
    packages = Packages()
    house.ends.extend((viewings.close, packages.close))
    _view(pages, viewings)
    _export(pages, packages)
    return pages


def _view(pages: Pages, viewings: Viewings) -> None:
    """A request's recording is opened once, entered once, and played from that."""

    @pages.get("/desk/access/{request_id}/view/{record_id}", Place.PLAY)
    async def ask(request: Request, request_id: str, record_id: str, house: TheHouse, caller: Who) -> Response:
        access, record = await house.asker.ask(partial(_named, request_id, record_id))
        _his_own(house, caller, access)
        return page(request, "desk/view.html", access=access, record=record, error=None)

    @pages.post("/desk/access/{request_id}/view/{record_id}", Place.PLAY)
    async def begin(
        request: Request, request_id: str, record_id: str, house: TheHouse, caller: Who, form: Said
    ) -> Response:
        access, record = await house.asker.ask(partial(_named, request_id, record_id))
        _his_own(house, caller, access)
        who = str(form.get("who") or "").strip() or access.applicant
        try:
            viewings.must_have_room(caller.person)
            opened = await house.hands.do(
                partial(line.view, request=access.id, record=record.id, who=who, actor=_actor(caller)),
                house.settings.paths.run,
            )
        except BwcdockError as error:
            return page(request, "desk/view.html", status=422, access=access, record=record, error=error)
        viewing = viewings.begin(opened, caller.person, access.id)
        return RedirectResponse(f"/desk/viewing/{viewing.token}", 303)

    @pages.get("/desk/viewing/{token}", Place.PLAY)
    async def watch(request: Request, token: str, caller: Who) -> Response:
        viewing = viewings.of(token, caller.person)
        if viewing is None:
            raise HTTPException(404)
        return page(request, "desk/viewing.html", viewing=viewing, told=viewing.told)

    @pages.post("/desk/viewing/{token}/end", Place.PLAY)
    async def end(token: str, caller: Who, form: Said) -> Response:  # noqa: ARG001  (it proves the session)
        viewing = viewings.of(token, caller.person)
        if viewing is None:
            raise HTTPException(404)
        viewings.end(token)
        return RedirectResponse(f"/desk/access/{viewing.request}", 303)

    @pages.get("/desk/viewing/{token}/bytes", Place.PLAY)
    async def bytes_of(request: Request, token: str, caller: Who) -> Response:
        viewing = viewings.of(token, caller.person)
        if viewing is None or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise HTTPException(404)
        return Part(
            viewing.lane,
            viewing.descriptor,
            viewing.told.size,
            asked=request.headers.get("range"),
            media_type=viewing.media_type or "application/octet-stream",
            disposition="inline",
        )


def _export(pages: Pages, packages: Packages) -> None:
    """A request's recordings as one disc image, made by the daemon and fetched from it."""

    @pages.get("/desk/access/{request_id}/export", Place.EXPORT)
    async def ask(request: Request, request_id: str, house: TheHouse) -> Response:
        access = await house.asker.ask(partial(_access, request_id))
        return page(request, "desk/export.html", access=access, error=None)

    @pages.post("/desk/access/{request_id}/export", Place.EXPORT)
    async def begin(request: Request, request_id: str, house: TheHouse, caller: Who, form: Said) -> Response:
        access = await house.asker.ask(partial(_access, request_id))
        copies = str(form.get("copies") or "1")
        order: dict[str, Any] = {
            "request": access.id,
            "records": [str(each) for each in form.getlist("records")] or list(access.records),
            "copies": int(copies) if copies.isdecimal() and len(copies) < len(str(MOST_COPIES)) + 1 else 1,
            "actor": _actor(caller),
        }
        run = house.settings.paths.run
        try:
            token = packages.begin(caller.person, access.id, lambda tell: line.export(run, tell=tell, **order))
        except BwcdockError as error:
            return page(request, "desk/export.html", status=422, access=access, error=error)
        return RedirectResponse(f"/desk/exporting/{token}", 303)

    @pages.get("/desk/exporting/{token}", Place.EXPORT)
    async def look(request: Request, token: str, caller: Who) -> Response:
        job = packages.of(token, caller.person)
        if job is None:
            raise HTTPException(404)
        return page(request, "desk/exporting.html", job=job, over=job.made is not None or job.error is not None)

    @pages.get("/desk/exports/{number}.iso", Place.EXPORT)
    async def fetch(request: Request, number: int, house: TheHouse, caller: Who) -> Response:
        opened = await house.hands.do(line.fetch, house.settings.paths.run, number, _actor(caller))
        lane = Lane(f"fetching {number}", last=opened.file.close)
        house.ends.append(lane.close)

        def done() -> None:
            house.ends.remove(lane.close)
            lane.close()

        return Part(
            lane,
            opened.file.fileno(),
            opened.answer.size,
            asked=request.headers.get("range"),
            media_type=DISC,
            disposition=f'attachment; filename="bwcdock-{number}.iso"',
            done=done,
        )


def _actor(caller: Caller) -> Actor:
    return Actor(name=caller.person, role=caller.role)


def _access(request_id: str, ledger: Reader) -> Access:
    access = ledger.matter(Access, request_id)
    if access is None:
        raise HTTPException(404)
    return access


def _his_own(house: House, caller: Caller, access: Access) -> None:
    """An officer sees only what he asked for himself, and not what others did or why."""
    if not may(caller, Place.PLAY, house.law.pack, of=lists.asking_for(access)):
        raise HTTPException(403)


def _named(request_id: str, record_id: str, ledger: Reader) -> tuple[Access, Record]:
    """The request and the recording it names; whether it lets be seen is judged by the daemon alone."""
    access = _access(request_id, ledger)
    record = ledger.record(record_id)
    if record is None or record.id not in access.records:
        raise HTTPException(404)
    return access, record
