"""Long work off the main thread, and its events back on it."""

from app.jobs.runner import JobHandle, JobRunner

__all__ = ["JobHandle", "JobRunner"]
