"""Three hundred hostile cards, docked one after the other as on any day: each does what its case declares, and no more.

What is judged of each: refused with the words declared, or let in with exactly the findings, files and bytes declared;
its reader below 256 MiB and the daemon grown by less; at most 10 s of processor time; nothing changed outside the
station; nothing raw in log or ledger. After each class the same station docks an honest card, and its audit agrees.
"""

import os
from pathlib import Path

import chain_cards
import media_cards
import name_cards
import node_cards
import pytest
import size_cards
import told_cards
import volume_cards
from card_makers import exfat
from hostile_case import Case, Kind
from hostile_world import Dock, around, dock, logged, must_be_told_harmless, wrong_of  # noqa: F401  (a fixture)

KINDS: tuple[Kind, ...] = (
    *name_cards.KINDS,
    *node_cards.KINDS,
    *chain_cards.KINDS,
    *size_cards.KINDS,
    *volume_cards.KINDS,
    *media_cards.KINDS,
    *told_cards.KINDS,
)

HONEST = Case(name="an honest card", make=exfat)


def test_every_class_has_its_cases_and_each_a_name_of_its_own() -> None:
    for kind in KINDS:
        assert len(kind.cases) == 25, kind.name
        assert len({case.name for case in kind}) == len(kind.cases), kind.name


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_each_card_does_what_is_declared(kind: Kind, dock: Dock, tmp_path: Path, record_property) -> None:  # noqa: F811
    wrong: list[str] = []
    outcomes = []
    here = sorted(os.listdir(tmp_path))
    with logged() as log:
        async with dock.bed.at_work():
            honest, wanted = await dock.docked(HONEST)
            usual = honest.codes
            for case in kind:
                outcome, wanted = await dock.docked(case, usual)
                outcomes.append(outcome)
                wrong += wrong_of(outcome, wanted)
            after, wanted = await dock.docked(HONEST, usual)
            wrong += wrong_of(after, wanted)
    assert not wrong, "\n".join(wrong)
    assert around(dock.cards.parent) == {str(dock.cards): around(dock.cards.parent)[str(dock.cards)]}
    assert sorted(os.listdir(tmp_path)) == here
    must_be_told_harmless(dock.bed, log.getvalue())
    dock.bed.must_agree()
    verdicts = [case.verdict for case in kind]
    row = [kind.name, str(len(verdicts)), *(str(verdicts.count(v)) for v in ("refused", "found", "right"))]
    worst = max(max(each.reader_mib, each.daemon_mib) for each in outcomes), max(each.cpu_s for each in outcomes)
    record_property("hostile", [*row, f"{worst[0]:.0f}", f"{worst[1]:.1f}"])
