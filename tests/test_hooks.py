"""What a subclass overrides is called as in tqdm, and only where this process draws."""

import io
from typing import Any

import pytest
from tqdm import tqdm

from mp_tqdm import mp_tqdm
from support import programs
from support.terminal import Terminal


def recording(kind: Any, calls: list[Any]) -> Any:  # noqa: C901 - a method of each kind
    """A subclass that writes down which of its methods are called."""

    class Recording(kind):  # type: ignore[misc]
        def update(self, n: Any = 1) -> Any:
            calls.append(("update", n))
            return super().update(n)

        def close(self) -> None:
            calls.append("close")
            super().close()

        def display(self, msg: Any = None, pos: Any = None) -> Any:
            calls.append(("display", msg, pos))
            return super().display(msg, pos)

        def refresh(self, *args: Any, **kwargs: Any) -> Any:
            calls.append("refresh")
            return super().refresh(*args, **kwargs)

        def clear(self, *args: Any, **kwargs: Any) -> Any:
            calls.append("clear")
            return super().clear(*args, **kwargs)

        def reset(self, total: Any = None) -> None:
            calls.append(("reset", total))
            super().reset(total)

        def set_description(self, desc: Any = None, refresh: Any = True) -> None:
            calls.append(("set_description", desc))
            super().set_description(desc, refresh)

        @classmethod
        def write(cls, s: str, **kwargs: Any) -> None:
            calls.append(("write", s))
            super().write(s, **kwargs)

        @property
        def format_dict(self) -> Any:
            calls.append("format_dict")
            return super().format_dict

        @staticmethod
        def status_printer(file: Any) -> Any:
            calls.append("status_printer")
            return kind.status_printer(file)

    return Recording


def by_update(kind: Any, file: Any) -> list[Any]:
    with kind(total=4, file=file, mininterval=0, miniters=1) as bar:
        bar.update()
        bar.update(2)
        bar.set_description("desc")
        bar.set_postfix(loss=1)
        bar.write("text", file=file)
        bar.refresh()
        bar.clear()
        bar.reset(total=7)
        bar.update()
    return [bar]


def by_iteration(kind: Any, file: Any) -> list[Any]:
    one = kind(range(3), file=file, mininterval=0, miniters=1, leave=False)
    assert list(one) == [0, 1, 2]
    two = kind(range(5), file=file, mininterval=0, miniters=2)
    assert list(two) == [0, 1, 2, 3, 4]
    return [one, two]


@pytest.mark.parametrize("program", [by_update, by_iteration])
def test_a_subclass_is_called_as_tqdm_calls_it(program: Any) -> None:
    ours: list[Any] = []
    theirs: list[Any] = []
    # Held until then, as tqdm's own calls `close` at their collection once more.
    bars = program(recording(mp_tqdm, ours), io.StringIO())
    bars += program(recording(tqdm, theirs), io.StringIO())
    assert ours == theirs
    assert len(bars) in {2, 4}


HOOKS = {
    "display": (
        "def display(self, msg=None, pos=None): print('DISPLAYED', self.n, flush=True)",
        "DISPLAYED 3",
    ),
    "format_dict": (
        "format_dict = property(lambda me: {**super(Mine, me).format_dict, 'prefix': 'MINE'})",
        "MINE: 100%",
    ),
    "format_meter": (
        "format_meter = staticmethod(lambda n, **figures: f'METER {n}')",
        "METER 3",
    ),
    "format_num": ("format_num = staticmethod(lambda n: f'<{n}>')", "loss=<7>"),
    "status_printer": (
        "status_printer = staticmethod(lambda file: lambda text: print('\\rPRINTER', text))",
        "PRINTER 100%",
    ),
    "__str__": ("def __str__(self): return f'TEXT {self.n}'", "TEXT 3"),
}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_subclass_draws_in_its_own_way_on_a_terminal(
    hook: str, terminal: Terminal, program: Any
) -> None:
    definition, shown = HOOKS[hook]
    terminal.start(
        program(f"""
            from mp_tqdm import mp_tqdm
            class Mine(mp_tqdm):
                {definition}
            with Mine(total=3, postfix=dict(loss=7)) as bar:
                bar.update(3)
        """)
    )
    assert terminal.wait() == 0
    assert shown in terminal.text()


def test_a_subclass_without_hooks_is_drawn_by_the_renderer(
    terminal: Terminal, program: Any
) -> None:
    terminal.start(
        program("""
            import time
            from mp_tqdm import mp_tqdm
            class Mine(mp_tqdm):
                def __init__(self, *args, **kwargs):
                    super().__init__(*args, **{"desc": "mine", **kwargs})
            with Mine(total=3) as bar:
                bar.update(3)
                time.sleep(0.5)
        """)
    )
    terminal.wait_for(lambda screen: "mine: 100%" in "\n".join(screen.lines()))
    assert terminal.wait() == 0


@pytest.mark.parametrize("drawn", ["by Python code", "by the renderer"])
def test_a_subclass_of_update_gets_what_was_iterated_in_portions(drawn: str, program: Any) -> None:
    process = programs.run(
        program(
            """
            import io, sys, time
            from mp_tqdm import mp_tqdm
            calls = []
            class Mine(mp_tqdm):
                def update(self, n=1):
                    calls.append(n)
                    return super().update(n)
            file = io.StringIO() if sys.argv[1] == "by Python code" else sys.stderr
            for item in (bar := Mine(range(2000), file=file, mininterval=0.01)):
                time.sleep(0.0001)
            assert bar.n == 2000, bar.n
            assert 1 <= len(calls) < 1000, len(calls)
            assert sum(calls) <= 2000, sum(calls)
            """,
            drawn,
        )
    )
    assert process.returncode == 0, process.stderr


def test_a_hidden_rank_runs_update_and_close_and_draws_nothing(tmp_path: Any, program: Any) -> None:
    source = """
        import io, os, sys
        from mp_tqdm import mp_tqdm
        calls = []
        class Mine(mp_tqdm):
            def update(self, n=1):
                calls.append("update")
                return super().update(n)
            def close(self):
                calls.append("close")
                super().close()
            def display(self, *args, **kwargs):
                calls.append("display")
                return super().display(*args, **kwargs)
            @property
            def format_dict(self):
                calls.append("format_dict")
                return super().format_dict
        step = sys.stdin.readline
        bar = Mine(total=2, file=io.StringIO(), mininterval=0, miniters=1)
        print("open", flush=True)
        step()
        bar.update()
        bar.set_postfix(loss=1)
        bar.refresh()
        bar.clear()
        step()
        bar.close()
        print(*calls, flush=True)
    """
    import subprocess

    ranks = []
    for rank in range(2):
        environment = programs.environment(**programs.rank_variables(tmp_path, rank, 2))
        process = subprocess.Popen(
            program(source),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ranks.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
    said = [process.communicate("\n\n", timeout=20)[0].split() for process in ranks]
    assert set(said[0]) == {"update", "close", "display", "format_dict"}
    assert said[1] == ["update", "close"]
