"""What a long job tells the world (events) and how the world stops it (cancel token)."""

from core.jobs.cancel import CancelToken
from core.jobs.event import Event, Notice, Progress, Skipped

__all__ = ["CancelToken", "Event", "Notice", "Progress", "Skipped"]
