"""Numbers as a person reads them."""


def figure(value: float) -> str:
    """`4,000,000`, `0.25`, `1.23457e+20`: whole numbers whole, others with six significant digits."""
    return f"{int(value):,}" if value == value // 1 and abs(value) < 1e15 else f"{value:g}"


def target(sign: str, value: float, unit: str) -> str:
    """`≤ 60 comparisons`; the unit may be empty."""
    return f"{sign} {figure(value)} {unit}".rstrip()


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`, `12,000 tokens`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
