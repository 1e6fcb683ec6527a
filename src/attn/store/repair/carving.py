"""Rows out of raw pages, for what no tree of the database leads to any more. Pure.

Where the page of the schema, or one above others, is damaged, SQLite reaches nothing below it. The rows stand in leaf
pages all the same (sqlite.org/fileformat2.html, "B-tree Pages" and "Record Format"); which table a row belongs to
shows from its number of values and their types. A page may be an old one that was given back: what is found here
only supplements what SQLite could read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from attn.store.planner import ColumnShape
from attn.store.repair.image import PAGE_BYTES

Value = str | int | float | bytes | None
Record = dict[str, Value]
Columns = Mapping[str, ColumnShape]

_LEAF: Final = 0x0D
_TYPES: Final[dict[str, type]] = {"TEXT": str, "INTEGER": int}
# Serial types 1 to 6: integers of so many bytes.
_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
# A payload is in one piece up to here; a longer one continues in overflow pages.
_LOCAL_MAX: Final = PAGE_BYTES - 35
_LOCAL_MIN: Final = (PAGE_BYTES - 12) * 32 // 255 - 23
_PAYLOAD_MAX: Final = 16 << 20


def carve(image: bytes, tables: Mapping[str, Columns]) -> dict[str, list[Record]]:
    """Every row that stands in a leaf page and fits exactly one of `tables`, by table; newest page last."""
    free = _free_pages(image)
    found: dict[str, list[Record]] = {name: [] for name in tables}
    for number in range(1, len(image) // PAGE_BYTES + 1):
        if number in free:
            continue
        records = list(_records(image, number))
        table = _table_of(records, tables)
        if table is not None:
            found[table] += [record for record in (_fitted(r, tables[table]) for r in records) if record is not None]
    return found


def _table_of(records: list[list[Value]], tables: Mapping[str, Columns]) -> str | None:
    """The table whose rows these can be: most of them fit it, and none fits another one better."""
    scores = {name: sum(_fitted(record, columns) is not None for record in records) for name, columns in tables.items()}
    best = max(scores.values(), default=0)
    fitting = [name for name, score in scores.items() if score == best]
    return fitting[0] if best * 2 > len(records) and len(fitting) == 1 else None


def _fitted(values: list[Value], columns: Columns) -> Record | None:
    """The values by the names of the columns; None when they do not fit. Columns added later may be missing."""
    shapes = list(columns.items())
    added = [name for name, shape in shapes if not shape.not_null or shape.default is not None]
    if not len(shapes) - len(added) <= len(values) <= len(shapes):
        return None
    for value, (_, shape) in zip(values, shapes, strict=False):
        if value is None and shape.not_null:
            return None
        if value is not None and not isinstance(value, _TYPES.get(shape.type, str)):
            return None
    return {name: value for value, (name, _) in zip(values, shapes, strict=False)}


def _records(image: bytes, number: int) -> Iterator[list[Value]]:
    """The rows of one leaf page of a table, with those that are damaged left out."""
    start = (number - 1) * PAGE_BYTES
    page = image[start : start + PAGE_BYTES]
    head = 100 if number == 1 else 0
    if page[head] != _LEAF:
        return
    (count,) = struct.unpack_from(">H", page, head + 3)
    pointers = head + 8
    if pointers + 2 * count > PAGE_BYTES:
        return
    for at in struct.unpack_from(f">{count}H", page, pointers):
        try:
            yield _record(_payload(image, page, at))
        except (IndexError, ValueError, struct.error):  # UnicodeDecodeError is a ValueError
            continue


def _payload(image: bytes, page: bytes, at: int) -> bytes:
    size, at = _varint(page, at)
    _, at = _varint(page, at)
    if size > _PAYLOAD_MAX:
        raise ValueError("no row is that large")
    if size <= _LOCAL_MAX:
        return _exactly(page[at : at + size], size)
    local = _LOCAL_MIN + (size - _LOCAL_MIN) % (PAGE_BYTES - 4)
    local = local if local <= _LOCAL_MAX else _LOCAL_MIN
    parts = bytearray(page[at : at + local])
    (following,) = struct.unpack_from(">I", page, at + local)
    while len(parts) < size:
        if not following:
            raise ValueError("the row ends too early")
        start = (following - 1) * PAGE_BYTES
        (following,) = struct.unpack_from(">I", image, start)
        parts += image[start + 4 : start + 4 + min(PAGE_BYTES - 4, size - len(parts))]
    return _exactly(bytes(parts), size)


def _record(payload: bytes) -> list[Value]:
    header, at = _varint(payload, 0)
    values: list[Value] = []
    body = header
    while at < header:
        serial, at = _varint(payload, at)
        value, body = _value(payload, serial, body)
        values.append(value)
    if body != len(payload):
        raise ValueError("the row is longer than its values")
    return values


def _value(payload: bytes, serial: int, at: int) -> tuple[Value, int]:
    if serial == 0:
        return None, at
    if serial in (8, 9):
        return serial - 8, at
    if serial in _INTEGER_BYTES:
        end = at + _INTEGER_BYTES[serial]
        return int.from_bytes(_exactly(payload[at:end], end - at), "big", signed=True), end
    if serial >= 13 and serial % 2:
        end = at + (serial - 13) // 2
        return _exactly(payload[at:end], end - at).decode(), end
    raise ValueError("attn keeps integers and texts only")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(9):
        byte = data[at + index]
        if index == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    raise AssertionError("nine bytes end every varint")


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError("the page ends too early")
    return data


def _free_pages(image: bytes) -> set[int]:
    """The pages that were given back, as far as their list can be read."""
    free: set[int] = set()
    (trunk,) = struct.unpack_from(">I", image, 32) if len(image) >= 100 else (0,)
    while trunk and trunk not in free and trunk * PAGE_BYTES <= len(image):
        following, count = struct.unpack_from(">2I", image, (trunk - 1) * PAGE_BYTES)
        if count > PAGE_BYTES // 4 - 2:
            return free
        free |= {trunk, *struct.unpack_from(f">{count}I", image, (trunk - 1) * PAGE_BYTES + 8)}
        trunk = following
    return free
