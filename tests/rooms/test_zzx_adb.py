"""The way to a ZZX recorder by an adb server: the server's own words, a recorder behind it, and whatever goes wrong."""

import os
import socket
import threading
from contextlib import closing, suppress

import pytest
from bwcdock.core.facts import Sighting
from bwcdock.errors import Misbehaved, NotAllowed, Unplugged
from bwcdock.testing.driver_suite import held
from bwcdock.testing.zzx_recorder import ZzxRecorder
from bwcdock_drivers.zzx.adb import PORT, Adb
from bwcdock_drivers.zzx.driver import ZzxDriver

START = f"shell:am broadcast -a com.zzx.sdk --ei port {PORT}"


class Server:
    """What an adb server does with one device at ``usb:1-1.2``, as its documents say, and the service of a recorder.

    ``late`` is how often the service is not listening yet; ``says`` what comes instead of OKAY to such words.
    """

    def __init__(self, address, recorder):
        self.recorder = recorder
        self.late = 0
        self.says = {}
        self.asked = []
        self.started = False
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(address))
        self.listener.listen(8)
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self.serve, args=(connection,))
            self.threads.append(thread)
            thread.start()

    def serve(self, connection):
        with closing(connection), suppress(OSError, ValueError):
            connection.settimeout(20)
            while words := self.words(connection):
                self.asked.append(words)
                answer = self.says.get(words) or self.answer(words)
                connection.sendall(answer)
                if answer[:4] != b"OKAY":
                    return
                if words.startswith("shell:"):
                    connection.sendall(b"Broadcasting: Intent { act=com.zzx.sdk }\nBroadcast completed: result=0\n")
                    return
                if words.startswith("tcp:"):
                    self.relay(connection)
                    return

    def words(self, connection):
        length = connection.recv(4, socket.MSG_WAITALL)
        return connection.recv(int(length, 16), socket.MSG_WAITALL).decode() if length else ""

    def answer(self, words):
        there = self.recorder.is_there
        if words.startswith("host:transport:"):
            found = there and words == "host:transport:usb:1-1.2"
            return b"OKAY" if found else fail(f"device '{words[15:]}' not found")
        if words == START:
            self.started = True
            return b"OKAY"
        if words == f"tcp:{PORT}" and self.started:
            self.late -= 1
            return b"OKAY" if self.late < 0 else fail("closed")
        return fail("unknown service")

    def relay(self, connection):
        came = b""
        while more := connection.recv(4096):
            came += more
            while b"\n" in came:
                line, _, came = came.partition(b"\n")
                said = self.recorder.hears(line)
                if said is None or not self.recorder.is_there:
                    return
                connection.sendall(said)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()


def fail(why):
    return b"FAIL%04x" % len(why) + why.encode()


class World:
    """The kernel's folders with one device, its node (whose number is that of another), and the server."""

    def __init__(self, root):
        self.root = root
        self.recorder = ZzxRecorder()
        self.server = Server(root / "adb.sock", self.recorder)
        self.node = root / "usb/001/004"
        self.node.parent.mkdir(parents=True)
        self.node.symlink_to("/dev/null")
        number = os.stat("/dev/null").st_rdev
        self.device = root / "sys/devices/usb1/1-1.2"
        self.interface("ff", "42", "01")
        (root / "sys/dev/char").mkdir(parents=True)
        self.link = root / f"sys/dev/char/{os.major(number)}:{os.minor(number)}"
        self.link.symlink_to(self.device)
        self.source = str(self.node)

    def interface(self, *kind, number="1.0"):
        folder = self.device / f"1-1.2:{number}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in zip(("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol"), kind, strict=True):
            (folder / name).write_text(f"{value}\n")

    def adb(self, **how):
        how = {"nodes": self.root / "usb", "sys": self.root / "sys", "start_s": 5.0, **how}
        return Adb(str(self.root / "adb.sock"), **how)

    def opened(self, answer_s=20.0, **how):
        driver = ZzxDriver(bridge=self.adb(**how), answer_s=answer_s)
        return driver.open(Sighting(port="usb-1", source=self.source))

    def unplug(self):
        self.recorder.is_there = False
        self.link.unlink()
        self.node.unlink()


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.server.close()


def test_a_recorder_is_spoken_to_by_way_of_the_server(world):
    with world.opened() as recorder:
        assert recorder.identity().user == "033021 王建国"
        recorder.unlock("246810")
        recorder.switch_to_disk()
        assert recorder.present()
    assert world.recorder.is_disk
    assert world.server.asked == ["host:transport:usb:1-1.2", START, "host:transport:usb:1-1.2", f"tcp:{PORT}"]


def test_its_service_may_take_a_while_to_listen(world):
    world.server.late = 3
    with world.opened() as recorder:
        assert recorder.identity().serial == "ZX20260"
    assert world.server.asked.count(f"tcp:{PORT}") == 4


def test_the_server_may_take_a_while_to_greet_it(world):
    waits = [b"FAIL000edevice offline", b"FAIL0014device unauthorized.", None]
    world.server.answer = lambda words, answer=world.server.answer: (
        waits.pop(0) or answer(words) if waits and words.startswith("host:") else answer(words)
    )
    with world.opened() as recorder:
        assert recorder.identity().serial == "ZX20260"
    assert waits == []


def test_one_whose_service_never_listens_is_told(world):
    world.server.late = 10_000
    with pytest.raises(NotAllowed, match="closed"), world.opened(start_s=0.3):
        pass


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (b"FAIL0014device unauthorized.", "device unauthorized."),
        (b"FAILffff" + b"x" * 300, "x" * 200),
        (b"FAIL0006\x1b[2Jok", r"\\x1b\[2Jok"),
        (b"FAILzz", "ended"),
        (b"FAILzzzz", "no adb server"),
        (b"HTTP/1.1 400", "no adb server"),
        (b"OK", "ended"),
    ],
)
def test_what_the_server_says_instead_is_told_as_it_is(world, says, why):
    world.server.says["host:transport:usb:1-1.2"] = says
    before = held()
    with pytest.raises(NotAllowed, match=why) as found, world.opened(start_s=0.1):
        pass
    assert "docs/vendor.md" in found.value.hint
    assert held()[1] == before[1]


def test_one_that_is_pulled_out_in_the_middle_is_unplugged(world):
    with world.opened() as recorder:
        world.unplug()
        assert not recorder.present()
        with pytest.raises(Unplugged):
            recorder.unlock("246810")
    with pytest.raises(Unplugged), world.opened():
        pass


def test_a_service_that_dies_is_the_recorders_misbehaviour(world):
    world.recorder.ends.add(17)
    with world.opened() as recorder, pytest.raises(Misbehaved, match="ended"):
        recorder.unlock("246810")


def test_silence_takes_no_longer_than_an_answer_may(world):
    world.recorder.silent.add(17)
    with world.opened(answer_s=0.3) as recorder, pytest.raises(Misbehaved, match="does not answer"):
        recorder.unlock("246810")


def test_it_is_known_by_its_interface(world, tmp_path):
    assert world.adb().certainty(world.source) == 30
    assert Adb("", nodes=tmp_path / "usb", sys=tmp_path / "sys").certainty(world.source) == 10
    assert Adb(str(tmp_path / "none"), nodes=tmp_path / "usb", sys=tmp_path / "sys").certainty(world.source) == 10
    world.interface("06", "01", "01")
    assert world.adb().certainty(world.source) == 0
    world.interface("ff", "42", "01", number="1.3")
    assert world.adb().certainty(world.source) == 30
    assert world.server.asked == []


@pytest.mark.parametrize("source", ["", "/dev/null", "/dev/sdb", "\0", "usb/001/004"])
def test_nothing_else_is_one(world, source):
    assert world.adb().certainty(source) == 0
    with pytest.raises(Unplugged):
        world.adb().connect(source)


def test_without_a_server_it_says_what_to_switch_on(world, tmp_path):
    with pytest.raises(NotAllowed) as found:
        Adb(str(tmp_path / "none"), nodes=tmp_path / "usb", sys=tmp_path / "sys").connect(world.source)
    assert "docs/vendor.md" in found.value.hint
