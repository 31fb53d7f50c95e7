"""How fast `transformers`' CLAP (HTSAT, unfused, random weights) embeds the same files: the yardstick for ours."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from core.audio.mono import stream_mono
from core.encoders.windows import plan_windows

CLAP_RATE_HZ = 48_000
WINDOW_S, HOP_S = 10.0, 5.0


def clap_seconds(paths: Sequence[Path], *, threads: int) -> float:
    """Wall seconds that CLAP takes to decode and embed the files in the same windows as ours."""
    import numpy as np
    import torch
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = ClapModel(ClapConfig()).eval()
    extractor = ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    started = time.perf_counter()
    with torch.inference_mode():
        for path in paths:
            samples = np.concatenate(list(stream_mono(path, sample_rate_hz=CLAP_RATE_HZ)))
            ranges = plan_windows(len(samples), int(WINDOW_S * CLAP_RATE_HZ), int(HOP_S * CLAP_RATE_HZ))
            windows = [samples[start:end] for start, end in ranges]
            for first in range(0, len(windows), 8):
                features = extractor(windows[first : first + 8], sampling_rate=CLAP_RATE_HZ, return_tensors="pt")
                model.get_audio_features(input_features=features["input_features"])
    return time.perf_counter() - started
