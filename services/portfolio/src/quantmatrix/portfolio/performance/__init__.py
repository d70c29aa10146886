"""Returns, drawdowns and the lines of economic profit: pure, money exact, statistics as float64."""
