"""Central storage proven from nothing but itself and the station's public key."""

from bwcdock.verify_central.places import Folder as Folder
from bwcdock.verify_central.places import Place as Place
from bwcdock.verify_central.places import Stored as Stored
from bwcdock.verify_central.proof import Report as Report
from bwcdock.verify_central.proof import prove as prove
from bwcdock.verify_central.proof import verify as verify
