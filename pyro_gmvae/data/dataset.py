"""Hold a data set once it is loaded, and cut it into parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor

from pyro_gmvae.data.checks import check_fraction
from pyro_gmvae.data.encoding import Encoding
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.errors import InputError

if TYPE_CHECKING:
    from pyro_gmvae.data.shards.stream import Stream

__all__ = ["Dataset", "Splits", "hold_out"]


# eq=False: "equal" has no plain meaning for tensors, and comparing them elementwise would raise.
@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Hold raw data in main memory, with what is known about the rows.

    Attributes:
        name: what the data set is called in tables and pictures.
        x: ``(N, C, H, W)`` uint8 in 0..255 for images, ``(N, D)`` float64 in the table's own units:
            dates in days since 1970-01-01, truth values as 0 and 1, text as the codes of its
            levels, NaN where a cell is missing.
        class_labels: ``(N,)`` int64 class of each row, -1 where it is missing; None if there are
            none. They serve the evaluation and are never trained on.
        kind: the class that encodes such rows.
        feature_names: names of the D columns of a table, if it has any.
        class_names: name of class 0, 1, ... of ``class_labels``, if known.
        row_names: name of each row, such as the file of an image; None if rows have no names.
        labels: ``(N,)`` int64 cluster of each row, to train with, -1 where it is not known; None if
            no cluster is known.
        must_link: ``(N,)`` int64 group of each row, -1 where it has none; rows of one group belong
            in one cluster. None if there are no groups.
        places: ``(N,)`` int64 place of each row in its source; None for a whole source.
        weights: ``(N,)`` how much each row counts, positive or zero; None if all count alike.
        notes: a plain sentence for each guess that was made when the rows were read.
        schema: the columns of a table; None where they are numbers of which nothing is known.
        covariates: columns of the same rows that the clusters may depend on and are not made of;
            None if there are none.

    Raises:
        InputError: if ``class_labels``, ``weights`` or ``covariates`` have another number of rows.

    >>> from pyro_gmvae.data import TableEncoding
    >>> data = Dataset("points", torch.zeros(3, 2), None, TableEncoding)
    >>> len(data), data.event_shape
    (3, (2,))
    """

    name: str
    x: Shaped[Tensor, "rows *event"]
    class_labels: Int64[Tensor, "labels"] | None
    kind: type[Encoding]
    feature_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None
    row_names: tuple[str, ...] | None = None
    labels: Int64[Tensor, "labels"] | None = None
    must_link: Int64[Tensor, "labels"] | None = None
    places: Int64[Tensor, "rows"] | None = None
    weights: Float64[Tensor, "weights"] | None = None
    notes: tuple[str, ...] = ()
    schema: Schema | None = None
    covariates: Dataset | None = None

    def __post_init__(self) -> None:
        if self.class_labels is not None and len(self.class_labels) != len(self.x):
            raise InputError(
                f"{self.name} has {len(self.x)} rows but {len(self.class_labels)} labels: "
                "give one label per row, or leave the labels out."
            )
        if self.weights is not None and len(self.weights) != len(self.x):
            raise InputError(
                f"{self.name} has {len(self.x)} rows but {len(self.weights)} weights: "
                "give one weight per row, or leave the weights out."
            )
        if self.covariates is not None and len(self.covariates) != len(self.x):
            raise InputError(
                f"{self.name} has {len(self.x)} rows but {len(self.covariates)} of its covariates: "
                "give the covariates of each row."
            )

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} rows of shape {self.event_shape})"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Return the shape of one datum: ``(C, H, W)`` or ``(D,)``."""
        return tuple(self.x.shape[1:])

    @property
    def w(self) -> Shaped[Tensor, "rows Q"] | None:
        """Return the covariates of each row in raw units, or None."""
        return None if self.covariates is None else self.covariates.x

    @property
    def known(self) -> Shaped[Tensor, "rows"]:
        """Return a mask of the rows that have a label or a group."""
        known = torch.zeros(len(self), dtype=torch.bool)
        for numbers in (self.labels, self.must_link):
            if numbers is not None:
                known |= numbers >= 0
        return known

    def subset(self, index: Shaped[Tensor, "chosen"]) -> Dataset:
        """Take the rows that ``index`` (int64 places, or a bool mask of N) picks, in its order."""
        rows = torch.arange(len(self))[index]
        names = self.row_names
        return replace(
            self,
            x=self.x[rows],
            class_labels=None if self.class_labels is None else self.class_labels[rows],
            labels=None if self.labels is None else self.labels[rows],
            must_link=None if self.must_link is None else self.must_link[rows],
            weights=None if self.weights is None else self.weights[rows],
            row_names=None if names is None else tuple(names[i] for i in rows.tolist()),
            places=rows if self.places is None else self.places[rows],
            covariates=None if self.covariates is None else self.covariates.subset(rows),
        )

    def fingerprint(self) -> str:
        """Return a digest of the rows' values and weights, by which a run recognises its data."""
        x = self.x.float() if self.x.is_floating_point() else self.x
        # A table is hashed in float32, as it was when the first runs were made, unless float32
        # does not hold it: a number overflows there, or a whole column vanishes.
        if (x.isinf() & ~self.x.isinf()).any() or ((x == 0).all(0) & (self.x != 0).any(0)).any():
            x = self.x
        digest = hashlib.sha256(x.contiguous().numpy().data)
        if self.weights is not None:
            digest.update(self.weights.contiguous().numpy().data)
        if self.covariates is not None:
            digest.update(self.covariates.fingerprint().encode())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Splits:
    """Hold disjoint parts of one data set; a part whose fraction is 0 has no rows.

    Attributes:
        train: the rows to train on.
        validation: the rows for early stopping.
        test: the rows for the evaluation.
        stream: all rows to train on, where the data are too large for memory; the parts are then a
            uniform sample. None where ``train`` has all rows.
        rest: the rows that a sample left out of training and validation; None without a sample.

    >>> from pyro_gmvae.data import TableEncoding
    >>> data = Dataset("points", torch.arange(20.0).view(10, 2), None, TableEncoding)
    >>> train, held_out = hold_out(data, 0.2, "test", seed=0)
    >>> [len(part) for part in Splits(train, held_out.subset(torch.arange(0)), held_out)]
    [8, 0, 2]
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    stream: Stream | None = None
    rest: Dataset | None = None

    def __iter__(self) -> Iterator[Dataset]:
        return iter((self.train, self.validation, self.test))

    @property
    def w(self) -> Shaped[Tensor, "rows Q"] | None:
        """Return the covariates of all parts, one after another, in raw units, or None."""
        joined = self._covariates()
        return None if joined is None else joined.x

    @property
    def n_trained(self) -> int:
        """Return the number of rows to train on, whether or not they are in memory."""
        return len(self.train) if self.stream is None else self.stream.n_rows

    @property
    def n_rows(self) -> int:
        """Return the number of all rows, whether or not they are in memory."""
        return self.n_trained + len(self.validation) + len(self.test)

    def fingerprint(self) -> str:
        """Return a digest by which a run recognises its training rows.

        Of rows that are not in memory it has the numbers and the sizes of their files.
        """
        own = self.train.fingerprint()
        if self.stream is None:
            return own
        return hashlib.sha256(f"{own} {self.stream.digest()}".encode()).hexdigest()

    def known_rows(self) -> tuple[int, ...] | None:
        """Return the rows of the source that have a label or a group; None if none has."""
        rows = [p.places[p.known] for p in self if p.places is not None]
        return tuple(sorted(torch.cat(rows).tolist())) or None if rows else None

    def counted(self) -> Splits:
        """Leave out the rows for training and validation whose weight is zero.

        Raises:
            InputError: if no row for training has a weight above zero.
        """
        train, validation = (
            part if part.weights is None else part.subset(part.weights > 0)
            for part in (self.train, self.validation)
        )
        if not len(train):
            raise InputError(
                f"no training row of {self.train.name} has a weight above zero: hold out fewer "
                "rows, or give more rows a weight"
            )
        return replace(self, train=train, validation=validation)

    def of_kind(self, kind: type[Encoding]) -> Splits:
        """Take the rows in memory for a kind of data, which may be their own."""
        if self.train.kind is kind:
            return self
        parts = (self.train, self.validation, self.test)
        train, validation, test = (replace(part, kind=kind) for part in parts)
        return replace(self, train=train, validation=validation, test=test)

    def with_share(self, share: float, *, seed: int) -> Splits:
        """Keep a random ``share`` of the training rows, drawn without replacement.

        Of rows that are not in memory it is a share of the sample.
        """
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(seed))
        kept = order[: max(1, round(share * len(order)))].sort().values
        return replace(self, train=self.train.subset(kept), stream=None)

    def sampled(self, n: int, *, seed: int) -> Splits:
        """Draw ``n`` of the rows for training and validation, uniformly; the others are the rest.

        Raises:
            InputError: if there are not more rows than that, or the data are not in memory.
        """
        if self.stream is not None:
            raise InputError(
                f"{self.train.name} is read in pieces, which train on all rows: leave the sample "
                "out, or give fewer rows"
            )
        parts = (self.train, self.validation)
        rows = sum(map(len, parts))
        if n >= rows:
            raise InputError(
                f"{self.train.name} has {rows} rows for training and validation, of which a sample "
                f"of {n} leaves none out: draw fewer, or leave the sample out"
            )
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
        is_drawn = torch.zeros(rows, dtype=torch.bool)
        is_drawn[order[:n]] = True
        of_train, of_validation = is_drawn.split([len(part) for part in parts])
        left = Splits(
            self.train.subset(~of_train),
            self.validation.subset(~of_validation),
            self.test.subset(torch.arange(0)),
        )
        return replace(
            self,
            train=self.train.subset(of_train),
            validation=self.validation.subset(of_validation),
            rest=left.whole(),
        )

    def whole(self) -> Dataset:
        """Join the rows of all parts in the order of the source, without known clusters."""
        labels = [p.class_labels for p in self if p.class_labels is not None]
        weights = [p.weights for p in self if p.weights is not None]
        names = tuple(chain.from_iterable(p.row_names or () for p in self)) or None
        places = torch.cat([p.places for p in self if p.places is not None])
        joined = replace(
            self.train,
            x=torch.cat([p.x for p in self]),
            covariates=self._covariates(),
            class_labels=torch.cat(labels) if labels else None,
            row_names=names,
            labels=None,
            must_link=None,
            places=places,
            weights=torch.cat(weights) if weights else None,
        )
        return joined.subset(places.argsort())

    def _covariates(self) -> Dataset | None:
        """Join the covariates of all parts, which were read together."""
        parts = [p.covariates for p in self if p.covariates is not None]
        if not parts:
            return None
        return replace(parts[0], x=torch.cat([p.x for p in parts]), places=None)


def hold_out(
    data: Dataset,
    fraction: float,
    part: str,
    *,
    seed: int,
    least: int = 1,
    known: Sequence[int] | None = None,
) -> tuple[Dataset, Dataset]:
    """Cut a random ``fraction`` of the rows off; both parts keep the order of the rows.

    Rows with a label or a group are held out only if there are not enough others, because they are
    worth more in training.

    Args:
        data: the rows.
        fraction: the share to hold out, from 0 up to below 1.
        part: the name of the part in messages, such as ``"test"``.
        seed: the seed of the choice.
        least: the fewest rows that are worth holding out; if there would be fewer, none are.
        known: rows of the source that have a label or a group, where ``data`` does not hold them.

    Returns:
        The rows that stay, and those held out.

    Raises:
        InputError: for another fraction, or if no row would stay.

    >>> from pyro_gmvae.data import TableEncoding
    >>> data = Dataset("points", torch.arange(20.0).view(10, 2), None, TableEncoding)
    >>> stay, held_out = hold_out(data, 0.2, "test", seed=0)
    >>> len(stay), len(held_out)
    (8, 2)
    """
    check_fraction(part, fraction)
    count = max(1, round(fraction * len(data))) if fraction else 0
    if count < least:
        count = 0
    if count and count >= len(data):
        raise InputError(
            f"{data.name} has too few rows to keep some for {part}: give it more rows or a "
            f"{part} fraction of 0."
        )
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    stay = data.known
    if known is not None:
        rows = torch.arange(len(data)) if data.places is None else data.places
        stay = torch.isin(rows, torch.tensor(known, dtype=torch.long))
    order = order[stay[order].sort(stable=True).indices]  # known rows last
    return data.subset(order[count:].sort().values), data.subset(order[:count].sort().values)
