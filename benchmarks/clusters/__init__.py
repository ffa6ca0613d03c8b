"""Judge clusters by classes that the training was not given."""
