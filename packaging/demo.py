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
    ("A description.", ("an old telephone rings",)),
    ("The moment in a longer recording counts, not only whole files.", ("someone knocks on a wooden door",)),
    ("Words that stand in no file name.", ("hounds are yapping",)),
    ("A wish for an atmosphere.", ("night time at a lake in summer",)),
    ("A description with a negative.", ("an emergency vehicle passes", "--not", "a fast yelping electronic siren")),
    ("An example clip: three seconds of a scene.", ("--like", f"{SAMPLES}/scenes/Scene Street Emergency.ogg@18-21")),
    (
        "Both: a description, and half as much an example.",
        (
            "footsteps",
            "--like",
            f"{SAMPLES}/nature/FIRECrkl_Campfire Crackle_EAR_Demo.ogg",
            *"--weight 1 --weight 0.5".split(),
        ),
    ),
)


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
        if status:
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
    return status


if __name__ == "__main__":
    sys.exit(main())
