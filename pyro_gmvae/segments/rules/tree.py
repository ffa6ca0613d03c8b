"""Distil responsibilities into a shallow tree, and read the way to each of its leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isinf
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from pyro_gmvae.data.schema import Schema
from pyro_gmvae.segments.rules.columns import Feature, bound_between, features_of, questions
from pyro_gmvae.segments.rules.conditions import Condition

__all__ = ["Leaf", "SegmentTree"]

LEAST_SHARE, LEAST_ROWS = 0.005, 5  # of the rows, in a leaf


@dataclass(frozen=True)
class Leaf:
    """Hold a leaf of a tree, or several that are siblings and of one segment.

    Attributes:
        segment: the likeliest segment of its rows.
        conditions: what a row has to meet, one for each column that is asked for.
        nodes: the numbers of the leaves in scikit-learn's tree.

    >>> Leaf(2, (), (0,)).holds(np.zeros((2, 1)))
    array([ True,  True])
    """

    segment: int
    conditions: tuple[Condition, ...]
    nodes: tuple[int, ...]

    def holds(self, x: Float[np.ndarray, "N D"]) -> Bool[np.ndarray, " N"]:
        """Return which rows meet all conditions."""
        met = np.full(len(x), True)
        for condition in self.conditions:
            met &= condition.holds(x[:, condition.place])
        return met


@dataclass(frozen=True, eq=False)
class SegmentTree:
    """Hold a tree that says the segment of a row by its columns.

    It is a regression tree of the K responsibilities, which is a classification tree by Gini's
    criterion whose labels are probabilities: a torn row counts by half for each of two segments.

    Attributes:
        schema: the columns.
        features: the questions that it may ask.
        tree: scikit-learn's tree of their answers.

    >>> from pyro_gmvae.data.schema import Column
    >>> x = np.arange(20.0)[:, None]
    >>> q = np.eye(2)[(x[:, 0] > 8).astype(int)]
    >>> tree = SegmentTree.fit(Schema((Column("age"),)), x, q, np.ones(20), 3)
    >>> [str(leaf.conditions[0]) for leaf in tree.leaves()]
    ['age <= 8', 'age > 8']
    """

    schema: Schema
    features: tuple[Feature, ...]
    tree: Any

    @classmethod
    def fit(
        cls,
        schema: Schema,
        x: Float[np.ndarray, "N D"],
        q: Float[np.ndarray, "N K"],
        weights: Float[np.ndarray, " N"],
        max_depth: int,
    ) -> SegmentTree:
        """Grow a tree; a leaf has at least 5 rows, and half a per cent of them.

        Args:
            schema: the D columns.
            x: rows in raw units, NaN where a cell is missing.
            q: responsibilities.
            weights: how much each row counts.
            max_depth: the most questions for a row.

        >>> from pyro_gmvae.data.schema import Column
        >>> x = np.arange(20.0)[:, None]
        >>> q = np.eye(2)[(x[:, 0] > 8).astype(int)]
        >>> tree = SegmentTree.fit(Schema((Column("age"),)), x, q, np.ones(20), 3)
        >>> [(leaf.segment, str(leaf.conditions[0])) for leaf in tree.leaves()]
        [(0, 'age <= 8'), (1, 'age > 8')]
        """
        from sklearn.tree import DecisionTreeRegressor

        least = max(LEAST_ROWS, int(LEAST_SHARE * len(x)))
        features = features_of(schema, x, least)
        if not features:  # columns that do not vary: one leaf
            features = (Feature(0, None, np.zeros(1)),)
        tree = DecisionTreeRegressor(max_depth=max_depth, min_samples_leaf=least, random_state=0)
        return cls(schema, features, tree.fit(questions(features, x), q, sample_weight=weights))

    def leaf_nodes(self, x: Float[np.ndarray, "N D"]) -> Int64[np.ndarray, " N"]:
        """Return the leaf of each row that the tree was grown on, as scikit-learn says it."""
        nodes: np.ndarray = self.tree.apply(questions(self.features, x))
        return nodes.astype(np.int64)

    def leaves(self) -> tuple[Leaf, ...]:
        """Return all leaves from left to right, siblings of one segment as one."""
        return tuple(self._below(0, {}))

    def assign(self, x: Float[np.ndarray, "N D"]) -> Int64[np.ndarray, " N"]:
        """Return the segment of each row by the conditions of the leaves."""
        found = np.full(len(x), -1, dtype=np.int64)
        for leaf in self.leaves():
            found[leaf.holds(x)] = leaf.segment
        return found

    def _segment(self, node: int) -> int:
        return int(self.tree.tree_.value[node].ravel().argmax())

    def _below(self, node: int, path: dict[int, Condition]) -> Iterator[Leaf]:
        inner = self.tree.tree_
        left, right = int(inner.children_left[node]), int(inner.children_right[node])
        ends = set(self._ends(node))
        if len({self._segment(end) for end in ends}) == 1:
            yield Leaf(self._segment(min(ends)), tuple(path.values()), tuple(sorted(ends)))
            return
        feature = self.features[int(inner.feature[node])]
        gap_left = bool(inner.missing_go_to_left[node])
        threshold = float(inner.threshold[node])
        column = feature.column
        before = path.get(column, Condition.any(self.schema, column))
        for child, is_left in ((left, True), (right, False)):
            missing = gap_left == is_left
            if isinf(threshold):  # all known cells go left
                after = before.without_known() if not is_left else before
                after = after if missing else after.without_missing()
            elif feature.level is not None:
                after = before.level(feature.level, holds=not is_left, missing=missing)
            else:
                low = int(threshold)
                bound = bound_between(
                    float(feature.values[low]),
                    float(feature.values[low + 1]),
                    date=self.schema.columns[column].cells == "date",
                )
                after = before.side(bound, below=is_left, missing=missing)
            yield from self._below(child, {**path, column: after})

    def _ends(self, node: int) -> Iterator[int]:
        inner = self.tree.tree_
        if inner.children_left[node] < 0:
            yield node
        else:
            yield from self._ends(int(inner.children_left[node]))
            yield from self._ends(int(inner.children_right[node]))
