"""Write a fitted estimator as a run folder, and read one."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from pyro_gmvae import models, runs
from pyro_gmvae.errors import InputError
from pyro_gmvae.estimator.given_rows import features_of
from pyro_gmvae.estimator.parameters import SHOWN, OwnParameters
from pyro_gmvae.estimator.room import Room
from pyro_gmvae.fitted import FittedModel
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.process.alone import alone
from pyro_gmvae.runs.folder import open_run_folder
from pyro_gmvae.stored import shortened

if TYPE_CHECKING:
    from typing import Self

__all__ = ["SavedMixin"]

HINT = "pass overwrite=True"  # in the message about a folder that holds a run


class SavedMixin(Room):
    """Add `save` and `load` to an estimator that holds a `FittedModel`.

    >>> from tempfile import TemporaryDirectory
    >>> from pyro_gmvae import GMVAE
    >>> X = np.arange(20.0).reshape(10, 2)
    >>> options = {"max_iter": 1, "hidden": (4,), "init_params": "random", "random_state": 0}
    >>> with TemporaryDirectory() as folder:
    ...     GMVAE(2, **options).fit(X).save(folder, overwrite=True)
    ...     again = GMVAE.load(folder)
    >>> again.n_components
    2
    """

    n_features_in_: int
    feature_names_in_: np.ndarray

    if TYPE_CHECKING:

        def __init__(self, **parameters: Any) -> None: ...

        @classmethod
        def _get_param_names(cls) -> list[str]: ...

        def _keep(self, fitted: FittedModel) -> None: ...

    @alone
    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a run folder; `load` and the command line read it.

        Raises:
            InputError: if the folder exists, unless it is a run to ``overwrite``.
            ValueError: for a model that cannot be rebuilt from a file, or a wrong ``verbose`` or
                ``num_samples``. Nothing is written then, and nothing overwritten.

        >>> from tempfile import TemporaryDirectory
        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> with TemporaryDirectory() as folder:
        ...     gmvae.save(f"{folder}/a")
        ...     GMVAE.load(f"{folder}/a").n_components
        2
        """
        check_is_fitted(self)
        about = replace(self.fitted_.about, estimator=asdict(self._own))
        models.to_config(self.fitted_.gmvae)  # before anything is overwritten: it may refuse
        with open_run_folder(folder, overwrite=overwrite, hint=HINT) as path:
            runs.replace_run(path, replace(self.fitted_, about=about))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read a run, whether `save` or ``pyro-gmvae train`` wrote it.

        Nothing is unpickled: a model from a stranger is only data.

        Raises:
            InputError: if there is no run, or it is damaged.

        >>> from tempfile import TemporaryDirectory
        >>> from pyro_gmvae import GMVAE
        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> with TemporaryDirectory() as folder:
        ...     gmvae.save(f"{folder}/a")
        ...     again = GMVAE.load(f"{folder}/a")
        >>> bool((again.predict(X) == gmvae.predict(X)).all())
        True
        """
        fitted = runs.load(folder)
        own = fitted.about.estimator
        if unknown := own.keys() - asdict(OwnParameters()).keys():
            raise InputError(
                f"{folder} is damaged (the estimator has no parameter {shortened(min(unknown))}): "
                "train it again"
            )
        stored = fitted.about.settings
        try:
            settings = Settings.from_dict(stored) if stored else Settings().with_(**_sizes(fitted))
        except InputError as error:
            raise InputError(f"{folder}: {error}") from error
        known = {SHOWN.get(name, name): value for name, value in settings.to_dict().items()}
        taken = set(cls._get_param_names())
        loaded = cls(**{n: v for n, v in known.items() if n in taken}, **own)
        loaded.n_features_in_, names = features_of(fitted.encoding)
        if names is not None:
            loaded.feature_names_in_ = names
        loaded._keep(fitted)
        return loaded


def _sizes(fitted: FittedModel) -> dict[str, Any]:
    """Return the settings that can be read off a model whose training is unknown."""
    gmvae = fitted.gmvae
    return {
        "method": gmvae.method,
        "clusters": gmvae.n_components,
        "latent_dim": gmvae.latent_dim,
        "hidden": gmvae.options["hidden"],
        "likelihood": gmvae.options["likelihood"],
    }
