"""Augmentation of waveforms, drawn from a numpy generator that the caller seeds.

Shape legend: n samples.
"""

from __future__ import annotations

import numpy as np

from core.types import FloatArray

_SILENCE = 1e-6


def change_gain(samples: FloatArray, rng: np.random.Generator, *, most_db: float = 7.0) -> FloatArray:
    """Louder or softer by up to some decibels (Koutini et al. 2022 train PaSST with such gains).

    A gain that would take the peak beyond full scale is held there, except where the sound went beyond by itself.

    Args:
        samples: (n,).
        rng: Where chance comes from.
        most_db: Largest change, either way.
    """
    if most_db < 0:
        raise ValueError(f"the largest change is 0 dB or more, not {most_db}")
    gain = float(10 ** (rng.uniform(-most_db, most_db) / 20))
    peak = float(np.abs(samples).max(initial=0.0))
    if gain > 1 and peak > 0:
        gain = min(gain, max(1.0, 1.0 / peak))
    return np.asarray(samples * np.float32(gain), dtype=np.float32)


def add_noise(
    samples: FloatArray, rng: np.random.Generator, *, least_snr_db: float = 10.0, most_snr_db: float = 40.0
) -> FloatArray:
    """A noise floor at a drawn distance below the sound's level (Salamon and Bello 2017 add backgrounds so).

    Its colour is drawn between white and pink. Silence stays silence: it has no level to go by.

    Args:
        samples: (n,).
        rng: Where chance comes from.
        least_snr_db: Smallest distance of the sound's RMS to that of the noise.
        most_snr_db: Largest.
    """
    if least_snr_db > most_snr_db:
        raise ValueError(f"distances go from {least_snr_db} dB up, not to {most_snr_db} dB")
    snr_db, tilt = rng.uniform(least_snr_db, most_snr_db), rng.uniform(0.0, 0.5)
    level = float(np.sqrt(np.square(samples, dtype=np.float64).mean())) if len(samples) else 0.0
    if level < _SILENCE:
        return samples.astype(np.float32)
    spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** -tilt
    noise = np.fft.irfft(spectrum, len(samples))
    floor = level * 10 ** (-snr_db / 20) / max(float(np.sqrt(np.square(noise).mean())), 1e-12)
    return np.asarray(samples + floor * noise, dtype=np.float32)
