"""A file system of a few megabytes that a test can fill and free again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILLER = "filler"


class SmallDisk:
    """A mounted tmpfs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self) -> None:
        """Until not one more byte fits."""
        with (self.folder / FILLER).open("ab", buffering=0) as filler:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        filler.write(b"\0" * size)
                except OSError:
                    continue  # full for pieces of this size
        assert self.free_bytes() == 0

    def free(self) -> None:
        """Give the space back."""
        (self.folder / FILLER).unlink()

    def free_bytes(self) -> int:
        facts = os.statvfs(self.folder)
        return facts.f_bavail * facts.f_frsize


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[SmallDisk]:
    """A tmpfs on `folder`; needs root, and says so when it has not."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0700", "attn-test", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"a full disk needs a small file system: run this test as root ({done.stderr.strip()})"
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
