"""The home as a directory: whose it is, who else could read it, where it is, and who might end what runs in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attn.doctor.scene import Finding, Scene, fail, of_code, ok, quoted, warn
from attn.store.file import probes

# Below this a session's last screen and a backup may not find room.
LOW_BYTES: Final = 64 << 20
_UNIT: Final = ".config/systemd/user/attn.service"
_LOGIND: Final = (Path("/etc/systemd/logind.conf"), Path("/etc/systemd/logind.conf.d"))
_LINGER: Final = Path("/var/lib/systemd/linger")


def home(scene: Scene) -> Iterator[Finding]:
    """Owner, mode, file system and space of the home."""
    root = scene.home.root
    try:
        found = root.stat()
    except FileNotFoundError:
        yield ok("home", "there is no home yet; the first session makes it", root)
        return
    except OSError as error:
        yield fail("home", f"home_unwritable: it cannot be looked at: {error.strerror}", root, "set ATTN_HOME")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield fail("home", "home_unwritable: it is no directory", root, f"ls -l {quoted(root)}")
        return
    problem = probes.unusable(scene.home.database)
    if problem is not None and problem.path == root:
        yield of_code(scene, "home", problem.code, problem.text, root)
        return
    if found.st_uid != os.geteuid():
        yield fail("home", f"it belongs to uid {found.st_uid}, not to you", root, f"ls -ld {quoted(root)}")
    elif stat.S_IMODE(found.st_mode) & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        yield warn("home", f"others may look into it (mode {mode:04o})", root, f"chmod 700 {quoted(root)}")
    remote = probes.remote(scene.home.database)
    if remote is not None:
        yield of_code(scene, "home", remote.code, remote.text, remote.path)
    disk = os.statvfs(root)
    free = disk.f_bavail * disk.f_frsize
    if free < LOW_BYTES:
        yield warn("home", f"only {free >> 20} MB are free on its disk", root, f"df -h {quoted(root)}")
    else:
        yield ok("home", f"yours alone, {free >> 20} MB are free", root)


def secrets(scene: Scene) -> Iterator[Finding]:
    """Whether what is private is, and what must be there is."""
    place = scene.home
    if not place.root.is_dir():
        return
    bad = 0
    for path in (place.token, place.daemon_id):
        if not os.path.lexists(path):
            continue
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size == 0:
            bad += 1
            what = "it is empty" if stat.S_ISREG(found.st_mode) else "it is no plain file"
            yield fail("secrets", f"{what}, so that no daemon starts", path, f"rm {quoted(path)}")
    for path in _own_files(place.root):
        found = path.lstat()
        if not stat.S_ISLNK(found.st_mode) and (stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid()):
            bad += 1
            mode = stat.S_IMODE(found.st_mode)
            text = f"mode {mode:04o}, owner uid {found.st_uid}: others may read or change it"
            yield warn("secrets", text, path, f"chmod go-rwx {quoted(path)}")
    if not bad:
        yield ok("secrets", "token, database, backups and sessions are yours alone")


def _own_files(root: Path) -> Iterator[Path]:
    """What stands in the home, two levels deep; config.toml is the person's own affair."""
    try:
        for path in sorted(root.iterdir()):
            if path.name == "config.toml":
                continue
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from sorted(path.iterdir())
    except OSError:
        return  # the check of the home says why


def service(scene: Scene) -> Iterator[Finding]:
    """Whether a logout ends programs, which attn cannot prevent by itself."""
    unit = Path(scene.env.get("HOME", "/")) / _UNIT
    user = scene.env.get("USER") or scene.env.get("LOGNAME") or ""
    lingers = bool(user) and (_LINGER / user).exists()
    if _kills_at_logout() and not lingers:
        yield warn("service", "logging out ends all your programs, those in sessions too (KillUserProcesses=yes)",
                   _LOGIND[0], "loginctl enable-linger")  # fmt: skip
    elif unit.exists() and not lingers:
        yield warn("service", "the service ends with your last login", unit, "loginctl enable-linger")
    elif unit.exists():
        yield ok("service", "installed, and it goes on when you log out", unit)
    else:
        yield ok("service", "no service is installed; commands start the daemon when they need it")


def _kills_at_logout() -> bool:
    files = [_LOGIND[0], *sorted(_LOGIND[1].glob("*.conf"))]
    value = False
    for file in files:
        try:
            lines = file.read_text(errors="replace").splitlines()
        except OSError:
            continue  # not systemd, or not for us to read
        for line in lines:
            name, _, text = line.partition("=")
            if name.strip() == "KillUserProcesses":
                value = text.strip().lower() in ("yes", "true", "on", "1")
    return value
