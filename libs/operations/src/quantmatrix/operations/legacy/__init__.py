"""Coming from an older system: its database is read, its trades are proven complete, its figures are compared with ours."""
