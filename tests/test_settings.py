"""In what two systems differ by their configuration."""

from eval.report.settings import Setting, differences


def about(agent: dict[str, object], baseline: dict[str, object] | None = None) -> dict[str, object]:
    named = {"agent": "ours", **({"baseline": "theirs"} if baseline is not None else {})}
    return {**named, "config": {"agent": agent, "baseline": baseline or {}}}


def test_what_both_have_in_common_is_not_told() -> None:
    assert differences(about({"fast": 0.2, "tts": {"voice": "dan"}}, {"fast": 0.2, "tts": {"voice": "dan"}})) == []


def test_a_setting_goes_by_its_path_and_a_class_by_its_name() -> None:
    found = differences(about({"_target_": "duplex.agents.cascade.Cascade", "turn": {"_target_": "a.b.TwoStage", "fast": 0.2}},
                              {"_target_": "duplex.agents.cascade.Cascade", "turn": {"_target_": "a.b.Silence"}}))
    assert found == [Setting("turn", ("TwoStage", "Silence")), Setting("turn.fast", ("0.2", ""))]


def test_a_setting_of_one_alone_stands_beside_nothing() -> None:
    assert differences(about({}, {"wait": None, "confirm": True})) == [
        Setting("confirm", ("", "True")), Setting("wait", ("", "none"))]


def test_a_long_value_is_cut() -> None:
    [setting] = differences(about({"manners": "x" * 500}, {}))
    assert setting.values[0] == "x" * 90 + "\u2026" and setting.values[1] == ""


def test_a_system_alone_differs_from_nobody() -> None:
    assert differences(about({"fast": 0.2})) == []
