"""Strategies written in the styles of other engines: `events` for `on_bar`, `frames` for `populate_indicators` and its sisters."""
