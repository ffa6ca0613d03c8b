"""The scikit-learn face: models, training, evaluation and run folders behind one estimator."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from torch import Tensor

from pyro_gmvae import models
from pyro_gmvae._fitted import FittedGMVAE
from pyro_gmvae._parameters import check_parameters
from pyro_gmvae.data import Dataset, preprocessing
from pyro_gmvae.data.known import known_of_rows
from pyro_gmvae.data.labels import labels_from_array
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import number_as
from pyro_gmvae.inference import KLAnnealing
from pyro_gmvae.models import Regularizer
from pyro_gmvae.models.labels import LABEL_WEIGHT, check_labels
from pyro_gmvae.models.must_link import check_groups
from pyro_gmvae.rng import forked_rng
from pyro_gmvae.training import (
    CLUSTERINGS,
    ClusterWatch,
    ProgressBar,
    Rows,
    TrainConfig,
    TrainResult,
    begin_near,
    best_start,
    defaults,
    fit,
    initialize,
    make_regularizer,
    start_by,
)
from pyro_gmvae.training.known import check_known

__all__ = ["GMVAE"]

MIN_VALIDATION = 50  # rows; the held-out ELBO of fewer is too noisy to stop a training by
BATCH = 256
START_EPOCHS = 4  # of a start by information, or 1,000 steps if that is more
BOUND_SAMPLES = 10  # draws for each datum behind lower_bound_


class GMVAE(FittedGMVAE):
    """Deep clustering with a Gaussian mixture variational autoencoder.

    Used as `sklearn.mixture.GaussianMixture`, with the mixture in a latent space that a neural
    network maps to the data. ``X`` is a table ``(N, D)`` of numbers (array, tensor or data frame)
    or uint8 images ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)``.

    Args:
        n_components: K, the number of clusters; some may stay empty.
        method: how the cluster is inferred: ``"sparse"``, ``"exact"``, ``"concrete"`` or
            ``"marginal"``. The cost of exact grows with K, that of the others hardly; Concrete is
            biased.
        latent_dim: Z, the size of the latent space.
        hidden: sizes of the hidden layers of every network.
        likelihood: p(x|z), a name of `pyro_gmvae.likelihoods`. ``"auto"`` takes ``"gaussian"``, on
            standardised columns, for a table, ``"bernoulli"`` for black and white images and for a
            table of zeros and ones, ``"continuous_bernoulli"`` for grey images and
            ``"discretized_logistic"`` for colour ones. The Bernoulli ones want values in [0, 1];
            ``"bernoulli"`` is trained on values drawn with these as probabilities, and scores them
            rounded to 0 or 1.
        regularize: changes that should leave a datum in its cluster, such as ``"affine"`` for
            images or ``"resample"`` for a table (see `pyro_gmvae.training.make_regularizer`).
            ``"auto"`` regularises images, which also get a convolutional q(y|x), and no tables;
            ``"none"`` trains by the ELBO alone.
        init_params: ``"information"`` trains the clusters by the regulariser alone before the
            likelihood comes in, ``"kmeans"`` starts near a k-means clustering, ``"mixture"`` near
            a Gaussian mixture, ``"latent-kmeans"``, ``"latent-mixture"`` and ``"latent-umap"`` near
            one of a plain VAE's latents (see `pyro_gmvae.training.starts`), ``"random"`` anywhere;
            ``"auto"`` is information with a regulariser, mixture for a table of up to 100 columns
            that the likelihood has for Gaussian, and else kmeans. `fit` also takes clusters to
            begin by.
        n_init: starts by information, of which the best goes on; or whole trainings, of which the
            one with the best ``lower_bound_`` is kept.
        max_iter: epochs, at most.
        learning_rate: of Adam.
        batch_size: data per step; None is 256, or of a small table so few that an epoch has about
            ten steps, but 16 at least.
        kl_annealing: epochs until KL(q(y|x) || p(y)) has its full weight; None is 10, or 0 for a
            table whose training begins near a clustering.
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
        labels_: the clusters of the training rows, shape ``(N,)``; without labels given to ``fit``
            cluster 0 is the largest. Not in a saved run.
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
        method: Literal["sparse", "exact", "concrete", "marginal"] | Any = "sparse",
        latent_dim: int | Any = 10,
        hidden: Sequence[int] | Any = (128, 128),
        likelihood: str | Any = "auto",
        regularize: str | Any = "auto",
        init_params: str | Any = "auto",
        n_init: int | Any = 1,
        max_iter: int | Any = 100,
        learning_rate: float | Any = 3e-3,
        batch_size: int | None | Any = None,
        kl_annealing: float | None | Any = None,
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
        self.regularize = regularize
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

    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any = None,
        *,
        init: Any = None,
        labels: Any = None,
        groups: Any = None,
    ) -> GMVAE:
        """Train on ``X``; ``y`` is ignored.

        Args:
            X: a table or images.
            y: not used, so that nothing is trained on labels that were meant for something else.
            init: clusters to begin near, in place of ``init_params``: integers ``(N,)`` from 0 to
                K - 1, -1 where there is none, or responsibilities ``(N, K)``. The training is free
                to leave them, and their numbers are not kept.
            labels: clusters that are known of some rows, shape ``(N,)``: integers, -1 where
                unknown. Cluster k is then label k.
            groups: rows of which no more is known than that they belong together, shape ``(N,)``:
                rows of the same number, or text, are to be in one cluster, -1 where unknown (see
                `pyro_gmvae.models.MustLink`).

        Rows of which something is known are held out for early stopping only if there are not
        enough others.

        Raises:
            ValueError: for parameters out of range, fewer rows than ``n_components``, data that are
                not finite numbers, or an ``init``, labels or groups that do not fit them
                (`InputError` is one).
            NonFiniteLossError: if the loss becomes NaN or infinite.

        Warns:
            ConvergenceWarning: if ``max_iter`` ended before early stopping did.
        """
        check_parameters(self)
        data, _ = self._read(X, fitting=True)
        if len(data) < self.n_components:
            raise ValueError(
                "Expected n_samples >= n_components but got n_components = "
                f"{self.n_components}, n_samples = {len(data)}"
            )
        if labels is not None:
            given = known_of_rows(labels, "labels", len(data))
            check_labels(given, self.n_components)
            data = replace(data, given=given)
        if groups is not None:
            together = known_of_rows(groups, "groups", len(data))
            check_groups(together, len(data))
            data = replace(data, groups=together)
        self.preprocessor_, likelihood = preprocessing(data, self.likelihood)
        regularizer = make_regularizer(self.regularize, data.x, look=self.preprocessor_.mean_input)
        begun = None if init is None else self._begun(init, len(data))
        if begun is not None:
            start = "given"
        else:
            start = start_by(self.init_params, regularizer, likelihood, data.event_shape)
        # Starts by information are compared before the likelihood comes in.
        trainings, starts = (1, self.n_init) if start == "information" else (self.n_init, 1)
        rng = check_random_state(self.random_state)
        best = -np.inf
        for attempt in range(trainings):
            seeds = [int(rng.randint(2**31 - 1)) for _ in range(starts)]
            gmvae, result = self._train(data, likelihood, regularizer, start, seeds, begun)
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
        clusters = self._responsibilities(data.x).argmax(-1)
        if labels is None:
            # Empty clusters go last, so that the labels in use are consecutive.
            sizes = clusters.bincount(minlength=self.n_components)
            models.reorder_components(self.model_, sizes.argsort(descending=True, stable=True))
            clusters = self._responsibilities(data.x).argmax(-1)
        self.labels_ = clusters.numpy()
        self._set_mixture()
        return self

    def _begun(self, init: Any, n_rows: int) -> Tensor:
        """The clusters to begin by, checked."""
        given = init.detach().cpu().numpy() if isinstance(init, Tensor) else np.asarray(init)
        if given.ndim == 2 and given.dtype.kind == "f":
            clusters = torch.from_numpy(given).float()
        elif given.ndim == 1:
            clusters = labels_from_array(given, "X", "init")
        else:
            raise InputError(
                f"init must be integers (N,) or probabilities (N, K), got shape {given.shape} of "
                f"type {given.dtype}"
            )
        check_known(clusters, n_rows, int(self.n_components))
        return clusters

    def _make(
        self, data: Dataset, likelihood: str, regularizer: Regularizer | None, seed: int
    ) -> models.GMVAE:
        """A model whose first weights depend on ``seed`` alone."""
        # Plain numbers, for a search may set NumPy's, which JSON cannot hold.
        hidden = [int(size) for size in self.hidden]
        options: dict[str, Any] = {"hidden": hidden, "likelihood": likelihood}
        if self.method == "concrete":
            options["temperature"] = float(self.temperature)
        if self.method == "sparse":
            options["drawn_share"] = defaults.drawn_share(regularizer is not None)
        if regularizer is not None and data.kind == "image":
            options["cluster_network"] = "conv"
        if data.given is not None:
            options["label_weight"] = LABEL_WEIGHT
        with forked_rng(seed=seed):
            gmvae = models.METHODS[self.method](
                data.event_shape,
                int(self.n_components),
                int(self.latent_dim),
                learn_mixture=regularizer is None,  # balance would chase what is learned
                **options,
            )
        gmvae.regularize(regularizer)
        return gmvae

    def _train(
        self,
        data: Dataset,
        likelihood: str,
        regularizer: Regularizer | None,
        start: str,
        seeds: Sequence[int],
        begun: Tensor | None,
    ) -> tuple[models.GMVAE, TrainResult]:
        seed = seeds[0]
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
        # Rows of which something is known come last: they teach more than they would tell.
        order = order[_is_known(data)[order].sort(stable=True).indices]
        n_held_out = round(self.validation_fraction * len(data))
        if n_held_out < MIN_VALIDATION:
            n_held_out = 0
        held_out = data.x[order[:n_held_out]] if n_held_out else None
        kept = order[n_held_out:]
        train = data.subset(kept)
        duration = self.kl_annealing
        if duration is None:
            duration = defaults.annealing_epochs(start, data.event_shape)
        batch_size = self.batch_size
        if batch_size is None:
            batch_size = defaults.batch_size(BATCH, len(train), data.event_shape)
        config = TrainConfig(
            epochs=self.max_iter,
            batch_size=batch_size,
            learning_rate=self.learning_rate,
            kl_annealing=KLAnnealing(duration=duration),
            patience=self.patience,
            seed=seed,
            device=self.device,
        )
        # The trainer applies it on its own device.
        transform = deepcopy(self.preprocessor_).to(self._device)
        gmvae = self._make(data, likelihood, regularizer, seed)
        bar = [ProgressBar()] if self.verbose else []
        if start == "information" and self.n_components > 1:
            gmvae = best_start(
                lambda seed: self._make(data, likelihood, regularizer, seed),
                seeds,
                train.x,
                config,
                epochs=START_EPOCHS,
                groups=train.groups,
                judged=held_out,
                transform=transform,
                reporters=bar,
            )
        steps = defaults.start_steps(train, config)
        if start in CLUSTERINGS and self.n_components > 1:
            rows = Rows(gmvae, train.x, config, transform, transform.mean_input, reporters=bar)
            begin_near(start, rows, steps=steps)
        if begun is not None:
            initialize(gmvae, train.x, begun[kept], config, transform=transform, steps=steps)
        if train.given is not None:
            gmvae.to(self._device)
            number_as(train.given, gmvae, train.x, transform=transform.mean_input)
        result = fit(
            gmvae,
            train.x,
            config,
            y=train.given,
            groups=train.groups,
            validation=held_out,
            transform=transform,
            reporters=[ClusterWatch(gmvae), *bar],
        )
        return gmvae.cpu(), result


def _is_known(data: Dataset) -> Tensor:
    """Of which rows the cluster, or what belongs with them, is known."""
    known = torch.zeros(len(data), dtype=torch.bool)
    for numbers in (data.given, data.groups):
        if numbers is not None:
            known |= numbers >= 0
    return known
