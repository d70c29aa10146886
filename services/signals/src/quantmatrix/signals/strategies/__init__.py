"""The slot of strategies: one file each, with a class `STRATEGY`."""
