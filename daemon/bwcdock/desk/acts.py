"""What may be asked for at the desk: each act as it comes from outside, by command line, socket or page.

An act is a model with the words people use; :mod:`bwcdock.desk.doing` turns it into statements. The docstring of a
model is its help, a field's description that of its option; ``by`` says who may do it.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from bwcdock.core.statements import AccessAct, DeviceState, Explained, SignIn

MOST_TEXT = 4000
"""Characters of one text: two printed pages, and far below what a leaf holds."""

MOST_RECORDS = 500
"""Recordings in one act: their ids fit one leaf with room for everything else."""

MOST_WORDS = 50
"""Words in a list of tags, parties, roles or checks."""

Id = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
OptionalId = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=MOST_TEXT, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")
]
Moment = AwareDatetime
Words = Annotated[tuple[Id, ...], Field(max_length=MOST_WORDS)]
Records = Annotated[tuple[Id, ...], Field(max_length=MOST_RECORDS)]

By = Literal["custodian", "anyone", "extender", "signer", "approver", "administrator", "supervisor", "leader"]


class Act(BaseModel):
    """The root of all acts."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    word: ClassVar[str] = ""
    by: ClassVar[By] = "custodian"


# --- people -----------------------------------------------------------------------------------------------------------


class EnterPerson(Act):
    """Enter a person in the register, or change what stands there. The first one ever is an administrator."""

    word = "enter-person"
    person: Id = Field(description="a short id that stays: the badge number")
    name: Id
    certificate: OptionalId = Field("", description="enforcement certificate (执法证号)")
    unit: OptionalId = ""
    team: OptionalId = ""
    roles: Words = Field((), description="role ids of the rule pack, auditor or system-administrator")
    user_numbers: Words = Field((), description="what recorders call this person")


class LeavePerson(Act):
    """A person no longer works here; hand over first (交接)."""

    word = "leave-person"
    person: Id
    reason: Text


class SetSignIn(Act):
    """Enter that a way to sign in was set, for oneself or by the system administrator for others. Never the secret."""

    word = "set-sign-in"
    by = "anyone"
    person: Id
    what: SignIn


class EnterTeam(Act):
    """Enter a team (执法分队) and how many officers it has."""

    word = "enter-team"
    team: Id
    name: Id
    unit: OptionalId = ""
    officers: int = Field(ge=0, le=10000)


class HandOver(Act):
    """One person hands over to another: recorders, footage not offloaded, open statements and cases are listed."""

    word = "hand-over"
    giver: Id
    taker: Id


# --- devices ----------------------------------------------------------------------------------------------------------


class RegisterDevice(Act):
    """Enter a recorder of the unit, or change what stands there."""

    word = "register-device"
    device: Id = Field(description="its serial, as the station shows it")
    model: OptionalId = ""
    unit: OptionalId = ""
    team: OptionalId = ""


class Issue(Act):
    """Issue a recorder to an officer (领用) after it was checked. What a docked recorder tells need not be named."""

    word = "issue"
    device: Id
    to: Id
    expected_back: Moment | None = None
    checked: Words = Field((), description="what was checked by hand: clock battery storage works")


class Return(Act):
    """Take a recorder back (归还)."""

    word = "return"
    device: Id
    note: Text = ""


class SetDevice(Act):
    """A recorder goes out for repair, is lost, stolen or retired, or is in service again."""

    word = "set-device"
    device: Id
    state: DeviceState
    reason: Text


class ReportFault(Act):
    """Report that a recorder does not work as it should."""

    word = "report-fault"
    by = "anyone"
    device: Id
    what: Text
    since: Moment | None = None


class Service(Act):
    """A recorder was looked after or mended: its reported faults are settled."""

    word = "service"
    device: Id
    what: Text


# --- times ------------------------------------------------------------------------------------------------------------


class BeginTrip(Act):
    """An officer is away with a recorder, on a ground of the rule pack."""

    word = "begin-trip"
    by = "anyone"
    person: Id
    device: Id
    ground: Id = Field(description="away, continuous or remote, as the rule pack has it")
    out: Moment
    expected_back: Moment | None = None
    where: Text = ""


class EndTrip(Act):
    """He is back at the unit: the away case's clock starts."""

    word = "end-trip"
    by = "anyone"
    trip: Id
    back: Moment


class EndActivity(Act):
    """The day's enforcement activity with a recorder has ended."""

    word = "end-activity"
    by = "anyone"
    person: Id
    device: Id
    began: Moment
    ended: Moment


class Extend(Act):
    """Allow more time for what a recorder recorded in a span."""

    word = "extend"
    by = "extender"
    device: Id
    since: Moment
    until: Moment
    reason: Text


# --- explanations -----------------------------------------------------------------------------------------------------


class Explain(Act):
    """Explain in writing: a late offload, a break, an activity that was not recorded, a fault of a recorder."""

    word = "explain"
    by = "anyone"
    what: Explained
    person: Id = Field(description="whose explanation it is")
    device: OptionalId = ""
    records: Records = ()
    since: Moment | None = None
    until: Moment | None = None
    reason: OptionalId = Field("", description="one of the rule pack's reasons or grounds")
    text: Text = ""
    basis: Text = Field("", description="the rule a not recorded activity rests on (依据)")
    spoken_in: OptionalId = Field("", description="the recording in which the reason was spoken (语音说明)")
    reported_to: OptionalId = Field("", description="to whom it was reported at once")


class JudgeExplanation(Act):
    """Accept or refuse an explanation (签批)."""

    word = "judge-explanation"
    by = "signer"
    explanation: Id
    verdict: Literal["accept", "refuse"]
    note: Text = ""


# --- labels, holds, cases ---------------------------------------------------------------------------------------------


class Tag(Act):
    """Say what recordings are. What is not named stays as it was; ``--untag`` takes a tag back, promises stay."""

    word = "tag"
    by = "anyone"
    records: Records = Field(min_length=1)
    tags: Words = Field((), description="tags of the rule pack to add")
    untag: Words = Field((), description="tags to take back")
    case: OptionalId = ""
    category: OptionalId = Field("", description="case class (案件类别)")
    parties: Words = ()
    place: OptionalId = ""
    event: OptionalId = Field("", description="event type (事件类型)")
    activity: OptionalId = Field("", description="class of activity")
    sensitive: Literal["", "secret", "privacy"] = ""
    important: bool | None = None
    unrelated: bool | None = Field(None, description="not enforcement at all (非执法内容)")
    note: Text = ""


class Hold(Act):
    """Let nothing that fits all that is named expire or be erased."""

    word = "hold"
    records: Records = ()
    person: OptionalId = ""
    place: OptionalId = ""
    device: OptionalId = ""
    since: Moment | None = None
    until: Moment | None = None
    reason: Text


class LiftHold(Act):
    """End a hold."""

    word = "lift-hold"
    hold: Id
    reason: Text


class OpenCase(Act):
    """Enter a case by its number."""

    word = "open-case"
    by = "anyone"
    case: Id
    category: OptionalId = ""
    parties: Words = ()
    handler: OptionalId = ""


class StepCase(Act):
    """The inspection ended, or the case closed (结案): the archive clock starts."""

    word = "step-case"
    by = "anyone"
    case: Id
    step: Literal["inspection_ended", "case_closed"]
    moment: Moment


class ArchiveCase(Act):
    """Text and footage are together in the case file."""

    word = "archive-case"
    by = "anyone"
    case: Id
    file: Id = Field(description="number of the file (卷宗号)")


# --- access, checks, the end of keeping -------------------------------------------------------------------------------


class RequestAccess(Act):
    """Ask to see recordings, to have copies, to give them out or to publish them."""

    word = "request-access"
    by = "anyone"
    access: AccessAct
    applicant: Id
    reason: Text
    records: Records = Field(min_length=1)


class Approve(Act):
    """Agree to a request, as the next of its chain."""

    word = "approve"
    by = "approver"
    request: Id
    note: Text = ""


class Refuse(Act):
    """Refuse a request, as the next of its chain."""

    word = "refuse"
    by = "approver"
    request: Id
    reason: Text


class UseAccess(Act):
    """Let a granted request be carried out: the line of the register, before anything is shown or copied."""

    word = "use-access"
    by = "administrator"
    request: Id
    how: Literal["viewed", "copied", "exported"]
    who: Id = Field(description="who sees or gets it (调阅人、复制人)")
    copies: int = Field(0, ge=0, le=1000)
    note: Text = ""


class DrawCheck(Act):
    """Draw a spot check: a share of what a unit recorded in a span, by a seed that was published before."""

    word = "draw-check"
    by = "supervisor"
    unit: Id
    since: Moment
    until: Moment
    percent: int | None = Field(None, ge=1, le=100, description="the share; else the setting")
    seed: Id = Field(description="published before, so that anyone can draw again")


class JudgeCheck(Act):
    """Judge one recording of a spot check, point by point: the numbers of the points that are not as they should be."""

    word = "judge-check"
    by = "supervisor"
    check: Id
    record: Id
    wrong: Annotated[tuple[int, ...], Field(max_length=MOST_WORDS)] = ()
    remark: Text = ""


class SkipCheck(Act):
    """Do not look at one recording of a spot check, and say why."""

    word = "skip-check"
    by = "supervisor"
    check: Id
    record: Id
    reason: Text


class ProposeExpiry(Act):
    """Propose recordings for destruction whose keeping has ended. The program itself destroys nothing centrally."""

    word = "propose-expiry"
    by = "administrator"
    records: Records = Field(min_length=1)


class ApproveExpiry(Act):
    """Agree to a proposal; two persons must."""

    word = "approve-expiry"
    by = "leader"
    expiry: Id
    note: Text = ""


class IssuePaper(Act):
    """Enter that a paper was made and given out, with the SHA-256 of its file and the number of copies (份数)."""

    word = "issue-paper"
    by = "anyone"
    paper: Id
    subject: Text
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    copies: int = Field(1, ge=1, le=1000)


ACTS: dict[str, type[Act]] = {
    act.word: act
    for act in (
        EnterPerson, LeavePerson, SetSignIn, EnterTeam, HandOver, RegisterDevice, Issue, Return, SetDevice, ReportFault,
        Service, BeginTrip, EndTrip, EndActivity, Extend, Explain, JudgeExplanation, Tag, Hold, LiftHold, OpenCase,
        StepCase, ArchiveCase, RequestAccess, Approve, Refuse, UseAccess, DrawCheck, JudgeCheck, SkipCheck,
        ProposeExpiry, ApproveExpiry, IssuePaper,
    )
}  # fmt: skip
"""Every act by its word."""
