"""Hold a fitted model, which answers in the user's units."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Float64, Int, Shaped
from torch import Tensor

from pyro_gmvae import evaluation
from pyro_gmvae.about import About
from pyro_gmvae.data import Dataset, Encoding
from pyro_gmvae.data.covariates import CovariateDesign
from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import Calibration, Evaluation, LogLikelihood
from pyro_gmvae.models import GMVAE
from pyro_gmvae.noise import distinct_keys, row_keys
from pyro_gmvae.process.alone import alone
from pyro_gmvae.training import Record

__all__ = ["NUM_SAMPLES", "FittedModel"]

NUM_SAMPLES = 100  # importance samples; with fewer it is unknown how far to trust a log-likelihood


@dataclass(frozen=True, eq=False)
class FittedModel:
    """Hold a trained pair with its encoding, its origin and its history.

    A run folder is a fitted model on disk. Rows are given and returned as they are in the data:
    images as 8-bit levels, the columns of a table in their own units.

    Attributes:
        gmvae: the pair, in evaluation mode.
        encoding: the map from raw rows to model scale.
        about: where the model comes from.
        history: a record for each epoch of its training.
        calibration: figures of rows that were held out, to compare new rows with (see
            `pyro_gmvae.segments.calibrate`); None if there are none.
        covariates: the map from covariates w to those of p(y|w); None for a model without.

    A model with covariates needs those of the rows wherever it infers their clusters: a method
    that takes ``w`` refuses rows without it, and one that does not refuses the model.

    >>> from pyro_gmvae.data import TableEncoding
    >>> from pyro_gmvae.models import ExactGMVAE
    >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
    >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]])
    >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
    >>> fitted.responsibilities(x).shape, fitted.sample(5)[0].shape
    (torch.Size([2, 3]), torch.Size([5, 2]))
    """

    gmvae: GMVAE
    encoding: Encoding
    about: About = About()
    history: list[Record] = field(default_factory=list)
    calibration: Calibration | None = None
    covariates: CovariateDesign | None = None

    @property
    def device(self) -> torch.device:
        """Return the device of the model.

        >>> from pyro_gmvae.data import TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
        >>> fitted.device
        device(type='cpu')
        """
        return self.gmvae.model.component_loc.device

    @alone
    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> FittedModel:
        """Return the model on a device and, if it is given, in another precision.

        The modules are copied unless they are there already.

        >>> from pyro_gmvae.data import TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
        >>> fitted.to("cpu", torch.float64).gmvae.model.component_loc.dtype
        torch.float64
        """
        like = self.gmvae.model.component_loc
        dtype = like.dtype if dtype is None else dtype
        if like.device == torch.device(device) and like.dtype == dtype:
            return self
        # The encoding keeps its precision: a table is centred in float64.
        encoding = deepcopy(self.encoding).to(device)
        return replace(self, gmvae=deepcopy(self.gmvae).to(device, dtype), encoding=encoding)

    @alone
    def conform(self, data: Dataset) -> Dataset:
        """Bring new rows to the columns or channels of the training rows, and check them.

        Their covariates are brought to those of the training.

        Raises:
            pyro_gmvae.errors.InputError: for rows that do not fit.

        >>> import pandas
        >>> from pyro_gmvae.data import Schema, TableEncoding, from_frame
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> encoding = TableEncoding.standardize(x, Schema.of_numbers(2, ["age", "spend"]))
        >>> new = from_frame(pandas.DataFrame({"spend": [9.5, 7.5], "age": [41.5, 52.0]}))
        >>> FittedModel(gmvae.eval(), encoding).conform(new).x.tolist()  # in the order of training
        [[41.5, 9.5], [52.0, 7.5]]
        """
        data = self.encoding.conform(data)
        likelihood = self.gmvae.options["likelihood"]
        self.encoding.check(data.x, self.gmvae.model.likelihood.support, str(likelihood))
        if self.covariates is None:
            _refuse_covariates(data.covariates is not None)
        elif data.covariates is not None:
            data = replace(data, covariates=self.covariates.conform(data.covariates))
        return data

    def given(self, w: Shaped[Tensor, "N Q"] | None) -> tuple[Tensor, ...]:
        """Return the arguments of model and guide beside x: w on model scale, if there is any.

        Args:
            w: covariates that conform, in raw units.

        Raises:
            InputError: for a model with covariates without those of the rows, or the reverse.

        >>> from pyro_gmvae.data import TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> FittedModel(gmvae.eval(), TableEncoding((2,))).given(None)  # a model without covariates
        ()
        """
        if self.covariates is None:
            _refuse_covariates(w is not None)
            return ()
        if w is None:
            raise InputError(
                f"this model has the covariates {', '.join(self.covariates.names)}, without which "
                "it does not place rows: give them by covariates where that can be done, or use "
                "a model that was trained without covariates"
            )
        return (self.covariates.encode(w).to(self.gmvae.model.component_loc),)

    @alone
    def responsibilities(
        self, x: Shaped[Tensor, "N *event"], w: Shaped[Tensor, "N Q"] | None = None
    ) -> Float[Tensor, "N K"]:
        """Return q(y|x,w), the probability of each cluster for each row, on the CPU.

        Args:
            x: raw rows.
            w: their covariates, of a model that has some; see `given`.

        >>> from pyro_gmvae.data import TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
        >>> q = fitted.responsibilities(x)
        >>> q.shape, bool((q.sum(-1) - 1).abs().max() < 1e-5)
        (torch.Size([2, 3]), True)
        """
        return evaluation.responsibilities(
            self.gmvae, x, covariates=self.given(w), transform=self.encoding.encode_mean
        )

    @alone
    def embed(
        self, x: Shaped[Tensor, "N *event"], w: Shaped[Tensor, "N Q"] | None = None
    ) -> Float[Tensor, "N Z"]:
        """Return the mean of z under q(z|x,w) for each row, on the CPU.

        Args: as in `responsibilities`.

        >>> from pyro_gmvae.data import TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
        >>> fitted.embed(x).shape
        torch.Size([2, 1])
        """
        return evaluation.embed(
            self.gmvae, x, covariates=self.given(w), transform=self.encoding.encode_mean
        )

    @alone
    def log_likelihood(
        self,
        x: Shaped[Tensor, "N *event"],
        w: Shaped[Tensor, "N Q"] | None = None,
        *,
        num_samples: int = NUM_SAMPLES,
        seed: int = 0,
        diagnostics: bool = True,
        weights: Float64[Tensor, " N"] | None = None,
    ) -> LogLikelihood:
        """Estimate log p(x|w) of each row by importance sampling, in nats, in raw units.

        A row's figures depend on ``seed`` and the row alone, whatever rows are beside it. Images
        that training binarises are binarised by such a draw (see `Encoding.encode_scored`); the
        densities of other images are those of grey levels on [0, 1].

        Args:
            x: raw rows.
            w: as in `responsibilities`.
            num_samples: importance samples for each row.
            seed: fixes every draw.
            diagnostics: whether to fit Pareto k-hat, which needs ArviZ.
            weights: how much each row counts in the means of the result; None if all count alike.

        >>> from pyro_gmvae.data import TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
        >>> figures = fitted.log_likelihood(x, num_samples=20, diagnostics=False)
        >>> figures.log_p.shape, figures.mean == figures.log_p.mean().item()
        (torch.Size([2]), True)
        """
        figures = evaluation.log_likelihood(
            self.gmvae,
            x,
            num_samples=num_samples,
            covariates=self.given(w),
            transform=partial(self.encoding.encode_scored, seed=seed),
            seed=seed,
            keys=row_keys(x),
            diagnostics=diagnostics,
        )
        # The log of the volume that model scale gives to a raw unit; it is 0 for images.
        volume = self.encoding.log_abs_det(x.to(self.encoding.scale.device)).double().cpu()
        return replace(
            figures,
            log_p=figures.log_p + volume,
            elbo_per_datum=figures.elbo_per_datum + volume,
            weights=weights,
        )

    @alone
    def evaluate(
        self, data: Dataset, *, num_samples: int = NUM_SAMPLES, seed: int = 0
    ) -> Evaluation:
        """Evaluate on rows that conform: likelihood, use of the clusters, scores by their classes.

        The weights of the rows count in all means but the scores.

        Args: as in `log_likelihood`.

        Raises:
            InputError: if no row has a weight above zero.

        >>> from pyro_gmvae.data import TableEncoding, from_array
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> data = from_array(x.numpy())
        >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
        >>> evaluation = fitted.evaluate(data, num_samples=20)
        >>> len(evaluation.usage.share), evaluation.scores  # no classes are known
        (3, None)
        """
        if data.weights is not None and not (data.weights > 0).any():
            raise InputError(
                f"all {len(data)} rows of {data.name} have the weight 0: evaluate other rows"
            )
        figures = self.log_likelihood(
            data.x, data.w, num_samples=num_samples, seed=seed, weights=data.weights
        )
        return evaluation.summarize(
            self.gmvae, figures, self.responsibilities(data.x, data.w), data.class_labels
        )

    @alone
    def sample(
        self,
        n: int,
        *,
        clusters: int | Int[Tensor, " n"] | None = None,
        mean: bool = False,
        seed: int = 0,
    ) -> tuple[Float[Tensor, "n *event"], Int[Tensor, " n"]]:
        """Draw new rows and their clusters, on the CPU.

        Args:
            n: number of draws.
            clusters: a cluster for all draws, or one for each; drawn from p(y) if None.
            mean: give E[x|z] instead of a draw from p(x|z).
            seed: fixes every draw.

        >>> from pyro_gmvae.data import TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
        >>> drawn, clusters = fitted.sample(4, clusters=2)
        >>> drawn.shape, clusters.tolist()
        (torch.Size([4, 2]), [2, 2, 2, 2])
        """
        x, y = evaluation.sample(self.gmvae, n, y=clusters, mean=mean, seed=seed)
        return self._decoded(x), y

    @alone
    def reconstruct(
        self, x: Shaped[Tensor, "N *event"], w: Shaped[Tensor, "N Q"] | None = None
    ) -> Float[Tensor, "N *event"]:
        """Return the reconstruction of each row, in raw units, on the CPU.

        Args: as in `responsibilities`.

        >>> from pyro_gmvae.data import TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
        >>> fitted.reconstruct(x).shape
        torch.Size([2, 2])
        """
        made = evaluation.reconstruct(
            self.gmvae, x, covariates=self.given(w), transform=self.encoding.encode_mean
        )
        return self._decoded(made)

    @alone
    def impute(
        self,
        x: Shaped[Tensor, "N *event"],
        *,
        draw: bool = False,
        num_samples: int = NUM_SAMPLES,
        seed: int = 0,
    ) -> Float[Tensor, "N *event"]:
        """Fill the missing cells of rows, in raw units, given their other cells, on the CPU.

        Args:
            x: raw rows; NaN is a missing cell.
            draw: fill with a draw from p(x_A | x_B), of which equal rows get different ones;
                otherwise numbers and counts get their mean on model scale, levels the likeliest
                one.
            num_samples: importance samples of each row.
            seed: fixes every draw.

        Raises:
            InputError: for a model that takes no gaps, or has covariates.

        >>> from pyro_gmvae import GMVAE
        >>> X = torch.randn(60, 2, dtype=torch.float64)
        >>> X[0, 1] = torch.nan
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X.numpy())
        >>> fitted = gmvae.fitted_
        >>> filled = fitted.impute(X)
        >>> bool(filled.isnan().any()), filled[0, 0].item() == X[0, 0].item()
        (False, True)
        """
        self.given(None)
        keys = row_keys(x)
        filled = evaluation.impute(
            self.gmvae,
            x,
            draw=draw,
            num_samples=num_samples,
            transform=self.encoding.encode_mean,
            seed=seed,
            keys=distinct_keys(keys) if draw else keys,
        )
        decoded = self._decoded(filled).to(x.dtype)
        return torch.where(x.isnan().cpu(), decoded, x.cpu())

    @alone
    def sample_given(
        self, n: int, x: Shaped[Tensor, "N *event"], *, seed: int = 0
    ) -> tuple[Float[Tensor, "draws *event"], Int[Tensor, " draws"]]:
        """Complete each row ``n`` times by draws of its missing cells from p(x_A | x_B).

        Args:
            n: draws for each row.
            x: raw rows; NaN is a missing cell.
            seed: fixes every draw.

        Returns:
            The completed rows, in raw units, on the CPU, those of the first row first; and the
            likeliest cluster of each.

        Raises:
            InputError: for a model that takes no gaps.

        >>> from pyro_gmvae import GMVAE
        >>> X = torch.randn(60, 2, dtype=torch.float64)
        >>> X[0, 1] = torch.nan
        >>> gmvae = GMVAE(2, init_params="mixture", max_iter=1, random_state=0).fit(X.numpy())
        >>> fitted = gmvae.fitted_
        >>> completed, clusters = fitted.sample_given(3, X[:1])
        >>> completed.shape, completed[:, 1].unique().numel()  # three draws of the missing cell
        (torch.Size([3, 2]), 3)
        """
        drawn = self.impute(x.repeat_interleave(n, 0), draw=True, seed=seed)
        return drawn, self.responsibilities(drawn).argmax(-1)

    @alone
    def means(self) -> Float[Tensor, "K *event"]:
        """Return the decoded mean of each cluster, in raw units, on the CPU.

        >>> from pyro_gmvae.data import TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
        >>> fitted.means().shape
        torch.Size([3, 2])
        """
        return self._decoded(evaluation.cluster_means(self.gmvae))

    @alone
    def to_inference_data(
        self,
        x: Shaped[Tensor, "N *event"],
        *,
        feature_names: Sequence[str] | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Any:
        """Export what the model says of ``x`` for ArviZ, on model scale.

        Args:
            x: raw rows.
            feature_names: coordinates of the last dimension of x.
            seed: fixes every draw.
            options: options of `pyro_gmvae.evaluation.to_inference_data`, such as ``num_draws``.

        >>> from pyro_gmvae.data import TableEncoding
        >>> from pyro_gmvae.models import ExactGMVAE
        >>> gmvae = ExactGMVAE(2, n_components=3, latent_dim=1, hidden=(4,), likelihood="gaussian")
        >>> x = torch.tensor([[1.0, 20.0], [3.0, 10.0]], dtype=torch.float64)
        >>> fitted = FittedModel(gmvae.eval(), TableEncoding.standardize(x))
        >>> data = fitted.to_inference_data(x, num_draws=5, num_samples=20)
        >>> data.posterior["z"].shape  # a chain, draws, rows, dimensions
        (1, 5, 2, 1)
        """
        return evaluation.to_inference_data(
            self.gmvae,
            x,
            covariates=self.given(None),
            transform=partial(self.encoding.encode_scored, seed=seed),
            encode_mean=self.encoding.encode_mean,
            feature_names=feature_names,
            seed=seed,
            keys=row_keys(x),
            **options,
        )

    @torch.no_grad()
    def _decoded(self, x: Tensor) -> Tensor:
        return self.encoding.decode(x.to(self.encoding.scale.device)).cpu()


def _refuse_covariates(given: bool) -> None:
    if given:
        raise InputError(
            "this model was trained without covariates: leave them out, or train it again with them"
        )
