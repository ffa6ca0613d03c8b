import pytest
import torch

from pyro_gmvae.errors import InputError
from pyro_gmvae.evaluation import cluster_means, reconstruct, sample
from pyro_gmvae.models import METHODS, ConcreteGMVAE
from tests.helpers.linear_gaussian import SCALE, linear_gaussian

K_SE = 4.0


@pytest.mark.parametrize("method", METHODS)
def test_samples_follow_the_model(method: str) -> None:
    gmvae = linear_gaussian(method)
    n = 6000
    x, y = sample(gmvae, n, mean=False)
    assert x.shape == (n, 3)
    pi = gmvae.model.log_p_y().detach().exp()
    shares = y.bincount(minlength=3) / n
    assert ((shares - pi).abs() < K_SE * (pi * (1 - pi) / n).sqrt()).all()
    means = cluster_means(gmvae)  # linear decoder: E[x|y] = decoder(mu_y)
    for k in range(3):
        of_k = x[y == k]
        assert ((of_k.mean(0) - means[k]).abs() < K_SE * of_k.std(0) / len(of_k) ** 0.5).all()


def test_mean_leaves_out_the_noise_of_x() -> None:
    gmvae = linear_gaussian("exact")
    (mean, y), (draw, y_again) = (sample(gmvae, 4000, mean=m, seed=5) for m in (True, False))
    assert torch.equal(y, y_again)
    assert (draw - mean).std().item() == pytest.approx(SCALE, rel=0.05)


def test_clusters_can_be_chosen() -> None:
    gmvae = ConcreteGMVAE((1, 2, 3), 4, 2, hidden=(8,), temperature=2.0, kl="relaxed")
    x, y = sample(gmvae, 5, y=3)
    assert x.shape == (5, 1, 2, 3)
    assert y.tolist() == [3] * 5
    assert sample(gmvae, 3, y=torch.tensor([0, 1, 2]))[1].tolist() == [0, 1, 2]
    assert sample(gmvae, 3, y=torch.tensor([0, 1, 2], dtype=torch.int32))[1].tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="for each of the 3 draws"):
        sample(gmvae, 3, y=torch.tensor([0, 1]))
    assert sample(gmvae, 20)[1].dtype == torch.int64
    with pytest.raises(InputError, match="0 to 3"):
        sample(gmvae, 2, y=4)
    with pytest.raises(InputError, match="covariate"):
        sample(gmvae, 2, covariates=(torch.zeros(3),))
    with pytest.raises(ValueError, match="n must be"):
        sample(gmvae, 0)


def test_seeded_and_global_state_untouched() -> None:
    gmvae = linear_gaussian("sparse").train()
    state = torch.get_rng_state()
    first, again, other = (sample(gmvae, 4, mean=False, seed=s)[0] for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert gmvae.training


@pytest.mark.parametrize("method", METHODS)
def test_shapes(method: str) -> None:
    gmvae = METHODS[method]((1, 4, 4), 3, 2, hidden=(8,))
    x = torch.rand(7, 1, 4, 4)
    whole, parts = reconstruct(gmvae, x), reconstruct(gmvae, x, batch_size=3)
    torch.testing.assert_close(whole, parts)
    assert whole.shape == x.shape
    assert cluster_means(gmvae).shape == (3, 1, 4, 4)


def test_reconstruction_is_of_the_likeliest_cluster() -> None:
    gmvae = linear_gaussian("exact")  # its q(z|x,y) is centred on the cluster
    x, _ = sample(gmvae, 20, mean=False)
    with torch.no_grad():
        likeliest = gmvae.responsibilities(x).argmax(-1)
    torch.testing.assert_close(reconstruct(gmvae, x), cluster_means(gmvae)[likeliest])
