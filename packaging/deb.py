"""Builds the Debian package: the program with everything it needs under /opt/bwcdock, and what the system must know.

``python3 packaging/deb.py DIRECTORY`` writes ``bwcdock_<version>_<architecture>.deb`` there. Needs /usr/bin/python3
with venv (its minor version is what the package depends on), dpkg-deb, and the packages ``requirements.run.lock`` pins.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = Path("/opt/bwcdock")
PYTHON = "/usr/bin/python3"
EPOCH = "SOURCE_DATE_EPOCH"

COPYRIGHT = """\
Copyright: 2026 the bwcdock authors

Licensed under the Apache License, Version 2.0. On Debian systems its full text is in
/usr/share/common-licenses/Apache-2.0.

The Python packages in /opt/bwcdock/lib carry the copyright of their authors; the licence of each lies in its own
.dist-info directory.
"""

# The tree under /opt is complete in itself, which is what these are about: its libraries are the wheels' own, as pinned
# by hash, and are not stripped, so that they stay byte for byte what was pinned. The bytecode is of the interpreter it
# depends on: what was compiled at installation, or later by root's commands, would be left when the package goes.
OVERRIDES = """\
bwcdock: dir-or-file-in-opt
bwcdock: embedded-library
bwcdock: unstripped-binary-or-object
bwcdock: unstripped-static-library
bwcdock: custom-library-search-path
bwcdock: shared-library-is-executable
bwcdock: no-manual-page
bwcdock: package-installs-python-bytecode
bwcdock: package-installs-python-pycache-dir
"""

DESCRIPTION = """\
Description: docking station daemon for body-worn recorders
 Detects recorders at the ports of a dock, pulls their footage with two
 digests, seals it against power cuts, judges the offload deadline of the
 chosen regulation, and pushes every recording with a signed manifest to
 central storage.
 .
 The program and the Python packages it needs live in /opt/bwcdock; the
 service runs as its own user without capabilities.
"""


def main() -> int:
    target = Path(sys.argv[1]).absolute()
    target.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault(EPOCH, _run("git", "-C", ROOT, "log", "-1", "--format=%ct").strip())
    with tempfile.TemporaryDirectory(prefix="bwcdock-deb-") as scratch:
        tree = Path(scratch) / "tree"
        version = _program(tree, Path(scratch) / "wheel")
        _machine(tree)
        _papers(tree, version)
        _control(tree, version)
        package = target / f"bwcdock_{version}_{_architecture()}.deb"
        _run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, package)
    print(package)
    return 0


def _run(*command: str | Path) -> str:
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout


def _architecture() -> str:
    return _run("dpkg", "--print-architecture").strip()


def _program(tree: Path, wheels: Path) -> str:
    """The virtual environment as it will lie in /opt, and the version of the program in it."""
    home = tree / HOME.relative_to("/")
    pip = (home / "bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check")
    _run(PYTHON, "-m", "venv", home)
    _run(*pip, "install", "--no-compile", "--require-hashes", "-r", ROOT / "requirements.run.lock")
    _run(sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, ROOT)
    (wheel,) = wheels.glob("bwcdock-*.whl")
    _run(*pip, "install", "--no-compile", "--no-deps", wheel)
    for name in ("pip", "setuptools", "pkg_resources", "_distutils_hack"):
        for left in (home / "lib").glob(f"python3*/site-packages/{name}*"):
            shutil.rmtree(left)
    for left in (home / "lib").glob("python3*/site-packages/distutils-precedence.pth"):
        left.unlink()
    for script in (home / "bin").iterdir():
        if not script.name.startswith(("python", "bwcdock")):
            script.unlink()
        elif not script.is_symlink():
            script.write_bytes(script.read_bytes().replace(str(home).encode(), str(HOME).encode()))
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    _compiled(home)
    return wheel.name.split("-")[1]


def _compiled(home: Path) -> None:
    """Bytecode beside every module: the station's user cannot write it and would compile all at each start, and what
    root's commands wrote would be left when the package goes. By content and not by time, which dpkg does not keep; the
    package depends on the one Python that reads it.
    """
    how = ("-q", "--invalidation-mode", "unchecked-hash")
    _run(PYTHON, "-m", "compileall", *how, "-s", home, "-p", HOME, home / "lib")


def _machine(tree: Path) -> None:
    """Units, udev rules and the rest under /usr/lib, by the program's own reckoning of what belongs there.

    The settings are no conffile: dpkg would ask about them at an update and delete them at a purge. They lie aside, and
    are put in place where there are none.
    """
    sys.path.insert(0, str(ROOT / "daemon"))
    from bwcdock import install

    wanted = install.files(HOME / "bin", name="dock-01", unit="unit", rules="S4-fuzhou", vendor=True)
    install.carry_out(tree, install.plan(tree, wanted))
    aside = tree / "usr/share/bwcdock"
    aside.mkdir(parents=True)
    shutil.move(tree / install.ETC.relative_to("/") / "bwcdock.toml", aside)
    shutil.rmtree(tree / "etc")


def _papers(tree: Path, version: str) -> None:
    doc = tree / "usr/share/doc/bwcdock"
    doc.mkdir(parents=True)
    (doc / "copyright").write_text(COPYRIGHT)
    told = f"bwcdock ({version}) stable; urgency=medium\n\n  * See CHANGELOG.md of the program.\n\n"
    date = _run("date", "-R", "-u", "-d", f"@{os.environ[EPOCH]}").strip()
    changelog = doc / "changelog"
    changelog.write_text(f"{told} -- bwcdock maintainers <maintainers@bwcdock.example.org>  {date}\n")
    _run("gzip", "-9n", changelog)
    for page in ("metrics.md", "alarms.md"):  # what an alarm's runbook link means
        shutil.copy(ROOT / "docs" / page, doc)
        (doc / page).chmod(0o644)
    overrides = tree / "usr/share/lintian/overrides/bwcdock"
    overrides.parent.mkdir(parents=True)
    overrides.write_text(OVERRIDES)
    command = tree / "usr/bin/bwcdock"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.symlink_to(HOME / "bin/bwcdock")


def _control(tree: Path, version: str) -> None:
    debian = tree / "DEBIAN"
    debian.mkdir(mode=0o755)
    size = sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file()) >> 10
    minor = _run(PYTHON, "-c", "import sys; print(sys.version_info.minor)").strip()
    (debian / "control").write_text(
        f"Package: bwcdock\nVersion: {version}\nArchitecture: {_architecture()}\nMaintainer: bwcdock maintainers "
        f"<maintainers@bwcdock.example.org>\nInstalled-Size: {size}\nSection: admin\nPriority: optional\n"
        f"Depends: python3 (>= 3.{minor}), python3 (<< 3.{int(minor) + 1}), systemd (>= 252), udev, libudev1, "
        f"libc6 (>= 2.34), adduser\nRecommends: systemd-timesyncd | time-daemon, "
        f"fonts-wqy-zenhei | fonts-noto-cjk | fonts-wqy-microhei\n{DESCRIPTION}"
    )
    for script in (ROOT / "packaging/debian").iterdir():
        shutil.copy(script, debian / script.name)
        (debian / script.name).chmod(0o755)
    for path in tree.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
