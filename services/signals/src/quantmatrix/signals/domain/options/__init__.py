"""Options as statistics and as contracts: prices and Greeks in closed form, which contract to buy, when to leave it."""
