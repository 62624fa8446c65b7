"""Every fact a ledger can hold: what the station proves, and what people state."""

from bwcdock.core.facts import RECORD_FACTS as PROVEN_OF_RECORDS
from bwcdock.core.facts import SESSION_FACTS, STATION_FACTS, Fact
from bwcdock.core.statements import STATED_OF_RECORDS, STATEMENTS

RECORD_FACTS: tuple[type[Fact], ...] = PROVEN_OF_RECORDS + STATED_OF_RECORDS
ALL_FACTS: tuple[type[Fact], ...] = STATION_FACTS + SESSION_FACTS + RECORD_FACTS + STATEMENTS
