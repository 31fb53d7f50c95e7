"""How soon a key press is heard: from `play` to the first buffer with sound in it that a device is handed.

Run as a script. In the place of a sound device a thread asks for 10 ms every 10 ms, as drivers do; a real device adds
its own latency (some 30 ms) behind that. Cold means that neither the player nor, where the system can be told so, the
disk cache knows the file. The ten hours are a sparse file with a minute of sound in its middle.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from material import CACHE, sound_files, sound_folder
from row import BenchRow, show

from core.audio.cursor import BlockCache
from core.audio.decode import open_audio
from core.audio.device import Ended, Fill, OutputChoice
from core.audio.playback import Player, PlayState
from core.audio.rendition import PlayOptions

RATE_HZ, BUFFER_FRAMES = 48_000, 480
CACHED_TARGET_MS, COLD_TARGET_MS = 60.0, 150.0
FILES = 60
HOURS = 10
_GIVE_UP_S = 5.0


class Ticker:
    """A device that asks for a buffer every 10 ms and notes when the first one with sound came."""

    def __init__(self, fill: Fill) -> None:
        self.sample_rate_hz, self.channels, self.device, self.latency_s = RATE_HZ, 2, "clock", 0.0
        self.heard = threading.Event()
        self.heard_at = 0.0
        self.is_listening = False
        self.late = 0
        self._fill = fill
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def listen(self) -> None:
        """Note the next sound."""
        self.heard.clear()
        self.is_listening = True

    def close(self) -> None:
        """See core.audio.device.Stream."""
        self._stop.set()
        self._thread.join()

    def _tick(self) -> None:
        out = np.zeros((BUFFER_FRAMES, 2), dtype=np.float32)
        period_s = BUFFER_FRAMES / RATE_HZ
        due = time.perf_counter()
        while not self._stop.wait(max(0.0, due - time.perf_counter())):
            self._fill(out)
            now = time.perf_counter()
            if self.is_listening and out.any():
                self.heard_at, self.is_listening = now, False
                self.heard.set()
            due += period_s
            if now > due + 2 * period_s:
                self.late += 1
                due = now


class Bench:
    """A player on a ticker."""

    def __init__(self) -> None:
        self.cache = BlockCache()
        self.ticker: Ticker | None = None
        self.player = Player(self._open, cache=self.cache)
        self.player.prepare([])

    def _open(self, choice: OutputChoice, fill: Fill, ended: Ended) -> Ticker:
        self.ticker = Ticker(fill)
        return self.ticker

    def delay_ms(self, path: Path, start_s: float, *, prepared: bool) -> float:
        """From the key press to sound; what plays is faded out first, so that it is not taken for the new one."""
        self.player.stop()
        while self.ticker is None:
            self.player.prepare([(path, start_s)])
            time.sleep(0.01)
        time.sleep(0.03)
        if prepared:
            self.player.prepare([(path, start_s)])
            time.sleep(0.05)
            self._wait_until_prepared(path, start_s)
        self.ticker.listen()
        began = time.perf_counter()
        self.player.play(path, start_s)
        if not self.ticker.heard.wait(_GIVE_UP_S):
            raise RuntimeError(f"nothing was heard of {path}: {self.player.take_problem()}")
        return (self.ticker.heard_at - began) * 1000

    def _wait_until_prepared(self, path: Path, start_s: float) -> None:
        from core.audio.cursor import SourceCursor, sound_key

        cursor = SourceCursor(path, self.cache)
        index = int(start_s * cursor.info.sample_rate_hz) // cursor.block_frames
        cursor.close()
        deadline = time.monotonic() + _GIVE_UP_S
        while self.cache.block(sound_key(path), index) is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{path} was not prepared")
            time.sleep(0.005)

    def forget(self, path: Path) -> None:
        """Make a file cold."""
        self.cache.forget()
        if hasattr(os, "posix_fadvise"):
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """End."""
        self.player.close()


def first_sound_s(path: Path) -> float | None:
    """Where a file's first audible sample is, None if that is not within its first second."""
    with open_audio(path) as sound:
        block = next(sound.blocks(1.0))
        loud = np.flatnonzero(np.abs(block).max(axis=1) > 1e-4)
        return float(loud[0] / sound.info.sample_rate_hz) if len(loud) else None


def ten_hours() -> Path:
    """A WAV (RF64) file of ten hours of 48 kHz stereo in 16 bits that takes a few megabytes on disk."""
    path = CACHE / f"hours-{HOURS}.wav"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        frames = HOURS * 3600 * RATE_HZ
        size = frames * 4
        head = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, size + 72, size, frames, 0)
        head += b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, RATE_HZ, RATE_HZ * 4, 4, 16)
        head += b"data\xff\xff\xff\xff"
        noise = np.random.default_rng(1).integers(-9000, 9000, (60 * RATE_HZ, 2)).astype("<i2")
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(head)
            file.seek(len(head) + frames // 2 * 4)
            file.write(noise.tobytes())
            file.truncate(len(head) + size)
        part.rename(path)
    return path


@contextlib.contextmanager
def busy(threads: int) -> Iterator[None]:
    """Python code that never lets go of the interpreter by itself, as in a window that paints while it indexes."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(2_000))

    workers = [threading.Thread(target=spin, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    yield
    stop.set()
    for worker in workers:
        worker.join()


def summary(name: str, delays_ms: list[float], target_ms: float) -> BenchRow:
    """Median and worst case against a target that every press has to meet."""
    worst = max(delays_ms)
    value = f"median {np.median(delays_ms):5.1f} ms, worst of {len(delays_ms)} {worst:5.1f} ms"
    return BenchRow(name, value, f"each < {target_ms:.0f} ms", worst < target_ms)


def measure(bench: Bench, sounds: list[tuple[Path, float]], *, cold: bool) -> list[float]:
    """Delays, less the silence that the files themselves begin with."""
    delays = []
    for path, start_s in sounds:
        if cold:
            bench.forget(path)
        lead_s = first_sound_s(path) if not start_s else 0.0
        if lead_s is None:
            continue
        if cold:
            bench.forget(path)
        delays.append(bench.delay_ms(path, start_s, prepared=not cold) - lead_s * 1000)
    return delays


def playing_through(bench: Bench, path: Path, seconds: float) -> tuple[int, int]:
    """Buffers that came too late, and the device's ticks that did, while a sound plays fast and backwards."""
    assert bench.ticker is not None
    bench.player.play(path, 0.0, options=PlayOptions(speed=2.0, is_reversed=True, is_looping=True))
    time.sleep(0.5)
    before, late = bench.player.status().underruns, bench.ticker.late
    time.sleep(seconds)
    assert bench.player.status().state is PlayState.PLAYING
    after = bench.player.status().underruns
    bench.player.stop()
    bench.player.set_options(PlayOptions())
    return after - before, bench.ticker.late - late


def main() -> int:
    """Measure everything; returns the exit status."""
    sys.setswitchinterval(0.001)  # as the window does
    folder, _ = sound_folder()
    files = [(path, 0.0) for path in sound_files(folder)[:FILES]]
    moments = [(path, 1.3) for path, _ in files]
    hours = [(ten_hours(), HOURS * 1800 + offset) for offset in (1.0, 7.5, 20.25, 33.9, 50.0)]
    rows: list[BenchRow] = []
    bench = Bench()
    cases: list[tuple[str, Callable[[], list[float]], float]] = [
        ("from cache, beginning", lambda: measure(bench, files, cold=False), CACHED_TARGET_MS),
        ("from cache, a moment", lambda: measure(bench, moments, cold=False), CACHED_TARGET_MS),
        ("from cache, in ten hours", lambda: measure(bench, hours, cold=False), CACHED_TARGET_MS),
        ("cold, beginning", lambda: measure(bench, files, cold=True), COLD_TARGET_MS),
        ("cold, a moment", lambda: measure(bench, moments, cold=True), COLD_TARGET_MS),
        ("cold, in ten hours", lambda: measure(bench, hours, cold=True), COLD_TARGET_MS),
    ]
    for name, run, target_ms in cases:
        rows.append(summary(name, run(), target_ms))
    with busy(2):
        rows.append(summary("from cache, two busy threads", measure(bench, files[:20], cold=False), CACHED_TARGET_MS))
        rows.append(summary("cold, two busy threads", measure(bench, files[:20], cold=True), COLD_TARGET_MS))
        underruns, late = playing_through(bench, files[3][0], 10.0)
        rows.append(BenchRow("gaps in 10 s, 2x backwards, two busy threads", f"{underruns}", "none", underruns == 0))
        rows.append(BenchRow("buffers asked for late by the test's own clock", f"{late}"))
    bench.close()
    return 0 if show("Playback", rows) else 1


if __name__ == "__main__":
    sys.exit(main())
