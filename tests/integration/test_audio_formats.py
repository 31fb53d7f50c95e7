"""Every format, rate, channel count and kind of damage that a library of sounds may hold."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from sound import noise, sound_bytes, tone, wav_bytes, write_sound, write_with_libav

from core.audio.decode import open_audio, probe
from core.audio.metadata import read_metadata
from core.audio.mono import read_mono
from core.errors import UnusableFileError
from core.types import AudioInfo, FloatArray

# Largest error of a sample after a round trip of a tone at half of full scale.
EXACT = {
    "PCM_U8": 2**-7,
    "PCM_S8": 2**-7,
    "PCM_16": 2**-15,
    "PCM_24": 2**-23,
    "PCM_32": 2**-23,
    "FLOAT": 0,
    "DOUBLE": 0,
}
CODED = {
    "ULAW": 0.02,
    "ALAW": 0.02,
    "IMA_ADPCM": 0.05,
    "MS_ADPCM": 0.05,
    "GSM610": 0.1,
    "G721_32": 0.1,
    "ALAC_16": 2**-15,
    "ALAC_20": 2**-19,
    "ALAC_24": 2**-23,
    "ALAC_32": 2**-23,
    "DWVW_16": 2**-15,
    "DWVW_24": 2**-23,
    "VORBIS": 0.03,
    "OPUS": 0.03,
    "MPEG_LAYER_III": 0.03,
}
TOLERANCE = EXACT | CODED
PCM = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
SNDFILE_KINDS = {
    "WAV": ("PCM_U8", *PCM, "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "G721_32"),
    "WAVEX": ("PCM_U8", *PCM, "ULAW", "ALAW"),
    "RF64": ("PCM_U8", *PCM, "ULAW", "ALAW"),
    "W64": ("PCM_U8", *PCM, "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM"),
    "AIFF": ("PCM_S8", "PCM_U8", *PCM, "ULAW", "ALAW", "IMA_ADPCM", "DWVW_16", "DWVW_24"),
    "CAF": ("PCM_S8", *PCM, "ULAW", "ALAW", "ALAC_16", "ALAC_20", "ALAC_24", "ALAC_32"),
    "AU": ("PCM_S8", *PCM, "ULAW", "ALAW"),
    "FLAC": ("PCM_S8", "PCM_16", "PCM_24"),
    "OGG": ("VORBIS", "OPUS"),
    "MP3": ("MPEG_LAYER_III",),
    "VOC": ("PCM_16", "ULAW", "ALAW"),
    "NIST": ("PCM_16", "PCM_24", "PCM_32"),
    "SVX": ("PCM_S8", "PCM_16"),
}
ONLY_MONO = {"G721_32", "IMA_ADPCM", "SVX", "DWVW_16", "DWVW_24", "VOC"}


@dataclass(frozen=True)
class LibavKind:
    """How libav writes a format, and how near to the original it stays (RMS)."""

    codec: str
    container: str
    name: str
    tolerance: float = 0.03
    bit_rate: int | None = None
    video: bool = False


LIBAV_KINDS = {
    "m4a": LibavKind("aac", "ipod", "m4a"),
    "m4a-alac": LibavKind("alac", "ipod", "m4a", 2**-23),
    "adts": LibavKind("aac", "adts", "aac"),
    "wma1": LibavKind("wmav1", "asf", "wma", 0.05, 128_000),
    "wma2": LibavKind("wmav2", "asf", "wma", 0.05, 128_000),
    "wmv": LibavKind("wmav2", "asf", "wma", 0.05, 128_000, video=True),
    "mov-s16": LibavKind("pcm_s16le", "mov", "mov", 2**-15, video=True),
    "mov-s24": LibavKind("pcm_s24le", "mov", "mov", 2**-23, video=True),
    "mov-f32": LibavKind("pcm_f32le", "mov", "mov", 2**-23),
    "mp4": LibavKind("aac", "mp4", "mp4", video=True),
    "mkv": LibavKind("aac", "matroska", "mkv", video=True),
    "webm": LibavKind("libopus", "webm", "mkv"),
    "avi": LibavKind("pcm_s16le", "avi", "avi", 2**-15, video=True),
    "wavpack": LibavKind("wavpack", "wv", "wv", 2**-8),
    "ac3": LibavKind("ac3", "ac3", "ac3", 0.05),
    "wav-s64": LibavKind("pcm_s64le", "wav", "wav", 2**-23),
    "ogg-flac": LibavKind("flac", "ogg", "ogg", 2**-15),
    "mp2": LibavKind("mp2", "mp2", "mp3", 0.05),
    "ts": LibavKind("aac", "mpegts", "ts"),
}
EVERY_KIND = [f"{kind}-{subtypes[0]}" for kind, subtypes in SNDFILE_KINDS.items()] + ["OGG-OPUS", "CAF-ALAC_16"]
EVERY_KIND += list(LIBAV_KINDS)
# Formats with neither a length nor an end mark that could be missed: a part of one is a whole, shorter one.
ENDLESS = {"adts", "ac3", "mp2", "ts", "VOC-PCM_16", "NIST-PCM_16"}


def decode(path: Path) -> tuple[AudioInfo, FloatArray]:
    with open_audio(path) as sound:
        blocks = [block.copy() for block in sound.blocks(0.2)]
        return sound.info, np.concatenate(blocks)


def delay_and_error(original: FloatArray, decoded: FloatArray, most_samples: int = 4_000) -> tuple[int, float]:
    """By how many samples the decoded sound is late, and its mean error (RMS) after that, but for both ends."""
    length = min(len(original), len(decoded)) - 2 * most_samples
    middle = original[most_samples : most_samples + length, 0]
    candidates = np.correlate(decoded[: length + 2 * most_samples, 0], middle, mode="valid")
    delay = int(np.argmax(candidates)) - most_samples
    late = decoded[most_samples + delay : most_samples + delay + length]
    return delay, float(np.sqrt(np.square(late - original[most_samples : most_samples + length]).mean()))


def chirp(duration_s: float, sample_rate_hz: int, channels: int) -> FloatArray:
    """A slow sweep, which matches itself at one delay only."""
    time_s = np.arange(round(duration_s * sample_rate_hz))[:, None] / sample_rate_hz
    phase = 2 * np.pi * (200 * time_s + 300 * time_s**2) + 0.7 * np.arange(channels)[None, :]
    return (0.5 * np.sin(phase)).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "subtype"), [(kind, subtype) for kind, subtypes in SNDFILE_KINDS.items() for subtype in subtypes]
)
def test_that_a_round_trip_keeps_the_sound(tmp_path: Path, kind: str, subtype: str) -> None:
    channels = 1 if {kind, subtype} & ONLY_MONO else 2
    rate = 48_000 if kind != "VOC" else 44_100
    original = tone(0.5, rate, channels=channels)
    info, decoded = decode(write_sound(tmp_path / "a.bin", original, rate, kind=kind, subtype=subtype))
    assert (info.sample_rate_hz, info.channels) == (rate, channels)
    assert len(decoded) == pytest.approx(len(original), abs=0 if subtype in EXACT else 600)
    assert info.duration_s == pytest.approx(len(decoded) / rate, abs=1e-6)
    length = min(len(original), len(decoded))
    inner = slice(1000, length - 1000) if subtype in CODED else slice(0, length)
    assert np.abs(decoded[inner] - original[inner]).max() <= TOLERANCE[subtype]


@pytest.mark.parametrize("name", LIBAV_KINDS)
def test_that_libav_reads_what_libsndfile_cannot(tmp_path: Path, name: str) -> None:
    kind = LIBAV_KINDS[name]
    original = chirp(1.0, 48_000, 2)
    path = write_with_libav(
        tmp_path / "a.bin",
        original,
        codec=kind.codec,
        container=kind.container,
        bit_rate=kind.bit_rate,
        video=kind.video,
    )
    info, decoded = decode(path)
    assert (info.container, info.sample_rate_hz, info.channels) == (kind.name, 48_000, 2)
    assert len(decoded) == pytest.approx(48_000, abs=4_500)
    assert info.duration_s == pytest.approx(1.0, abs=0.1)
    delay, error = delay_and_error(original, decoded)
    assert delay <= 2_500
    assert error <= kind.tolerance


@pytest.mark.parametrize("bits", [8, 16, 24, 32, 64])
def test_that_pcm_of_every_width_has_the_right_scale(tmp_path: Path, bits: int) -> None:
    original = tone(0.1)[:, 0]
    if bits == 8:
        data = np.round(original * 127 + 128).astype("u1").tobytes()
    else:
        values = np.round(original.astype(np.float64) * (2.0 ** (bits - 1) - 1)).astype("<i8")
        data = b"".join(int(value).to_bytes(bits // 8, "little", signed=True) for value in values)
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(data, bits=bits))
    info, decoded = decode(path)
    assert info.bit_depth == bits
    assert decoded[:, 0] == pytest.approx(original, abs=2**-6 if bits == 8 else 2**-14)


@pytest.mark.parametrize(
    "rate", [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 88_200, 96_000, 176_400, 192_000, 384_000]
)
def test_that_every_rate_is_read_and_resampled(tmp_path: Path, rate: int) -> None:
    path = write_sound(tmp_path / "a.wav", tone(0.5, rate, frequency_hz=1000.0), rate, subtype="PCM_24")
    assert probe(path).sample_rate_hz == rate
    samples = read_mono(path, sample_rate_hz=32_000)
    expected = tone(0.5, 32_000, frequency_hz=1000.0)[:, 0]
    assert abs(len(samples) - 16_000) <= 2
    assert np.abs(samples[500:15_500] - expected[500:15_500]).max() < 2e-3


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 8, 10, 16, 24, 32, 64])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "AIFF", "CAF", "W64", "RF64"])
def test_that_up_to_64_channels_are_read(tmp_path: Path, kind: str, channels: int) -> None:
    original = noise(0.1, channels=channels)
    path = write_sound(tmp_path / "a.bin", original, kind=kind, subtype="FLOAT")
    assert np.array_equal(decode(path)[1], original)
    assert np.abs(read_mono(path, sample_rate_hz=48_000) - original.mean(axis=1)).max() < 1e-6


@pytest.mark.parametrize(("codec", "container"), [("wavpack", "wv"), ("pcm_s64le", "wav"), ("pcm_s16le", "mov")])
def test_that_libav_reads_more_channels_than_a_frame_has_planes(tmp_path: Path, codec: str, container: str) -> None:
    original = noise(0.3, channels=16)
    path = write_with_libav(tmp_path / "a", original, codec=codec, container=container)
    info, decoded = decode(path)
    assert info.channels == 16
    assert np.abs(decoded - original).max() <= (2**-7 if codec == "wavpack" else 2**-15)


@lru_cache(maxsize=64)
def whole_file(name: str) -> bytes:
    """Two seconds of noise in one of EVERY_KIND."""
    if name in LIBAV_KINDS:
        kind = LIBAV_KINDS[name]
        with tempfile.TemporaryDirectory() as folder:
            path = write_with_libav(
                Path(folder) / "a",
                noise(2.0, channels=2),
                codec=kind.codec,
                container=kind.container,
                bit_rate=kind.bit_rate,
                video=kind.video,
            )
            return path.read_bytes()
    kind_name, subtype = name.split("-")
    channels = 1 if {kind_name, subtype} & ONLY_MONO else 2
    return sound_bytes(noise(2.0, 48_000, channels=channels), kind=kind_name, subtype=subtype)


@pytest.mark.parametrize("name", EVERY_KIND)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
def test_that_a_truncated_file_gives_a_reason(tmp_path: Path, name: str, share: float) -> None:
    content = whole_file(name)
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    assert len(decode(path)[1]) > 1.9 * 48_000
    path.write_bytes(content[: int(len(content) * share)])
    if name in ENDLESS:
        with contextlib.suppress(UnusableFileError):
            assert len(decode(path)[1]) <= (share + 0.1) * 2 * 48_000
        return
    with pytest.raises(UnusableFileError) as caught:
        decode(path)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("kind", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU"])
def test_that_a_truncated_file_tells_how_much_is_there(tmp_path: Path, kind: str) -> None:
    content = sound_bytes(noise(10.0, 8_000), 8_000, kind=kind)
    path = tmp_path / "a.bin"
    path.write_bytes(content[: len(content) - 8_000 * 2 * 6])
    with pytest.raises(UnusableFileError, match=r"^The file ends after 4\.0 s of the 10\.0 s that its header promises"):
        probe(path)


@pytest.mark.parametrize("name", ["FLAC-PCM_S8", "OGG-VORBIS", "OGG-OPUS", "MP3-MPEG_LAYER_III", "m4a", "wma2"])
def test_that_a_hole_in_the_middle_gives_a_reason(tmp_path: Path, name: str) -> None:
    content = bytearray(whole_file(name))
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    with pytest.raises(UnusableFileError):
        decode(path)


def test_that_damage_of_any_kind_ends_in_a_reason_and_soon(tmp_path: Path) -> None:
    """Flipped, lost and inserted bytes, mostly in the headers: sound or a reason, and nothing else."""
    random = np.random.default_rng(20)
    path = tmp_path / "a.bin"
    usable = unusable = 0
    deadline = time.monotonic() + 2.0
    while time.monotonic() < deadline:
        content = bytearray(whole_file(EVERY_KIND[(usable + unusable) % len(EVERY_KIND)]))
        reach = min(len(content), 300) if random.random() < 0.7 else len(content)
        for at in random.integers(0, reach, random.integers(1, 12)):
            content[at] = random.choice([0, 1, 127, 128, 255])
        cut = int(random.integers(0, len(content)))
        if random.random() < 0.3:
            content[cut:cut] = random.bytes(int(random.integers(1, 3000)))
        if random.random() < 0.3:
            del content[max(1, cut) :]
        path.write_bytes(content)
        started = time.monotonic()
        try:
            with open_audio(path) as sound:
                for block in sound.blocks():
                    assert np.isfinite(block).all()
            usable += 1
        except UnusableFileError:
            unusable += 1
        read_metadata(path)
        assert time.monotonic() - started < 5.0
    assert usable > 5
    assert unusable > 5


@pytest.mark.parametrize("name", EVERY_KIND)
@pytest.mark.parametrize("extension", [".wav", ".mp3", ".jpg"])
def test_that_a_wrong_extension_does_not_matter(tmp_path: Path, name: str, extension: str) -> None:
    path = tmp_path / f"a{extension}"
    path.write_bytes(whole_file(name))
    assert probe(path).duration_s == pytest.approx(2.0, abs=0.1)


@pytest.mark.corpus
def test_that_real_sounds_have_the_length_that_is_known_of_them(corpus_folder: Path) -> None:
    with (corpus_folder / "corpus.jsonl").open(encoding="utf-8") as lines:
        clips = [json.loads(line) for line in lines]
    for clip in clips[:: len(clips) // 200]:
        path = corpus_folder / clip["file"]
        info, samples = decode(path)
        assert info.encoding == "OPUS"
        assert info.duration_s == pytest.approx(clip["duration_s"], abs=0.002)
        assert len(samples) / info.sample_rate_hz == pytest.approx(clip["duration_s"], abs=0.002)
        assert 0.01 < np.abs(samples).max() < 1.5
