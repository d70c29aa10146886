"""The slot of importers: one file or folder each. Statements come in here; live fills come over the bus."""
