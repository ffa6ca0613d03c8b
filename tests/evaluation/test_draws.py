import pyro.distributions as dist
import torch

from pyro_gmvae.evaluation._draws import draw_z
from pyro_gmvae.noise import RowNoise

K_SE = 4.0


def test_mixture_draws_have_its_moments() -> None:
    loc = torch.tensor([[[-3.0], [0.0], [4.0]]])
    probs = torch.tensor([[0.5, 0.2, 0.3]])
    normal = dist.Normal(loc, torch.full_like(loc, 0.5)).to_event(1)
    q_z = dist.MixtureSameFamily(dist.Categorical(probs=probs), normal)
    z = draw_z(q_z, RowNoise(0, [0], 2).draw(20_000, loc))[:, 0, 0]
    assert (z.mean() - q_z.mean.item()).abs() < K_SE * z.std() / 20_000**0.5
    shares = torch.stack([(z < -1.5), (z.abs() < 1.5), (z > 2)]).float().mean(-1)
    assert ((shares - probs[0]).abs() < K_SE * (0.25 / 20_000) ** 0.5 + 0.003).all()


def test_clusters_of_probability_zero_are_never_drawn() -> None:
    loc = torch.tensor([[[9.0], [0.0], [9.0]]])
    normal = dist.Normal(loc, torch.full_like(loc, 1e-3)).to_event(1)
    q_z = dist.MixtureSameFamily(dist.Categorical(probs=torch.tensor([[0.0, 1.0, 0.0]])), normal)
    extremes = torch.tensor([2**-25, 0.5, 1 - 2**-24]).reshape(3, 1, 1).expand(3, 1, 2)
    assert draw_z(q_z, extremes).abs().max() < 1
