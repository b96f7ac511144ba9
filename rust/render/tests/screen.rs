//! Frames on a terminal, judged by what a person sees.

mod stage;

use std::sync::Arc;

use mp_tqdm_render::{Ended, Row, Style, Template};
use stage::{Stage, ended, row, styled};

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
