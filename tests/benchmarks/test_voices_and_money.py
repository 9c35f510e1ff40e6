"""The benchmarks of the model layer and of money: every token is heard, every row has a figure."""

from benchmarks import money, voices


def test_money_is_measured_with_real_prices_and_purses() -> None:
    found = money.rows(50, 50)
    assert len(found) == 4 and all(row.value > 0 and row.unit == "µs" and row.limit for row in found)
    assert voices.classification(12).value > 0


async def test_every_token_of_eight_streams_is_heard_by_both() -> None:
    bare, ours, *cpu = await voices.streams(12, 1)
    assert bare.value > 0 and ours.ratio == bare.value / ours.value and ours.met is not None
    assert all(row.value > 0 for row in cpu)


def test_a_provider_is_loaded_in_a_process_of_its_own() -> None:
    rows = {row.name: row for row in voices.loads(("bedrock",), 1)}
    assert rows["load provider bedrock, memory"].value > rows["python -c pass, memory"].value
