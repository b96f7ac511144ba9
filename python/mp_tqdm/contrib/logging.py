"""Logging beside bars: what goes to the console is printed above them."""

from __future__ import annotations

import contextlib
import logging
import sys

from mp_tqdm._bar import mp_tqdm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

__all__ = ["logging_redirect_tqdm", "tqdm_logging_redirect"]


class _TqdmLoggingHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Prints records above the bars."""

    def __init__(self, tqdm_class: Any = mp_tqdm) -> None:
        super().__init__()
        self.tqdm_class = tqdm_class

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.tqdm_class.write(self.format(record), file=self.stream)
            self.flush()
        except Exception:  # noqa: BLE001 - a handler's errors are for `handleError`
            self.handleError(record)


def _is_console_logging_handler(handler: logging.Handler) -> bool:
    streams = (sys.stdout, sys.stderr)
    return isinstance(handler, logging.StreamHandler) and handler.stream in streams


def _get_first_found_console_logging_handler(handlers: Sequence[logging.Handler]) -> Any:
    return next(filter(_is_console_logging_handler, handlers), None)


@contextlib.contextmanager
def logging_redirect_tqdm(
    loggers: Sequence[logging.Logger] | None = None, tqdm_class: Any = mp_tqdm
) -> Iterator[None]:
    """A context in which loggers print to the console above the bars; log files stay as they are.

    Args:
        loggers: Whose handlers for the console are replaced; default the root logger.
        tqdm_class: Whose `write` prints.
    """
    loggers = [logging.root] if loggers is None else loggers
    before = [logger.handlers for logger in loggers]
    try:
        for logger in loggers:
            ours = _TqdmLoggingHandler(tqdm_class)
            console = _get_first_found_console_logging_handler(logger.handlers)
            if console is not None:
                ours.setFormatter(console.formatter)
                ours.setLevel(console.level)
                ours.stream = console.stream
                for each in console.filters:
                    ours.addFilter(each)
            others = [one for one in logger.handlers if not _is_console_logging_handler(one)]
            logger.handlers = [*others, ours]
        yield
    finally:
        for logger, handlers in zip(loggers, before, strict=True):
            logger.handlers = handlers


@contextlib.contextmanager
def tqdm_logging_redirect(
    *args: Any,
    loggers: Sequence[logging.Logger] | None = None,
    tqdm_class: Any = mp_tqdm,
    **kwargs: Any,
) -> Iterator[Any]:
    """A bar and `logging_redirect_tqdm` in one.

    Args:
        *args: Those of the bar.
        loggers: As there.
        tqdm_class: The class of the bar.
        **kwargs: Those of the bar.
    """
    with tqdm_class(*args, **kwargs) as bar, logging_redirect_tqdm(loggers, tqdm_class):
        yield bar
