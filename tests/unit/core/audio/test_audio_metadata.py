from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tinytag
from sound import noise, riff_chunk, sound_bytes, wav_bytes, write_sound, write_with_libav

from core.audio.metadata import MetadataField, best, read_metadata

SILENCE = bytes(2000)


def bext(description: bytes = b"", originator: bytes = b"", history: bytes = b"", time_reference: int = 0) -> bytes:
    content = description.ljust(256, b"\x00") + originator.ljust(32, b"\x00") + bytes(32)
    content += b"2024-05-06" + b"12:34:56" + struct.pack("<Q", time_reference) + struct.pack("<H", 2)
    content = content.ljust(602, b"\x00") + history
    return riff_chunk(b"bext", content)


def info(**texts: bytes) -> bytes:
    return riff_chunk(b"LIST", b"INFO" + b"".join(riff_chunk(key.encode(), value) for key, value in texts.items()))


def ixml(body: str, encoding: str = "utf-8") -> bytes:
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<BWFXML>{body}</BWFXML>'
    return riff_chunk(b"iXML", text.encode(encoding))


def id3(**frames: str) -> bytes:
    body = b"".join(
        name.encode() + struct.pack(">IH", len(text.encode()) + 1, 0) + b"\x03" + text.encode()
        for name, text in frames.items()
    )
    size = len(body)
    return b"ID3\x04\x00\x00" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + body


def read(tmp_path: Path, content: bytes, name: str = "a.wav") -> tuple[MetadataField, ...]:
    path = tmp_path / name
    path.write_bytes(content)
    return read_metadata(path)


def values(fields: tuple[MetadataField, ...]) -> dict[tuple[str, str], str]:
    return {(field.scheme, field.key): field.value for field in fields}


def test_that_bext_is_read(tmp_path: Path) -> None:
    chunk = bext("Türe, schwer".encode(), b"Field Recorder", b"A=PCM,F=48000\r\n", time_reference=480)
    fields = values(read(tmp_path, wav_bytes(SILENCE, before=chunk)))
    assert fields["bext", "description"] == "Türe, schwer"
    assert fields["bext", "originator"] == "Field Recorder"
    assert fields["bext", "origination_date"] == "2024-05-06"
    assert fields["bext", "coding_history"] == "A=PCM,F=48000"
    assert fields["bext", "time_reference"] == "480"
    assert ("bext", "originator_reference") not in fields, "empty fields say nothing"


def test_that_a_full_description_may_end_in_half_a_character(tmp_path: Path) -> None:
    chunk = bext(("x" * 255 + "ü").encode()[:256])
    assert values(read(tmp_path, wav_bytes(SILENCE, after=chunk)))["bext", "description"] == "x" * 255


def test_that_info_is_utf8_or_else_windows_text(tmp_path: Path) -> None:
    chunk = info(INAM="Glöckchen 鈴".encode(), IART="Müller".encode("cp1252"), ICMT=b"one\x00rubbish")
    fields = values(read(tmp_path, wav_bytes(SILENCE, after=chunk)))
    assert fields["info", "INAM"] == "Glöckchen 鈴"
    assert fields["info", "IART"] == "Müller"
    assert fields["info", "ICMT"] == "one"


def test_that_marker_labels_are_read(tmp_path: Path) -> None:
    label = riff_chunk(b"LIST", b"adtl" + riff_chunk(b"labl", struct.pack("<I", 1) + b"second slam\x00"))
    assert read(tmp_path, wav_bytes(SILENCE, after=label)) == (MetadataField("adtl", "labl", "second slam"),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_that_ixml_is_read_by_path(tmp_path: Path, encoding: str) -> None:
    body = "<NOTE>Tür</NOTE><USER><DESCRIPTION>creak</DESCRIPTION></USER><ASWG><catId>DOORWood</catId></ASWG>"
    fields = values(read(tmp_path, wav_bytes(SILENCE, before=ixml(body, encoding))))
    assert fields["ixml", "NOTE"] == "Tür"
    assert fields["ixml", "USER/DESCRIPTION"] == "creak"
    assert fields["ixml", "ASWG/catId"] == "DOORWood"


def test_that_ixml_with_a_wrong_encoding_and_padding_is_still_read(tmp_path: Path) -> None:
    text = b'<?xml version="1.0" encoding="UTF-8"?><BWFXML><NOTE>T\xfcr</NOTE></BWFXML>\x00\x00\x00'
    fields = read(tmp_path, wav_bytes(SILENCE, before=riff_chunk(b"iXML", text)))
    assert fields == (MetadataField("ixml", "NOTE", "Tür"),)


def test_that_xml_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "boom"><!ENTITY b "&a;&a;&a;">]><BWFXML><NOTE>&b;</NOTE></BWFXML>'
    outside = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><BWFXML><NOTE>&a;</NOTE></BWFXML>'
    for text in (bomb, outside):
        chunks = riff_chunk(b"iXML", text) + info(ICMT=b"kept")
        assert read(tmp_path, wav_bytes(SILENCE, before=chunks)) == (MetadataField("info", "ICMT", "kept"),)


def test_that_an_id3_chunk_in_wav_and_aiff_is_read(tmp_path: Path) -> None:
    tag = id3(TIT2="Dörr slam", TPE1="Someone")
    wav = values(read(tmp_path, wav_bytes(SILENCE, after=riff_chunk(b"id3 ", tag))))
    assert (wav["id3", "title"], wav["id3", "artist"]) == ("Dörr slam", "Someone")
    chunk = b"ID3 " + struct.pack(">I", len(tag)) + tag + bytes(len(tag) & 1)
    name = b"NAME" + struct.pack(">I", 4) + b"Slam"
    aiff = values(read(tmp_path, sound_bytes(noise(0.1), kind="AIFF") + name + chunk, "a.aif"))
    assert (aiff["id3", "title"], aiff["aiff", "NAME"]) == ("Dörr slam", "Slam")


def test_that_the_chunks_of_rf64_and_w64_are_read(tmp_path: Path) -> None:
    rf64 = wav_bytes(SILENCE, form=b"RF64", data_size=0xFFFFFFFF, ds64_size=len(SILENCE), after=info(ICMT=b"rain"))
    assert read(tmp_path, rf64) == (MetadataField("info", "ICMT", "rain"),)
    guid = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    content = bext(b"wind")[8:]
    chunk = b"bext" + guid + struct.pack("<Q", len(content) + 24) + content
    w64 = sound_bytes(noise(0.1), kind="W64") + chunk
    assert values(read(tmp_path, w64))["bext", "description"] == "wind"


def test_that_id3_before_mpeg_audio_is_read(tmp_path: Path) -> None:
    mp3 = id3(TIT2="Thunder", TCON="Weather") + sound_bytes(noise(0.5), kind="MP3", subtype="MPEG_LAYER_III")
    fields = values(read(tmp_path, mp3, "a.mp3"))
    assert (fields["id3", "title"], fields["id3", "genre"]) == ("Thunder", "Weather")


@pytest.mark.parametrize(("kind", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_that_vorbis_comments_are_read(tmp_path: Path, kind: str, subtype: str) -> None:
    path = tmp_path / "a"
    with soundfile.SoundFile(path, "w", 48_000, 1, format=kind, subtype=subtype) as file:
        file.title, file.comment = "Glöckchen", "small bells"
        file.write(noise(0.5))
    fields = values(read_metadata(path))
    assert fields["vorbis", "title"] == "Glöckchen"
    assert "small bells" in fields.values()


@pytest.mark.parametrize(("codec", "container", "scheme"), [("aac", "ipod", "mp4"), ("wmav2", "asf", "asf")])
def test_that_tags_of_mp4_and_asf_are_read(tmp_path: Path, codec: str, container: str, scheme: str) -> None:
    path = write_with_libav(
        tmp_path / "a", noise(0.5), codec=codec, container=container, bit_rate=96_000, metadata={"title": "Türe"}
    )
    assert MetadataField(scheme, "title", "Türe") in read_metadata(path)


def test_that_the_strings_of_caf_are_read(tmp_path: Path) -> None:
    content = struct.pack(">I", 1) + b"title\x00Bell\x00"
    chunk = b"info" + struct.pack(">q", len(content)) + content
    assert read(tmp_path, sound_bytes(noise(0.1), kind="CAF") + chunk) == (MetadataField("caf", "title", "Bell"),)


def test_that_what_the_user_wrote_wins() -> None:
    said = [
        MetadataField("info", "ICMT", "from INFO"),
        MetadataField("bext", "description", "from bext"),
        MetadataField("ixml", "ASWG/notes", "from ASWG"),
        MetadataField("ixml", "USER/Description", "from USER"),
    ]
    while said:
        assert best(said, "description") == said[-1].value
        said.pop()
    assert best(said, "description") is None
    assert best([MetadataField("vorbis", "genre", "Rain"), MetadataField("info", "IGNR", "Wind")], "category") == "Wind"
    with pytest.raises(KeyError):
        best(said, "colour")


def test_that_nothing_is_said_twice(tmp_path: Path) -> None:
    assert len(read(tmp_path, wav_bytes(SILENCE, before=info(ICMT=b"rain"), after=info(ICMT=b"rain")))) == 1


def test_that_control_characters_and_lone_surrogates_do_not_pass(tmp_path: Path) -> None:
    chunk = info(ICMT=b"bell\x07 and \xef\xbf\xbe whistle", INAM=b"\xed\xa0\x80")
    for field in read(tmp_path, wav_bytes(SILENCE, before=chunk)):
        assert "\x07" not in field.value
        field.value.encode("utf-8")


def test_that_a_lie_about_a_size_costs_no_memory(tmp_path: Path) -> None:
    huge = b"bext" + struct.pack("<I", 0xFFFFFFF0)
    wav = wav_bytes(SILENCE, before=huge)
    mp4 = b"\x00\x00\x00\x14ftypM4A \x00\x00\x00\x00M4A " + struct.pack(">I4s", 0x7FFFFFF0, b"moov") + b"\x00" * 64
    for content in (wav, mp4):
        path = tmp_path / "a"
        path.write_bytes(content)
        with path.open("r+b") as file:
            file.truncate(1 << 30)
        tracemalloc.start()
        try:
            read_metadata(path)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak_bytes < 80 << 20


def test_that_reading_never_fails(tmp_path: Path) -> None:
    chunks = (
        bext(b"a", b"b", b"c") + ixml("<USER><X>y</X></USER>") + info(ICMT=b"z") + riff_chunk(b"id3 ", id3(TIT2="t"))
    )
    whole = wav_bytes(SILENCE, before=chunks)
    files = [whole, id3(TIT2="t") + sound_bytes(noise(0.1), kind="MP3", subtype="MPEG_LAYER_III")]
    files += [sound_bytes(noise(0.1), kind="OGG", subtype="VORBIS"), sound_bytes(noise(0.1), kind="FLAC")]
    files.append(write_with_libav(tmp_path / "b.m4a", noise(0.1), codec="aac", container="ipod").read_bytes())
    random = np.random.default_rng(7)
    for content in files:
        for _ in range(60):
            damaged = bytearray(content[: random.integers(1, len(content))])
            for at in random.integers(0, len(damaged), 10):
                damaged[at] = random.choice([0, 1, 127, 128, 255])
            read(tmp_path, bytes(damaged))
    assert read_metadata(tmp_path) == ()
    assert read_metadata(tmp_path / "nowhere.wav") == ()


def test_that_tags_are_the_only_thing_tinytag_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for the length makes it read whole files."""
    asked: list[bool] = []
    original = tinytag.TinyTag.get

    def get(**arguments: object) -> object:
        asked.append(bool(arguments["duration"]))
        return original(**arguments)

    monkeypatch.setattr(tinytag.TinyTag, "get", get)
    read_metadata(write_sound(tmp_path / "a.ogg", noise(0.2), kind="OGG", subtype="VORBIS"))
    assert asked == [False]
