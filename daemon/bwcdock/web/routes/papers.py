"""Papers: chosen, made, looked at in a document of their own or taken as PDF, and entered as issued."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import Request
from starlette.datastructures import FormData, QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bwcdock.core.desk.access import Access
from bwcdock.core.desk.checking import SpotCheck
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.explaining import Explanation
from bwcdock.core.desk.papers import Paper as Issued
from bwcdock.core.desk.people import Handover
from bwcdock.desk import lists
from bwcdock.errors import Misused, Untrue
from bwcdock.ledger import Reader
from bwcdock.papers import evidence, fonts, html, pdf, receipt, registry
from bwcdock.papers.model import Paper
from bwcdock.papers.registry import KINDS, Kind
from bwcdock.papers.source import Asked, Source
from bwcdock.web.house import House
from bwcdock.web.made import File, Made
from bwcdock.web.pages import Pages, Said, TheHouse
from bwcdock.web.policy import Place
from bwcdock.web.render import page
from bwcdock.web.words import N_

CSP = "; ".join((
    "default-src 'none'", "style-src 'unsafe-inline'", "sandbox", "form-action 'none'", "frame-ancestors 'none'",
    "base-uri 'none'",
))  # fmt: skip
"""A paper is one file for itself: its style stands in it, with the paper's own title in the page's foot and a width
at each column, so there is no hash of it that could be known before. Style alone is let in, by which nothing can be
loaded; the sandbox takes the document out of the desk's origin, so that whatever a name on it might still do, it does
to nothing."""

FIELD = "field."
"""How the fields filled in by hand are called in the form, before their own label."""

MOST_SUBJECTS = 100
"""Recordings on one paper: a sheet of evidence for more is read by nobody."""

CHOICES = 200
"""The newest of what a paper can be about, to choose from."""

LONG = (evidence.TRANSCRIPT,)
"""Fields that are more than a line."""

EXPLAINED: Mapping[str, frozenset[str]] = {
    "interruption": frozenset({"interruption", "device_fault"}),
    "unrecorded": frozenset({"not_recorded"}),
    "late": frozenset({"late", "device_fault"}),
}
"""Which explanations each of these papers is of."""

Choices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """A paper in both forms; without a PDF ``why_not`` says why, and what to do."""

    paper: Paper
    page: bytes
    pdf: bytes | None
    why_not: Misused | None


def routes(_: House) -> Pages:
    """The papers there are, the form of each, and what was made."""
    pages, made = Pages(), Made()

    @pages.get("/desk/papers", Place.PAPERS)
    async def kinds(request: Request, house: TheHouse, after: str = "") -> Response:
        def asked(ledger: Reader) -> dict[str, Any]:
            found = ledger.newest(Issued, after=after, limit=lists.PAGE + 1)
            return {
                "issued": lists.page(found, lists.PAGE, lambda each: each.id),
                "people": lists.names(house.register.as_of(ledger)),
            }

        titles = {kind.id: kind.title for kind in KINDS}
        more: dict[str, Any] = {"kinds": KINDS, "titles": titles, "at_later_page": bool(after)}
        answer: dict[str, Any] = await house.asker.ask(asked)
        return page(request, "desk/papers.html", **answer, **more)

    # What is filled in names people: it is sent, so that it stands in no address, no history and no log.
    @pages.get("/desk/papers/{kind}", Place.PAPERS)
    async def form(request: Request, house: TheHouse, kind: str) -> Response:
        return await _form(request, house, _kind(kind), Asked(subjects=_subjects(request.query_params)))

    @pages.post("/desk/papers/{kind}", Place.PAPERS)
    async def form_again(request: Request, house: TheHouse, kind: str, sent: Said) -> Response:
        return await _form(request, house, _kind(kind), _asked(sent))

    @pages.get("/desk/papers/{kind}/made", Place.PAPERS)
    async def not_made(kind: str) -> Response:
        return RedirectResponse(f"/desk/papers/{_kind(kind).id}", 303)

    @pages.post("/desk/papers/{kind}/made", Place.PAPERS)
    async def make(request: Request, house: TheHouse, kind: str, sent: Said) -> Response:
        chosen, asked, now = _kind(kind), _asked(sent), house.clock.now()
        try:
            result = await house.asker.ask(lambda ledger: _make(chosen, house.papers(ledger, now), asked, house))
        except (Misused, Untrue) as error:
            return await _form(request, house, chosen, asked, error=error)
        name = f"{result.paper.title} {result.paper.number}"
        files = [File(data=result.page, media="text/html; charset=utf-8", name=f"{name}.html")]
        if result.pdf is not None:
            files.append(File(data=result.pdf, media="application/pdf", name=f"{name}.pdf"))
        for file in files:
            made.put(file)
        more: dict[str, Any] = {"kind": chosen, "asked": asked, "files": files, "field": FIELD}
        more |= {"here": f"/desk/papers/{chosen.id}"}  # what was made is at no address of its own
        return page(request, "desk/paper_made.html", paper=result.paper, why_not=result.why_not, **more)

    @pages.get("/desk/papers/file/{digest}", Place.PAPERS)
    async def file(digest: str) -> Response:
        found = made.get(digest)
        if found is None:
            raise HTTPException(404, N_("This paper was made too long ago: make it again."))
        how = "attachment" if found.media == "application/pdf" else "inline"
        headers = {
            "content-disposition": f"{how}; filename*=UTF-8''{quote(found.name, safe='')}",
            "content-security-policy": CSP,
            # A document in a sandbox is in no origin, and so cannot be alone in its own.
            "cross-origin-opener-policy": "unsafe-none",
        }
        return Response(found.data, media_type=found.media, headers=headers)

    return pages


def _kind(name: str) -> Kind:
    found = next((kind for kind in KINDS if kind.id == name), None)
    if found is None:
        raise HTTPException(404)
    return found


def _asked(sent: FormData) -> Asked:
    """What the form says: a subject a line, and the fields that were filled in."""
    texts = {name: text for name, text in sent.items() if name.startswith(FIELD) and isinstance(text, str)}
    fields = {name.removeprefix(FIELD): text for name, text in texts.items() if text.strip()}
    return Asked(subjects=_subjects(sent), fields=fields)


def _subjects(given: FormData | QueryParams) -> tuple[str, ...]:
    said = [text for text in given.getlist("subject") if isinstance(text, str)]
    lines = [line.strip() for text in said for line in text.splitlines() if line.strip()]
    return tuple(dict.fromkeys(lines))[:MOST_SUBJECTS]


def _make(kind: Kind, source: Source, asked: Asked, house: House) -> _Result:
    paper = registry.build(kind.id, source, asked)
    try:
        printed, why_not = pdf.render(paper, fonts.find(house.settings.papers.font)), None
    except Misused as error:
        printed, why_not = None, error
    return _Result(paper=paper, page=html.render(paper), pdf=printed, why_not=why_not)


async def _form(
    request: Request, house: House, kind: Kind, asked: Asked, error: Misused | Untrue | None = None
) -> Response:
    now = house.clock.now()

    def found(ledger: Reader) -> tuple[Choices, list[str]]:
        return _choices(kind, ledger), _fields(kind, house.papers(ledger, now), asked)

    choices, fields = await house.asker.ask(found)
    return page(
        request,
        "desk/paper_form.html",
        status=422 if error else 200,
        kind=kind,
        here=f"/desk/papers/{kind.id}",
        asked=asked,
        choices=choices,
        fields=fields,
        long=LONG,
        field=FIELD,
        several="…" in kind.subjects,
        needed=bool(kind.subjects) and not kind.subjects.startswith("["),
        error=error,
    )


def _fields(kind: Kind, source: Source, asked: Asked) -> list[str]:
    """What can be filled in by hand; of a sheet of evidence that depends on what the recordings are."""
    if kind.id == "receipt":
        return list(receipt.FIELDS)
    if kind.id != "evidence" or not asked.subjects:
        return []
    try:
        return evidence.fields(source, [source.record(name) for name in asked.subjects])
    except Misused:  # said when the paper is made
        return []


def _choices(kind: Kind, ledger: Reader) -> Choices:
    """The newest of what the paper can be about."""
    match kind.id:
        case "receipt":
            sessions = [session for session in ledger.sessions(limit=CHOICES) if session.receipt]
            return tuple((each.id, f"{each.recorder} {each.arrived_at:%Y-%m-%d %H:%M} UTC") for each in sessions)
        case "access-register":
            return tuple((each.id, f"{each.id} {each.applicant}") for each in ledger.newest(Access, limit=CHOICES))
        case "interruption" | "unrecorded" | "late":
            given = [each for each in ledger.newest(Explanation) if each.what in EXPLAINED[kind.id]][:CHOICES]
            return tuple((each.id, f"{each.id} {each.person}") for each in given)
        case "issues":
            return tuple((each.id, f"{each.id} {each.model}".strip()) for each in ledger.matters(Device))
        case "handover":
            handed = ledger.newest(Handover, limit=CHOICES)
            return tuple((each.id, f"{each.id} {each.giver} → {each.taker}") for each in handed)
        case "spot-check":
            return tuple((each.id, f"{each.id} {each.unit}") for each in ledger.newest(SpotCheck, limit=CHOICES))
    return ()
