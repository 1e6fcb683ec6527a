"""A database as the bytes it would have after its log is worked in, without SQLite touching a file.

An examination reads files and nothing else: no log is made or worked in, no lock taken, no time of access changed. The
image is opened in memory. Formats: sqlite.org/fileformat2.html, "The Database File Format" and "The Write-Ahead Log".
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attn.store.failures import StoreFailure, classify_os
from attn.store.file.durable import read_quietly

# What attn keeps is a few MB; an image lives in memory, a few times over.
MAX_BYTES: Final = 1 << 30
LOG_SUFFIXES: Final = ("-wal", "-shm", "-journal")
PAGE_BYTES: Final = 4096  # of every database that attn makes

_MAGIC: Final = b"SQLite format 3\0"
_LOG_HEADER: Final = struct.Struct(">8I")
_FRAME_HEADER: Final = struct.Struct(">6I")
_LOG_MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}
_VERSIONS: Final = slice(18, 20)  # 2 2 in a file that uses a log, which one in memory cannot


@dataclass(frozen=True)
class Files:
    """What stands on the disk under the name of a database: bytes, None where there is no such file.

    real: where the database is, if the name is a link; sizes: of all of them, by their names.
    """

    real: Path
    database: bytes | None
    log: bytes | None
    sizes: dict[str, int]


def read(path: Path) -> Files:
    """Read a database and its log, changing nothing. Raises StoreFailure when something there cannot be read."""
    real = Path(os.path.realpath(path))
    sizes: dict[str, int] = {}
    for suffix in ("", *LOG_SUFFIXES):
        file = real.with_name(real.name + suffix)
        try:
            facts = file.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise classify_os(error, file) from error
        if not stat.S_ISREG(facts.st_mode):
            raise StoreFailure("not_a_database", f"{file} is not a file", path=file)
        sizes[file.name] = facts.st_size
    if sum(sizes.values()) > MAX_BYTES:
        raise StoreFailure("store_failed", f"{real} is over {MAX_BYTES >> 20} MB, too large to be examined", path=real)
    return Files(real, _bytes(real), _bytes(real.with_name(real.name + "-wal")), sizes)


def whole(files: Files) -> bytes | None:
    """The database with its log worked in, ready to be opened in memory; None when there is neither."""
    if not files.log:
        return plain(files)
    pages, count, page_bytes = _committed(files.log)
    if not pages:
        return plain(files)
    image = bytearray((files.database or b"")[: count * page_bytes].ljust(count * page_bytes, b"\0"))
    for number, page in pages.items():
        if number <= count:
            image[(number - 1) * page_bytes : number * page_bytes] = page
    image[_VERSIONS] = b"\1\1"
    return bytes(image)


def plain(files: Files) -> bytes | None:
    """The database as if it had no log."""
    if not files.database:
        return files.database
    image = bytearray(files.database)
    if image.startswith(_MAGIC):
        image[_VERSIONS] = b"\1\1"
    return bytes(image)


def with_header_of(image: bytes, model: bytes) -> bytes:
    """An image whose first 100 bytes are lost gets those of another database of the same kind and page size.

    Free pages are forgotten, so that every page counts as one that may hold rows.
    """
    pages = len(image) // PAGE_BYTES
    header = bytearray(model[:100])
    header[28:32] = struct.pack(">I", pages)
    header[32:40] = bytes(8)
    header[92:96] = header[24:28]
    return bytes(header) + image[100 : pages * PAGE_BYTES]


def _committed(log: bytes) -> tuple[dict[int, bytes], int, int]:
    """Pages of a log by their numbers, up to its last whole commit; pages of the database then; bytes of a page."""
    nothing: tuple[dict[int, bytes], int, int] = ({}, 0, PAGE_BYTES)
    if len(log) < _LOG_HEADER.size:
        return nothing
    magic, _, page_bytes, _, salt_1, salt_2, sum_1, sum_2 = _LOG_HEADER.unpack_from(log)
    order = _LOG_MAGIC.get(magic)
    if order is None or page_bytes not in {1 << bits for bits in range(9, 17)}:
        return nothing
    if _checksum(log[: _LOG_HEADER.size - 8], order, (0, 0)) != (sum_1, sum_2):
        return nothing
    done: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    count, running = 0, (sum_1, sum_2)
    step = _FRAME_HEADER.size + page_bytes
    for at in range(_LOG_HEADER.size, len(log) - step + 1, step):
        number, committed, *salts, sum_1, sum_2 = _FRAME_HEADER.unpack_from(log, at)
        page = log[at + _FRAME_HEADER.size : at + step]
        running = _checksum(log[at : at + 8] + page, order, running)
        if salts != [salt_1, salt_2] or running != (sum_1, sum_2) or not number:
            break  # from here on it is what an earlier use of the log left behind
        pending[number] = page
        if committed:
            done |= pending
            count, pending = committed, {}
    return done, count, page_bytes


def _checksum(data: bytes, order: str, start: tuple[int, int]) -> tuple[int, int]:
    one, two = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        one = (one + words[at] + two) & 0xFFFFFFFF
        two = (two + words[at + 1] + one) & 0xFFFFFFFF
    return one, two


def _bytes(path: Path) -> bytes | None:
    try:
        return read_quietly(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise classify_os(error, path) from error
