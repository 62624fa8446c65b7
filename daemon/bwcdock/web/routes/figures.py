"""What machines ask: figures for Prometheus, and whether the station is well for whoever has nothing else."""

from pydantic import TypeAdapter
from starlette.responses import Response

from bwcdock import metrics
from bwcdock.ledger import Reader
from bwcdock.web.house import House
from bwcdock.web.pages import Pages, TheHouse, Who
from bwcdock.web.policy import Place, may

_HEALTH = TypeAdapter(metrics.Health)


def routes(house: House) -> Pages:
    """The routes `/metrics`, `/healthz` and `/readyz`."""
    pages = Pages()
    memory = metrics.Memory()

    def figures(ledger: Reader) -> bytes:
        return metrics.exposition(house.settings, ledger, house.law, house.clock.now(), memory=memory)

    @pages.get("/metrics", Place.FIGURES)
    async def scrape() -> Response:
        return Response(await house.asker.ask(figures), headers={"content-type": metrics.CONTENT_TYPE})

    @pages.get("/healthz", Place.HEALTH)
    async def alive(house: TheHouse) -> Response:
        return _told(metrics.alive(house.clock.now()))

    @pages.get("/readyz", Place.HEALTH)
    async def ready(house: TheHouse, caller: Who) -> Response:
        health = await house.hands.do(metrics.health, house.settings, house.clock.now())
        if not may(caller, Place.FIGURES, house.law.pack):
            # A stranger learns whether it is well, as a load balancer must, and not what is wrong with it.
            health = metrics.Health(at=health.at, well=health.well, checks=())
        return _told(health)

    return pages


def _told(health: metrics.Health) -> Response:
    body = _HEALTH.dump_json(health)
    return Response(body, status_code=200 if health.well else 503, media_type="application/json")
