"""Condition model and guide on the known clusters of some data.

``y`` reaches model and guide in one of two forms:

* one-hot, floating point, shape ``(..., B, K)``: the value of site ``y``, for every datum;
* labels, integers, shape ``(B,)``, -1 where missing: an observation of ``y`` for some data.

With labels the site stays latent, and the guide is pinned to the label of each labelled datum,
which is the posterior of y there. So the objective of a labelled datum is its labelled ELBO, and
that of an unlabelled datum is its own ELBO.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor
from torch.nn.functional import log_softmax

from pyro_gmvae.errors import InputError

__all__ = [
    "LABEL_WEIGHT",
    "Labels",
    "check_label_rows",
    "check_labels",
    "drawn_labels",
    "is_labels",
    "label_log_evidence",
    "label_log_prob",
    "pin_logits",
]

LABEL_WEIGHT = 50.0  # nats for a label's log-probability, as a regulariser's consistency has
ROUNDING = 1e-3  # the sum of a row's probabilities may miss 1 by so much
PINNED = 1e4  # nats: leaves the other clusters a probability of exactly zero in float32 and 64

# One label for each datum, -1 where it is unknown; or responsibilities, such as a mixture gives.
Labels = Int[Tensor, " N"] | Float[Tensor, "N K"]


def is_labels(y: Num[Tensor, "..."] | None) -> bool:
    """Return True if ``y`` holds labels (integers, possibly missing) and not one-hot values.

    >>> is_labels(torch.tensor([2, -1])), is_labels(torch.eye(3)), is_labels(None)
    (True, False, False)
    """
    return y is not None and not y.is_floating_point()


def check_labels(labels: Int[Tensor, " N"], n_components: int) -> None:
    """Refuse labels that are not the number of a cluster.

    Raises:
        InputError: for a label that is ``n_components`` or larger.

    >>> check_labels(torch.tensor([0, 2, -1]), n_components=3)
    >>> check_labels(torch.tensor([0, 2, -1]), n_components=2)
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: label 2 has no cluster...
    """
    if int(labels.max()) >= n_components:
        raise InputError(
            f"label {int(labels.max())} has no cluster: labels go from 0 to {n_components - 1}, "
            "-1 where missing; ask for more clusters"
        )


def _one_hot(labels: Int[Tensor, " B"], like: Tensor) -> tuple[Tensor, Tensor]:
    known = (labels >= 0).unsqueeze(-1)
    classes = torch.arange(like.shape[-1], device=like.device)
    return known, (labels.unsqueeze(-1) == classes).to(like.dtype)


def pin_logits(
    logits: Float[Tensor, "*batch K"], labels: Int[Tensor, " B"]
) -> Float[Tensor, "*batch K"]:
    """Compute the logits of q(y|x, label), which has all mass on the label if there is one.

    >>> pin_logits(torch.zeros(2, 3), torch.tensor([1, -1])).softmax(-1)[0].tolist()
    [0.0, 1.0, 0.0]
    >>> pin_logits(torch.zeros(2, 3), torch.tensor([1, -1]))[1].tolist()  # the label is missing
    [0.0, 0.0, 0.0]
    """
    known, one_hot = _one_hot(labels, logits)
    return torch.where(known, PINNED * one_hot, logits)


def label_log_evidence(
    y: Float[Tensor, "*enum K"], labels: Int[Tensor, " B"]
) -> Float[Tensor, "*batch"]:
    """Compute log p(label | y): zero if y agrees or the label is missing, else -`PINNED` nats.

    >>> y = torch.eye(3)[[1, 1, 1]]
    >>> label_log_evidence(y, torch.tensor([1, 0, -1])).tolist()  # agrees, differs, is missing
    [0.0, -10000.0, 0.0]
    """
    known, one_hot = _one_hot(labels, y)
    agreement = (y * one_hot).sum(-1)
    log_agreement = agreement.clamp(min=torch.finfo(y.dtype).tiny).log()
    evidence = torch.where(agreement > 0, log_agreement, -PINNED)
    return torch.where(known.squeeze(-1), evidence, torch.zeros_like(evidence))


def label_log_prob(
    logits: Float[Tensor, "*batch K"], labels: Int[Tensor, " B"]
) -> Float[Tensor, "*batch"]:
    """Compute log q(label | x), by which q(y|x) learns the labels; zero if the label is missing.

    >>> logits = torch.tensor([[0.25, 0.75], [0.25, 0.75]]).log()
    >>> label_log_prob(logits, torch.tensor([1, -1])).exp()
    tensor([0.7500, 1.0000])
    """
    _, one_hot = _one_hot(labels, logits)
    return (one_hot * log_softmax(logits, -1)).sum(-1)


def check_label_rows(y: Tensor, n_data: int, n_components: int) -> None:
    """Refuse labels or responsibilities that do not fit the data and the clusters.

    Raises:
        InputError: for another shape, a label without a cluster, or rows that are no probabilities.

    >>> check_label_rows(torch.tensor([0, 2, -1, 1]), n_data=4, n_components=3)
    >>> check_label_rows(torch.tensor([0, 2, -1]), n_data=4, n_components=3)
    Traceback (most recent call last):
        ...
    pyro_gmvae.errors.InputError: clusters of shape (3,) do not fit 4 rows and 3 clusters...
    """
    wanted = (n_data, n_components) if y.is_floating_point() else (n_data,)
    if tuple(y.shape) != wanted:
        raise InputError(
            f"clusters of shape {tuple(y.shape)} do not fit {n_data} rows and {n_components} "
            f"clusters: give integers of shape ({n_data},), or responsibilities of shape "
            f"({n_data}, {n_components})"
        )
    if not y.is_floating_point():
        check_labels(y, n_components)
    elif not bool((y >= 0).all() & ((y.sum(-1) - 1).abs() <= ROUNDING).all()):
        raise InputError("responsibilities must be probabilities: from 0 up, and 1 in sum a row")


def drawn_labels(y: Labels) -> Int[Tensor, " N"]:
    """Return labels as they are, or draw one for each row of responsibilities ``(N, K)``.

    Drawing gives an unbiased gradient of the objective's mean under the responsibilities, for every
    method. q(y|x), or p(y|z) in the marginal method, learns them by their cross-entropy. Nothing is
    read back from the device.

    >>> drawn_labels(torch.tensor([2, 0, -1])).tolist()
    [2, 0, -1]
    >>> drawn_labels(torch.eye(3)[[2, 0]]).tolist()  # each row is certain of its cluster
    [2, 0]
    """
    if not y.is_floating_point():
        return y
    cumulative = y.cumsum(-1)
    drawn = torch.rand(len(y), 1, dtype=y.dtype, device=y.device) * cumulative[:, -1:]
    return (cumulative <= drawn).sum(-1).clamp(max=y.shape[-1] - 1)
