import pytest

from pyro_gmvae.visible import unicode_text, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("size", "size"),
        ("größe 大小 ☂ 👩\u200d🔬", "größe 大小 ☂ 👩\u200d🔬"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31m", r"\x9b31m"),  # the same in one character
        ("a\r\nError: b\tc", r"a\r\nError: b\tc"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("caf\udce9", r"caf\udce9"),
        ("a\u2028b", r"a\u2028b"),
        ("[red]a[/] :smile:", "[red]a[/] :smile:"),
    ],
)
def test_nothing_steers_the_terminal(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_any_name_can_be_written_as_utf8() -> None:
    name = b"caf\xe9 \xe2\x98\x82 \x1b".decode(errors="surrogateescape")
    assert unicode_text(name).encode() == b"caf\\udce9 \xe2\x98\x82 \x1b"
