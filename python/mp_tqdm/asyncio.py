"""The bar for `async for`, and `asyncio.as_completed` and `gather` with a bar."""

from __future__ import annotations

import asyncio

from mp_tqdm import _bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from typing import Any

    from typing_extensions import Self

__all__ = ["mp_tqdm", "tarange", "tqdm", "tqdm_asyncio", "trange"]


class tqdm_asyncio(_bar.mp_tqdm):  # noqa: N801 - tqdm's own
    """A bar whose iterable may be asynchronous: `async for item in tqdm(iterable)`.

    The arguments are those of `mp_tqdm`, which it is everywhere else.
    """

    # The iterable's own next, and whether it is to be awaited; found at the first item.
    _next: Any = None

    def __aiter__(self) -> Self:
        """The bar itself."""
        return self

    async def __anext__(self) -> Any:
        """The next item; it counts at once.

        Raises:
            StopAsyncIteration: There is none.
        """
        if self._next is None:
            self._next = _next_of(self.iterable)
        function, is_awaited = self._next
        try:
            item = await function() if is_awaited else function()
        except StopIteration:
            self.close()
            raise StopAsyncIteration from None
        except BaseException:
            self.close()
            raise
        self.update()
        return item

    def send(self, *args: Any, **kwargs: Any) -> Any:
        """The `send` of the iterable, where that is a generator."""
        iterable: Any = self.iterable
        return iterable.send(*args, **kwargs)

    @classmethod
    def as_completed(
        cls,
        fs: Any,
        *,
        loop: object = None,  # noqa: ARG003 - tqdm's own; a coroutine has no other loop than its own
        timeout: float | None = None,
        total: float | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """`asyncio.as_completed`, with a bar.

        Args:
            fs: Awaitables.
            loop: Accepted.
            timeout: Seconds; as there.
            total: How many there are; default `len(fs)`.
            **kwargs: Those of the bar.
        """
        total = len(fs) if total is None else total
        yield from cls(asyncio.as_completed(fs, timeout=timeout), total=total, **kwargs)

    @classmethod
    async def gather(
        cls,
        *fs: Awaitable[Any],
        loop: object = None,
        timeout: float | None = None,
        total: float | None = None,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """`asyncio.gather`, with a bar: the results, in the order of the awaitables.

        Args:
            *fs: Awaitables.
            loop: Accepted.
            timeout: Seconds for all of them.
            total: How many there are; default all.
            return_exceptions: Whether an exception is a result.
            **kwargs: Those of the bar.
        """

        async def numbered(number: int, awaitable: Awaitable[Any]) -> tuple[int, Any]:
            try:
                return number, await awaitable
            except Exception as error:
                if not return_exceptions:
                    raise
                return number, error

        tasks = [numbered(number, awaitable) for number, awaitable in enumerate(fs)]
        results: list[Any] = [None] * len(tasks)
        for done in cls.as_completed(tasks, loop=loop, timeout=timeout, total=total, **kwargs):
            number, result = await done
            results[number] = result
        return results


def _next_of(iterable: Any) -> tuple[Any, bool]:
    if hasattr(iterable, "__anext__"):
        return iterable.__anext__, True
    if hasattr(iterable, "__aiter__"):
        return iterable.__aiter__().__anext__, True
    return iter(iterable).__next__, False


def tarange(*args: Any, **kwargs: Any) -> tqdm_asyncio:
    """`tqdm(range(*args), **kwargs)`."""
    return tqdm_asyncio(range(*args), **kwargs)


mp_tqdm = tqdm = tqdm_asyncio
trange = tarange
