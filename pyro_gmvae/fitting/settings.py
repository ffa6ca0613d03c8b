"""Hold all settings of a training, and give them as plain JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitting.groups import (
    GROUPS,
    METHODS,
    DataSettings,
    HardwareSettings,
    ModelSettings,
    SparseSettings,
    StartSettings,
    TrainingSettings,
)
from pyro_gmvae.fitting.knobs import SettingError
from pyro_gmvae.ranges import plain
from pyro_gmvae.ranges import shown as shown_value
from pyro_gmvae.stored import DamagedError, cut, shortened, typed

__all__ = ["Settings", "locate"]

# Settings that had another name in runs of version 0.1.
_RENAMED = {"kl_annealing": "annealing"}
# None stood for the default of these there.
_DEFAULTED = ("temperature", "n_likeliest")


@dataclass(frozen=True)
class Settings:
    """Hold everything that a training depends on, except the data themselves.

    Attributes:
        source: a built-in name, a file or a folder of images (see `pyro_gmvae.data.load`); None for
            data that were given in memory.
        model, data, start, training, hardware: the groups.

    >>> settings = Settings.of("digits", method="exact", clusters=10, epochs=5)
    >>> settings.model.clusters, settings.training.epochs, settings.method
    (10, 5, 'exact')
    """

    source: str | None = None
    model: ModelSettings = SparseSettings()
    data: DataSettings = DataSettings()
    start: StartSettings = StartSettings()
    training: TrainingSettings = TrainingSettings()
    hardware: HardwareSettings = HardwareSettings()

    @property
    def method(self) -> str:
        """Return the name of the inference method."""
        return self.model.method

    @classmethod
    def of(
        cls,
        source: str | None = None,
        *,
        method: str = SparseSettings.method,
        shown: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Settings:
        """Sort settings into their groups by name.

        Args:
            source: the source of the data.
            method: a name in `METHODS`.
            shown: the names in messages of settings that have another name for the user.
            values: the settings. A setting of another method may be None.

        Raises:
            SettingError: for a value that is not allowed, or a setting of another method.
        """
        try:
            method = plain(method)
            if not isinstance(method, str) or method not in METHODS:
                known = ", ".join(METHODS)
                raise SettingError("method", f"must be one of {known}, got {shown_value(method)}")
            groups = {"model": METHODS[method], **GROUPS}
            owner = {f.name: place for place, group in groups.items() for f in fields(group)}  # type: ignore[arg-type]
            sorted_values: dict[str, dict[str, Any]] = {place: {} for place in groups}
            for name, value in values.items():
                if name in owner:
                    sorted_values[owner[name]][name] = value
                elif value is not None:
                    raise SettingError(name, _not_of(name, method))
            made = {place: group(**sorted_values[place]) for place, group in groups.items()}
        except SettingError as error:
            named = (shown or {}).get(error.name, None if shown is None else error.name)
            raise SettingError(error.name, error.reason, named) from None
        return cls(source, **made)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Return all settings as one flat dict of plain JSON values."""
        groups = (self.model, *(getattr(self, place) for place in GROUPS))
        flat: dict[str, Any] = {"data": self.source, "method": self.method}
        for group in groups:
            flat |= asdict(group)
        return flat

    @classmethod
    def from_dict(cls, values: Any) -> Settings:
        """Rebuild what `to_dict` gave, from JSON; runs of version 0.1 are read too.

        Raises:
            InputError: if it is not what this version writes.
        """
        try:
            stored = typed(dict[str, Any], values, "settings")
            named = {
                _RENAMED.get(name, name): value
                for name, value in stored.items()
                if value is not None or name not in _DEFAULTED
            }
            if unknown := named.keys() - {f.name for f in _all_fields()} - {"data", "method"}:
                raise DamagedError(f"there is no setting {shortened(min(unknown))}")
            if "data" not in named:
                raise DamagedError("settings lacks the entry 'data'")
            source = typed(str | None, named.pop("data"), "data")
            method = typed(str, named.pop("method", cls().method), "method")
            # Runs of the time before regularisers have none.
            return cls.of(source, method=method, **{"regularize": "none", **named})
        except InputError as error:
            raise InputError(
                f"the stored training settings are damaged ({cut(error)}): train again"
            ) from error

    def with_(self, **values: Any) -> Settings:
        """Return the same settings with some new values, by name; see `of`.

        Under another method the settings that only the former one has are left out.

        >>> Settings.of("digits", n_likeliest=2).with_(method="exact").method
        'exact'
        """
        stored = self.to_dict()
        if values.get("method", self.method) != self.method:
            shared = {f.name for f in fields(ModelSettings)}
            own = {f.name for f in fields(self.model)} - shared
            stored = {name: value for name, value in stored.items() if name not in own}
        flat = stored | values
        return Settings.of(flat.pop("data"), **flat)

    def resumed_with(self, given: Mapping[str, Any]) -> Settings:
        """Return the settings to continue a training with, where some are ``given`` anew.

        Raises:
            InputError: for a setting that would make it another training.
        """
        resumable = {f.name for f in _all_fields() if f.metadata["resumable"]}
        stored = self.to_dict()
        for name, value in given.items():
            if name not in resumable and value != stored.get(name):
                raise InputError(
                    f"the training was begun with {name.replace('_', ' ')} "
                    f"{_shown(stored.get(name))}, not {_shown(value)}: leave it out to resume, or "
                    "train another run"
                )
        return self.with_(**{n: v for n, v in given.items() if n in resumable})


def locate(source: str) -> str:
    """Make a file or folder an absolute path, so that a run finds it again from anywhere.

    A name stays as it is; the name of a built-in set also stays where a folder is called so. An
    address stays too, and is refused where it is read.

    >>> locate("digits"), locate("rows.csv") == os.path.abspath("rows.csv")
    ('digits', True)
    """
    if "://" in source:
        return source
    if Path(source).suffix:
        return os.path.abspath(source)
    if Path(source).is_dir():
        from pyro_gmvae.data.sources import is_folder  # takes seconds, and --help needs none of it

        return os.path.abspath(source) if is_folder(source) else source
    return source


def _all_fields() -> list[Field[Any]]:
    groups = (*METHODS.values(), *GROUPS.values())
    return list({f.name: f for group in groups for f in fields(group)}.values())  # type: ignore[arg-type]


def _not_of(name: str, method: str) -> str:
    for other, group in METHODS.items():
        if name in {f.name for f in fields(group)}:
            return (
                f"belongs to the {other} method, not to {method}: leave it out, or use method "
                f"{other}"
            )
    return "is not a setting: leave it out"


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
