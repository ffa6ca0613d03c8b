"""Draw clusters, the course of a training, and the choice between numbers of clusters.

Every function returns a new matplotlib `Figure`, made without pyplot: no window, no global state,
no backend to choose. Matplotlib is imported when the first picture is drawn.
"""

from pyro_gmvae.plots.clusters import plot_cluster_members, plot_cluster_profiles
from pyro_gmvae.plots.grid import plot_grid
from pyro_gmvae.plots.history import plot_history
from pyro_gmvae.plots.profiles import plot_column_profiles
from pyro_gmvae.plots.saving import save_figure
from pyro_gmvae.plots.selection import plot_selection

__all__ = [
    "plot_cluster_members",
    "plot_cluster_profiles",
    "plot_column_profiles",
    "plot_grid",
    "plot_history",
    "plot_selection",
    "save_figure",
]
