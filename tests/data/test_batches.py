import pytest
import torch

from pyro_gmvae.data import Batches, Preprocessor

X = torch.arange(10.0).unsqueeze(1)
Y = torch.arange(10) * 7


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def epoch(batches: Batches) -> list[float]:
    return torch.cat([x for x, _ in batches]).flatten().tolist()


def test_an_epoch_holds_each_row_once_in_a_new_order() -> None:
    batches = Batches(X, 3, generator=seeded(0))
    first, second = epoch(batches), epoch(batches)
    assert sorted(first) == sorted(second) == X.flatten().tolist()
    assert first != second != X.flatten().tolist()


@pytest.mark.parametrize(
    ("batch_size", "drop_last", "sizes"),
    [
        (3, False, [3, 3, 3, 1]),
        (3, True, [3, 3, 3]),
        (5, False, [5, 5]),
        (5, True, [5, 5]),
        (99, False, [10]),
        (1, True, [1] * 10),
    ],
)
def test_sizes_and_length(batch_size: int, drop_last: bool, sizes: list[int]) -> None:
    batches = Batches(X, batch_size, drop_last=drop_last)
    assert [len(x) for x, _ in batches] == sizes
    assert len(batches) == len(sizes)


def test_labels_stay_with_their_rows() -> None:
    for x, y in Batches(X, 4, y=Y, generator=seeded(0)):
        assert y is not None
        assert torch.equal(x.flatten().long() * 7, y)


def test_without_labels_and_shuffle() -> None:
    batches = Batches(X, 4, shuffle=False)
    assert epoch(batches) == X.flatten().tolist()
    assert all(y is None for _, y in batches)


def test_generator_state_resumes_bit_for_bit() -> None:
    generator = seeded(0)
    pre = Preprocessor.for_images((1,), "dynamic")
    raw = torch.full((10, 1), 128, dtype=torch.uint8)
    batches = Batches(raw, 3, transform=lambda x: pre(x, generator), generator=generator)
    epoch(batches)
    state = generator.get_state()
    unbroken = [epoch(batches), epoch(batches)]
    resumed = seeded(99)
    resumed.set_state(state)
    batches = Batches(raw, 3, transform=lambda x: pre(x, resumed), generator=resumed)
    assert [epoch(batches), epoch(batches)] == unbroken
    assert unbroken[0] != unbroken[1]


def test_own_generator_leaves_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    epoch(Batches(X, 3, generator=seeded(0)))
    assert torch.equal(before, torch.get_rng_state())


def test_transform_sees_each_batch_and_not_the_labels() -> None:
    seen = []

    def double(x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return 2 * x

    got = [(x, y) for x, y in Batches(X, 4, y=Y, transform=double, shuffle=False)]
    assert seen == [4, 4, 2]
    assert torch.equal(torch.cat([x for x, _ in got]), 2 * X)
    assert torch.equal(torch.cat([y for _, y in got if y is not None]), Y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "at least 1"),
        ({"batch_size": 11, "drop_last": True}, "10 rows give no batch of 11"),
        ({"batch_size": 2, "y": Y[:9]}, "10 rows but 9 labels"),
    ],
)
def test_refuses(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Batches(X, **arguments)


def test_refuses_no_rows() -> None:
    with pytest.raises(ValueError, match="0 rows"):
        Batches(X[:0], 3)


@pytest.mark.gpu
@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_generator_on_either_device(where: str) -> None:
    generator = torch.Generator(where).manual_seed(0)
    batches = Batches(X.cuda(), 3, y=Y, generator=generator)
    for x, y in batches:
        assert x.is_cuda and y is not None and y.is_cuda
        assert torch.equal(x.flatten().long() * 7, y)
    assert sorted(epoch(batches)) == X.flatten().tolist()
