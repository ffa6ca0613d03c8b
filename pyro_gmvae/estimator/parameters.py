"""Turn the estimator's parameters into the settings of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from pyro_gmvae.errors import InputError
from pyro_gmvae.fitted import NUM_SAMPLES
from pyro_gmvae.fitting.groups import HardwareSettings
from pyro_gmvae.fitting.knobs import Checked, SettingError, knob
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.models import GMVAE
from pyro_gmvae.ranges import MOST_DRAWS, SEEDS, plain, shown, whole

__all__ = [
    "SHOWN",
    "OwnParameters",
    "check_goes_on",
    "checked_device",
    "generator_of",
    "settings_of_parameters",
]

# The settings that have another name in scikit-learn.
SETTING_OF = {
    "n_components": "clusters",
    "init_params": "initialization",
    "n_init": "starts",
    "max_iter": "epochs",
    "random_state": "seed",
}
SHOWN = {setting: parameter for parameter, setting in SETTING_OF.items()}


@dataclass(frozen=True)
class OwnParameters(Checked):
    """Hold the estimator's parameters that are no settings of a training.

    >>> OwnParameters.of({"num_samples": 50, "verbose": 1, "warm_start": False, "reject": None})
    OwnParameters(num_samples=50, verbose=True, warm_start=False, reject=None)
    """

    num_samples: int = knob(
        NUM_SAMPLES, "int", "Importance samples for each row.", least=1, most=MOST_DRAWS
    )
    verbose: bool = knob(False, "flag", "Show a progress bar.")
    warm_start: bool = knob(False, "flag", "Go on from the model of the last fit.")
    reject: float | None = knob(
        None, "float", "Share of rows that get no cluster.", above=0, below=1
    )

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> OwnParameters:
        """Take these parameters out of all parameters, and check them.

        Raises:
            SettingError: for a value that is not allowed.
        """
        own = {f.name: plain(parameters[f.name]) for f in fields(cls)}
        for name in ("verbose", "warm_start"):
            if isinstance(own[name], Integral) and own[name] in (0, 1):
                own[name] = bool(own[name])  # scikit-learn's own estimators take numbers
        try:
            return cls(**own)
        except SettingError as error:
            raise _named(error) from None


def settings_of_parameters(parameters: Mapping[str, Any]) -> Settings:
    """Return the settings of a training by `GMVAE.get_params`.

    Raises:
        SettingError: for a value that is not allowed; it names the parameter.
        InputError: for a ``random_state`` that is none.

    >>> from pyro_gmvae import GMVAE
    >>> settings = settings_of_parameters(GMVAE(n_components=7, random_state=0).get_params())
    >>> settings.model.clusters, settings.training.seed
    (7, 0)
    """
    own = {f.name for f in fields(OwnParameters)} | {"schema"}  # it is read with the data
    values = {name: value for name, value in parameters.items() if name not in own}
    if not isinstance(values["likelihood"], str):
        raise InputError(
            f'likelihood must be a name, such as "auto", got {shown(values["likelihood"])} (for '
            "your own, train a model of pyro_gmvae.models by pyro_gmvae.training.fit)"
        )
    values["random_state"] = _seed_of(values["random_state"])
    method = plain(values["method"])
    if not (isinstance(method, str) and method == "concrete"):
        # The other methods have no temperature; it is checked all the same.
        temperature = values.pop("temperature")
        Settings.of(None, method="concrete", shown=SHOWN, temperature=temperature)
    return Settings.of(
        None, shown=SHOWN, **{SETTING_OF.get(name, name): value for name, value in values.items()}
    )


def check_goes_on(settings: Settings, gmvae: GMVAE) -> None:
    """Refuse parameters that a training which goes on from a model cannot have.

    Args:
        settings: the settings of the training to come.
        gmvae: the model that it goes on from. A parameter that is left open takes the model's.

    Raises:
        SettingError: for a number of clusters, a method, a size or a likelihood that is not that of
            the model.

    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,))
    >>> check_goes_on(Settings.of("a.csv", clusters=5, method="exact"), gmvae)
    Traceback (most recent call last):
        ...
    pyro_gmvae.fitting.knobs.SettingError: n_components must stay 3, for warm_start goes on...
    """
    model = {
        "clusters": gmvae.n_components,
        "method": gmvae.method,
        "latent_dim": gmvae.latent_dim,
        "hidden": tuple(gmvae.options["hidden"]),
        "likelihood": gmvae.options["likelihood"],
    }
    said = settings.to_dict()
    for name, value in model.items():
        if said[name] not in (None, "auto", value):
            raise SettingError(
                name,
                f"must stay {shown(value)}, for warm_start goes on from such a model, got "
                f"{shown(said[name])}: set it so, or warm_start to False",
                SHOWN.get(name, name),
            )


def checked_device(device: Any) -> str:
    """Return the word of a device, or raise a `SettingError`.

    >>> checked_device("cpu")
    'cpu'
    """
    return HardwareSettings(device=device).device


def generator_of(random_state: Any) -> np.random.RandomState:
    """Return the generator of a ``random_state``, which is any that `GMVAE` takes.

    Raises:
        InputError: for anything else.

    >>> int(generator_of(2**40).randint(1000)) == int(generator_of(2**40).randint(1000))
    True
    """
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return check_random_state(random_state)
    seed = _int_of(random_state)
    # NumPy takes seeds of 32 bits, or several of them.
    return np.random.RandomState(seed if seed < 2**32 else [seed % 2**32, seed // 2**32])


def _seed_of(random_state: Any) -> int:
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(2**31 - 1))
    return _int_of(random_state)


def _int_of(random_state: Any) -> int:
    value = plain(random_state)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(
            "random_state must be an int, a numpy.random.RandomState or None, got "
            f"{shown(random_state)}"
        )
    return whole("random_state", value, least=0, below=SEEDS)


def _named(error: SettingError) -> SettingError:
    return SettingError(error.name, error.reason, SHOWN.get(error.name, error.name))
