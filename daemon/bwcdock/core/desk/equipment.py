"""Whether each team has the recorders the regulation asks for, those out for repair not counted as had."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.people import Team
from bwcdock.core.rulepack import Equipment


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A team's recorders against what is asked for: ``needed`` of them, by ``article``."""

    team: str
    name: str
    officers: int
    in_service: int
    repair: int
    needed: int
    article: str
    quote: str

    @property
    def missing(self) -> int:
        """How many are missing that can be used."""
        return max(0, self.needed - self.in_service)


def ratios(rules: Iterable[Equipment], teams: Iterable[Team], devices: Iterable[Device]) -> tuple[Ratio, ...]:
    """For each team and each rule what it has and needs, teams by id, in the order of the rules."""
    rules, devices = tuple(rules), tuple(devices)
    found = []
    for team in sorted(teams, key=lambda team: team.id):
        mine = [device for device in devices if device.team == team.id]
        for rule in rules:
            share = ceil(team.officers / rule.officers) if rule.officers else 0
            found.append(
                Ratio(
                    team=team.id,
                    name=team.name,
                    officers=team.officers,
                    in_service=sum(device.state == "in_service" for device in mine),
                    repair=sum(device.state == "repair" for device in mine),
                    needed=max(share, rule.least),
                    article=rule.article,
                    quote=rule.quote,
                )
            )
    return tuple(found)
