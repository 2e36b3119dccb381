"""The story of the released weights."""

from training.report.timeline import in_words, story, timeline
from training.run.provenance import Release, releases


def release(name: str, public: float, private: float | None = None, day: str = "2026-11-24") -> Release:
    return Release(name, "0" * 64, f"{name}-seed0", 10, day, public, private)


def test_every_release_is_named_in_the_figure_and_in_words():
    released = releases()
    figure = timeline(released)
    named = " ".join(annotation.text for annotation in figure.layout.annotations)
    assert len(in_words(released)) == len(released)
    for entry, words in zip(released, in_words(released), strict=True):
        assert f"<b>{entry.name}</b>" in named and entry.name in words
    public = next(trace for trace in figure.data if trace.name == "PublicTest")
    assert list(public.x) == [100 * entry.public for entry in released]


def test_the_story_from_the_first_to_the_best():
    released = [
        release("fer_sedense.a", 0.669, 0.683),
        release("fer_sedense_nano.b", 0.7),
        release("fer_sedense.c", 0.697, 0.715),
    ]
    words = story(released)
    assert "**from 66.9 % to 69.7 %**" in words and "from 68.3 % to 71.5 % of PrivateTest" in words
    assert "the second of its 2 sets" in words
    assert "PrivateTest" not in story([release("fer_sedense.a", 0.6), release("fer_sedense.b", 0.7)])
    assert "one good release" in story([release("fer_sedense.a", 0.669)])
    assert story([]) == "" and timeline([]).data
    assert "was not looked at" in in_words([release("fer_sedense.a", 0.6)])[0]
