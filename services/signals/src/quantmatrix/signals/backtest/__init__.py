"""Backtests: the live strategies on past bars, with honest fills, and results that can be repeated to the same digest."""
