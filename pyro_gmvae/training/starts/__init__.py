"""Where a training begins: near clusters that something simpler has found.

A strategy has a name in `CLUSTERINGS` and is one function: from `Rows`, the data and the model that
is to be begun, to a cluster ``(N,)`` or responsibilities ``(N, K)`` for each datum. `begin_near`
lets the model take them over. A new strategy is a function in a file here and an entry in the
dictionary; the command line and the estimator then know it by its name.
"""

from pyro_gmvae.training.starts.choice import CLUSTERINGS, STARTS, begin_near, start_by
from pyro_gmvae.training.starts.data import kmeans_clusters
from pyro_gmvae.training.starts.rows import Clustering, Rows

__all__ = [
    "CLUSTERINGS",
    "STARTS",
    "Clustering",
    "Rows",
    "begin_near",
    "kmeans_clusters",
    "start_by",
]
