"""`make demo`: index the bundled sounds and search them, with the very commands that a user would type."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLES = "resources/samples"
LIBRARY = ".demo/library"

SEARCHES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("A description; its words stand in no file name.", ("night insects chirping",)),
    ("The moment inside a longer recording counts, too.", ("hoot of an owl in the forest",)),
    ("Another.", ("heavy rain with thunder",)),
    ("And another.", ("heavy wooden door slams",)),
    ("A description with a negative.", ("music", "--not", "drums")),
    ("An example clip: six seconds of a scene.", ("--like", f"{SAMPLES}/scenes/Scene Street Emergency.ogg@18-24")),
    (
        "Both: a description, and half as much an example.",
        ("a bell", "--like", f"{SAMPLES}/music/Piano Low Slow Notes.ogg", "--weight", "1", "--weight", "0.5"),
    ),
)
# `earshot search` ends with 1 where nothing matches, which is an answer and no failure.
NOTHING_MATCHED = 1


def run(*arguments: str) -> int:
    """Show an earshot command and run it."""
    words = [*arguments, "--library", LIBRARY]
    print(f"\n$ {shlex.join(['earshot', *words])}", flush=True)
    return subprocess.run([sys.executable, "-m", "core", *words], cwd=REPOSITORY, check=False).returncode


def main() -> int:
    """Run the demonstration; returns the process's exit status."""
    shutil.rmtree(REPOSITORY / LIBRARY, ignore_errors=True)
    print("Indexing the bundled sample sounds.")
    status = run("index", SAMPLES)
    for remark, arguments in SEARCHES:
        if status > NOTHING_MATCHED:
            return status
        print(f"\n{remark}", end="")
        status = run("search", *arguments, "--limit", "5")
    print(
        "\nNow your own sounds:\n\n"
        "    . .venv/bin/activate\n"
        "    earshot index ~/Sounds\n"
        '    earshot search "metal gate creaks"\n\n'
        "`earshot --help` and README.md say what else there is."
    )
    return 0 if status == NOTHING_MATCHED else status


if __name__ == "__main__":
    sys.exit(main())
