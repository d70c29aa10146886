"""The slot of feeds: one file each, with a function `make(settings) -> Feed`."""
