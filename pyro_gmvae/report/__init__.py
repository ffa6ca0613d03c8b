"""Report what the clusters of a fitted model are: one page to read, to print and to send."""
