"""A terminal's screen as a person sees it, with every line that scrolled off its top."""

import pyte
from wcwidth import wcwidth


class Screen:
    """An emulated screen: bytes in, lines out.

    Lines come back without trailing blanks, as no eye sees those. Colours are not kept.

    Args:
        rows: Height in lines.
        columns: Width in cells.
    """

    def __init__(self, rows: int = 24, columns: int = 80) -> None:
        self._screen = _ScrollingScreen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)

    def feed(self, data: bytes) -> None:
        """Show what a program wrote; a character may be cut between two calls."""
        self._stream.feed(data)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size as a terminal window does: what no longer fits scrolls off the top."""
        self._screen.resize(rows, columns)

    @property
    def rows(self) -> int:
        """Height in lines."""
        return self._screen.lines

    @property
    def columns(self) -> int:
        """Width in cells."""
        return self._screen.columns

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column of the cursor, from 0."""
        return self._screen.cursor.y, self._screen.cursor.x

    @property
    def cursor_is_visible(self) -> bool:
        """False after a program hid the cursor."""
        return not self._screen.cursor.hidden

    def visible(self) -> list[str]:
        """The rows on the screen now, one string for each, blank ones included."""
        return [self._screen.row(index) for index in range(self.rows)]

    def lines(self) -> list[str]:
        """All lines, those that scrolled off included, to the last that is not blank."""
        lines = self._screen.scrolled_off + self.visible()
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def text(self) -> str:
        """`lines()` in one string, for `in` and regular expressions."""
        return "\n".join(self.lines())


class _ScrollingScreen(pyte.Screen):
    """pyte's screen, but what scrolls off or falls to a smaller window is kept."""

    def __init__(self, columns: int, lines: int) -> None:
        self.scrolled_off: list[str] = []
        super().__init__(columns, lines)

    def row(self, index: int) -> str:
        """The text of a row; of a wide character that was half overwritten nothing is left."""
        cells = [self.buffer[index][column].data for column in range(self.columns)]
        shown: list[str] = []
        for cell, following in zip(cells, [*cells[1:], None], strict=True):
            if cell == "":  # the second half of a wide character
                shown.append("" if shown and wcwidth(shown[-1][:1]) == 2 else " ")
            else:
                shown.append(" " if wcwidth(cell[0]) == 2 and following else cell)
        return "".join(shown).rstrip()

    def index(self) -> None:
        """Move the cursor down; at the bottom, the first row scrolls off."""
        if self.margins is None and self.cursor.y == self.lines - 1:
            self.scrolled_off.append(self.row(0))
        super().index()

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Take another size: rows below the cursor fall first, then those at the top scroll off."""
        lines = lines or self.lines
        row, column = self.cursor.y, self.cursor.x
        if lines < self.lines:
            above = max(0, row + 1 - lines)
            self.scrolled_off += [self.row(index) for index in range(above)]
            self.cursor_position(1, 1)
            if above:
                self.delete_lines(above)
            # pyte cuts at the top: push what is to stay down by as much.
            self.insert_lines(self.lines - lines)
            row -= above
        super().resize(lines, columns)
        self.cursor_position(row + 1, column + 1)
