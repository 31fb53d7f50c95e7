"""Regions and files written for others."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound import noise, riff_chunk, tone, wav_bytes, write_sound, write_with_libav

from core.audio.cache import CacheFolder
from core.audio.chunk import walk_chunks
from core.audio.decode import open_audio, probe
from core.audio.metadata import read_metadata
from core.audio.naming import PatternError, fill_pattern, safe_name, spoken, time_fields
from core.audio.render import ExportError, ExportFormat, ExportItem, export, plan_names, render_region
from core.errors import CancelledError, UnusableFileError
from core.jobs import CancelToken, Event, Progress, Skipped, Written
from core.types import FloatArray, Span


def samples_of(path: Path) -> FloatArray:
    with open_audio(path) as sound:
        return np.concatenate([block.copy() for block in sound.blocks()])


def exported(*items: ExportItem, folder: Path, pattern: str = "{name}", **how) -> list[Event]:
    output = ExportFormat(**{key: how.pop(key) for key in ("container", "bit_depth", "sample_rate_hz") if key in how})
    return list(export(items, folder=folder, pattern=pattern, output=output, cancel=CancelToken(), **how))


def paths_of(events: list[Event]) -> list[Path]:
    return [Path(event.path) for event in events if isinstance(event, Written)]


@pytest.fixture
def cache(tmp_path: Path) -> CacheFolder:
    return CacheFolder(tmp_path / "cache", 1 << 20)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "PCM_24"),
        ("WAV", "FLOAT"),
        ("FLAC", "PCM_16"),
        ("FLAC", "PCM_24"),
        ("AIFF", "PCM_24"),
    ],
)
def test_that_a_region_is_the_very_samples(tmp_path: Path, cache: CacheFolder, kind: str, subtype: str) -> None:
    path = write_sound(tmp_path / "gate.snd", noise(2.0, channels=2), kind=kind, subtype=subtype)
    source = samples_of(path)
    region = render_region(path, Span(0.5, 1.25), cache=cache)
    np.testing.assert_array_equal(samples_of(region), source[24_000:60_000])
    assert soundfile.info(region).subtype == subtype
    assert region.name == "gate_0m00.5s-0m01.2s.wav"


def test_that_handles_reach_as_far_as_the_sound(tmp_path: Path, cache: CacheFolder) -> None:
    path = write_sound(tmp_path / "a.wav", noise(2.0))
    source = samples_of(path)
    region = render_region(path, Span(0.5, 1.9), handles_s=0.25, cache=cache)
    np.testing.assert_array_equal(samples_of(region), source[12_000:])


def test_that_a_region_is_rendered_once(tmp_path: Path, cache: CacheFolder) -> None:
    path = write_sound(tmp_path / "a.wav", noise(2.0))
    first = render_region(path, Span(0.5, 1.0), cache=cache)
    os.utime(first, (0, 0))
    again = render_region(path, Span(0.5, 1.0), cache=cache)
    assert again == first
    assert first.stat().st_mtime > 0, "it counts as used now"
    assert render_region(path, Span(0.5, 1.1), cache=cache) != first
    write_sound(path, noise(3.0))
    assert render_region(path, Span(0.5, 1.0), cache=cache) != first


def test_that_a_region_behind_the_end_is_refused(tmp_path: Path, cache: CacheFolder) -> None:
    path = write_sound(tmp_path / "a.wav", noise(1.0))
    with pytest.raises(UnusableFileError, match="behind the end"):
        render_region(path, Span(5.0, 6.0), cache=cache)
    assert not list((tmp_path / "cache").glob("*/*"))


def test_that_a_region_of_a_compressed_file_has_24_bits(tmp_path: Path, cache: CacheFolder) -> None:
    path = write_with_libav(tmp_path / "a.m4a", tone(1.0, channels=2), codec="aac", container="ipod")
    region = render_region(path, Span(0.25, 0.75), cache=cache)
    assert soundfile.info(region).subtype == "PCM_24"
    np.testing.assert_allclose(samples_of(region), samples_of(path)[12_000:36_000], atol=2e-7)


@pytest.mark.parametrize("container", ["wav", "flac"])
@pytest.mark.parametrize("bit_depth", [16, 24])
@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 2), (44_100, 1), (96_000, 6)])
def test_that_files_are_exported_in_the_format_asked_for(
    tmp_path: Path, container: str, bit_depth: int, rate_hz: int, channels: int
) -> None:
    sound = np.repeat(tone(1.0, 48_000, frequency_hz=1000.0), channels, axis=1)
    path = write_sound(tmp_path / "a.wav", sound, subtype="FLOAT")
    events = exported(
        ExportItem(path), folder=tmp_path / "out", container=container, bit_depth=bit_depth, sample_rate_hz=rate_hz
    )
    (written,) = paths_of(events)
    info = probe(written)
    assert (info.container, info.bit_depth, info.sample_rate_hz, info.channels) == (
        container, bit_depth, rate_hz, channels,
    )  # fmt: skip
    expected = np.repeat(tone(1.0, rate_hz, frequency_hz=1000.0), channels, axis=1)
    heard = samples_of(written)
    assert abs(len(heard) - len(expected)) <= 1
    margin = rate_hz // 50
    np.testing.assert_allclose(heard[margin:-margin], expected[margin : len(heard) - margin], atol=3e-4)


def test_that_32_bits_are_floating_point(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", 3 * noise(0.5), subtype="FLOAT")
    (written,) = paths_of(exported(ExportItem(path), folder=tmp_path / "out", bit_depth=32))
    assert soundfile.info(written).subtype == "FLOAT"
    np.testing.assert_array_equal(samples_of(written), samples_of(path))
    with pytest.raises(ValueError, match="FLAC"):
        ExportFormat(container="flac", bit_depth=32)


def test_that_reducing_to_16_bits_is_dithered(tmp_path: Path) -> None:
    # A tone of a third of a step: without dither it would vanish.
    quiet = tone(1.0, frequency_hz=1000.0) * (2 * 2**-15 / 3)
    path = write_sound(tmp_path / "a.wav", quiet, subtype="PCM_24")
    (written,) = paths_of(exported(ExportItem(path), folder=tmp_path / "out", bit_depth=16))
    heard = samples_of(written)[:, 0]
    steps = heard * 2**15
    assert set(np.unique(steps)) <= {-2.0, -1.0, 0.0, 1.0, 2.0}
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) * 4 / len(heard)
    assert spectrum[1000] == pytest.approx(np.abs(quiet).max(), rel=0.2)
    others = np.delete(spectrum, [999, 1000, 1001])
    assert others.max() < 0.3 * spectrum[1000], "no harmonics"


def test_that_16_bits_stay_16_bits_untouched(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(0.5))
    (written,) = paths_of(exported(ExportItem(path), folder=tmp_path / "out", bit_depth=16))
    np.testing.assert_array_equal(samples_of(written), samples_of(path))


def test_that_full_scale_is_not_turned_around(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", np.array([[1.5], [-1.5], [1.0], [-1.0]], np.float32), subtype="FLOAT")
    (written,) = paths_of(exported(ExportItem(path), folder=tmp_path / "out", bit_depth=24))
    heard = samples_of(written)[:, 0]
    assert heard.tolist() == [1 - 2**-23, -1.0, 1 - 2**-23, -1.0]


def test_that_no_file_of_the_users_is_touched(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "gate.wav", noise(0.5))
    before = path.read_bytes()
    other = write_sound(tmp_path / "Gate 2.WAV", noise(0.1))
    kept = other.read_bytes()
    written = paths_of(exported(ExportItem(path), ExportItem(path), folder=tmp_path))
    # A file system may or may not tell "gate 2.wav" from "Gate 2.WAV".
    expected = ["gate 3.wav", "gate 4.wav"] if (tmp_path / "GATE.WAV").exists() else ["gate 2.wav", "gate 3.wav"]
    assert [path.name for path in written] == expected
    assert path.read_bytes() == before
    assert other.read_bytes() == kept


def test_that_a_name_taken_in_the_meantime_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound(tmp_path / "a.wav", noise(0.1))
    out = tmp_path / "out"
    out.mkdir()

    def late(*args: object, **kwargs: object) -> list[Path]:
        (out / "a.wav").write_text("somebody was quicker")
        return [out / "a.wav"]

    monkeypatch.setattr("core.audio.render.plan_names", late)
    (written,) = paths_of(exported(ExportItem(path), folder=out))
    assert written.name == "a 2.wav"
    assert (out / "a.wav").read_text() == "somebody was quicker"


def test_that_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    good = write_sound(tmp_path / "good.wav", noise(0.1))
    (tmp_path / "bad.wav").write_text("no sound")
    events = exported(
        ExportItem(tmp_path / "bad.wav"),
        ExportItem(tmp_path / "missing.wav"),
        ExportItem(good, Span(5.0, 6.0)),
        ExportItem(good),
        folder=tmp_path / "out",
    )
    reasons = [event.reason for event in events if isinstance(event, Skipped)]
    assert len(reasons) == 3
    assert "text file" in reasons[0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good 2.wav"]
    assert [event.done for event in events if isinstance(event, Progress)] == [1, 2, 3, 4]


def test_that_too_many_channels_for_flac_are_skipped_with_the_reason(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(0.1, channels=12))
    events = exported(ExportItem(path), folder=tmp_path / "out", container="flac")
    assert any(isinstance(event, Skipped) and "8 channels" in event.reason for event in events)
    assert not list((tmp_path / "out").iterdir())


def test_that_breaking_off_leaves_no_half_file(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(0.5))
    cancel = CancelToken()
    job = export(
        [ExportItem(path)] * 3, folder=tmp_path / "out", pattern="{name}", output=ExportFormat(), cancel=cancel
    )
    assert next(job) == Written(str(tmp_path / "out" / "a.wav"))
    cancel.cancel()
    with pytest.raises(CancelledError):
        list(job)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.wav"]


def test_that_a_folder_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(0.1))
    with pytest.raises(ExportError, match="Nothing can be written"):
        exported(ExportItem(path), folder=path / "below")


def test_that_a_full_disk_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound(tmp_path / "a.wav", noise(0.5))
    (tmp_path / "out").mkdir()

    def full(target: Path, *args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.audio.render._write_sound", full)
    with pytest.raises(ExportError, match="full"):
        exported(ExportItem(path), folder=tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_that_the_sources_description_goes_along(tmp_path: Path, cache: CacheFolder) -> None:
    bext = bytearray(602)
    bext[:11] = b"Gate creaks"
    bext[256:261] = b"Anna "
    bext[320:330] = b"2024-05-31"
    struct.pack_into("<QH", bext, 338, 480_000, 1)
    ixml = "<BWFXML><USER><DESCRIPTION>Old gate &amp; rust, " + "ä" * 300 + "</DESCRIPTION></USER></BWFXML>"
    data = (tone(1.0)[:, 0] * 32767).astype("<i2").tobytes()
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(data, before=riff_chunk(b"bext", bytes(bext)), after=riff_chunk(b"iXML", ixml.encode())))
    region = render_region(path, Span(0.5, 0.75), cache=cache)
    fields = {(field.scheme, field.key): field.value for field in read_metadata(region)}
    assert fields["ixml", "USER/DESCRIPTION"].startswith("Old gate & rust, ää")
    assert len(fields["ixml", "USER/DESCRIPTION"]) == len("Old gate & rust, ") + 300
    assert fields["bext", "description"].startswith("Old gate & rust, ä")
    assert fields["bext", "originator"] == "Anna"
    assert fields["bext", "origination_date"] == "2024-05-31"
    assert fields["bext", "time_reference"] == str(480_000 + 24_000)
    np.testing.assert_array_equal(samples_of(region), samples_of(path)[24_000:36_000])
    with region.open("rb") as file:
        chunks = {chunk.name: chunk for chunk in walk_chunks(file)}
        assert {b"fmt ", b"data", b"bext", b"iXML"} <= set(chunks)
        assert struct.unpack("<I", _head(region)[4:8])[0] == region.stat().st_size - 8
    assert soundfile.info(region).frames == 12_000


def _head(path: Path) -> bytes:
    return path.read_bytes()[:12]


def test_that_flac_carries_the_description_too(tmp_path: Path) -> None:
    path = write_with_libav(
        tmp_path / "a.flac", tone(0.5), codec="flac", container="flac", metadata={"description": "A gate", "title": "G"}
    )
    (written,) = paths_of(exported(ExportItem(path), folder=tmp_path / "out", container="flac"))
    values = {field.value for field in read_metadata(written)}
    assert {"A gate", "G"} <= values


def test_that_a_silent_source_makes_a_plain_file(tmp_path: Path, cache: CacheFolder) -> None:
    path = write_sound(tmp_path / "a.wav", noise(0.5))
    region = render_region(path, Span(0.0, 0.25), cache=cache)
    assert read_metadata(region) == ()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("gate creak", "gate creak"),
        ('a/b\\c:d*e?f"g<h>i|j', "a_b_c_d_e_f_g_h_i_j"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("CON", "_CON"),
        ("nul.wav", "_nul.wav"),
        (" . ", "sound"),
        ("line\nbreak\x00", "line break"),
        ("Tür ö", "Tür ö"),
    ],
)
def test_that_names_are_safe_everywhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_that_a_long_caption_fits_into_a_name() -> None:
    name = fill_pattern("{caption}", {"caption": "ü" * 400})
    assert len(name.encode()) <= 180
    assert name == "ü" * 90


def test_that_patterns_are_filled_and_checked() -> None:
    fields = {"name": "gate", "category": "DOORCreak", **time_fields(Span(3.21, 65.0), 100.0)}
    assert fill_pattern("{category}_{name}_{start}-{end} ({length})", fields) == (
        "DOORCreak_gate_0m03.2s-1m05.0s (1m01.8s)"
    )
    for pattern in ("{nmae}", "{name", "name}", "  "):
        with pytest.raises(PatternError):
            fill_pattern(pattern, fields)
    assert spoken(3599.96) == "60m00.0s"


def test_that_planned_names_do_not_collide(tmp_path: Path) -> None:
    items = [ExportItem(tmp_path / name / "Gate.wav") for name in "abc"] + [ExportItem(tmp_path / "gate.wav")]
    names = [path.name for path in plan_names(items, folder=tmp_path, pattern="{name}", container="wav")]
    assert len({name.lower() for name in names}) == 4
    numbered = plan_names(items, folder=tmp_path, pattern="{number} {folder}", container="flac")
    assert [path.name for path in numbered[:3]] == ["1 a.flac", "2 b.flac", "3 c.flac"]


def test_that_the_cache_forgets_what_was_used_longest_ago_but_nothing_held(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path / "cache", 2_500)
    paths = [cache.path((number,), f"{number}.wav") for number in range(5)]
    for age, path in enumerate(paths):
        cache.write(path, lambda part: part.write_bytes(bytes(1_000)) and None)
        os.utime(path, (1_000 + age, 1_000 + age))
    cache.hold(paths[0])
    assert cache.trim() == 2_000
    assert [path.exists() for path in paths] == [True, False, False, False, True]
    assert not paths[1].parent.exists()
    cache.release(paths[0])
    cache.limit_bytes = 1_000
    cache.trim()
    assert [path.exists() for path in paths] == [False, False, False, False, True]


def test_that_a_failed_write_leaves_nothing_in_the_cache(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path / "cache", 2_500)
    path = cache.path(("a",), "a.wav")

    def fail(part: Path) -> None:
        part.write_bytes(b"half")
        raise UnusableFileError("no")

    with pytest.raises(UnusableFileError):
        cache.write(path, fail)
    assert not list((tmp_path / "cache").glob("*/*"))
