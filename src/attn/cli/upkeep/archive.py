"""The archive of `attn debug`: bounded, private, and without what is nobody else's business.

Everything that goes in passes `Redaction`: secrets of the home, arguments of programs and values of environments are
replaced wherever they stand, also in logs.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import sys
import tarfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from attn import __version__
from attn.bundle.bundle import list_bundles
from attn.bundle.files import BundleDamaged
from attn.errors import AttnError

if TYPE_CHECKING:
    from attn.doctor.scene import Scene
    from attn.wire.client_events import StatusResult
    from attn.wire.client_views import SessionView

# Of each log its end, and of everything together no more than this; unpacked.
LOG_MAX_BYTES: Final = 1 << 20
TOTAL_MAX_BYTES: Final = 12 << 20
# A home with more files than this is described by its first ones.
TREE_MAX: Final = 5000
REDACTED: Final = "[redacted]"

# A text this short is a flag or a word that stands in every log anyway.
_SHORT: Final = 4
_SECRETS: Final = re.compile(rb"[0-9a-fA-F]{32,}|#login=[\w-]+|(?<![\w-])[\w-]{43}(?![\w-])")
_PACKAGES: Final = ("attn", "apsw", "pyghostty", "aiohttp", "msgspec", "click", "cffi")


class Redaction:
    """Replaces secrets in bytes."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long = sorted({os.fsencode(text) for text in secrets if len(text) >= _SHORT}, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, long))) if long else None

    def __call__(self, data: bytes) -> bytes:
        if self._pattern is not None:
            data = self._pattern.sub(REDACTED.encode(), data)
        return _SECRETS.sub(REDACTED.encode(), data)


def gather(
    scene: Scene, findings: Mapping[str, Any], status: StatusResult | None, sessions: list[SessionView]
) -> dict[str, bytes]:
    """The files of the archive by their names; what cannot be read is said in its place."""
    secrets, arguments, described = _bundles(scene)
    secrets |= _home_secrets(scene)
    for session in sessions:
        arguments |= {*session.argv[1:], session.title}
    # Arguments are left out of what is composed here; an ordinary word of theirs must not break its JSON.
    structured, free = Redaction(secrets), Redaction(secrets | arguments)
    parts = {
        "versions.json": _json(_versions()),
        "doctor.json": _json(findings),
        "status.json": msgspec.json.format(msgspec.json.encode(status), indent=1) if status else b"null\n",
        "sessions.json": _json([_session(session) for session in sessions]),
        "bundles.json": _json(described),
        "files.txt": "\n".join(_tree(scene.home.root)).encode(errors="replace"),
        "locks.txt": _locks(scene.home.root),
        "sockets.txt": _sockets(scene.home.sockets),
    }
    for log in _entries(scene.home.logs):
        parts[f"logs/{log.name}"] = _tail(log)
    return _bounded({name: (structured if name.endswith(".json") else free)(data) for name, data in parts.items()})


def write(target: Path, parts: Mapping[str, bytes]) -> int:
    """Write the archive as a new file, 0600; its size in bytes. Raises AttnError `usage` when it cannot be made."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AttnError("usage", f"{target} cannot be made: {error.strerror}", "name another file with --to") from error
    try:
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            for name, data in parts.items():
                entry = tarfile.TarInfo(f"attn-debug/{name}")
                entry.size, entry.mode = len(data), 0o600
                archive.addfile(entry, io.BytesIO(data))
        return target.stat().st_size
    except OSError as error:
        target.unlink(missing_ok=True)
        raise AttnError("output_failed", f"{target} could not be written: {error.strerror}") from error


def _versions() -> dict[str, Any]:
    installed: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed[name] = None
    return {
        "attn": __version__, "python": sys.version, "executable": sys.executable, "system": platform.platform(),
        "libc": " ".join(platform.libc_ver()), "packages": installed,
        "names_of_environment": sorted(name for name in os.environ if name.startswith(("ATTN", "XDG", "LC_", "LANG"))),
    }  # fmt: skip


def _session(session: SessionView) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(session)
    return {**facts, "argv": session.argv[:1] + [REDACTED] * len(session.argv[1:]), "title": REDACTED}


def _bundles(scene: Scene) -> tuple[set[str], set[str], list[dict[str, Any]]]:
    """Secrets and arguments that stand in the bundles, and the bundles without them."""
    secrets: set[str] = set()
    arguments: set[str] = set()
    described: list[dict[str, Any]] = []
    try:
        found = list_bundles(scene.home.run)
    except OSError as error:
        return secrets, arguments, [{"problem": str(error)}]
    for bundle in found:
        entry: dict[str, Any] = {"id": bundle.session_id}
        described.append(entry)
        try:
            entry["lock_held"] = bundle.lock_held()
            secrets.add(bundle.control())
            spec, meta, worker, ended = bundle.spec(), bundle.meta(), bundle.worker(), bundle.exit()
        except (OSError, BundleDamaged) as error:
            entry["problem"] = str(error)
            continue
        arguments |= set(spec.argv[1:])
        kept = {name: value for name, value in spec._asdict().items() if name not in ("argv", "resume", "env_names")}
        kept |= {"program": spec.argv[0], "arguments": len(spec.argv) - 1, "resumable": spec.resume is not None}
        entry |= {
            "spec": kept,
            "meta": meta._asdict(), "worker": worker._asdict() if worker else None,
            "exit": ended._asdict() if ended else None,
        }  # fmt: skip
    return secrets, arguments, described


def _home_secrets(scene: Scene) -> set[str]:
    try:
        return {scene.home.token.read_text().strip()}
    except OSError:
        return set()


def _tree(root: Path) -> list[str]:
    """Modes, owners, sizes and names; no contents."""
    told: list[str] = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(folder, name)
            try:
                found = path.lstat()
            except OSError as error:
                told.append(f"? {path}: {error.strerror}")
                continue
            told.append(f"{found.st_mode:07o} {found.st_uid} {found.st_size:>10} {found.st_mtime:.0f} {path}")
            if len(told) >= TREE_MAX:
                return [*told, "…"]
    return told


def _locks(root: Path) -> bytes:
    """The lines of /proc/locks that are about files of the home, each with its file."""
    inodes = {}
    for folder, _, files in os.walk(root):
        for name in files:
            path = Path(folder, name)
            if path.suffix in (".lock", ".db") and path.exists():
                inodes[str(path.stat().st_ino)] = path
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError as error:
        return f"{error}\n".encode()
    about = [(line, line.split()[-3].rpartition(":")[2]) for line in lines]
    return "".join(f"{line}  {inodes[inode]}\n" for line, inode in about if inode in inodes).encode()


def _sockets(folder: Path) -> bytes:
    from attn.bundle import processes

    owned = processes.listening()
    return "".join(f"{'open' if str(path) in owned else 'dead'} {path}\n" for path in _entries(folder)).encode()


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder))
    except OSError:
        return []  # not there, or closed to us, which files.txt says


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_MAX_BYTES))
            return file.read()
    except OSError as error:
        return f"{path}: {error.strerror}\n".encode()


def _bounded(parts: dict[str, bytes]) -> dict[str, bytes]:
    left, kept = TOTAL_MAX_BYTES, {}
    for name, data in parts.items():
        kept[name] = data[-left:] if left else b""
        left -= len(kept[name])
    return kept


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str).encode()
