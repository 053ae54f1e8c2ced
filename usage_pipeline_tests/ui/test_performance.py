"""What the Performance page counts, where models name the same thing differently."""

from usage_pipeline.ui.pages.performance import read_by_model
from usage_pipeline_tests.marts.factory import DAY, NOVA, Store, at


def test_an_answer_is_cut_however_its_model_says_so() -> None:
    store = Store()
    store.model(NOVA)
    for second, reason in enumerate(("max_tokens", "MAX_TOKENS", "length", "end_turn", "stop", None)):
        store.call(NOVA, at(f"14T10:00:0{second}"), input_tokens=1, stop_reason=reason)
    store.build()
    (row,) = read_by_model(store.con, DAY, DAY)
    assert (row["calls"], row["cut_share"]) == (6, 3 / 5)
