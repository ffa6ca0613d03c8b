"""The test case that every likelihood must pass.

For one of your own, subclass `LikelihoodContract` in a test file and say how it is made:

    class TestMine(LikelihoodContract):
        def make(self, event_shape):
            return Mine(event_shape)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from pyro_gmvae.likelihoods import Likelihood

N_DRAWS, SIGMAS = 20_000, 4.5  # one in 150,000 figures is farther off than 4.5 standard errors


class LikelihoodContract(ABC):
    """What holds for every likelihood.

    Attributes:
        event_shapes: shapes of an observation that it takes.
        several_outputs: whether entries have different numbers of outputs, which are one vector.
    """

    event_shapes: ClassVar[tuple[tuple[int, ...], ...]] = ((5,), (1, 2, 3))
    several_outputs: ClassVar[bool] = False

    @abstractmethod
    def make(self, event_shape: tuple[int, ...]) -> Likelihood: ...

    @pytest.mark.parametrize("batch", [(), (4,), (3, 1, 4)])
    def test_shapes(self, batch: tuple[int, ...]) -> None:
        for event_shape in self.event_shapes:
            likelihood = self.make(event_shape)
            output = torch.randn(*batch, *likelihood.output_shape)
            p_x = likelihood(output)
            assert p_x.batch_shape == batch
            assert p_x.event_shape == event_shape
            assert p_x.log_prob(p_x.sample()).shape == batch
            assert likelihood.mean(output).shape == (*batch, *event_shape)

    def test_density_is_that_of_the_draws(self) -> None:
        likelihood = self.make((2,))
        output = torch.randn(likelihood.output_shape).double()
        likelihood.double()
        p = likelihood(output)
        other = likelihood(output + 0.1 * torch.randn_like(output))
        x = p.sample((N_DRAWS,))
        with torch.no_grad():
            weights = (other.log_prob(x) - p.log_prob(x)).exp()
        assert weights.std() > 0
        assert abs(weights.mean() - 1) < SIGMAS * weights.std() / N_DRAWS**0.5

    def test_mean_is_that_of_the_draws(self) -> None:
        likelihood = self.make((2,))
        output = torch.randn(likelihood.output_shape)
        x = likelihood(output).sample((N_DRAWS,)).double()
        error = (x.mean(0) - likelihood.mean(output)).abs()
        assert (error < SIGMAS * x.std(0) / N_DRAWS**0.5).all()

    @pytest.mark.parametrize("size", [30.0, 1e3])
    def test_finite_at_extreme_outputs(self, size: float) -> None:
        likelihood = self.make((3,))
        typical = likelihood(torch.randn(64, *likelihood.output_shape)).sample()
        sign = torch.randn(64, *likelihood.output_shape).sign()
        output = (size * sign).requires_grad_()
        log_p = likelihood(output).log_prob(typical)
        log_p.sum().backward()
        assert log_p.isfinite().all()
        assert output.grad is not None
        assert output.grad.isfinite().all()

    def test_every_output_and_parameter_gets_a_gradient(self) -> None:
        likelihood = self.make((3,))
        output = torch.randn(8, *likelihood.output_shape, requires_grad=True)
        p_x = likelihood(output)
        p_x.log_prob(p_x.sample()).sum().backward()
        for tensor in (output, *likelihood.parameters()):
            assert tensor.grad is not None
            assert (tensor.grad != 0).all()

    def test_masked_entries_count_for_nothing(self) -> None:
        likelihood = self.make((3,))
        output = torch.randn(4, *likelihood.output_shape)
        mask = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]]).bool()
        x, elsewhere = likelihood(output).sample((2,))
        entrywise = likelihood.entrywise(output).log_prob(x)
        expected = torch.where(mask, entrywise, torch.zeros(())).sum(-1)

        def score(x: Tensor) -> tuple[Tensor, Tensor]:
            leaf = output.clone().requires_grad_()
            log_p = likelihood(leaf, mask).log_prob(x)
            return log_p.detach(), torch.autograd.grad(log_p.sum(), leaf)[0]

        log_p, gradient = score(x)
        torch.testing.assert_close(log_p, expected.detach())
        if self.several_outputs:
            # Which of them belong to an entry only the likelihood knows.
            torch.testing.assert_close(score(torch.where(mask, x, elsewhere)), (log_p, gradient))
            assert (gradient[2] == 0).all() and (gradient[3] != 0).all()
            return
        several = gradient.dim() - mask.dim()  # outputs for one entry, on dimensions of their own
        unobserved = (~mask).view(4, *[1] * several, 3).expand_as(gradient)
        assert (gradient[unobserved] == 0).all()
        assert (gradient[~unobserved] != 0).all()
        torch.testing.assert_close(score(torch.where(mask, x, elsewhere)), (log_p, gradient))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_keeps_the_dtype(self, dtype: torch.dtype) -> None:
        likelihood = self.make((3,)).to(dtype)
        p_x = likelihood(torch.randn(2, *likelihood.output_shape, dtype=dtype))
        assert p_x.sample().dtype is dtype
        assert p_x.log_prob(p_x.sample()).dtype is dtype
