import pytest
import torch

from pyro_gmvae.data import BatchSource, ImageEncoding, ResidentBatches

X = torch.arange(10.0).unsqueeze(1)
Y = torch.arange(10) * 7


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def epoch(batches: ResidentBatches) -> list[float]:
    return torch.cat([x for x, _ in batches]).flatten().tolist()


def test_an_epoch_holds_each_row_once_in_a_new_order() -> None:
    batches = ResidentBatches(X, 3, generator=seeded(0))
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
    batches = ResidentBatches(X, batch_size, drop_last=drop_last)
    assert [len(x) for x, _ in batches] == sizes
    assert len(batches) == len(sizes)
    assert [batches.size(step) for step in range(len(batches))] == sizes


def test_labels_stay_with_their_rows() -> None:
    for x, y in ResidentBatches(X, 4, labels=Y, generator=seeded(0)):
        assert y is not None
        assert torch.equal(x.flatten().long() * 7, y)


def test_without_labels_and_shuffle() -> None:
    batches = ResidentBatches(X, 4, shuffle=False)
    assert epoch(batches) == X.flatten().tolist()
    assert all(y is None for _, y in batches)


def test_generator_state_resumes_bit_for_bit() -> None:
    generator = seeded(0)
    pre = ImageEncoding((1,), "dynamic")
    raw = torch.full((10, 1), 128, dtype=torch.uint8)
    batches = ResidentBatches(raw, 3, transform=lambda x: pre(x, generator), generator=generator)
    epoch(batches)
    state = generator.get_state()
    unbroken = [epoch(batches), epoch(batches)]
    resumed = seeded(99)
    resumed.set_state(state)
    batches = ResidentBatches(raw, 3, transform=lambda x: pre(x, resumed), generator=resumed)
    assert [epoch(batches), epoch(batches)] == unbroken
    assert unbroken[0] != unbroken[1]


def test_own_generator_leaves_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    epoch(ResidentBatches(X, 3, generator=seeded(0)))
    assert torch.equal(before, torch.get_rng_state())


def test_transform_sees_each_batch_and_not_the_labels() -> None:
    seen = []

    def double(x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return 2 * x

    got = [(x, y) for x, y in ResidentBatches(X, 4, labels=Y, transform=double, shuffle=False)]
    assert seen == [4, 4, 2]
    assert torch.equal(torch.cat([x for x, _ in got]), 2 * X)
    assert torch.equal(torch.cat([y for _, y in got if y is not None]), Y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "at least 1"),
        ({"batch_size": 11, "drop_last": True}, "10 rows give no batch of 11"),
        ({"batch_size": 2, "labels": Y[:9]}, "10 rows but 9 labels"),
        ({"batch_size": 2, "covariates": [Y, Y[:9]]}, r"10 rows but \[10, 9\] of the covariates"),
    ],
)
def test_refuses(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResidentBatches(X, **arguments)


def test_refuses_no_rows() -> None:
    with pytest.raises(ValueError, match="0 rows"):
        ResidentBatches(X[:0], 3)


def test_it_is_a_source_of_batches() -> None:
    batches = ResidentBatches(torch.zeros(10, 3, 4), 4)
    assert isinstance(batches, BatchSource)
    assert (batches.n_rows, batches.event_shape) == (10, (3, 4))
    assert batches.transform is None and batches.generator is None


def test_an_epoch_without_its_first_steps_has_the_others() -> None:
    batches = ResidentBatches(X, 3, labels=Y, generator=seeded(0))
    whole = [x.flatten().tolist() for x, _ in batches.epoch()]
    after = batches.generator.get_state()
    for skip in range(5):
        batches.generator = seeded(0)
        assert [x.flatten().tolist() for x, _ in batches.epoch(skip)] == whole[skip:]
        # The next epoch is the same, however many steps of this one were left out.
        assert torch.equal(batches.generator.get_state(), after)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_every_batch(processes: int) -> None:
    def shares(first: int) -> list[list[float]]:
        batches = ResidentBatches(X, 4, labels=Y, covariates=[2 * X], generator=seeded(0))
        share = slice(first, None, processes)
        found = []
        for x, labels, double in batches.epoch(share=share):
            assert labels is not None and torch.equal(x.flatten().long() * 7, labels)
            assert torch.equal(double, 2 * x)
            found.append(x.flatten().tolist())
        return found

    whole = [x.flatten().tolist() for x, _ in ResidentBatches(X, 4, generator=seeded(0)).epoch()]
    every = [shares(first) for first in range(processes)]
    for step, batch in enumerate(whole):
        assert [own[step] for own in every] == [batch[p::processes] for p in range(processes)]


def test_a_transform_sees_only_the_share() -> None:
    seen = []

    def look(x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return x

    batches = ResidentBatches(X, 4, transform=look)
    assert len(list(batches.epoch(skip=1, share=slice(0, None, 2)))) == 2
    assert seen == [2, 1]


def test_a_sample_is_the_same_every_time_and_draws_from_no_generator() -> None:
    own = seeded(3)
    batches = ResidentBatches(X, 3, covariates=[2 * X], transform=torch.neg, generator=own)
    before, state = torch.get_rng_state(), own.get_state()
    (first, double), (second, _) = batches.sample(4), batches.sample(4)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(state, own.get_state())
    assert torch.equal(first, second) and torch.equal(double, 2 * first)
    values = first.flatten().tolist()
    assert len(values) == 4 and values == sorted(set(values)) and set(values) < set(range(10))
    # As stored, not as the transform has them; and not the first rows.
    assert min(values) >= 0 and values != [0, 1, 2, 3]
    list(batches.epoch())
    assert torch.equal(batches.sample(4)[0], first)


@pytest.mark.parametrize("n", [10, 11])
def test_a_sample_of_more_rows_is_all_of_them(n: int) -> None:
    x, double = ResidentBatches(X, 3, covariates=[2 * X]).sample(n)
    assert torch.equal(x, X) and torch.equal(double, 2 * X)
    assert len(ResidentBatches(X, 3).sample(n)) == 1


@pytest.mark.gpu
@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_generator_on_either_device(where: str) -> None:
    generator = torch.Generator(where).manual_seed(0)
    batches = ResidentBatches(X.cuda(), 3, labels=Y, generator=generator)
    for x, y in batches:
        assert x.is_cuda and y is not None and y.is_cuda
        assert torch.equal(x.flatten().long() * 7, y)
    assert sorted(epoch(batches)) == X.flatten().tolist()
