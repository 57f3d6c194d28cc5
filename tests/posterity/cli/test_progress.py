import io

from rich.console import Console

from posterity.cli.progress import byte_progress, progress


def test_on_a_terminal_work_that_is_done_again_takes_the_same_bar() -> None:
    stream = io.StringIO()
    with progress(Console(file=stream, force_terminal=True, width=100)) as track:
        for _ in range(5):
            assert list(track(range(3), "Fitting", 3)) == [0, 1, 2]
        assert list(track("ab", "Judging")) == ["a", "b"]
    # The last picture, drawn over all those before it.
    picture = stream.getvalue().split("\x1b[2K")[-2:]
    assert "".join(picture).count("Fitting") == 1
    assert "".join(picture).count("Judging") == 1


def test_in_a_log_each_step_has_a_line_as_it_ends() -> None:
    stream = io.StringIO()
    with progress(Console(file=stream)) as track:
        for _ in range(2):
            assert list(track(range(3), "Fitting", 3)) == [0, 1, 2]
        assert list(track("ab", "Judging")) == ["a", "b"]
    lines = stream.getvalue().splitlines()
    assert [line.split(" (")[0] for line in lines] == ["Fitting: 3", "Fitting: 3", "Judging"]


def test_bytes_have_a_bar_on_a_terminal_once_there_are_any() -> None:
    stream = io.StringIO()
    with byte_progress(Console(file=stream, force_terminal=True, width=100), "Downloading") as count:
        pass
    assert "Downloading" not in stream.getvalue()
    with byte_progress(Console(file=stream, force_terminal=True, width=100), "Downloading") as count:
        count(1_500_000, 3_000_000)
    assert "1.5/3.0 MB" in stream.getvalue()


def test_bytes_have_a_line_in_a_log_once_there_are_any() -> None:
    stream = io.StringIO()
    with byte_progress(Console(file=stream), "Nothing"):
        pass
    with byte_progress(Console(file=stream), "Downloading") as count:
        count(1_500_000, None)
        count(3_000_000, 3_000_000)
    assert stream.getvalue().startswith("Downloading: 3.0 MB (")
    assert stream.getvalue().count("\n") == 1
