"""Scanners: read a whole universe of instruments, keep what fits, rank it. One bad symbol never stops a scan."""
