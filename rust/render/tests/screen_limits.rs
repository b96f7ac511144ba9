//! Terminals that are too small, change, take nothing or take a part, and text that is hostile.

mod stage;

use std::sync::Arc;

use mp_tqdm_render::{Ended, Fault, Row, Size, Style, Template};
use proptest::collection::vec;
use proptest::prelude::*;
use stage::{Stage, TERMINAL, ended, row, styled};

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

/// What happens between two frames.
#[derive(Clone, Debug)]
enum Event {
    Starts,
    Ends { place: usize, how: Ended },
    Prints,
    Takes(bool),
    Resizes { rows: u16 },
    Nothing,
}

fn event() -> impl Strategy<Value = Event> {
    let how = prop_oneof![Just(Ended::Keep), Just(Ended::Erase)];
    prop_oneof![
        Just(Event::Starts),
        (any::<usize>(), how).prop_map(|(place, how)| Event::Ends { place, how }),
        Just(Event::Prints),
        any::<bool>().prop_map(Event::Takes),
        (2..12_u16).prop_map(|rows| Event::Resizes { rows }),
        Just(Event::Nothing),
    ]
}

proptest! {
    // A failure prints the events that lead to it, which is all that is needed to see it again.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever starts, ends, prints, stalls and resizes: what is to stay stays, once, whole and in
    /// its order, and below it stands the block of now.
    #[test]
    fn what_is_to_stay_stays_once_and_in_order(events in vec(event(), 1..80)) {
        let mut stage = Stage::new(40, 8);
        let (mut live, mut waiting, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        let mut takes = true;
        for (now, event) in events.iter().chain([&Event::Takes(true)]).enumerate() {
            let mut scene: Vec<Row> = live.iter().map(|name: &String| row(name, 5)).collect();
            match event {
                Event::Starts => {
                    live.push(format!("bar {now}"));
                    scene.push(row(&format!("bar {now}"), 5));
                }
                Event::Ends { place, how } if !live.is_empty() => {
                    let place = place % live.len();
                    let name = live.remove(place);
                    scene[place] = ended(&name, 5, *how);
                    if *how == Ended::Keep {
                        waiting.push(format!("{name}: 5/10"));
                    }
                }
                // A terminal that takes nothing from us takes nothing from others either.
                Event::Prints if takes => {
                    stage.terminal.print(&format!("foreign {now}\n"));
                    expected.push(format!("foreign {now}"));
                    stage.display.redraw();
                }
                Event::Takes(now_takes) => {
                    takes = *now_takes;
                    stage.terminal.set_fault(if takes { Fault::None } else { Fault::Bytes(0) });
                }
                Event::Resizes { rows } => stage.terminal.resize(Size { cols: 40, rows: *rows }),
                Event::Ends { .. } | Event::Prints | Event::Nothing => {}
            }
            stage.draw(now as f64, &scene);
            if takes {
                expected.append(&mut waiting);
            }
        }
        let shown = stage.lines();
        let above = shown.len().min(expected.len());
        prop_assert_eq!(&shown[..above], &expected[..]);
        let block = &shown[above..];
        prop_assert_eq!(block.is_empty(), live.is_empty());
        if let [space, first, ..] = block {
            prop_assert_eq!(space, "");
            prop_assert_eq!(first, &format!("{}: 5/10", live[0]));
        }
    }
}
