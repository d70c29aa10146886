"""What the parameters of all strategies share: nothing unknown, nothing infinite, and presets that fill in what nobody chose."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class StrategyParameters(BaseModel):
    """Bounds and defaults of a strategy; forms are drawn from the model.

    PRESETS: by the value of the field `preset`, what it decides unless it was chosen otherwise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _as_the_preset_has_it(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("preset") in cls.PRESETS:
            return {**cls.PRESETS[given["preset"]], **given}
        return given
