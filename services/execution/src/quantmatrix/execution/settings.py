"""What execution can be told."""

from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from quantmatrix.common.runtime.settings import ServiceSettings
from quantmatrix.execution.domain.commission import CommissionSchedule, Tariff


class ExecutionSettings(ServiceSettings):
    """Settings of the execution service, read from QM_EXECUTION_*."""

    SERVICE: ClassVar[str] = "execution"

    paper_account: str = Field(
        "DU0000001",
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        description="Name of the paper account opened on first start; its owner is the first administrator.",
    )
    paper_cash: Decimal = Field(Decimal(100_000), gt=0, le=Decimal(10) ** 12, description="Cash of a new paper account.")
    paper_currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="Currency of a new paper account.")
    paper_fills: Literal["next_open", "at_once"] = Field(
        "next_open",
        description="When the paper venue fills market orders: at the next bar's open, or at once on the last price.",
    )
    paper_commission_per_share: Decimal = Field(
        Decimal("0.005"), ge=0, le=100, description="Commission per share, in the account's currency."
    )
    paper_commission_min: Decimal = Field(Decimal("1.00"), ge=0, le=1_000, description="Least commission of an order.")
    paper_commission_max_pct: Decimal = Field(
        Decimal(1), ge=0, le=100, description="Largest commission of an order, in percent of its value."
    )
    paper_commission_per_contract: Decimal = Field(
        Decimal("0.65"), ge=0, le=100, description="Commission per contract of an option, in the account's currency."
    )
    paper_commission_contract_min: Decimal = Field(
        Decimal("1.00"), ge=0, le=1_000, description="Least commission of an order for options; never more than the order's value."
    )
    paper_database_url: SecretStr = Field(
        SecretStr("postgresql://127.0.0.1:5432/quantmatrix"),
        description="Address of the paper venue's own storage, with its own role.",
    )
    order_quantity_max: Decimal = Field(Decimal(100_000), gt=0, description="Largest quantity of an order, in units.")
    order_notional_max: Decimal = Field(
        Decimal(50_000), gt=0, description="Largest value of an order that opens risk, in the account's currency."
    )
    position_notional_max: Decimal = Field(Decimal(100_000), gt=0, description="Largest value of a position, in the account's currency.")
    open_orders_max: int = Field(100, ge=1, le=10_000, description="Most orders of an account that may be open at once.")
    price_collar_pct: Decimal = Field(
        Decimal(10), gt=0, le=100, description="How far a price of an order may lie from the last price, in percent."
    )
    price_age_days_max: int = Field(
        7,
        ge=1,
        le=366,
        description="Days that the last price of an instrument may lie before the latest prices of its exchange, for an order that opens risk.",
    )
    short_allowed: bool = Field(False, description="Whether positions may go below zero.")
    reconcile_every_s: float = Field(60.0, gt=0, le=3_600, description="Seconds between comparisons with the brokers' books.")
    answer_timeout_s: float = Field(10.0, gt=0, le=120, description="Seconds to wait for a broker's answer before an order is unknown.")

    def tariff(self) -> Tariff:
        """What orders cost on paper accounts. An order for contracts costs no more than its value."""
        return Tariff(
            others=CommissionSchedule(self.paper_commission_per_share, self.paper_commission_min, self.paper_commission_max_pct),
            options=CommissionSchedule(self.paper_commission_per_contract, self.paper_commission_contract_min, Decimal(100)),
        )
