"""Which devices there are to embed sounds with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device.

    Attributes:
        kind: What `load_dual_encoder` calls it.
        name: What it calls itself.
        memory_bytes: Of a graphics card; 0 for the CPU.
    """

    kind: Literal["cpu", "cuda"]
    name: str
    memory_bytes: int = 0


def found_devices() -> tuple[FoundDevice, ...]:
    """The CPU, and the CUDA devices that torch can use. Imports torch, so not for the thread that paints."""
    import torch

    threads = torch.get_num_threads()
    devices = [FoundDevice("cpu", "1 thread" if threads == 1 else f"{threads} threads")]
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(number)
            devices.append(FoundDevice("cuda", properties.name, properties.total_memory))
    return tuple(devices)
