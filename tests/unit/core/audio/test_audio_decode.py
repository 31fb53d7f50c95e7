from __future__ import annotations

import errno
import io
import os
import socket
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound import (
    noise,
    riff_chunk,
    sound_bytes,
    tone,
    wav_bytes,
    write_sound,
    write_video_without_sound,
    write_with_libav,
)

from core.audio import source
from core.audio.decode import is_audio_candidate, open_audio, probe
from core.errors import UnusableFileError
from core.types import AudioInfo, FloatArray

PCM = (noise(1.0)[:, 0] * 32_767).astype("<i2").tobytes()


def decode(path: Path) -> FloatArray:
    with open_audio(path) as sound:
        return np.concatenate([block.copy() for block in sound.blocks(0.3)])


def reason(path: Path) -> str:
    with pytest.raises(UnusableFileError) as caught:
        decode(path)
    assert caught.value.message
    return caught.value.message


def reason_of(tmp_path: Path, content: bytes, name: str = "a.wav") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    return reason(path)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", "b")
    return file.getvalue()


class TestWhatIsNoSound:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b"", "The file is empty."),
            (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(100), "This is a JPEG image."),
            (b"\x89PNG\r\n\x1a\n" + bytes(100), "This is a PNG image."),
            (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "This is a WebP image."),
            (b"%PDF-1.7\n", "This is a PDF document."),
            (zipped(), "This is a ZIP archive."),
            (b"MThd\x00\x00\x00\x06", "This is a MIDI file: notes and no sound."),
            (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "This is a macOS side file that describes another file."),
            ("Door, wooden – take 2\r\n".encode(), "This is a text file."),
            (b"#EXTM3U\n#EXT-X-VERSION:3\nhttp://example.invalid/a.ts\n", "This is a playlist."),
            (b"ffconcat version 1.0\nfile /etc/passwd\n", "This is a playlist."),
            (bytes(5000), "This is a file that begins with nothing but zeros."),
            (bytes(range(256)) * 20, "This is a file of a kind that Earshot does not know."),
            (b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10), "This is an ID3 tag with no sound behind it."),
        ],
    )
    def test_that_the_reason_says_what_it_is_instead(self, tmp_path: Path, content: bytes, expected: str) -> None:
        assert reason_of(tmp_path, content) == expected

    def test_that_noise_is_never_taken_for_mpeg_audio(self, tmp_path: Path) -> None:
        random = np.random.default_rng(3)
        for _ in range(10):
            assert "does not know" in reason_of(tmp_path, b"\x99" + random.bytes(80_000), "a.mp3")

    def test_that_a_video_without_sound_says_so(self, tmp_path: Path) -> None:
        assert reason(write_video_without_sound(tmp_path / "a.mp4")) == "This is a video without sound."

    def test_that_a_sound_of_no_length_says_so(self, tmp_path: Path) -> None:
        assert reason_of(tmp_path, wav_bytes(b"")) == "The file holds no sound."
        listed = wav_bytes(b"", after=riff_chunk(b"LIST", b"INFO" + riff_chunk(b"ICMT", b"nothing")))
        assert reason_of(tmp_path, listed) == "The file holds no sound."


class TestWhatCannotBeOpened:
    def test_that_a_missing_file_and_a_broken_link_say_so(self, tmp_path: Path) -> None:
        assert reason(tmp_path / "a.wav") == "The file is no longer there."
        link = tmp_path / "link.wav"
        link.symlink_to(tmp_path / "nowhere")
        assert reason(link) == "The link leads to a file that does not exist."

    def test_that_a_loop_of_links_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").symlink_to(tmp_path / "b.wav")
        (tmp_path / "b.wav").symlink_to(tmp_path / "a.wav")
        assert reason(tmp_path / "a.wav") == "The links lead in a circle."

    def test_that_a_folder_a_pipe_a_socket_and_a_device_say_so_at_once(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.wav")
        assert reason(tmp_path) == "This is a folder, not a file with sound."
        assert reason(tmp_path / "pipe.wav") == "This is a pipe, not a file with sound."
        assert reason(Path("/dev/null")) == "This is a device, not a file with sound."
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(tmp_path / "socket.wav"))
            assert "socket" in reason(tmp_path / "socket.wav")

    def test_that_a_forbidden_file_names_the_way_out(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(path: Path, flags: int) -> int:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        path = write_sound(tmp_path / "a.wav", noise())
        monkeypatch.setattr(source.os, "open", refuse)
        with pytest.raises(UnusableFileError, match="may not be read") as caught:
            probe(path)
        assert "permission" in caught.value.way_out

    def test_that_a_disk_that_fails_while_reading_is_a_reason(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class FailingFile(io.FileIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell() > 100_000:
                    raise OSError(errno.EIO, "Input/output error")
                return super().read(size)

        path = write_with_libav(tmp_path / "a.mov", noise(5.0), codec="pcm_s16le", container="mov")
        monkeypatch.setattr(source.os, "fdopen", lambda descriptor, mode: FailingFile(descriptor, mode))
        assert reason(path) == "The file could not be read to its end (Input/output error)."

    @pytest.mark.parametrize("name", [b"caf\xe9 \xff.wav", "雨 🌧 ü.wav".encode(), b"new\nline.wav", b"-rf *.wav"])
    def test_that_any_name_opens(self, tmp_path: Path, name: bytes) -> None:
        path = tmp_path / os.fsdecode(name)
        sound = noise(0.1)
        path.write_bytes(sound_bytes(sound, subtype="FLOAT"))
        assert np.array_equal(decode(path), sound)
        path.write_bytes(wav_bytes((sound[:, 0] * 2.0**62).astype("<i8").tobytes(), bits=64))
        assert np.abs(decode(path) - sound / 2).max() < 1e-6


class TestHeaders:
    def test_that_the_header_is_told(self, tmp_path: Path) -> None:
        path = write_sound(tmp_path / "a.flac", noise(1.5, 44_100, channels=2), 44_100, kind="FLAC", subtype="PCM_24")
        assert probe(path) == AudioInfo("flac", "PCM_24", 44_100, 2, 1.5, 24)
        path = write_with_libav(tmp_path / "a.m4a", noise(1.0, channels=2), codec="alac", container="ipod")
        assert probe(path) == AudioInfo("m4a", "alac", 48_000, 2, 1.0, 24)

    @pytest.mark.parametrize("extension", ["mp3", "txt", "m4a", "", "wma"])
    def test_that_the_content_counts_and_not_the_extension(self, tmp_path: Path, extension: str) -> None:
        sound = noise(0.2)
        assert np.array_equal(decode(write_sound(tmp_path / f"a.{extension}", sound, subtype="FLOAT")), sound)
        m4a = write_with_libav(tmp_path / f"b.{extension}", sound, codec="aac", container="ipod")
        assert probe(m4a).encoding == "aac"

    @pytest.mark.parametrize(
        "size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000], ids=["zero", "max", "max31", "sox", "sign"]
    )
    def test_that_a_length_that_was_never_filled_in_does_not_matter(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "a.wav"
        path.write_bytes(wav_bytes(PCM, data_size=size))
        assert len(decode(path)) == len(PCM) // 2
        assert probe(path).duration_s == pytest.approx(1.0)

    @pytest.mark.parametrize("form", [b"RF64", b"BW64"])
    def test_that_rf64_and_its_younger_name_are_read(self, tmp_path: Path, form: bytes) -> None:
        path = tmp_path / "a.wav"
        path.write_bytes(wav_bytes(PCM, form=form, data_size=0xFFFFFFFF, ds64_size=len(PCM)))
        assert np.array_equal(decode(path)[:, 0], np.frombuffer(PCM, "<i2") / np.float32(32_768))
        path.write_bytes(wav_bytes(PCM[:40_000], form=form, data_size=0xFFFFFFFF, ds64_size=len(PCM)))
        assert reason(path) == "The file ends after 0.4 s of the 1.0 s that its header promises."

    def test_that_flac_from_a_pipe_has_a_length(self, tmp_path: Path) -> None:
        content = bytearray(sound_bytes(noise(1.0), kind="FLAC"))
        content[21] &= 0xF0
        content[22:26] = bytes(4)
        path = tmp_path / "a.flac"
        path.write_bytes(content)
        assert probe(path).duration_s == 1.0
        assert len(decode(path)) == 48_000

    @pytest.mark.parametrize(
        ("rate", "channels", "expected"),
        [
            (4_000, 1, "Its sample rate of 4,000 Hz is outside 8 to 384 kHz."),
            (768_000, 1, "Its sample rate of 768,000 Hz is outside 8 to 384 kHz."),
            (48_000, 65, "It has 65 channels, more than the 64 that can be read."),
        ],
    )
    def test_that_what_is_out_of_range_says_so(self, tmp_path: Path, rate: int, channels: int, expected: str) -> None:
        content = wav_bytes(bytes(13_000 * 2), sample_rate_hz=rate, channels=channels)
        assert reason_of(tmp_path, content) == expected

    def test_that_an_unknown_encoding_says_so(self, tmp_path: Path) -> None:
        assert "cannot be read" in reason_of(tmp_path, wav_bytes(PCM, bits=40))
        assert "cannot be read" in reason_of(tmp_path, wav_bytes(PCM, tag=0x1234))

    def test_that_an_id3_tag_before_the_sound_is_passed_over(self, tmp_path: Path) -> None:
        tag = b"ID3\x04\x00\x00\x00\x00\x20\x00" + bytes(4096)
        for kind, subtype in (("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")):
            path = tmp_path / "a"
            path.write_bytes(tag + sound_bytes(noise(1.0), kind=kind, subtype=subtype))
            assert len(decode(path)) == 48_000


class TestSoundThatLibsndfileWouldLose:
    def vbr(self, tmp_path: Path) -> tuple[bytes, int]:
        """A variable-rate stream of three loud and seven quiet seconds, without its header frame."""
        file = io.BytesIO()
        sound = np.concatenate([noise(3.0) * 1e-4, noise(7.0)])
        with soundfile.SoundFile(
            file, "w", 48_000, 1, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.5, bitrate_mode="VARIABLE"
        ) as out:
            out.write(sound)
        content = file.getvalue()
        assert b"Xing" in content[:200]
        second = content.index(content[:2], 100)
        return content[second:], len(sound)

    def test_that_variable_rate_mpeg_without_a_header_is_read_to_its_end(self, tmp_path: Path) -> None:
        content, frames = self.vbr(tmp_path)
        path = tmp_path / "a.mp3"
        path.write_bytes(content)
        assert len(decode(path)) == pytest.approx(frames, abs=4 * 1152)

    def test_that_junk_before_mpeg_audio_is_passed_over(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mp3"
        path.write_bytes(bytes(3000) + self.vbr(tmp_path)[0])
        assert len(decode(path)) > 9.5 * 48_000

    def test_that_a_chain_of_ogg_streams_is_read_to_its_end(self, tmp_path: Path) -> None:
        path = tmp_path / "a.ogg"
        parts = [sound_bytes(tone(1.0, frequency_hz=f), kind="OGG", subtype="VORBIS") for f in (440.0, 880.0)]
        path.write_bytes(b"".join(parts))
        assert len(decode(path)) == pytest.approx(96_000, abs=2048)

    def test_that_flac_in_ogg_is_read(self, tmp_path: Path) -> None:
        sound = noise(1.0)
        path = write_with_libav(tmp_path / "a.oga", sound, codec="flac", container="ogg")
        assert np.abs(decode(path) - sound).max() < 1e-4


class TestDamage:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
    @pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
    def test_that_samples_that_are_no_numbers_say_where(self, tmp_path: Path, value: float, subtype: str) -> None:
        sound = noise(2.0, channels=2)
        sound[72_000, 1] = value
        path = write_sound(tmp_path / "a.wav", sound, subtype=subtype)
        assert reason(path) == "It holds samples that are no numbers or absurdly large, from 1.5 s on."

    def test_that_samples_beyond_full_scale_are_kept(self, tmp_path: Path) -> None:
        sound = noise(0.1) * 50_000
        assert np.array_equal(decode(write_sound(tmp_path / "a.wav", sound, subtype="FLOAT")), sound)

    def test_that_a_few_missing_milliseconds_do_not_matter(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        path.write_bytes(wav_bytes(PCM)[:-200])
        assert len(decode(path)) == 48_000 - 100

    def test_that_a_file_that_shrinks_while_it_is_read_is_a_reason(self, tmp_path: Path) -> None:
        path = write_sound(tmp_path / "a.wav", noise(10.0, channels=2))
        with open_audio(path) as sound:
            blocks = sound.blocks(0.5)
            next(blocks)
            os.truncate(path, 500_000)
            with pytest.raises(UnusableFileError, match=r"ends after 2\.6 s of the 10\.0 s"):
                list(blocks)

    def test_that_a_file_that_is_deleted_while_it_is_read_is_read_to_its_end(self, tmp_path: Path) -> None:
        path = write_sound(tmp_path / "a.wav", noise(2.0))
        with open_audio(path) as sound:
            path.unlink()
            assert sum(len(block) for block in sound.blocks(0.1)) == 96_000

    def test_that_no_file_stays_open(self, tmp_path: Path) -> None:
        good = write_sound(tmp_path / "a.wav", noise())
        m4a = write_with_libav(tmp_path / "a.m4a", noise(), codec="aac", container="ipod")
        bad = tmp_path / "b.wav"
        bad.write_bytes(wav_bytes(PCM)[:50_000])
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            for path in (good, m4a):
                probe(path)
                decode(path)
            reason(bad)
            reason(tmp_path)
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_that_a_header_that_leads_through_gigabytes_of_zeros_is_given_up_soon(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mov"
        box = struct.pack(">I4s", 8, b"free")
        path.write_bytes(box * 200_000)
        assert "damaged" in reason(path)


class TestBlocks:
    def test_that_all_blocks_but_the_last_have_the_length_that_was_asked_for(self, tmp_path: Path) -> None:
        path = write_sound(tmp_path / "a.flac", noise(1.05, channels=2), kind="FLAC")
        with open_audio(path) as sound:
            assert [block.shape for block in sound.blocks(0.25)] == [(12_000, 2)] * 4 + [(2_400, 2)]

    def test_that_a_sound_of_whole_blocks_ends_without_an_empty_one(self, tmp_path: Path) -> None:
        path = write_sound(tmp_path / "a.wav", noise(1.0))
        with open_audio(path) as sound:
            assert [len(block) for block in sound.blocks(0.5)] == [24_000, 24_000]

    @pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
    def test_that_skipping_leads_to_the_very_sample(self, tmp_path: Path, kind: str) -> None:
        path = write_sound(tmp_path / "a", noise(2.0), kind=kind, subtype="VORBIS" if kind == "OGG" else "PCM_16")
        whole = decode(path)
        with open_audio(path) as sound:
            sound.skip_to(1.25)
            assert np.array_equal(next(sound.blocks(0.5)), whole[60_000:84_000])


@pytest.mark.parametrize("name", ["a.wav", "A.WAV", "b.Flac", "c.mp4", "d.MOV", "e.opus", "f.w64", "g.aifc", "h.wma"])
def test_that_sounds_and_videos_are_candidates(name: str) -> None:
    assert is_audio_candidate(Path(name))


@pytest.mark.parametrize("name", ["a.txt", "wav", ".wav", "a.wav.bak", "a.jpg", "a.mid", "a"])
def test_that_other_files_are_no_candidates(name: str) -> None:
    assert not is_audio_candidate(Path(name))


def test_that_decoding_does_without_torch() -> None:
    modules = "core.audio.mono, core.audio.metadata, core.audio.level, core.audio.ucs"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
