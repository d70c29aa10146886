"""DCA aggressive: contributes every month to growth, US and foreign stocks, and keeps their weights."""

from quantmatrix.signals.strategies._contributions import ContributionParameters, Contributions, Weights, standard, told_of


class AggressiveContributionsParameters(ContributionParameters):
    """Bounds and defaults; forms are drawn from this model."""

    weights: Weights = standard({"QQQ": 0.50, "VTI": 0.30, "VXUS": 0.20})


class AggressiveContributions(Contributions):
    """See the module's text."""

    name = "dca_aggressive"
    title = "DCA aggressive"
    parameters = AggressiveContributionsParameters
    catalogue = told_of("Contributes every month to growth, US and foreign stocks, and keeps their weights.")


STRATEGY = AggressiveContributions
