"""BERTopic takes the estimator in place of HDBSCAN, with rejected documents as outliers."""

from __future__ import annotations

import numpy as np
import pytest

from pyro_gmvae import GMVAE

pytestmark = pytest.mark.slow  # BERTopic alone takes a minute to import


def test_topics_by_the_clusters_of_fixed_vectors() -> None:
    bertopic = pytest.importorskip("bertopic")
    from bertopic.dimensionality import BaseDimensionalityReduction

    rng = np.random.default_rng(0)
    words = [["cat", "dog", "pet", "fur"], ["bond", "stock", "fund"], ["goal", "team", "coach"]]
    y = np.arange(600) % 3
    documents = [" ".join(rng.choice(words[k], 8)) for k in y]
    vectors = 4 * rng.normal(size=(3, 8))[y] + 0.5 * rng.normal(size=(600, 8))
    clusterer = GMVAE(3, reject=0.05, hidden=(16,), random_state=0)
    model = bertopic.BERTopic(
        hdbscan_model=clusterer,
        umap_model=BaseDimensionalityReduction(),
        embedding_model=None,
    )
    topics, _ = model.fit_transform(documents, embeddings=vectors)
    topics = np.array(topics)
    # The documents of a topic are of one kind; the outliers are those that the estimator rejects.
    assert (topics == -1).tolist() == (clusterer.labels_ == -1).tolist()
    assert 0 <= (topics == -1).mean() < 0.1
    kinds = [np.unique(y[topics == topic]) for topic in range(3)]
    assert sorted(kind.item() for kind in kinds) == [0, 1, 2]
    for topic, kind in enumerate(kinds):
        assert {word for word, _ in model.get_topic(topic)[:3]} <= set(words[kind.item()])
    # New documents: far vectors are outliers, others get the topic of their kind.
    new = np.r_[vectors[topics >= 0][:30], np.full((2, 8), 60.0)]
    placed, _ = model.transform(documents[:32], embeddings=new)
    assert (np.array(placed[:30]) == topics[topics >= 0][:30]).mean() > 0.9
    assert placed[30:] == [-1, -1]
