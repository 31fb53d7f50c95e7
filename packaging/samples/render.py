"""Renders the sample library: python packaging/samples/render.py [--out FOLDER] [--only PATH ...].

Every sound is made from its entry in `sounds/*.yaml` by the recipes beside this file, with fixed seeds, so that
the same versions of numpy and libsndfile give the same samples. Nothing is recorded, nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from encoding import write
from sound import Sound, read_catalogue, render

SHIPPED = Path(__file__).resolve().parents[2] / "resources" / "samples"
LICENCE = """\
CC0 1.0 Universal

The sounds in this folder were synthesised by the program in packaging/samples of the Earshot project.
To the extent possible under law, the Earshot contributors have waived all copyright and related or
neighbouring rights to these sounds and to samples.json. They may be used for any purpose without asking
and without credit.

The full text: https://creativecommons.org/publicdomain/zero/1.0/legalcode
"""


def described(sound: Sound, duration_s: float, events: list[Any]) -> dict[str, Any]:
    """The manifest's line for one file."""
    line: dict[str, Any] = {
        "path": sound.path,
        "kind": sound.kind,
        "descriptions": list(sound.descriptions),
        "duration_s": round(duration_s, 3),
        "sample_rate_hz": sound.rate_hz,
        "channels": sound.channels,
    }
    if events:
        line["events"] = events
    return line


def main(arguments: list[str] | None = None) -> int:
    """Render what is asked for; returns the process's exit status."""
    parser = argparse.ArgumentParser(description="Render Earshot's sample library.")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where the files go")
    parser.add_argument("--only", nargs="+", metavar="PATH", help="only these files, without the manifest")
    options = parser.parse_args(arguments)
    sounds = read_catalogue()
    library = {sound.path: sound for sound in sounds}
    if options.only:
        unknown = set(options.only) - set(library)
        if unknown:
            parser.error(f"not in the catalogue: {', '.join(sorted(unknown))}")
        sounds = [sound for sound in sounds if sound.path in options.only]
    lines = []
    for sound in sounds:
        samples, events = render(sound, library)
        write(options.out / sound.path, samples, sound.rate_hz)
        lines.append(described(sound, len(samples) / sound.rate_hz, events))
    if not options.only:
        manifest = {"licence": "CC0-1.0", "generator": "packaging/samples/render.py", "sounds": lines}
        text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
        (options.out / "samples.json").write_text(text, encoding="utf-8")
        (options.out / "LICENSE.txt").write_text(LICENCE, encoding="utf-8")
    size_mb = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file()) / 1e6
    sys.stderr.write(f"{len(lines)} sounds rendered into {options.out} ({size_mb:.2f} MB there)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
