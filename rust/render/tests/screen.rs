//! Frames on a terminal, judged by what a person sees.

use std::sync::Arc;

use mp_tqdm_render::{
    Display, Ended, Fault, MemorySink, Number, Output, OutputId, Row, Size, Style, Template,
};

const TERMINAL: OutputId = OutputId(7);

/// A display on one terminal in memory.
struct Stage {
    display: Display,
    terminal: MemorySink,
}

impl Stage {
    fn new(cols: u16, rows: u16) -> Self {
        let terminal = MemorySink::new(Size { cols, rows });
        let mut display = Display::new();
        display.add_output(TERMINAL, Output::terminal(Box::new(terminal.clone())));
        Self { display, terminal }
    }

    fn draw(&mut self, now_s: f64, rows: &[Row]) {
        self.display.draw(now_s, &[(TERMINAL, rows.to_vec())]);
    }

    fn lines(&self) -> Vec<String> {
        self.terminal.lines()
    }
}

/// A row that reads `name: n/10`.
fn row(name: &str, n: i64) -> Row {
    styled(name, n, Style::default())
}

fn styled(name: &str, n: i64, style: Style) -> Row {
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

fn ended(name: &str, n: i64, ended: Ended) -> Row {
    Row {
        ended: Some(ended),
        elapsed_s: Some(1.0),
        ..row(name, n)
    }
}

#[test]
fn the_block_stands_below_the_cursor_which_does_not_move() {
    let mut stage = Stage::new(40, 10);
    stage.terminal.print("$ train\npartial");
    stage.draw(1.0, &[row("a", 1), row("b", 2)]);
    assert_eq!(stage.lines(), ["$ train", "partial", "a: 1/10", "b: 2/10"]);
    assert_eq!(stage.terminal.cursor(), (7, 1));
}

#[test]
fn an_unchanged_frame_is_not_written_unless_asked_for() {
    let mut stage = Stage::new(40, 10);
    for _ in 0..3 {
        stage.draw(1.0, &[row("a", 1)]);
    }
    assert_eq!(stage.terminal.frames(), 1);
    stage.display.redraw();
    stage.draw(1.0, &[row("a", 1)]);
    assert_eq!(stage.terminal.frames(), 2);
    stage.draw(1.1, &[row("a", 2)]);
    assert_eq!(stage.terminal.frames(), 3);
}

#[test]
fn foreign_lines_stay_whole_and_the_block_moves_below_them() {
    let mut stage = Stage::new(40, 6);
    let mut expected = Vec::new();
    for number in 0..60 {
        stage.draw(f64::from(number), &[row("a", number.into()), row("b", 0)]);
        stage.terminal.print(&format!("line {number}\n"));
        expected.push(format!("line {number}"));
    }
    stage.draw(60.0, &[row("a", 10), row("b", 0)]);
    expected.extend(["", "a: 10/10", "b: 0/10"].map(str::to_owned));
    assert_eq!(stage.lines(), expected);
}

#[test]
fn a_foreign_line_may_come_in_parts() {
    let mut stage = Stage::new(40, 6);
    stage.draw(1.0, &[row("a", 1)]);
    stage.terminal.print("loading ");
    stage.draw(2.0, &[row("a", 2)]);
    stage.terminal.print("done\n");
    stage.draw(3.0, &[row("a", 3)]);
    assert_eq!(stage.lines(), ["loading done", "", "a: 3/10"]);
}

#[test]
fn a_kept_line_stays_above_and_an_erased_one_vanishes() {
    let mut stage = Stage::new(40, 10);
    stage.terminal.print("$ train\n");
    stage.draw(1.0, &[row("a", 1), row("b", 2), row("c", 3)]);
    stage.draw(
        2.0,
        &[
            row("a", 1),
            ended("b", 9, Ended::Keep),
            ended("c", 9, Ended::Erase),
        ],
    );
    assert_eq!(stage.lines(), ["$ train", "b: 9/10", "", "a: 1/10"]);
    stage.draw(3.0, &[ended("a", 10, Ended::Keep)]);
    assert_eq!(stage.lines(), ["$ train", "b: 9/10", "a: 10/10"]);
    assert_eq!(stage.terminal.cursor(), (0, 3));
}

#[test]
fn kept_lines_stand_in_the_order_of_their_ends() {
    let mut stage = Stage::new(40, 4);
    for number in 0..20 {
        let name = format!("bar {number}");
        stage.draw(1.0, &[row(&name, 1)]);
        stage.draw(2.0, &[ended(&name, number, Ended::Keep)]);
    }
    let expected: Vec<String> = (0..20)
        .map(|number| format!("bar {number}: {number}/10"))
        .collect();
    // n above total drops the total.
    let expected: Vec<String> = expected
        .into_iter()
        .enumerate()
        .map(|(number, line)| {
            if number > 10 {
                line.replace("/10", "/None")
            } else {
                line
            }
        })
        .collect();
    assert_eq!(stage.lines(), expected);
    assert_eq!(stage.terminal.cursor(), (0, 20));
}

#[test]
fn a_kept_line_does_not_touch_a_foreign_line_without_end() {
    let mut stage = Stage::new(40, 6);
    stage.terminal.print("partial");
    stage.draw(1.0, &[row("a", 1), row("b", 2)]);
    stage.draw(2.0, &[ended("a", 1, Ended::Keep), row("b", 3)]);
    assert_eq!(stage.lines(), ["partial", "a: 1/10", "", "b: 3/10"]);
}

#[test]
fn erasing_the_last_row_wipes_the_block_and_leaves_the_cursor() {
    let mut stage = Stage::new(40, 6);
    stage.terminal.print("$ train\n");
    stage.draw(1.0, &[row("a", 1), row("b", 2)]);
    stage.draw(
        2.0,
        &[ended("a", 1, Ended::Erase), ended("b", 1, Ended::Erase)],
    );
    assert_eq!(stage.lines(), ["$ train"]);
    assert_eq!(stage.terminal.cursor(), (0, 1));
    stage.draw(3.0, &[]);
    assert_eq!(stage.terminal.frames(), 2);
}

#[test]
fn an_output_left_out_of_the_scene_is_wiped() {
    let mut stage = Stage::new(40, 6);
    stage.draw(1.0, &[row("a", 1)]);
    stage.display.draw(2.0, &[]);
    assert_eq!(stage.lines(), Vec::<String>::new());
}

#[test]
fn rows_that_do_not_fit_are_numbered() {
    let rows: Vec<Row> = (0..10)
        .map(|number| row(&format!("bar {number}"), 1))
        .collect();
    let mut stage = Stage::new(40, 5);
    stage.draw(1.0, &rows);
    let expected = [
        "",
        "bar 0: 1/10",
        "bar 1: 1/10",
        "bar 2: 1/10",
        " ... (7 more hidden) ...",
    ];
    assert_eq!(stage.lines(), expected);

    let mut stage = Stage::new(40, 2);
    stage.draw(1.0, &rows);
    assert_eq!(stage.lines(), ["", "bar 0: 1/10"]);

    let mut stage = Stage::new(40, 30);
    let style = Style {
        nrows: Some(2),
        ..Style::default()
    };
    let rows: Vec<Row> = (0..4)
        .map(|n| styled(&format!("bar {n}"), 1, style.clone()))
        .collect();
    stage.draw(1.0, &rows);
    assert_eq!(
        stage.lines(),
        ["", "bar 0: 1/10", " ... (3 more hidden) ..."]
    );
}

#[test]
fn any_size_of_terminal_is_legible_or_empty() {
    let rows: Vec<Row> = ["進捗 a", "b", "c"]
        .iter()
        .map(|name| row(name, 1))
        .collect();
    for (cols, lines) in [
        (0, 0),
        (1, 1),
        (1, 24),
        (2, 2),
        (3, 1),
        (10_000, 24),
        (80, 1),
        (5, 60),
    ] {
        let mut stage = Stage::new(cols, lines);
        stage.draw(1.0, &rows);
        let ends = ["a", "b", "c"].map(|name| ended(name, 1, Ended::Keep));
        stage.draw(2.0, &ends);
        stage.draw(3.0, &[]);
        let shown = stage.lines();
        assert!(shown.len() <= 3, "{cols} x {lines}: {shown:?}");
        if cols >= 8 {
            assert_eq!(shown, ["a: 1/10", "b: 1/10", "c: 1/10"], "{cols} x {lines}");
        }
    }
}

#[test]
fn no_line_wraps() {
    for cols in 2..40 {
        let mut stage = Stage::new(cols, 8);
        stage.draw(
            1.0,
            &[
                row("進捗進捗進捗進捗", 1),
                row("e\u{301}e\u{301}e\u{301}🚀🚀🚀", 2),
            ],
        );
        assert!(stage.lines().len() <= 3, "{cols}: {:?}", stage.lines());
        assert_eq!(stage.terminal.cursor(), (0, 0));
    }
}

#[test]
fn a_resize_leaves_nothing_of_the_old_block() {
    let mut stage = Stage::new(60, 12);
    let rows = ["a", "b", "c"].map(|name| row(name, 1));
    stage.terminal.print("$ train\n");
    for (cols, lines) in [(60, 12), (20, 12), (9, 5), (100, 40), (60, 3), (60, 12)] {
        stage.terminal.resize(Size { cols, rows: lines });
        stage.draw(1.0, &rows);
    }
    stage.draw(2.0, &[]);
    assert_eq!(stage.lines(), ["$ train"]);
}

#[test]
fn a_frame_that_was_cut_is_finished_before_the_next() {
    for room in 1..60 {
        let mut stage = Stage::new(30, 6);
        stage.terminal.print("$ train\n");
        stage.terminal.set_fault(Fault::Bytes(room));
        for number in 0..40 {
            stage.draw(f64::from(number), &[row("a", number.into()), row("b", 1)]);
        }
        stage.draw(41.0, &[ended("a", 5, Ended::Keep), row("b", 1)]);
        stage.terminal.set_fault(Fault::Bytes(0));
        stage.draw(42.0, &[row("b", 2)]);
        stage.terminal.set_fault(Fault::None);
        stage.draw(43.0, &[row("b", 3)]);
        stage.draw(43.0, &[row("b", 3)]);
        assert_eq!(
            stage.lines(),
            ["$ train", "a: 5/10", "", "b: 3/10"],
            "{room} bytes a write"
        );
    }
}

#[test]
fn a_busy_terminal_is_caught_up_with_and_a_dead_one_dropped() {
    let mut stage = Stage::new(30, 6);
    let scene = [(TERMINAL, vec![ended("a", 5, Ended::Keep)])];
    stage.terminal.set_fault(Fault::Bytes(0));
    assert!(stage.display.draw(1.0, &scene).is_behind);
    assert!(stage.display.draw(1.1, &[]).is_behind);
    stage.terminal.set_fault(Fault::None);
    assert!(!stage.display.draw(1.2, &[]).is_behind);
    assert_eq!(stage.lines(), ["a: 5/10"]);

    stage.terminal.set_fault(Fault::Dead);
    let drawn = stage.display.draw(2.0, &scene);
    assert_eq!(drawn.died, [TERMINAL]);
    assert!(!drawn.is_behind);
    assert!(!stage.display.has_output(TERMINAL));
}

#[test]
fn harmful_text_does_not_reach_the_terminal() {
    let mut stage = Stage::new(60, 6);
    let harmful = "a\x1b[2J\x1b]0;x\x07\r\n\0\u{202e}b";
    let template = Template::parse("{desc}\r\n\x1b[Hx{unit}").unwrap();
    let style = Style {
        bar_format: Some(template),
        unit: "\x1b[31mit\n".to_owned(),
        ..Style::default()
    };
    let row = Row {
        desc: harmful.to_owned(),
        ..Row::new(1, 1.into(), 0.0, Arc::new(style))
    };
    stage.draw(1.0, &[row]);
    assert_eq!(stage.lines(), ["", "a]0;x b xit"]);
    let allowed = [b"\x1bD".as_slice(), b"\x1b7", b"\x1b8", b"\x1b["];
    let bytes = stage.terminal.bytes();
    for at in (0..bytes.len()).filter(|at| bytes[*at] == 0x1b) {
        assert!(allowed.iter().any(|escape| bytes[at..].starts_with(escape)));
    }
}

#[test]
fn a_delayed_bar_shows_nothing_before_its_time() {
    let mut stage = Stage::new(40, 6);
    let style = Style {
        delay_s: 5.0,
        ..Style::default()
    };
    stage.draw(4.0, &[styled("a", 1, style.clone())]);
    let end = Row {
        ended: Some(Ended::Keep),
        elapsed_s: Some(4.5),
        ..styled("b", 1, style.clone())
    };
    stage.draw(4.5, &[end]);
    assert_eq!(stage.lines(), Vec::<String>::new());
    stage.draw(5.0, &[styled("a", 1, style)]);
    assert_eq!(stage.lines(), ["", "a: 1/10"]);
}

#[test]
fn an_interval_of_the_users_holds_for_its_bar_alone() {
    let mut stage = Stage::new(40, 6);
    let style = Style {
        mininterval_s: Some(1.0),
        ..Style::default()
    };
    let scene = |n| [styled("slow", n, style.clone()), row("fast", n)];
    stage.draw(0.0, &scene(1));
    stage.draw(0.5, &scene(2));
    assert_eq!(stage.lines(), ["", "slow: 1/10", "fast: 2/10"]);
    stage.draw(1.0, &scene(3));
    assert_eq!(stage.lines(), ["", "slow: 3/10", "fast: 3/10"]);
}

#[test]
fn rates_are_learned_from_frames_and_forgotten_with_their_bar() {
    let template = Template::parse("{rate:.1f}").unwrap();
    let style = Arc::new(Style {
        bar_format: Some(template),
        ..Style::default()
    });
    let row = |n: i64| Row::new(1, n.into(), 0.0, Arc::clone(&style));
    let mut stage = Stage::new(40, 6);
    for frame in 0..50 {
        let now_s = f64::from(frame) * 0.1;
        // Ten a second, then a hundred: the average would be far from the last.
        let n = if frame < 40 {
            frame
        } else {
            40 + (frame - 40) * 10
        };
        stage.draw(now_s, &[row(n.into())]);
    }
    let rate: f64 = stage
        .display
        .format_row(4.9, &row(130), None)
        .parse()
        .unwrap();
    assert!(rate > 90.0, "{rate}");
    stage.draw(5.0, &[]);
    let rate: f64 = stage
        .display
        .format_row(5.0, &row(130), None)
        .parse()
        .unwrap();
    assert_eq!(rate, 26.0);
}
