"""DCA conservative: contributes every month to US stocks, foreign stocks and bonds, and keeps their weights."""

from quantmatrix.signals.strategies._contributions import ContributionParameters, Contributions, Weights, standard, told_of


class ConservativeContributionsParameters(ContributionParameters):
    """Bounds and defaults; forms are drawn from this model."""

    weights: Weights = standard({"VTI": 0.60, "VXUS": 0.30, "BND": 0.10})


class ConservativeContributions(Contributions):
    """See the module's text."""

    name = "dca_conservative"
    title = "DCA conservative"
    parameters = ConservativeContributionsParameters
    catalogue = told_of("Contributes every month to US stocks, foreign stocks and bonds, and keeps their weights.")


STRATEGY = ConservativeContributions
