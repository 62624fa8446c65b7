"""Real Prometheus and Alertmanager on loopback, for the tests of alarms and dashboards; and the shipped files."""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "config" / "prometheus" / "bwcdock.rules.yml"
SAMPLES = ROOT / "config" / "prometheus" / "bwcdock.test.yml"
DAYS = ROOT / "config" / "prometheus" / "bwcdock.days.test.yml"
PROMETHEUS = ROOT / "config" / "prometheus" / "prometheus.yml"
ALERTMANAGER = ROOT / "config" / "prometheus" / "alertmanager.yml"
DASHBOARDS = sorted((ROOT / "config" / "grafana").glob("*.json"))

TOOLS = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")
MISSING = [name for name in TOOLS if shutil.which(name) is None]
needs_prometheus = pytest.mark.skipif(
    bool(MISSING),
    reason=f"NO ALARM AND NO DASHBOARD WAS TESTED: {', '.join(MISSING)} is not installed. "
    "apt-get install prometheus prometheus-alertmanager",
)


def run(*command: str | Path, data: bytes = b"") -> "subprocess.CompletedProcess[str]":
    """One of the tools to its end; what it said is together in ``stdout``."""
    ran = subprocess.run(
        list(map(str, command)), input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60
    )
    return subprocess.CompletedProcess(ran.args, ran.returncode, ran.stdout.decode(errors="replace"))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def hurried(rules: str) -> str:
    """The rules with nothing to wait for: no ``for``, and windows of seconds, so that a few scrapes fill them."""
    rules = re.sub(r"(?m)^ +for: \S+\n", "", rules)
    return rules.replace("[5m]", "[15s]").replace("[1h]", "[15s]").replace("[15m]", "[30s]")


# --- servers ----------------------------------------------------------------------------------------------------------


@contextmanager
def serving(answer: Callable[[str, bytes], bytes]) -> Iterator[int]:
    """A server on loopback that answers with ``answer(path, body)``; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answer(self.path, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _process(log: Path, *command: str | Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as stream:
        process = subprocess.Popen(list(map(str, command)), stdout=stream, stderr=stream, cwd=log.parent)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def alertmanager(directory: Path, webhook: int) -> Iterator[int]:
    """Alertmanager with the shipped routes, whose receivers are all at this port of loopback; its port."""
    text = ALERTMANAGER.read_text().replace("127.0.0.1:9095", f"127.0.0.1:{webhook}")
    text = text.replace("group_wait: 30s", "group_wait: 0s").replace("group_interval: 5m", "group_interval: 1s")
    directory.mkdir()
    (directory / "alertmanager.yml").write_text(text)
    port = free_port()
    with _process(
        directory / "log",
        "prometheus-alertmanager",
        f"--config.file={directory / 'alertmanager.yml'}",
        f"--storage.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ):
        until(lambda: reachable(f"http://127.0.0.1:{port}/-/ready"), log=directory / "log")
        yield port


@contextmanager
def prometheus(directory: Path, *, station: int, alarms: int) -> Iterator["Asked"]:
    """Prometheus that scrapes this port every second by the shipped rules, hurried, and alarms that port."""
    directory.mkdir()
    (directory / "bwcdock.rules.yml").write_text(hurried(RULES.read_text()))
    (directory / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms}\n"
        "rule_files: [bwcdock.rules.yml]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alarms}']}}]}}]}}\n"
        "scrape_configs:\n"
        f"  - {{job_name: bwcdock, static_configs: [{{targets: ['127.0.0.1:{station}']}}]}}\n"
    )
    port = free_port()
    with _process(
        directory / "log",
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ):
        until(lambda: reachable(f"http://127.0.0.1:{port}/-/ready"), log=directory / "log")
        yield Asked(port)


class Asked:
    """A Prometheus that is asked."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/api/v1"

    def query(self, expr: str) -> list[dict[str, Any]]:
        """What an expression comes to now."""
        told = get(f"{self._base}/query?{urllib.parse.urlencode({'query': expr})}")
        assert told["status"] == "success", (expr, told)
        return list(told["data"]["result"])


def get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


def reachable(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(
    condition: Callable[[], Any], *, limit_s: float = 45.0, log: Path | None = None, told: Callable[[], str] = str
) -> Any:
    """Wait until it answers something true, and answer it."""
    end = time.monotonic() + limit_s
    while not (answer := condition()):
        assert time.monotonic() < end, f"not within {limit_s:g} s {log.read_text() if log else told()}"
        time.sleep(0.1)
    return answer


# --- what the shipped files say ---------------------------------------------------------------------------------------

RECORDED = re.compile(r"[a-z_]+:bwcdock_\w+:\w+")
_NAME = re.compile(r"(?<![\w:])bwcdock_\w+(?![\w:])")


def names_in(text: str) -> set[str]:
    """The names of figures in a text, without those that the rules record."""
    return set(_NAME.findall(RECORDED.sub("", text)))


def queries() -> list[tuple[str, str]]:
    """Every query of every dashboard, its variables' among them, with where it stands."""
    found = []
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
                found.append((f"{path.stem} ${variable['name']}", f"group by ({label}) ({metric})"))
        for panel in board["panels"]:
            found += [(f"{path.stem}: {panel['title']}", target["expr"]) for target in panel["targets"]]
    return found


def filled(expr: str) -> str:
    """A query as Grafana sends it, with all that can be chosen chosen."""
    chosen = {"$__rate_interval": "15s", "$unit": ".*", "$instance": ".*", "$station": "test-dock"}
    for name, value in chosen.items():
        expr = expr.replace(name, value)
    return expr
