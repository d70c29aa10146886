"""What people take away: realised gains by year and lot, tables for tax returns, derivations, a printable page. Pure."""
