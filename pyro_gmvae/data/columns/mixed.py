"""Bring columns of several kinds to the columns that a model sees, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from pyro_gmvae.data.columns.numbers import AMOUNT, skewness
from pyro_gmvae.data.columns.quantiles import (
    FAR,
    MOST_KNOTS,
    draw_near,
    fit_knots,
    has_far_cells,
    padded,
    straighten,
)
from pyro_gmvae.data.schema import Schema
from pyro_gmvae.errors import InputError
from pyro_gmvae.stored import DamagedError, typed

__all__ = ["MixedColumns"]

MOST_LINES = MOST_KNOTS + 1  # corners that a stored map may have


class MixedColumns(nn.Module):
    """Map D columns to the D' columns that a model sees: all that is not shift and scale.

    An amount is taken to sign(x) log(1 + abs(x)). Levels become codes from 0 on. A spike becomes
    two columns: whether it is not the usual value, and the value, which is missing where it is the
    usual one. Numbers with far cells go by `straighten` to normal scores, after shift and scale.

    Args:
        schema: the columns.
        logged: the places of the columns that are taken to logarithms.
        warped: the places of the columns that go to normal scores.
        lines: the number of corners of such a map.

    Attributes:
        words: what each of the D' columns is: ``"real"``, ``"count"`` or ``"levels:L"``.
        weights: the weight of each of the D' columns.
        places: the place among the D columns of each of the D' columns.

    >>> from pyro_gmvae.data.schema import Column
    >>> columns = (Column("visits", "count"), Column("gain", "spike", usual=0.0))
    >>> mixed = MixedColumns(Schema(columns))
    >>> mixed.words
    ('count', 'levels:2', 'real')
    >>> raw = torch.tensor([[3.0, 0.0], [0.0, 7.5]], dtype=torch.float64)
    >>> mixed.expand(mixed.prepare(raw), raw)
    tensor([[3.0000, 0.0000,    nan],
            [0.0000, 1.0000, 7.5000]], dtype=torch.float64)
    """

    at_spikes: Tensor
    at_answers: Tensor
    at_values: Tensor
    at_places: Tensor
    at_levels: Tensor
    at_coded: Tensor
    at_counts: Tensor
    at_warped: Tensor
    logged: Tensor
    usual: Tensor
    middles: Tensor
    numbers: Tensor
    highest: Tensor
    knots: Tensor
    scores: Tensor

    def __init__(
        self,
        schema: Schema,
        logged: Sequence[int] = (),
        warped: Sequence[int] = (),
        lines: int = 2,
    ) -> None:
        super().__init__()
        self.logged_places, self.warped, self.lines = tuple(logged), tuple(warped), lines
        words: list[str] = []
        places: list[int] = []
        self.answers: list[int] = []  # places among the D' columns of the spikes' answers
        self.values: list[int] = []  # places among the D' columns of the D columns' values
        self.spikes = [i for i, c in enumerate(schema.columns) if c.kind == "spike"]
        for i, column in enumerate(schema.columns):
            if column.kind == "spike":
                self.answers.append(len(words))
                words.append("levels:2")
                places.append(i)
            self.values.append(len(words))
            places.append(i)
            if column.has_levels:
                words.append(f"levels:{len(column.levels)}")
            else:
                words.append("count" if column.kind == "count" else "real")
        self.words, self.places = tuple(words), tuple(places)
        self.weights = tuple(schema.columns[i].weight for i in places)
        self.continuous = [
            i for i, c in enumerate(schema.columns) if not (c.has_levels or c.kind == "count")
        ]
        self.counts = [i for i, c in enumerate(schema.columns) if c.kind == "count"]
        self._keep(schema)

    def _keep(self, schema: Schema) -> None:
        """Make the buffers; all but the corners follow from the columns and are not stored."""
        columns = schema.columns
        logs = np.isin(np.arange(len(columns)), self.logged_places)
        usual = [c.usual or 0.0 for c in columns if c.kind == "spike"]
        self.leveled = [i for i, c in enumerate(columns) if c.has_levels]
        self.coded = [i for i in self.leveled if columns[i].cells == "number"]
        levels = [np.array(columns[i].levels, dtype=np.float64) for i in self.coded]
        longest = max(map(len, levels), default=1)
        numbers = np.full((len(levels), longest), np.inf)
        for row, own in zip(numbers, levels, strict=True):
            row[: len(own)] = own
        halves = numbers[:, 1:] / 2 + numbers[:, :-1] / 2
        highest = [float(len(columns[i].levels) - 1) for i in self.leveled]
        derived = {
            "logged": logs,
            "usual": np.array(usual, dtype=np.float64),
            "numbers": numbers,
            "middles": halves,
            "highest": np.array(highest, dtype=np.float64),
        }
        # Indices are tensors, so that nothing is copied to the device in each step.
        places = {
            "at_spikes": self.spikes,
            "at_answers": self.answers,
            "at_values": self.values,
            "at_places": self.places,
            "at_levels": self.leveled,
            "at_coded": self.coded,
            "at_counts": self.counts,
            "at_warped": self.warped,
        }
        derived |= {name: np.array(at, dtype=np.int64) for name, at in places.items()}
        for name, value in derived.items():
            self.register_buffer(name, torch.from_numpy(value), persistent=False)
        size = (len(self.warped), self.lines)
        self.register_buffer("knots", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("scores", torch.zeros(size, dtype=torch.float64))

    @classmethod
    def fit(
        cls, schema: Schema, raw: Float64[Tensor, "rows columns"]
    ) -> tuple[MixedColumns, Float64[Tensor, "rows columns"]]:
        """Choose the columns to take to logarithms and to normal scores by the training rows.

        Returns:
            The map without the corners of its lines, which `fit_lines` finds; and the numbers to
            find shift and scale by, where far cells are drawn near and codes and counts are 0.
        """
        logged = [i for i, c in enumerate(schema.columns) if c.kind == "amount"]
        plain = cls(schema)
        values = plain.prepare(raw).numpy()
        for i in plain.spikes:
            known = values[:, i][~np.isnan(values[:, i])]
            if len(known) and known.min() >= 0 and skewness(known) > AMOUNT:
                logged.append(i)
        flat = cls(schema, sorted(logged)).prepare(raw).numpy()
        near, warped = np.zeros_like(flat), []
        for i in plain.continuous:
            known = flat[:, i][~np.isnan(flat[:, i])]
            near[:, i] = flat[:, i]
            if has_far_cells(known):
                near[~np.isnan(flat[:, i]), i] = draw_near(known, FAR)
                warped.append(i)
        lines = max((len(fit_knots(_known(flat[:, i])).at) for i in warped), default=2)
        return cls(schema, sorted(logged), warped, lines), torch.from_numpy(near)

    def fit_lines(self, scaled: Float64[Tensor, "rows columns"]) -> None:
        """Find the corners of the maps to normal scores.

        Args:
            scaled: the training rows after `prepare`, shift and scale.
        """
        for row, i in enumerate(self.warped):
            found = padded(fit_knots(_known(scaled[:, i].numpy())), self.lines)
            self.knots[row] = torch.from_numpy(found.at)
            self.scores[row] = torch.from_numpy(found.scores)

    def prepare(self, raw: Float64[Tensor, "*batch columns"]) -> Float64[Tensor, "*batch columns"]:
        """Take logarithms and codes, and make the usual values of spikes missing."""
        flat = torch.where(self.logged, raw.sign() * raw.abs().log1p(), raw)
        if self.spikes:
            spiked = raw[..., self.at_spikes] == self.usual
            flat[..., self.at_spikes] = flat[..., self.at_spikes].masked_fill(spiked, torch.nan)
        if self.coded:
            numbers = raw[..., self.at_coded]
            by_column = numbers.reshape(-1, len(self.coded)).T.contiguous()
            codes = torch.searchsorted(self.middles, by_column).to(raw.dtype)
            codes = codes.T.reshape(numbers.shape)
            flat[..., self.at_coded] = codes.masked_fill(numbers.isnan(), torch.nan)
        return flat

    def expand(
        self,
        scaled: Float[Tensor, "*batch columns"],
        raw: Float[Tensor, "*batch columns"],
    ) -> Float[Tensor, "*batch model_columns"]:
        """Map columns after shift and scale to normal scores, and add the answers of spikes."""
        if self.warped:
            warped, _ = straighten(scaled[..., self.at_warped], self.knots, self.scores)
            scaled = scaled.clone()
            scaled[..., self.at_warped] = warped
        made = scaled[..., self.at_places]
        if self.spikes:
            own = raw[..., self.at_spikes]
            answers = (own != self.usual).to(made.dtype).masked_fill(own.isnan(), torch.nan)
            made[..., self.at_answers] = answers
        return made

    def collapse(
        self, x: Float[Tensor, "*batch model_columns"]
    ) -> Float64[Tensor, "*batch columns"]:
        """Undo the normal scores, and drop the answers of spikes."""
        flat = x[..., self.at_values].double()
        if self.warped:
            flat[..., self.at_warped], _ = straighten(
                flat[..., self.at_warped], self.scores, self.knots
            )
        return flat

    def restore(
        self,
        flat: Float64[Tensor, "*batch columns"],
        x: Float[Tensor, "*batch model_columns"],
    ) -> Float64[Tensor, "*batch columns"]:
        """Undo `prepare` after shift and scale; round codes to levels, and keep counts from 0 on.

        Args:
            flat: what `collapse` gave, in the units of `prepare`.
            x: the rows on model scale, which hold the answers of spikes.
        """
        raw = torch.where(self.logged, flat.sign() * flat.abs().expm1(), flat)
        if self.leveled:
            codes = raw[..., self.at_levels].round()
            raw[..., self.at_levels] = torch.minimum(codes.clamp(min=0), self.highest)
        if self.coded:
            codes = raw[..., self.at_coded]
            places = codes.nan_to_num(0.0).long().reshape(-1, len(self.coded)).T
            numbers = self.numbers.gather(1, places).T.reshape(codes.shape)
            raw[..., self.at_coded] = numbers.masked_fill(codes.isnan(), torch.nan)
        if self.counts:
            raw[..., self.at_counts] = raw[..., self.at_counts].clamp(min=0)
        if self.spikes:
            answers = x[..., self.at_answers]
            value = torch.where(answers >= 0.5, raw[..., self.at_spikes], self.usual)
            raw[..., self.at_spikes] = value.masked_fill(answers.isnan(), torch.nan)
        return raw

    def log_slope(
        self,
        scaled: Float64[Tensor, "rows columns"],
        raw: Float64[Tensor, "rows columns"],
    ) -> Float64[Tensor, "rows columns"]:
        """Return the log of how steep the logarithms and the normal scores are at each cell."""
        slope = torch.where(self.logged, -raw.abs().log1p(), torch.zeros_like(raw))
        if self.warped:
            _, steep = straighten(scaled[..., self.at_warped], self.knots, self.scores)
            slope[..., self.at_warped] += steep.log()
        return slope

    @property
    def has_density(self) -> Bool[Tensor, " columns"]:
        """Return which of the D columns have a density; the others have probabilities."""
        found = torch.zeros(len(self.values), dtype=torch.bool, device=self.logged.device)
        found[self.continuous] = True
        return found

    def names_on_model_scale(self, schema: Schema) -> tuple[str, ...]:
        """Return a name for each of the D' columns; the answer of a spike has one of its own."""
        names, answers = schema.shown_names, set(self.answers)
        return tuple(
            f"{names[place]} is unusual" if i in answers else names[place]
            for i, place in enumerate(self.places)
        )

    def to_config(self) -> dict[str, Any]:
        """Return the structure as plain JSON."""
        return {
            "logged": list(self.logged_places),
            "quantiles": list(self.warped),
            "knots": self.lines,
        }

    @classmethod
    def from_config(cls, schema: Schema, config: Any) -> MixedColumns:
        """Make a map of the stored structure, ready for ``load_state_dict``.

        Raises:
            InputError: if it is not what `to_config` writes.
        """
        try:
            stored = typed(dict[str, Any], config, "mixed")
            logged = typed(tuple[int, ...], stored.get("logged"), "logged")
            warped = typed(tuple[int, ...], stored.get("quantiles"), "quantiles")
            lines = typed(int, stored.get("knots"), "knots")
            continuous = set(cls(schema).continuous)
            for places in (logged, warped):
                if len(set(places)) < len(places) or not continuous.issuperset(places):
                    raise DamagedError("it names columns that are not of numbers")
            if not 2 <= lines <= MOST_LINES:
                raise DamagedError(f"knots is {lines}")
        except DamagedError as error:
            raise InputError(f"The stored columns are damaged ({error}): train again.") from error
        return cls(schema, logged, warped, lines)


def _known(values: np.ndarray) -> np.ndarray:
    return values[~np.isnan(values)]
