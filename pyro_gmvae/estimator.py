"""The scikit-learn face: models, training, evaluation and run folders behind one estimator."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from pyro_gmvae import evaluation, models
from pyro_gmvae.data import Dataset, check_range, from_array, preprocessing
from pyro_gmvae.errors import InputError
from pyro_gmvae.inference import KLAnnealing
from pyro_gmvae.runs import Run, load_run, open_run_folder, save_run
from pyro_gmvae.training import ProgressBar, TrainConfig, TrainResult, fit, initialize

__all__ = ["GMVAE"]

MIN_VALIDATION = 50  # rows; the held-out ELBO of fewer is too noisy to stop a training by
BOUND_SAMPLES = 10  # draws for each datum behind lower_bound_
SAVED = ("converged_", "n_iter_", "lower_bound_", "n_features_in_", "history_")


class GMVAE(ClusterMixin, TransformerMixin, ClassNamePrefixFeaturesOutMixin, BaseEstimator):
    """Deep clustering with a Gaussian mixture variational autoencoder.

    Used as `sklearn.mixture.GaussianMixture`, with the mixture in a latent space that a neural
    network maps to the data. ``X`` is a table ``(N, D)`` of numbers (array, tensor or data frame)
    or uint8 images ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)``.

    Args:
        n_components: K, the number of clusters; some may stay empty.
        method: how the cluster is inferred: ``"concrete"``, ``"exact"``, ``"sparse"`` or
            ``"marginal"``.
        latent_dim: Z, the size of the latent space.
        hidden: sizes of the hidden layers of every network.
        likelihood: p(x|z), a name of `pyro_gmvae.likelihoods`. ``"auto"`` takes ``"gaussian"``, on
            standardised columns, for a table, and ``"bernoulli"`` for images and for a table of
            zeros and ones. The Bernoulli ones want values in [0, 1]; ``"bernoulli"`` is trained
            on values drawn with these as probabilities, and scores them rounded to 0 or 1.
        init_params: ``"kmeans"`` starts near a k-means clustering, ``"random"`` anywhere.
        n_init: trainings, of which the one with the best ``lower_bound_`` is kept.
        max_iter: epochs, at most.
        learning_rate: of Adam.
        batch_size: data per step.
        kl_annealing: epochs until KL(q(y|x) || p(y)) has its full weight.
        temperature: tau of the concrete method.
        validation_fraction: share of the rows held out for early stopping; no rows are, if that
            would be fewer than 50.
        patience: epochs without a better held-out ELBO before training stops.
        num_samples: importance samples for each datum in `score_samples`.
        device: ``"auto"`` (a GPU if there is one), ``"cpu"`` or ``"cuda"``.
        random_state: int, `numpy.random.RandomState` or None (NumPy's global one).
        verbose: whether to show a progress bar.

    Attributes:
        model_: the fitted `pyro_gmvae.models.GMVAE`, on the CPU: Pyro's ``.model`` and ``.guide``.
        preprocessor_: from ``X`` to the scale that ``model_`` sees.
        weights_: p(y), shape ``(K,)``.
        means_: of p(z|y), shape ``(K, Z)``, in the latent space.
        scales_: standard deviations of p(z|y), shape ``(K, Z)``.
        labels_: the clusters of the training rows, shape ``(N,)``, cluster 0 being the largest.
            Not in a saved run.
        lower_bound_: mean ELBO of the training rows, in nats, estimated.
        converged_: whether early stopping ended the training.
        n_iter_: epochs that were run.
        history_: a dict for each epoch (see `pyro_gmvae.training.TrainResult`).
        n_features_in_: features of one datum.
        feature_names_in_: names of the columns, of a data frame.

    >>> from sklearn.datasets import make_blobs
    >>> X, _ = make_blobs(90, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> np.bincount(GMVAE(3, random_state=0).fit_predict(X)).tolist()
    [30, 30, 30]
    """

    # "| Any": scikit-learn has a constructor take whatever it is given; fit looks at it.
    def __init__(
        self,
        n_components: int | Any = 8,
        *,
        method: Literal["concrete", "exact", "sparse", "marginal"] | Any = "concrete",
        latent_dim: int | Any = 10,
        hidden: Sequence[int] | Any = (128, 128),
        likelihood: str | Any = "auto",
        init_params: Literal["kmeans", "random"] | Any = "kmeans",
        n_init: int | Any = 1,
        max_iter: int | Any = 100,
        learning_rate: float | Any = 3e-3,
        batch_size: int | Any = 256,
        kl_annealing: float | Any = 10,
        temperature: float | Any = 0.5,
        validation_fraction: float | Any = 0.1,
        patience: int | Any = 20,
        num_samples: int | Any = 100,
        device: Literal["auto", "cpu", "cuda"] | Any = "auto",
        random_state: int | np.random.RandomState | None | Any = None,
        verbose: bool | Any = False,
    ) -> None:
        self.n_components = n_components
        self.method = method
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.likelihood = likelihood
        self.init_params = init_params
        self.n_init = n_init
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.kl_annealing = kl_annealing
        self.temperature = temperature
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.num_samples = num_samples
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> GMVAE:  # noqa: N803
        """Train on ``X``; ``y`` is ignored.

        Raises:
            ValueError: for parameters out of range, fewer rows than ``n_components``, or data that
                are not finite numbers (`InputError` is one).
            NonFiniteLossError: if the loss becomes NaN or infinite.

        Warns:
            ConvergenceWarning: if ``max_iter`` ended before early stopping did.
        """
        self._check_parameters()
        data, _ = self._read(X, fitting=True)
        if len(data) < self.n_components:
            raise ValueError(
                "Expected n_samples >= n_components but got n_components = "
                f"{self.n_components}, n_samples = {len(data)}"
            )
        self.preprocessor_, likelihood = preprocessing(data, self.likelihood)
        rng = check_random_state(self.random_state)
        best = -np.inf
        for attempt in range(self.n_init):
            gmvae, result = self._train(data.x, likelihood, int(rng.randint(2**31 - 1)))
            bound = self._log_likelihood(gmvae, data.x, BOUND_SAMPLES).elbo
            if attempt == 0 or bound > best:
                best, self.model_, kept = bound, gmvae, result
        self.lower_bound_ = best + float(self.preprocessor_.log_abs_det())
        self.converged_ = kept.stopped == "patience"
        self.n_iter_ = len(kept.history)
        self.history_ = kept.history
        if not self.converged_ and "validation_elbo" in kept.history[-1]:
            warnings.warn(
                f"The held-out ELBO had not stopped rising after {self.max_iter} epochs: increase "
                "max_iter, or lower patience.",
                ConvergenceWarning,
                stacklevel=2,
            )
        # Empty clusters go last, so that the labels in use are consecutive.
        sizes = self._responsibilities(data.x).argmax(-1).bincount(minlength=self.n_components)
        models.reorder_components(self.model_, sizes.argsort(descending=True, stable=True))
        self.labels_ = self._responsibilities(data.x).argmax(-1).numpy()
        self._set_mixture()
        return self

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
        [0, 1].
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
            "mean_transform": self.preprocessor_.mean_input,
            "feature_names": getattr(self, "feature_names_in_", None),
            **options,
        }
        return evaluation.to_inference_data(self.model_, data.x, **options)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a run folder; `load` and the command line read it.

        A ``random_state`` that is not an int, being code, is left out.

        Raises:
            InputError: if the folder exists, unless it is a run to ``overwrite``.
        """
        check_is_fitted(self)
        parameters = self.get_params()
        parameters["hidden"] = list(self.hidden)
        if isinstance(self.random_state, np.integer):
            parameters["random_state"] = int(self.random_state)
        elif not isinstance(self.random_state, int):
            parameters["random_state"] = None
        attributes = {name: getattr(self, name) for name in SAVED}
        if hasattr(self, "feature_names_in_"):
            attributes["feature_names_in_"] = self.feature_names_in_.tolist()
        details = {"estimator": {"parameters": parameters, "attributes": attributes}}
        path = open_run_folder(folder, overwrite=overwrite)
        save_run(path, Run(self.model_, self.preprocessor_, details))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> GMVAE:
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
            if "feature_names_in_" in stored["attributes"]:
                names = np.array(stored["attributes"]["feature_names_in_"], dtype=object)
                loaded.feature_names_in_ = names
        except (KeyError, TypeError) as error:
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

    def _check_parameters(self) -> None:
        """Those that no part below looks at."""
        words = {"method": tuple(models.METHODS), "init_params": ("kmeans", "random")}
        for name, known in words.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}")
        for name in ("n_components", "n_init", "num_samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must be in [0, 1), got {self.validation_fraction}"
            )

    def _read(self, X: Any, *, fitting: bool = False) -> tuple[Dataset, torch.dtype]:  # noqa: N803
        """Checked data, and the precision to answer in."""
        if not fitting:
            check_is_fitted(self)
        if isinstance(X, Tensor):
            X = X.detach().cpu().numpy()  # noqa: N806
        if isinstance(X, np.ndarray) and X.ndim > 2 and X.dtype == np.uint8:
            # A copy, for torch wants to be able to write.
            data = from_array(X.copy(), name="X", purpose="fit" if fitting else "apply")
            n_features = data.x[0].numel()
            if fitting:
                self.n_features_in_ = n_features
                vars(self).pop("feature_names_in_", None)
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

    def _train(self, x: Tensor, likelihood: str, seed: int) -> tuple[models.GMVAE, TrainResult]:
        options: dict[str, Any] = {"hidden": self.hidden, "likelihood": likelihood}
        if self.method == "concrete":
            options["temperature"] = self.temperature
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            gmvae = models.METHODS[self.method](
                tuple(x.shape[1:]),
                self.n_components,
                self.latent_dim,
                learn_mixture=True,
                **options,
            )
            order = torch.randperm(len(x))
        n_held_out = round(self.validation_fraction * len(x))
        if n_held_out < MIN_VALIDATION:
            n_held_out = 0
        held_out, kept = order[:n_held_out], order[n_held_out:]
        config = TrainConfig(
            epochs=self.max_iter,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            kl_annealing=KLAnnealing(duration=self.kl_annealing),
            patience=self.patience,
            seed=seed,
            device=self.device,
        )
        # The trainer applies it on its own device.
        transform = deepcopy(self.preprocessor_).to(self._device)
        if self.init_params == "kmeans" and self.n_components > 1:
            flat = self.preprocessor_.mean_input(x[kept]).flatten(1).numpy()
            k = min(self.n_components, len(flat))
            clusters = KMeans(k, n_init=5, random_state=seed).fit(flat).labels_
            labels = torch.from_numpy(clusters).long()
            initialize(gmvae, x[kept], labels, config, transform=transform)
        result = fit(
            gmvae,
            x[kept],
            config,
            validation=x[held_out] if n_held_out else None,
            transform=transform,
            reporters=[ProgressBar()] if self.verbose else [],
        )
        return gmvae.cpu(), result

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
