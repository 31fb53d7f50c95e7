"""`make bench`: every benchmark in turn, each in a process of its own. Exit status 1 where a target was missed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all; returns the exit status."""
    scripts = sorted(
        path for path in FOLDER.glob("*_bench.py") if not names or path.stem.removesuffix("_bench") in names
    )
    if not scripts:
        known = ", ".join(path.stem.removesuffix("_bench") for path in sorted(FOLDER.glob("*_bench.py")))
        sys.exit(f"No such benchmark. There are: {known}")
    return max(subprocess.run([sys.executable, str(script)], check=False).returncode for script in scripts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
