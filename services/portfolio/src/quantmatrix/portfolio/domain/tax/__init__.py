"""What tax law makes of a ledger. The ledger itself stays economic: nothing here changes a lot that was booked."""
