"""Headers of MPEG audio frames (ISO/IEC 11172-3, 13818-3) and of the encoders' own first frame (Xing, Info, VBRI)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_RATES_HZ = (44_100, 48_000, 32_000)
_BITRATES_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_FRAMES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class MpegFrame:
    """One frame's header.

    Attributes:
        offset: Where the frame begins in the bytes that were searched.
        layer: 1 to 3, or 0 for an ADTS frame (AAC).
        sample_rate_hz: Samples per second and channel.
        samples: Samples per channel in one frame.
        size: Bytes of the frame.
        side_bytes: Bytes between the header and a Xing or Info tag.
    """

    offset: int
    layer: int
    sample_rate_hz: int
    samples: int
    size: int
    side_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MpegTotals:
    """What an encoder's first frame says of the whole stream; None where it does not say."""

    frames: int | None
    size: int | None


def find_mpeg_audio(data: bytes, *, only_at_start: bool = False) -> MpegFrame | None:
    """The first of three consecutive, consistent frame headers in the data, or None."""
    offset = 0
    while (offset := data.find(b"\xff", offset)) >= 0:
        if only_at_start and offset:
            return None
        frame = _parse(data, offset)
        if frame is not None and _continues(data, frame):
            return frame
        offset += 1
    return None


def read_totals(data: bytes, frame: MpegFrame) -> MpegTotals | None:
    """What a Xing, Info or VBRI tag in the first frame says, None if there is no such tag."""
    at = frame.offset + 4 + frame.side_bytes
    if data[at : at + 4] in (b"Xing", b"Info") and len(data) >= at + 16:
        (flags,) = struct.unpack_from(">I", data, at + 4)
        at += 8
        values: list[int | None] = []
        for bit in (1, 2):
            if flags & bit:
                values.append(struct.unpack_from(">I", data, at)[0])
                at += 4
            else:
                values.append(None)
        return MpegTotals(frames=values[0], size=values[1])
    at = frame.offset + 36
    if data[at : at + 4] == b"VBRI" and len(data) >= at + 18:
        size, frames = struct.unpack_from(">II", data, at + 10)
        return MpegTotals(frames=frames, size=size)
    return None


def _continues(data: bytes, first: MpegFrame) -> bool:
    """Whether more frames of the same kind follow, as far as the data reaches."""
    offset = first.offset + first.size
    for _ in range(_FRAMES_IN_A_ROW - 1):
        if offset + 7 > len(data):
            # A stream of one or two frames is sound only when it is nothing else: it must begin the data.
            return first.offset == 0 and offset >= len(data) - 128
        following = _parse(data, offset)
        if following is None or (following.layer, following.sample_rate_hz) != (first.layer, first.sample_rate_hz):
            return False
        offset += following.size
    return True


def _parse(data: bytes, at: int) -> MpegFrame | None:
    if len(data) < at + 7 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    if data[at + 1] & 0xF6 == 0xF0:
        return _parse_adts(data, at)
    version, layer = (data[at + 1] >> 3) & 3, 4 - ((data[at + 1] >> 1) & 3)
    bitrate, rate = data[at + 2] >> 4, (data[at + 2] >> 2) & 3
    if version == 1 or layer == 4 or rate == 3 or not 0 < bitrate < 15:
        return None
    first_version = version == 3
    sample_rate_hz = _RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    kbps = _BITRATES_KBPS[1 if first_version else 2, layer][bitrate - 1]
    padding = (data[at + 2] >> 1) & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and not first_version else 1152
    if layer == 1:
        size = (12_000 * kbps // sample_rate_hz + padding) * 4
    else:
        size = samples // 8 * 1000 * kbps // sample_rate_hz + padding
    mono = data[at + 3] >> 6 == 3
    side = (17 if mono else 32) if first_version else (9 if mono else 17)
    return MpegFrame(at, layer, sample_rate_hz, samples, size, side)


def _parse_adts(data: bytes, at: int) -> MpegFrame | None:
    rates = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
    rate = (data[at + 2] >> 2) & 15
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if rate >= len(rates) or size < 7:
        return None
    return MpegFrame(at, 0, rates[rate], 1024, size)
