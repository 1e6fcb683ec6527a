"""Looks at the database's files without SQLite: why it cannot open them, and what would harm them.

Only before SQLite opens the database may its file be opened here: closing any descriptor of it drops SQLite's lock.
Everything else is asked with stat(2), which opens nothing.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from attn.store.file.durable import read_quietly

MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100  # sqlite.org/fileformat2.html, "The Database Header"
# Read and write version: 1 is a rollback journal, 2 a write-ahead log. Offsets 18 and 19 of the header.
_VERSIONS: Final = (b"\x01\x01", b"\x02\x02")
_WAL_HEADER: Final = struct.Struct(">8I")  # magic, version, page size, checkpoints, salt 1, salt 2, two checksums
_WAL_MAGICS: Final = (0x377F0682, 0x377F0683)

# File systems whose locks, or whose idea of one file, are not those of a local disk.
_NETWORK: Final = re.compile(
    r"nfs4?|cifs|smb3|smbfs|9p|afs|ceph|glusterfs|lustre|ncpfs|vboxsf|davfs2?"
    r"|fuse\.(sshfs|s3fs|rclone|gvfsd-fuse|glusterfs|vmhgfs-fuse)"
)
_SYNCHRONISED: Final = frozenset(
    ("Dropbox", "OneDrive", "Google Drive", "GoogleDrive", "Nextcloud", "Mobile Documents", "iCloud Drive")
)
_MOUNTS: Final = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Finding:
    """Something about a file that a person must know. code: of `core.health`; text: one sentence with its path."""

    code: str
    text: str
    path: Path


def companions(path: Path) -> tuple[Path, Path]:
    """The write-ahead log and the rollback journal that SQLite keeps beside a database, whether or not they exist."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-journal")


def size_bytes(path: Path) -> int:
    """How large a file is; 0 when there is none. Raises OSError."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def descriptors_exhausted() -> bool:
    """Whether this process may open no further file."""
    try:
        os.close(os.dup(2))
    except OSError:
        return True
    return False


def unusable(path: Path) -> Finding | None:
    """Why a database at `path` cannot be read and written, asked of its directory, itself and its companions."""
    found = _directory(path.parent)
    for file in (path, *companions(path)):
        found = found or _file(file)
    return found


def link(path: Path) -> Finding | None:
    """What is wrong with a symbolic link at `path`, or with a second name of the file."""
    try:
        found = path.stat()
    except OSError as error:
        if not path.is_symlink():
            return None
        return Finding("symlink", f"{path} is a link to {os.readlink(path)}: {error.strerror}", path)
    if path.is_symlink() and (not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid()):
        what = "belongs to another user" if stat.S_ISREG(found.st_mode) else "is no file"
        return Finding("symlink", f"{path} is a link to {os.readlink(path)}, which {what}", path)
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        return Finding("hard_link", f"{path} has {found.st_nlink} names on its disk", path)
    return None


def header(path: Path) -> Finding | None:
    """Why the beginning of a file is not that of a database. Opens it: not while SQLite has it open. Raises OSError."""
    start = read_quietly(path, _HEADER_BYTES)
    if start[: len(MAGIC)] != MAGIC or len(start) < _HEADER_BYTES:
        text = f"{path} does not begin like an SQLite database but with {start[:16]!r} ({size_bytes(path)} bytes)"
        return Finding("not_a_database", text, path)
    if start[18:20] not in _VERSIONS:
        text = f"{path} is in a format that SQLite does not know (versions {start[18]} and {start[19]})"
        return Finding("not_a_database", text, path)
    wal = companions(path)[0]
    if start[18:20] == _VERSIONS[0] and size_bytes(wal):
        text = f"{wal} belongs to another database: {path} was closed without one, so it was put here by hand"
        return Finding("wal_mismatch", text, wal)
    return None


def log_origin(path: Path) -> int | None:
    """What all states of one write-ahead log have in common, None without a log.

    Its first salt is random when it is made and counts up with its checkpoints (sqlite.org/fileformat2.html).
    """
    try:
        data = read_quietly(companions(path)[0], _WAL_HEADER.size)
    except FileNotFoundError:
        return None
    if len(data) < _WAL_HEADER.size:
        return None
    magic, _, _, checkpoints, salt, *_ = _WAL_HEADER.unpack(data)
    return (salt - checkpoints) & 0xFFFFFFFF if magic in _WAL_MAGICS else None


def log_gone(path: Path) -> Finding | None:
    """That there is no log although a daemon that was killed left one.

    Whether somebody removed it, or a program such as sqlite3 brought it in and cleared it away, nothing tells; but when
    the database was last written does show.

    Before SQLite opens the database, which makes a log. Raises OSError.
    """
    log = companions(path)[0]
    if log.exists():
        return None  # an empty one was brought into the database by attn
    written = datetime.fromtimestamp(path.stat().st_mtime).astimezone().isoformat(" ", "seconds")
    text = (
        f"{log} is gone, which the last daemon left when it was killed. {path.name} was last written at {written}: if"
        " another program such as sqlite3 had it open then, nothing is missing; if the log was removed, settings, pull"
        " requests and recent directories saved later are. Sessions come back from their own files"
    )
    return Finding("log_missing", text, path)


def remote(path: Path) -> Finding | None:
    """A file system or directory in which locks, or the file itself, may not be what they seem."""
    real = Path(os.path.realpath(path.parent))
    found = _file_system(real, _mounts())
    if _NETWORK.fullmatch(found):
        return Finding("network_fs", f"{path.parent} is on the network file system {found}", path)
    for part in real.parts:
        if part in _SYNCHRONISED:
            return Finding("network_fs", f"{path.parent} is in the synchronised directory {part}", path)
    return None


def _directory(directory: Path) -> Finding | None:
    try:
        found = directory.stat()
    except OSError as error:
        return Finding("home_unwritable", f"{directory} cannot be used: {error.strerror}", directory)
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        return Finding("read_only_disk", f"{directory} is on a file system that is mounted read-only", directory)
    if os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        return None
    return _denied(directory, found, "home_unwritable")


def _file(path: Path) -> Finding | None:
    try:
        found = path.stat()
    except OSError:
        return None  # missing, or a link to nowhere: both have codes of their own
    return None if os.access(path, os.R_OK | os.W_OK) else _denied(path, found, "permission_denied")


def _denied(path: Path, found: os.stat_result, code: str) -> Finding:
    text = f"{path} may not be read or written (mode {stat.S_IMODE(found.st_mode):04o}, owner uid {found.st_uid})"
    return Finding(code if found.st_uid == os.geteuid() else "wrong_owner", text, path)


def _mounts() -> list[str]:
    try:
        return _MOUNTS.read_text().splitlines()
    except OSError:
        return []  # not Linux


def _file_system(directory: Path, mounts: Iterable[str]) -> str:
    """The type of the file system that holds a directory, from lines of mountinfo (proc_pid_mountinfo(5))."""
    best, kind = -1, ""
    for line in mounts:
        fields, _, tail = line.partition(" - ")
        point = Path(fields.split()[4].encode().decode("unicode_escape"))  # a blank stands there as \040
        if directory.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), tail.split()[0]
    return kind
