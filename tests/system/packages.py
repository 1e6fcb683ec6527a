"""attn installed a second time, into a folder that a test may replace, break and delete under what runs from it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import attn


class Package:
    """A virtual environment with a copy of attn's source and the dependencies of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.python = folder / "bin" / "python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        site = folder / "lib" / version / "site-packages"
        (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        self.source = site / "attn"
        self.install()

    def install(self, version: str = attn.__version__) -> None:
        """The source of today under another version, in place of what stands there: as `pip install --upgrade` does."""
        fresh = self.source.with_name("attn.fresh")
        shutil.copytree(Path(attn.__file__).parent, fresh, ignore=shutil.ignore_patterns("__pycache__"))
        init = fresh / "__init__.py"
        text, count = re.subn(r'(__version__[^=]*= )"[^"]*"', rf'\1"{version}"', init.read_text())
        assert count == 1
        init.write_text(text)
        self.remove_source()
        fresh.rename(self.source)

    def remove_source(self) -> None:
        """As `pip uninstall`."""
        if self.source.exists():
            shutil.rmtree(self.source)

    def remove_interpreter(self) -> None:
        """As the removal of the whole environment, or of the Python that it was made from."""
        for name in self.python.parent.glob("python*"):
            name.unlink()
