"""Offer training and fitted models as one scikit-learn estimator."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from pyro_gmvae.data import MIN_VALIDATION, Dataset, Schema, Splits, hold_out
from pyro_gmvae.data.columns.wishes import wishes_of
from pyro_gmvae.data.covariate_columns import read_covariates
from pyro_gmvae.data.known import array_of, codes_of, known_of_rows
from pyro_gmvae.data.weights import weights_of_rows
from pyro_gmvae.errors import InputError
from pyro_gmvae.estimator.assigning import AssignMixin
from pyro_gmvae.estimator.density import DensityMixin
from pyro_gmvae.estimator.described import DescribedMixin
from pyro_gmvae.estimator.given_rows import read_rows
from pyro_gmvae.estimator.parameters import (
    OwnParameters,
    check_goes_on,
    checked_device,
    settings_of_parameters,
)
from pyro_gmvae.estimator.pieces import PiecesMixin
from pyro_gmvae.estimator.saved import SavedMixin
from pyro_gmvae.evaluation import Calibration
from pyro_gmvae.fitted import NUM_SAMPLES, FittedModel
from pyro_gmvae.fitting import defaults
from pyro_gmvae.fitting.plan import Plan, plan
from pyro_gmvae.fitting.settings import Settings
from pyro_gmvae.fitting.train import train
from pyro_gmvae.models.labels import check_label_rows
from pyro_gmvae.process.alone import alone
from pyro_gmvae.segments import calibrate, cross_calibrate
from pyro_gmvae.training import ProgressBar

__all__ = ["GMVAE"]


class GMVAE(
    AssignMixin,
    DensityMixin,
    DescribedMixin,
    PiecesMixin,
    SavedMixin,
    ClusterMixin,
    TransformerMixin,
    ClassNamePrefixFeaturesOutMixin,
    BaseEstimator,
):
    """Cluster deeply with a Gaussian mixture variational autoencoder.

    Use it as `sklearn.mixture.GaussianMixture`, with the mixture in a latent space that a neural
    network maps to the data. ``X`` is a table ``(N, D)`` (array, tensor or data frame) or images
    ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)``, as uint8 in 0..255, floats in [0, 1] or
    truth values; samples of images are always in 0..255. The command ``pyro-gmvae
    train`` with the same data, settings and seed gives the same model. The columns of a data frame
    may hold anything: amounts, counts, dates, text, truth values and gaps; their meaning is guessed
    by rules, and ``schema`` corrects it. In an array every column is a real number, NaN where a
    cell is missing, unless ``schema`` says otherwise. None and ``"auto"`` leave a
    parameter to `pyro_gmvae.fitting.defaults`. A sparse matrix is made dense, as far as the memory
    goes.

    In threads of one process, fits and all that a fitted estimator computes take turns, and each
    gives what it gives alone. For speed use processes, such as joblib's ``loky`` backend.

    Args:
        n_components: K, the number of clusters; some may stay empty.
        method: how the cluster is inferred: ``"sparse"``, ``"exact"``, ``"concrete"`` or
            ``"marginal"``. The cost of exact grows with K, that of the others hardly; Concrete is
            biased.
        latent_dim: Z, the size of the latent space; None is 20 for images, as many as columns for
            up to 32 columns of numbers, 2 or 6 for mixed columns, and else 10.
        hidden: sizes of the hidden layers of every network; None is (256, 256) for images and
            (64, 64) or (128, 128) for tables.
        likelihood: p(x|z), a name of `pyro_gmvae.likelihoods`. ``"auto"`` takes ``"gaussian"``, on
            standardised columns, for a table of real numbers, ``"table"`` for one of several kinds
            of columns or with gaps, ``"bernoulli"`` for black and white images and for a table of
            zeros and ones, ``"continuous_bernoulli"`` for grey images and
            ``"discretized_logistic"`` for colour ones. The Bernoulli ones want values in [0, 1];
            ``"bernoulli"`` is trained and scored on values drawn with these as probabilities.
        kind: what rows are: ``"embedding"`` takes the direction of each row and leaves out its
            length; ``"table"`` takes the columns as they are. ``"auto"`` takes rows of unit length
            and 64 columns or more for embeddings.
        schema: what columns mean, where a guess is wrong: a dict from names (places, in an array)
            to ``"real"``, ``"amount"``, ``"count"``, ``"binary"``, ``"category"``, ``"ordinal"``,
            ``"date"``, ``"spike"``, or ``"drop"``; a `pyro_gmvae.data.Schema`; or the path of a
            file that ``pyro-gmvae schema`` wrote.
        regularize: changes that should leave a row in its cluster, such as ``"affine"`` for
            images, ``"resample"`` for a table or ``"neighbours"`` for embeddings (see
            `pyro_gmvae.fitting.regularizers`). ``"auto"`` regularises images, which also get a
            convolutional q(y|x), and nothing else; ``"none"`` trains by the ELBO alone.
        init_params: where training begins: ``"information"`` trains the clusters by the
            regulariser alone before the likelihood comes in, ``"kmeans"`` starts near a k-means
            clustering, ``"mixture"`` near a Gaussian mixture, ``"latent-kmeans"``,
            ``"latent-mixture"`` and ``"latent-umap"`` near one of a plain VAE's latents,
            ``"spectral"`` near clusters of the graph of nearest neighbours, ``"random"`` anywhere.
            ``"portfolio"`` compares mixtures with such a graph (see
            `pyro_gmvae.fitting.starts.portfolio`), ``"neighbours"`` such a graph with clusters that
            neighbours share (see `pyro_gmvae.fitting.starts.embeddings`). ``"auto"`` is information
            with a regulariser, neighbours for embeddings, portfolio for real numbers, mixture for
            mixed columns, and else kmeans. `fit` also takes clusters to begin by.
        n_init: starts by information, of which the best goes on; or whole trainings, of which the
            one with the best ``lower_bound_`` is kept. None is 6 by information, 3 for more than
            10,000 rows, else 1.
        clusters_are: what training does with the clusters that it begins at: ``"held"`` keeps them
            and learns what varies within, ``"free"`` lets them move. ``"auto"`` holds those of a
            portfolio or of neighbours. For mixed columns it holds them in tables of fewer than
            1,000 rows; else it tries both, and frees them where likelihood gains clearly by it.
        max_iter: epochs, at most; None is 100, or for tables as many as make 100 to 3,000 steps.
        learning_rate: the learning rate of Adam; None is 1e-3 for images and 3e-3 to 1e-2 for
            tables.
        batch_size: rows in a step; None is 128, or of a small table so few that an epoch has about
            ten steps, but 16 at least.
        annealing_epochs: epochs until KL(q(y|x) || p(y)) has its full weight; None is 10, or 0 for
            a table whose training begins near a clustering.
        temperature: tau of the concrete method; the others have none.
        validation_fraction: share of the rows held out for early stopping; no rows are, if that
            would be fewer than 50.
        patience: epochs without a better held-out ELBO before training stops; None is 20, or for
            mixed columns goes on to the end of the schedule.
        num_samples: importance samples for each row in `score_samples`, at most 1,000,000.
        reject: the share of rows like those of training that get no cluster: `predict` and
            ``labels_`` give -1 for a row that no cluster explains, or that lies between clusters.
            None rejects none. The share is kept on new rows by rows held out for early stopping. Of
            few rows none are, and `fit` then trains five more models, each without a fifth of the
            rows. `assign` says why a row was rejected.
        device: ``"auto"`` (a GPU if there is one), ``"cpu"`` or ``"cuda"``.
        precision: ``"float32"`` or ``"bfloat16"`` for the networks; ``"auto"`` takes bfloat16
            for images on GPUs that have it, else float32.
        random_state: int from 0 up to below 2^63, `numpy.random.RandomState` or None (NumPy's
            global one).
        warm_start: whether `fit` goes on from the model of the last fit, whose scale and structure
            it keeps: ``X`` must then have the same features, and parameters that shape the model
            may not change.
        verbose: whether to show a progress bar.

    `fit` refuses a number that no machine can work with by its name. The most is 100,000 for
    ``n_components``, ``latent_dim`` and each of at most 100 sizes in ``hidden``; 1,000 for
    ``n_init``; 10^6 for ``learning_rate``; and 10^9 for ``batch_size`` and the numbers of epochs. A
    network whose training takes more than the free memory is refused as well.

    Attributes:
        fitted_: the `pyro_gmvae.fitted.FittedModel`, on the CPU.
        model_: its pair, a `pyro_gmvae.models.GMVAE`: Pyro's ``.model`` and ``.guide``.
        encoding_: its map from ``X`` to the scale that ``model_`` sees.
        weights_: p(y), shape ``(K,)``.
        means_: the means of p(z|y), shape ``(K, Z)``, in the latent space.
        scales_: the standard deviations of p(z|y), shape ``(K, Z)``.
        labels_: the clusters of the training rows, shape ``(N,)``; without labels given to ``fit``
            cluster 0 is the largest; -1 where ``reject`` rejects a row, of which it rejects fewer
            than of new ones. A saved run does not keep them.
        lower_bound_: mean ELBO of the training rows, in nats, estimated.
        converged_: whether early stopping ended the training, or a learning rate that had fallen
            to almost zero, as it does for tables of mixed columns.
        n_iter_: epochs that were run.
        history_: a dict for each epoch (see `pyro_gmvae.training.TrainResult`).
        n_features_in_: features of one row.
        feature_names_in_: names of the columns, of a data frame.

    >>> from sklearn.datasets import make_blobs
    >>> X, _ = make_blobs(90, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> np.bincount(GMVAE(3, max_iter=30, random_state=0).fit_predict(X)).tolist()
    [30, 30, 30]
    """

    fitted_: FittedModel
    feature_names_in_: np.ndarray

    # "| Any": a constructor of scikit-learn takes any value; fit checks it.
    def __init__(
        self,
        n_components: int | Any = 8,
        *,
        method: Literal["sparse", "exact", "concrete", "marginal"] | Any = "sparse",
        latent_dim: int | None | Any = None,
        hidden: Sequence[int] | None | Any = None,
        likelihood: str | Any = "auto",
        kind: Literal["auto", "table", "embedding"] | Any = "auto",
        schema: Schema | dict[Any, str] | str | os.PathLike[str] | None | Any = None,
        regularize: str | Any = "auto",
        init_params: str | Any = "auto",
        n_init: int | None | Any = None,
        clusters_are: Literal["auto", "held", "free"] | Any = "auto",
        max_iter: int | None | Any = None,
        learning_rate: float | None | Any = None,
        batch_size: int | None | Any = None,
        annealing_epochs: float | None | Any = None,
        temperature: float | Any = 0.5,
        validation_fraction: float | Any = 0.1,
        patience: int | None | Any = None,
        num_samples: int | Any = NUM_SAMPLES,
        reject: float | None | Any = None,
        device: Literal["auto", "cpu", "cuda"] | Any = "auto",
        precision: Literal["auto", "float32", "bfloat16"] | Any = "auto",
        random_state: int | np.random.RandomState | None | Any = None,
        warm_start: bool | Any = False,
        verbose: bool | Any = False,
    ) -> None:
        self.n_components = n_components
        self.method = method
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.likelihood = likelihood
        self.kind = kind
        self.schema = schema
        self.regularize = regularize
        self.init_params = init_params
        self.n_init = n_init
        self.clusters_are = clusters_are
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.annealing_epochs = annealing_epochs
        self.temperature = temperature
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.num_samples = num_samples
        self.reject = reject
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    @alone
    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any = None,
        sample_weight: Any = None,
        *,
        init: Any = None,
        labels: Any = None,
        must_link: Any = None,
        covariates: Any = None,
    ) -> GMVAE:
        """Train on ``X``; ``y`` is ignored.

        Args:
            X: a table or images.
            y: not used, so that nothing is trained on labels that were meant for something else.
            sample_weight: how much each row counts, shape ``(N,)``, positive or zero; None counts
                all alike. Whole numbers say how often a row was seen. Others, such as weights of a
                survey, are scaled to a mean of 1. Each epoch draws N rows in proportion, so that a
                row of weight 2 is two rows in expectation; a weight of 0 leaves the row out.
            init: clusters to begin near, in place of ``init_params``: integers ``(N,)`` from 0 to
                K - 1, -1 where there is none, or responsibilities ``(N, K)``. The training is free
                to leave them, and their numbers are not kept.
            labels: clusters that are known of some rows, shape ``(N,)``: integers, -1 where
                unknown. Cluster k is then label k.
            must_link: a group for each row, shape ``(N,)``, integers or text: rows of one group are
                to be in one cluster, whichever it is; -1 where unknown (see
                `pyro_gmvae.models.MustLink`).
            covariates: columns of the same rows that are not clustered on and tell who is likely
                to be in which cluster, such as age and region: p(y|w) is a multinomial logit of
                them (see `pyro_gmvae.models.MembershipLogit`). A data frame, a named column, a
                dict from names to columns, or an array ``(N,)``. Text and truth values get a
                coefficient for each level but the most frequent, dates count in years, and a
                missing cell is one more level. The methods that place rows then need theirs;
                `covariate_effects` gives the coefficients.

        Rows that have a label or a group are held out for early stopping only if there are not
        enough others.

        Raises:
            ValueError: for parameters out of range, fewer rows than ``n_components``, data that are
                not finite numbers, or weights, an ``init``, labels, groups or covariates that do
                not fit them, or covariates with a ``warm_start``
                (`InputError` is one).
            NonFiniteLossError: if the loss becomes NaN or infinite.

        Warns:
            ConvergenceWarning: if rows were held out, and ``max_iter`` ended before early stopping
                did.

        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> np.bincount(gmvae.predict(X)).tolist()
        [30, 30]
        """
        own, settings = self._own, settings_of_parameters(self.get_params())
        before = self._before(settings) if own.warm_start else None
        if before is None:
            data, _ = read_rows(self, X, wishes=wishes_of(self.schema))
        else:
            data = before.conform(read_rows(self, X)[0])
        if len(data) < settings.model.clusters:
            raise ValueError(
                "Expected n_samples >= n_components but got n_components = "
                f"{self.n_components}, n_samples = {len(data)}: give more rows, or fewer clusters"
            )
        if sample_weight is not None:
            data = replace(data, weights=weights_of_rows(sample_weight, len(data)))
        if labels is not None:
            data = replace(data, labels=known_of_rows(labels, "labels", len(data)))
        if must_link is not None:
            data = replace(data, must_link=known_of_rows(must_link, "groups", len(data)))
        if covariates is not None:
            data = replace(data, covariates=read_covariates(covariates, len(data)))
        splits = self._splits(data, settings)
        clusters = None if init is None else self._initial_clusters(init, splits)
        planned = plan(settings, splits, clusters=clusters, before=before)
        self._train(planned)
        self._label(data)
        self.__dict__.pop("_earlier", None)  # rows of `partial_fit`
        if not self.converged_ and len(planned.splits.validation):
            warnings.warn(
                f"The held-out ELBO had not stopped rising after {self.n_iter_} epochs: increase "
                "max_iter, or lower patience.",
                ConvergenceWarning,
                stacklevel=3,  # above `alone`
            )
        return self

    def transform(self, X: Any, *, covariates: Any = None) -> np.ndarray:  # noqa: N803
        """Return the mean of z under q(z|x), shape ``(N, Z)``; ``covariates`` as in `predict`.

        >>> X = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0.0], [9.0]], 30, 0)
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X)
        >>> gmvae.transform(X).shape  # this table has two latent dimensions
        (60, 2)
        """
        data, fitted = self._ready(X, covariates)
        return fitted.embed(data.x, data.w).numpy()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fitted_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.model_.latent_dim

    @property
    def _device(self) -> str:
        # A model that was trained on a GPU is also used where there is none.
        return "cpu" if checked_device(self.device) == "cpu" else defaults.device("auto")

    @property
    def _own(self) -> OwnParameters:
        # They may have been set anew since the training.
        return OwnParameters.of(self.get_params())

    def _before(self, settings: Settings) -> FittedModel | None:
        """Return the model that a warm start goes on from, if there is one that fits."""
        if not hasattr(self, "fitted_"):
            return None
        check_goes_on(settings, self.fitted_.gmvae)
        return self.fitted_

    def _splits(self, data: Dataset, settings: Settings) -> Splits:
        """Hold out rows for early stopping, as the command does, and none for a test."""
        kept, held_out = hold_out(
            data,
            settings.data.validation_fraction,
            "validation",
            seed=settings.training.seed,
            least=MIN_VALIDATION,
        )
        return Splits(kept, held_out, data.subset(torch.arange(0)))

    def _train(self, planned: Plan) -> None:
        """Carry out a plan, and keep the model."""
        fitted = train(planned, reporters=[ProgressBar()] if self._own.verbose else [])
        calibration = self._calibrated(planned, fitted.to(self._device))
        self._keep(replace(fitted, calibration=calibration))

    def _label(self, data: Dataset) -> None:
        """Set the clusters of rows that the model was trained on."""
        self.labels_ = self._assigned(data, self.fitted_.to(self._device)).cluster.numpy()

    def _calibrated(self, planned: Plan, fitted: FittedModel) -> Calibration | None:
        """Score held-out rows; where there are none, train anew to have some if that is wanted."""
        calibration, reject = calibrate(fitted, planned.splits), self._own.reject
        if calibration is None and reject is not None:
            calibration = cross_calibrate(planned)
        if calibration is not None and reject is not None:
            calibration.check_rate(reject)
        return calibration

    def _initial_clusters(self, init: Any, splits: Splits) -> Tensor:
        """Check the clusters to begin by, and return those of the training rows."""
        given = array_of(init, "init")
        if given.ndim == 2 and given.dtype.kind in "biuf":
            clusters = torch.from_numpy(np.array(given, dtype=np.float32, order="C"))
        elif given.ndim == 1:
            clusters = codes_of(given, "X", "init")
        else:
            raise InputError(
                f"init must be integers (N,) or probabilities (N, K), got shape {given.shape} of "
                f"type {given.dtype}"
            )
        check_label_rows(clusters, sum(map(len, splits)), int(self.n_components))
        assert splits.train.places is not None
        return clusters[splits.train.places]

    def _keep(self, fitted: FittedModel) -> None:
        """Set the attributes of a fitted model."""
        self.fitted_ = fitted
        self.model_, self.encoding_ = fitted.gmvae, fitted.encoding
        self.history_ = fitted.history
        self.n_iter_ = len(fitted.history)
        self.converged_ = fitted.about.stopped in ("patience", "schedule")
        bound = fitted.about.lower_bound
        self.lower_bound_ = float("nan") if bound is None else bound
        with torch.no_grad():
            self.weights_ = self.model_.model.log_p_y().exp().numpy()
            self.means_ = self.model_.model.component_loc.clone().numpy()
            self.scales_ = self.model_.model.component_scale.numpy()

    def _ready(self, X: Any, covariates: Any = None) -> tuple[Dataset, FittedModel]:  # noqa: N803
        """Check data, and put the model on the device and in the precision to answer in."""
        check_is_fitted(self)
        data, dtype = read_rows(self, X)
        if covariates is not None:
            given = read_covariates(covariates, len(data), purpose="apply")
            data = replace(data, covariates=given)
        return self.fitted_.conform(data), self.fitted_.to(self._device, dtype)
