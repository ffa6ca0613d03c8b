"""What a fitted GMVAE answers, in scikit-learn's words."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from pyro_gmvae import evaluation, models
from pyro_gmvae.data import Dataset, Preprocessor, check_range, from_array
from pyro_gmvae.errors import InputError
from pyro_gmvae.runs import Run, load_run, open_run_folder, save_run
from pyro_gmvae.training import MetricsCSV, Record

__all__ = ["FittedGMVAE"]

SAVED = ("converged_", "n_iter_", "lower_bound_", "n_features_in_")
METRICS = "metrics.csv"


class FittedGMVAE(ClusterMixin, TransformerMixin, ClassNamePrefixFeaturesOutMixin, BaseEstimator):
    """All of `pyro_gmvae.GMVAE` but its parameters and their use in ``fit``."""

    hidden: Sequence[int]
    num_samples: int
    device: Literal["auto", "cpu", "cuda"]
    random_state: int | np.random.RandomState | None

    history_: list[Record]
    model_: models.GMVAE
    preprocessor_: Preprocessor
    feature_names_in_: np.ndarray

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The likeliest cluster of each row, shape ``(N,)``."""
        return self.predict_proba(X).argmax(-1)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """q(y|x), shape ``(N, K)``."""
        data, dtype = self._read(X)
        return self._responsibilities(data.x, dtype).numpy()

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """The mean of z under q(z|x), shape ``(N, Z)``."""
        data, dtype = self._read(X)
        gmvae = self._ready(self.model_, dtype)
        return evaluation.embed(gmvae, self.preprocessor_.mean_input(data.x)).numpy()

    def score_samples(self, X: Any) -> np.ndarray:  # noqa: N803
        """Importance-sampled log p(x) in the units of ``X``, in nats, shape ``(N,)``.

        A lower bound in expectation, tighter with more ``num_samples``. Every row meets the same
        random numbers, so that its figure does not depend on the other rows. Images are scored on
        [0, 1], under a discretised logistic by the probability of their levels.
        """
        data, dtype = self._read(X)
        figures = self._log_likelihood(self.model_, data.x, self.num_samples, dtype)
        in_units = figures.log_p + self.preprocessor_.log_abs_det()
        return in_units.to(dtype).numpy()

    def score(self, X: Any, y: Any = None) -> float:  # noqa: N803
        """The mean of `score_samples`; ``y`` is ignored."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Draw data from the model, in the units of ``X``; the same for the same ``random_state``.

        Returns:
            The data, shape ``(n_samples, D)`` or ``(n_samples, C, H, W)``, and their clusters,
            shape ``(n_samples,)``, in ascending order.

        Raises:
            ValueError: if ``n_samples`` is below 1.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(
                f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one "
                "sample."
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        x, y = evaluation.sample(self.model_, n_samples, mean=False, seed=seed)
        order = y.argsort(stable=True)
        return self.preprocessor_.inverse(x[order]).double().numpy(), y[order].numpy()

    def to_inference_data(self, X: Any, **options: Any) -> Any:  # noqa: N803
        """What the model says of ``X``, for ArviZ.

        Args:
            X: data.
            options: those of `pyro_gmvae.evaluation.to_inference_data`, such as ``num_draws``.
        """
        data, _ = self._read(X)
        options = {
            "num_samples": self.num_samples,
            "transform": self._scored,
            "encode_mean": self.preprocessor_.mean_input,
            "feature_names": getattr(self, "feature_names_in_", None),
            **options,
        }
        return evaluation.to_inference_data(self.model_, data.x, **options)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a run folder; `load` and the command line read it.

        A ``random_state`` that is not an int, being code, is left out.

        Raises:
            InputError: if the folder exists, unless it is a run to ``overwrite``.
            ValueError: for parameters that are code, such as a likelihood's class. Nothing is
                written then, and nothing overwritten.
        """
        check_is_fitted(self)
        path = Path(folder)
        if not overwrite and path.is_dir() and any(path.iterdir()):
            raise InputError(f"{path} exists: choose another folder, or pass overwrite=True")
        attributes = {name: getattr(self, name) for name in SAVED}
        names = getattr(self, "feature_names_in_", None)
        details = {
            "estimator": {"parameters": self.get_params(), "attributes": attributes},
            "feature_names": None if names is None else names.tolist(),
        }
        plain = json.loads(json.dumps(details, default=_plain))
        models.to_config(self.model_)  # before anything is overwritten: it may refuse
        open_run_folder(path, overwrite=overwrite)
        MetricsCSV(path / METRICS).start(0, self.history_)
        save_run(path, Run(self.model_, self.preprocessor_, plain))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> FittedGMVAE:
        """Read what `save` wrote. Nothing is unpickled: a model from a stranger is only data.

        Raises:
            InputError: if there is no run, or it is damaged or was not written by `save`.
        """
        run = load_run(folder)
        try:
            stored = run.details["estimator"]
            loaded = cls(**stored["parameters"])
            loaded.hidden = tuple(loaded.hidden)
            for name in SAVED:
                setattr(loaded, name, stored["attributes"][name])
            if run.details["feature_names"] is not None:
                loaded.feature_names_in_ = np.array(run.details["feature_names"], dtype=object)
            with (Path(folder) / METRICS).open(newline="") as file:
                rows = csv.DictReader(file)
                loaded.history_ = [{k: float(v) for k, v in row.items()} for row in rows]
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise InputError(
                f"{folder} is not a run that GMVAE.save wrote: fit it anew."
            ) from error
        loaded.model_, loaded.preprocessor_ = run.gmvae, run.preprocessor
        loaded._set_mixture()
        return loaded

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.model_.latent_dim

    def _read(self, X: Any, *, fitting: bool = False) -> tuple[Dataset, torch.dtype]:  # noqa: N803
        """Checked data, and the precision to answer in."""
        if not fitting:
            check_is_fitted(self)
        if isinstance(X, Tensor):
            X = X.detach().cpu().numpy()  # noqa: N806
        if isinstance(X, np.ndarray) and X.ndim > 2 and X.dtype.kind in "biuf":
            # A copy, for torch wants to be able to write.
            data = from_array(X.copy(), name="X", purpose="fit" if fitting else "apply")
            n_features = data.x[0].numel()
            if fitting:
                self.n_features_in_ = n_features
                self.__dict__.pop("feature_names_in_", None)
            precision = torch.float32
        else:
            X = validate_data(  # noqa: N806
                self,
                X,
                dtype=[np.float64, np.float32],
                ensure_min_samples=2 if fitting else 1,
                reset=fitting,
            )
            precision = torch.float32 if X.dtype == np.float32 else torch.float64
            # Constant columns may come from a fold of the data; they do no harm.
            data = from_array(X, name="X", purpose="apply")
        if not fitting and data.event_shape != self.preprocessor_.event_shape:
            raise InputError(
                f"X has data of shape {data.event_shape}, but GMVAE was fitted to data of shape "
                f"{self.preprocessor_.event_shape}."
            )
        if not fitting and data.kind == "table":
            check_range(data.x, self.model_.options["likelihood"])
        return data, precision

    def _set_mixture(self) -> None:
        model = self.model_.model
        with torch.no_grad():
            self.weights_ = model.log_p_y().exp().numpy()
            self.means_ = model.component_loc.clone().numpy()
            self.scales_ = model.component_scale.numpy()

    @property
    def _device(self) -> torch.device:
        # A model that was trained on a GPU also serves where there is none.
        on_gpu = self.device != "cpu" and torch.cuda.is_available()
        return torch.device("cuda" if on_gpu else "cpu")

    def _ready(self, gmvae: models.GMVAE, dtype: torch.dtype) -> models.GMVAE:
        return deepcopy(gmvae).to(self._device, dtype)

    def _scored(self, x: Tensor) -> Tensor:
        """What p(x) is asked of: model scale, without the noise of a dynamic binarisation."""
        seen = self.preprocessor_.mean_input(x)
        return seen if self.preprocessor_.binarize == "none" else (seen >= 0.5).to(seen.dtype)

    def _responsibilities(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        gmvae = self._ready(self.model_, dtype)
        return evaluation.responsibilities(gmvae, self.preprocessor_.mean_input(x))

    def _log_likelihood(
        self, gmvae: models.GMVAE, x: Tensor, num_samples: int, dtype: torch.dtype = torch.float32
    ) -> evaluation.LogLikelihood:
        return evaluation.log_likelihood(
            self._ready(gmvae, dtype),
            self._scored(x),
            num_samples=num_samples,
            common_noise=True,
            diagnostics=False,
        )


def _plain(value: Any) -> Any:
    """NumPy's and torch's numbers as JSON has them; a generator's state is nothing to keep."""
    if isinstance(value, np.generic | np.ndarray | Tensor):
        return value.tolist()
    if isinstance(value, np.random.RandomState):
        return None
    raise ValueError(f"{value!r} is code, which is not saved: give the estimator numbers and names")
