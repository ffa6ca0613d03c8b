"""Define the errors that end the work: input that only the user can correct, and signals."""


class InputError(ValueError):
    """Report input that cannot be used.

    The message is one sentence that says what is wrong and names the fix. The command line prints
    it and ends with exit code 2.

    >>> raise InputError("there is no column 'age': choose from 'size' and 'weight'")
    Traceback (most recent call last):
    pyro_gmvae.errors.InputError: there is no column 'age': choose from 'size' and 'weight'
    """


class SignalReceived(KeyboardInterrupt):
    """Report that a signal of the system, such as SIGTERM, ended the work.

    It is a `KeyboardInterrupt`, which nothing mistakes for a failure.

    Attributes:
        number: the number of the signal; a shell expects the exit code 128 + ``number``.

    >>> error = SignalReceived(15, "the training was interrupted")
    >>> error.number, str(error)
    (15, 'the training was interrupted')
    """

    def __init__(self, number: int, message: str = "interrupted") -> None:
        super().__init__(message)
        self.number = number
