"""Who runs the encoder: each worker for itself on a CPU, one thread for all of them on a GPU."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from core.encoders.protocol import DualEncoder
from core.jobs.clock import StageClock
from core.types import FloatArray


class Embedder(Protocol):
    """Turns windows of features into embeddings, now or soon. A context manager; used from many threads."""

    def submit(self, windows: Sequence[FloatArray]) -> Future[FloatArray]:
        """Windows (t_i, f) -> (w, d), once they are embedded."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class OwnThreadEmbedder:
    """Embeds in the thread that asks, at once: what is best where every worker has a core of its own."""

    def __init__(self, encoder: DualEncoder, clock: StageClock | None = None) -> None:
        self._encoder = encoder
        self._clock = clock

    def submit(self, windows: Sequence[FloatArray]) -> Future[FloatArray]:
        """Windows (t_i, f) -> (w, d), finished on return."""
        result: Future[FloatArray] = Future()
        with self._clock.stage("encode") if self._clock else nullcontext():
            result.set_result(self._encoder.embed_features(windows))
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""


_Request = tuple[Sequence[FloatArray], Future[FloatArray]]


class SharedEmbedder:
    """Gathers the windows of all workers into large batches for one device.

    Args:
        encoder: The encoder.
        most_windows: A batch is closed when it holds this many.
        most_waiting: Requests that may wait; beyond that, workers do.
        clock: Counts the stage "encode".
    """

    def __init__(
        self,
        encoder: DualEncoder,
        *,
        most_windows: int = 128,
        most_waiting: int = 64,
        clock: StageClock | None = None,
    ) -> None:
        self._encoder = encoder
        self._most_windows = most_windows
        self._clock = clock
        self._requests: queue.Queue[_Request | None] = queue.Queue(most_waiting)
        self._thread = threading.Thread(target=self._run, name="embedder", daemon=True)

    def submit(self, windows: Sequence[FloatArray]) -> Future[FloatArray]:
        """Windows (t_i, f) -> (w, d), when their batch has been through."""
        result: Future[FloatArray] = Future()
        self._requests.put((windows, result))
        return result

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread once it has served all requests; no worker may be left."""
        self._requests.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            first = self._requests.get()
            if first is None:
                return
            batch = [first]
            while sum(len(windows) for windows, _ in batch) < self._most_windows:
                try:
                    following = self._requests.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    is_open = False
                    break
                batch.append(following)
            self._serve(batch)

    def _serve(self, batch: Sequence[_Request]) -> None:
        try:
            with self._clock.stage("encode") if self._clock else nullcontext():
                vectors = self._encoder.embed_features([window for windows, _ in batch for window in windows])
        except Exception as error:  # noqa: BLE001 - handed over to the workers that wait for it
            for _, result in batch:
                result.set_exception(error)
            return
        ends = np.cumsum([len(windows) for windows, _ in batch])[:-1]
        for (_, result), part in zip(batch, np.split(vectors, ends), strict=True):
            result.set_result(part)
