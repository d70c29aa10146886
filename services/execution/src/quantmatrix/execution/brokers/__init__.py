"""The slot of brokers: one file or folder each, with a function `make(settings) -> Broker`."""
