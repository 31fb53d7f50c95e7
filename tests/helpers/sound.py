"""Small sounds for tests, and files of every format to hold them."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from core.types import FloatArray


def tone(
    duration_s: float = 0.5, sample_rate_hz: int = 48_000, *, channels: int = 1, frequency_hz: float = 440.0
) -> FloatArray:
    """A sine at half of full scale, (n, channels); every channel has its own phase."""
    time_s = np.arange(round(duration_s * sample_rate_hz))[:, None] / sample_rate_hz
    phases = 0.7 * np.arange(channels)[None, :]
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s + phases)).astype(np.float32)


def noise(duration_s: float = 0.5, sample_rate_hz: int = 48_000, *, channels: int = 1, seed: int = 0) -> FloatArray:
    """White noise of a tenth of full scale, (n, channels)."""
    size = (round(duration_s * sample_rate_hz), channels)
    return np.random.default_rng(seed).normal(0, 0.1, size).astype(np.float32)


def write_sound(
    path: Path, samples: FloatArray, sample_rate_hz: int = 48_000, *, kind: str = "WAV", subtype: str = "PCM_16"
) -> Path:
    """Write (n, channels) with libsndfile, whatever the path's extension says."""
    path.write_bytes(sound_bytes(samples, sample_rate_hz, kind=kind, subtype=subtype))
    return path


def sound_bytes(
    samples: FloatArray, sample_rate_hz: int = 48_000, *, kind: str = "WAV", subtype: str = "PCM_16"
) -> bytes:
    """What write_sound writes."""
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", sample_rate_hz, samples.shape[1], format=kind, subtype=subtype, endian="FILE"
    ) as sound:
        for start in range(0, len(samples), 65_536):
            sound.write(samples[start : start + 65_536])
    return file.getvalue()


def write_with_libav(
    path: Path,
    samples: FloatArray,
    sample_rate_hz: int = 48_000,
    *,
    codec: str,
    container: str,
    bit_rate: int | None = None,
    video: bool = False,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write (n, channels) with libav, with a short black video beside it if asked."""
    layout = {1: "mono", 2: "stereo", 6: "5.1", 16: "hexadecagonal"}[samples.shape[1]]
    with av.open(str(path), "w", format=container) as out:
        out.metadata.update(metadata or {})
        picture: Any = None
        if video:
            picture = out.add_stream("mpeg4", rate=25)
            picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        stream: Any = out.add_stream(codec, rate=sample_rate_hz, layout=layout)
        if bit_rate:
            stream.bit_rate = bit_rate
        context = stream.codec_context
        context.open()
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.reshape(1, -1)), format="flt", layout=layout)
        frame.sample_rate, frame.pts = sample_rate_hz, 0
        resampler = av.AudioResampler(
            format=context.format, layout=layout, rate=sample_rate_hz, frame_size=context.frame_size or 4096
        )
        if picture is not None:
            _write_black(out, picture, round(25 * len(samples) / sample_rate_hz))
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            for packet in stream.encode(part):
                out.mux(packet)
    return path


def write_video_without_sound(path: Path) -> Path:
    """A second of black MP4."""
    with av.open(str(path), "w", format="mp4") as out:
        picture: Any = out.add_stream("mpeg4", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        _write_black(out, picture, 25)
    return path


def _write_black(out: Any, picture: Any, frames: int) -> None:
    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), dtype=np.uint8), format="rgb24")
        frame.pts = number
        for packet in picture.encode(frame):
            out.mux(packet)
    for packet in picture.encode(None):
        out.mux(packet)


def wav_bytes(
    data: bytes,
    *,
    bits: int = 16,
    channels: int = 1,
    sample_rate_hz: int = 48_000,
    tag: int = 1,
    form: bytes = b"RIFF",
    data_size: int | None = None,
    ds64_size: int | None = None,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A WAV file put together by hand, with any lie in its header.

    Args:
        data: Content of the data chunk.
        bits: Bits per sample.
        channels: Number of channels.
        sample_rate_hz: Samples per second and channel.
        tag: Format tag: 1 is PCM, 3 float.
        form: First four bytes.
        data_size: Size that the data chunk claims, its own by default.
        ds64_size: Size that a ds64 chunk claims for the data; without it there is no such chunk.
        before: Chunks between fmt and data.
        after: Chunks after data.
    """
    frame = channels * ((bits + 7) // 8)
    body = b"WAVE"
    if ds64_size is not None:
        body += riff_chunk(b"ds64", struct.pack("<QQQI", len(data) + 80, ds64_size, ds64_size // frame, 0))
    layout = struct.pack("<HHIIHH", tag, channels, sample_rate_hz, sample_rate_hz * frame, frame, bits)
    body += riff_chunk(b"fmt ", layout) + before
    body += b"data" + struct.pack("<I", len(data) if data_size is None else data_size) + data
    body += bytes(len(data) & 1) + after
    return form + struct.pack("<I", len(body)) + body


def riff_chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a RIFF file, padded to an even length."""
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) & 1)
