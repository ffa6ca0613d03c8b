"""Define the error for input that only the user can correct."""


class InputError(ValueError):
    """Report input that cannot be used.

    The message is one sentence that says what is wrong and names the fix. The command line prints
    it and ends with exit code 2.

    >>> raise InputError("there is no column 'age': choose from 'size' and 'weight'")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: there is no column 'age': choose from 'size' and 'weight'
    """
