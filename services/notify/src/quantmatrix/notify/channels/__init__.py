"""The slot of channels: one file each, with a function `make(settings) -> Channel | None` (None: not configured)."""
