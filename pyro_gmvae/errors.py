"""The errors that are the user's to mend."""


class InputError(ValueError):
    """Something a user passed in cannot be used; the command line turns it into exit code 2.

    The message is one sentence that says what is wrong and names the fix.
    """
