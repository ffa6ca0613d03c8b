"""Turn the bytes of a file of text, in whatever encoding, into UTF-8."""

import codecs

from pyro_gmvae.errors import InputError

# UTF-32 first, for its mark begins as that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_KNOWN_FILES = {
    b"PK\x03\x04": "a zip file or a workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\x1f\x8b": "packed by gzip",
    b"PAR1": "a parquet file",
    b"ARROW1": "a feather file",
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
}
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\r\x0b\x0c\x1b")


def to_utf8(data: bytes, name: str) -> tuple[bytes, str | None]:
    """Decode UTF-8, UTF-16, UTF-32 or Windows-1252, and encode as UTF-8 without a mark.

    Args:
        data: the bytes of a file.
        name: the name of the file in messages.

    Returns:
        The text, and a sentence about an encoding other than UTF-8.

    Raises:
        InputError: if the bytes are no text, or text of another encoding.

    >>> to_utf8("prix (€)".encode("cp1252"), "t.csv")[1]
    'the text is Windows-1252'
    """
    for start, what in _KNOWN_FILES.items():
        if data.startswith(start):
            raise InputError(f"{name} is {what}, not text: give it the suffix of what it is.")
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding, name)
    if guessed := _utf16_without_mark(data[:4096]):
        return _decoded(data, guessed, name)
    data = data.removesuffix(b"\x1a")  # DOS ended files so
    _refuse_binary(data, name)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse_damaged_utf8(data, error, name)
        return _decoded(data, "cp1252", name)
    return data, None


def _decoded(data: bytes, encoding: str, name: str) -> tuple[bytes, str | None]:
    shown = {"cp1252": "Windows-1252"}.get(encoding, encoding.removesuffix("-le").upper())
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not {shown.removesuffix('-BE')} text, for its byte {error.start} is "
            f"{data[error.start : error.start + 1].hex()}: save it as UTF-8."
        ) from error
    # A lone half of a surrogate pair can be decoded from UTF-32, and is no character.
    plain = text.encode("utf-8", errors="replace")
    return plain, None if encoding == "utf-8" else f"the text is {shown.removesuffix('-BE')}"


def _utf16_without_mark(start: bytes) -> str | None:
    """Recognise UTF-16 by its zero bytes, every other one in text of Latin letters."""
    half = len(start) // 2
    if half >= 4 and start[1::2].count(0) > 0.7 * half and start[::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if half >= 4 and start[::2].count(0) > 0.7 * half and start[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None


def _refuse_binary(data: bytes, name: str) -> None:
    """Refuse what holds many control characters; a few are shown with their cells."""
    start = data[:65536]
    controls = len(start) - len(start.translate(None, _CONTROLS))
    if controls > 2 + 0.02 * len(start):
        raise InputError(f"{name} is not text: give a table of text, or its right suffix.")


def _refuse_damaged_utf8(data: bytes, error: UnicodeDecodeError, name: str) -> None:
    """Refuse UTF-8 with few wrong bytes, which Windows-1252 would turn into other letters."""
    text = data.decode("utf-8", errors="replace")
    wrong = text.count("\ufffd")
    right = len(text) - wrong - sum(map(text.count, map(chr, range(128))))
    if right >= 2 * wrong:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name} is UTF-8 but for {wrong} byte{'s' * (wrong > 1)}, the first in line {line}: "
            "save it as UTF-8."
        )
