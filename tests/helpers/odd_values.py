"""What people, scripts and grids give where a number or a word belongs."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch


class OwnText(str):
    """Says something else of itself than its characters."""

    def __str__(self) -> str:
        return "something else"


NUMBERS: list[Any] = [-1, 0, 1, 2, 3.5, 0.99, 1e-300, 1e308, 10**6, 2**40, 2**63, 10**9, 10**18]
NUMBERS += [10**30, 10**400, 10**5000, float("nan"), float("inf"), -float("inf"), 1j]
NUMBERS += [Fraction(1, 2), Fraction(10**400), Decimal("0.5"), True, False]
ARRAYS: list[Any] = [np.True_, np.int64(2), np.float64(0.5), np.float32("nan"), np.array(2)]
ARRAYS += [np.array([2]), np.array(["a", "b"]), np.zeros((2, 2)), np.str_("auto"), torch.tensor(2)]
ARRAYS += [torch.tensor(0.5), torch.tensor([2, 3])]
WORDS: list[Any] = ["3", "", "auto", "yes", "cuda:1", "a\nb", "x" * 10**5, OwnText("auto"), b"ab"]
THINGS: list[Any] = [None, (), (2,), [2, True], (10**9,), (2,) * 10**6, range(10**12), {1: 2}, {1}]
THINGS += [[[1]], object(), int, lambda: 1, iter([2])]
ODD = [*NUMBERS, *ARRAYS, *WORDS, *THINGS]

# What a shell passes.
ODD_TEXTS = ["-1", "0", "1.5", "nan", "inf", "1e308", "1e-300", "10000000000", "9" * 20, "9" * 5000]
ODD_TEXTS += ["", "many", "1,2", "1:1000000000", "0x10", "True"]
