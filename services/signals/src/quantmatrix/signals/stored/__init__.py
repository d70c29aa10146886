"""Backtests that are kept: how they were asked, what came of them, and what repeating them gives."""
