"""Count what a server does, in the text format of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Lock

__all__ = ["Metrics"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Count requests by path and status, their seconds, and rows by cluster.

    The rows by cluster show whether rows drift away from those of training.

    >>> metrics = Metrics()
    >>> metrics.request("/predict", 200, 0.02)
    >>> metrics.rows([1, 1, 0])
    >>> "pyro_gmvae_rows_total{cluster=\\"1\\"} 2" in metrics.text()
    True
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._rows: Counter[int] = Counter()
        self._within: Counter[float] = Counter()
        self._seconds, self._timed = 0.0, 0

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        with self._lock:
            self._requests[path, status] += 1
            self._seconds += seconds
            self._timed += 1
            self._within.update(bound for bound in SECONDS if seconds <= bound)

    def rows(self, clusters: Sequence[int]) -> None:
        """Count rows that were placed."""
        with self._lock:
            self._rows.update(clusters)

    def text(self) -> str:
        """Return all counts."""
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# HELP pyro_gmvae_requests_total Requests that were answered."
        yield "# TYPE pyro_gmvae_requests_total counter"
        for (path, status), count in sorted(self._requests.items()):
            yield f'pyro_gmvae_requests_total{{path="{path}",status="{status}"}} {count}'
        yield "# HELP pyro_gmvae_rows_total Rows that were placed, by cluster."
        yield "# TYPE pyro_gmvae_rows_total counter"
        for cluster, count in sorted(self._rows.items()):
            yield f'pyro_gmvae_rows_total{{cluster="{cluster}"}} {count}'
        name = "pyro_gmvae_request_seconds"
        yield f"# HELP {name} Seconds from a request to its answer."
        yield f"# TYPE {name} histogram"
        for bound in SECONDS:
            yield f'{name}_bucket{{le="{bound}"}} {self._within[bound]}'
        yield f'{name}_bucket{{le="+Inf"}} {self._timed}'
        yield f"{name}_sum {self._seconds:.6f}"
        yield f"{name}_count {self._timed}"
