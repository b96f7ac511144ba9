//! A display on a terminal in memory, and rows whose lines are short enough to be read in a test.

use std::sync::Arc;

use mp_tqdm_render::{
    Display, Ended, MemorySink, Number, Output, OutputId, Row, Size, Style, Template,
};

pub(crate) const TERMINAL: OutputId = OutputId(7);

/// A display on one terminal in memory.
pub(crate) struct Stage {
    pub(crate) display: Display,
    pub(crate) terminal: MemorySink,
}

impl Stage {
    pub(crate) fn new(cols: u16, rows: u16) -> Self {
        let terminal = MemorySink::new(Size { cols, rows });
        let mut display = Display::new();
        display.add_output(TERMINAL, Output::terminal(Box::new(terminal.clone())));
        Self { display, terminal }
    }

    pub(crate) fn draw(&mut self, now_s: f64, rows: &[Row]) {
        self.display.draw(now_s, &[(TERMINAL, rows.to_vec())]);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.terminal.lines()
    }
}

/// A row that reads `name: n/10`.
pub(crate) fn row(name: &str, n: i64) -> Row {
    styled(name, n, Style::default())
}

pub(crate) fn styled(name: &str, n: i64, style: Style) -> Row {
    let template = Template::parse("{desc}: {n}/{total}").expect("the template is sound");
    let style = Style {
        bar_format: Some(template),
        ..style
    };
    Row {
        total: Some(Number::Int(10)),
        desc: name.to_owned(),
        ..Row::new(
            name.bytes().map(u64::from).sum(),
            n.into(),
            0.0,
            Arc::new(style),
        )
    }
}

pub(crate) fn ended(name: &str, n: i64, ended: Ended) -> Row {
    Row {
        ended: Some(ended),
        elapsed_s: Some(1.0),
        ..row(name, n)
    }
}
