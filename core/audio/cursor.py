"""Reading a sound at any place, in blocks of about a second that are remembered for a while.

What is remembered is the decoded sound itself, as it stands in the file. So one cache serves the rows around the one
that is playing, loops, playing backwards and going back, whatever the device and the speed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.audio.decode import AudioStream, open_audio
from core.errors import UnusableFileError
from core.types import AudioInfo, FloatArray

_BLOCK_S = 1.0
_BLOCK_VALUES = 1 << 21
# Blocks that are decoded in one go when playing backwards: every jump back opens the file anew.
_BACKWARD_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class SoundKey:
    """A file as it is now; a changed file is another one."""

    path: Path
    size_bytes: int
    mtime_ns: int


def sound_key(path: Path) -> SoundKey:
    """The key of a file.

    Raises:
        UnusableFileError: It is not there.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise UnusableFileError("The file is no longer there.") from error
    return SoundKey(path, status.st_size, status.st_mtime_ns)


class BlockCache:
    """Decoded blocks, those used longest ago forgotten first. For any number of threads.

    Args:
        limit_bytes: How much of them to keep.
    """

    def __init__(self, limit_bytes: int = 128 << 20) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[SoundKey, int], FloatArray] = OrderedDict()
        self._infos: OrderedDict[SoundKey, AudioInfo] = OrderedDict()
        self._bytes = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of the blocks that are held."""
        return self._bytes

    def block(self, key: SoundKey, index: int) -> FloatArray | None:
        """A block, or None if it is not (or no longer) known."""
        with self._lock:
            block = self._blocks.get((key, index))
            if block is not None:
                self._blocks.move_to_end((key, index))
            return block

    def keep(self, key: SoundKey, index: int, block: FloatArray) -> None:
        """Remember a block, which nobody may write to from now on."""
        block.setflags(write=False)
        with self._lock:
            old = self._blocks.pop((key, index), None)
            self._bytes += block.nbytes - (0 if old is None else old.nbytes)
            self._blocks[key, index] = block
            while self._bytes > self._limit_bytes and len(self._blocks) > 1:
                self._bytes -= self._blocks.popitem(last=False)[1].nbytes

    def forget(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._blocks.clear()
            self._infos.clear()
            self._bytes = 0

    def info(self, key: SoundKey) -> AudioInfo | None:
        """What a file's header says, if it was read before."""
        with self._lock:
            return self._infos.get(key)

    def keep_info(self, key: SoundKey, info: AudioInfo) -> None:
        """Remember a header."""
        with self._lock:
            self._infos[key] = info
            while len(self._infos) > 1000:
                self._infos.popitem(last=False)


class SourceCursor:
    """Reads one file's blocks in any order; for one thread.

    Attributes:
        info: What its header says; the length becomes exact once the end was met.
        block_frames: Frames of a block, all but the last.

    Raises:
        UnusableFileError: As `open_audio`.
    """

    def __init__(self, path: Path, cache: BlockCache) -> None:
        self._path = path
        self._cache = cache
        self._key = sound_key(path)
        self._sound: AudioStream | None = None
        self._blocks: Iterator[FloatArray] = iter(())
        self._next = -1
        self._end_frame: int | None = None
        info = cache.info(self._key)
        if info is None:
            self._sound = open_audio(path)
            info = self._sound.info
            cache.keep_info(self._key, info)
        self.info = info
        self.block_frames = max(1, min(round(_BLOCK_S * info.sample_rate_hz), _BLOCK_VALUES // info.channels))

    @property
    def end_frame(self) -> int:
        """Number of frames: of the header until the end was met, and from then on the true one."""
        if self._end_frame is not None:
            return self._end_frame
        return round(self.info.duration_s * self.info.sample_rate_hz)

    def block(self, index: int, *, backward: bool = False) -> FloatArray:
        """The block with a number from 0, (n, channels) float32 for reading only; empty behind the end.

        Args:
            index: Which.
            backward: Whether the blocks before it will be asked for next.

        Raises:
            UnusableFileError: It cannot be decoded. A file that breaks off ends where it does.
        """
        known = self._cache.block(self._key, index)
        if known is not None:
            self._note_end(index, known)
            return known
        if backward and self._next != index:
            before = max(0, index - _BACKWARD_BLOCKS + 1)
            while before < index and self._cache.block(self._key, before) is not None:
                before += 1
            for earlier in range(before, index):
                if len(self._decoded(earlier)) < self.block_frames:
                    break
        return self._decoded(index)

    def close(self) -> None:
        """Let go of the file; reading again opens it again."""
        if self._sound is not None:
            self._sound.close()
        self._sound = None
        self._next = -1

    def _decoded(self, index: int) -> FloatArray:
        if self._next != index or self._sound is None:
            self._go_to(index)
        try:
            block = next(self._blocks, None)
        except UnusableFileError:
            if index == 0:
                raise
            block = None
        self._next = index + 1
        if block is None:
            block = np.empty((0, self.info.channels), dtype=np.float32)
        own = block.copy()
        self._cache.keep(self._key, index, own)
        self._note_end(index, own)
        return own

    def _go_to(self, index: int) -> None:
        if self._sound is None or self._next != -1:
            self.close()
            self._sound = open_audio(self._path)
        if index:
            self._sound.skip_to(index * self.block_frames / self.info.sample_rate_hz, quick=True)
        self._blocks = self._sound.blocks(self.block_frames / self.info.sample_rate_hz)

    def _note_end(self, index: int, block: FloatArray) -> None:
        if len(block) == self.block_frames:
            return
        # An empty block says only that the end does not lie behind its beginning.
        end = index * self.block_frames + len(block)
        if len(block) or not index or end < self.end_frame:
            self._end_frame = end
            self.info = replace(self.info, duration_s=end / self.info.sample_rate_hz)
            self._cache.keep_info(self._key, self.info)
