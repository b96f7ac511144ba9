//! Lines in a log, judged as a file that somebody reads later.

use std::sync::Arc;

use mp_tqdm_render::{Display, Ended, Fault, MemorySink, Output, OutputId, Row, Style};

const LOG: OutputId = OutputId(1);

struct Stage {
    display: Display,
    log: MemorySink,
}

impl Stage {
    fn new() -> Self {
        let log = MemorySink::log();
        let mut display = Display::new();
        display.add_output(LOG, Output::log(Box::new(log.clone())));
        Self { display, log }
    }

    fn draw(&mut self, now_s: f64, rows: &[Row]) {
        self.display.draw(now_s, &[(LOG, rows.to_vec())]);
    }

    fn text(&self) -> String {
        String::from_utf8(self.log.bytes()).expect("a log is text")
    }
}

fn row(name: &str, n: i64, start_s: f64) -> Row {
    let style = Style {
        colour: Some("green".to_owned()),
        ..Style::default()
    };
    Row {
        total: Some(1000.into()),
        desc: name.to_owned(),
        ..Row::new(
            name.bytes().map(u64::from).sum(),
            n.into(),
            start_s,
            Arc::new(style),
        )
    }
}

fn ended(row: Row, now_s: f64, ended: Ended) -> Row {
    Row {
        elapsed_s: Some(now_s - row.start_s),
        ended: Some(ended),
        ..row
    }
}

#[test]
fn a_bar_writes_whole_lines_on_schedule_and_one_at_its_end() {
    let mut stage = Stage::new();
    for tick in 0..400 {
        let now_s = f64::from(tick) / 10.0;
        stage.draw(now_s, &[row("a", i64::from(tick), 0.0)]);
    }
    stage.draw(40.0, &[ended(row("a", 1000, 0.0), 40.0, Ended::Keep)]);
    assert_eq!(
        stage.text(),
        "a:  10%|█         | 100/1000 [00:10<01:30, 10.00it/s]\n\
         a:  30%|███       | 300/1000 [00:30<01:10, 10.00it/s]\n\
         a: 100%|██████████| 1000/1000 [00:40<00:00, 25.00it/s]\n"
    );
}

#[test]
fn outermost_and_innermost_share_a_line() {
    let mut stage = Stage::new();
    stage.draw(0.0, &[row("outer", 0, 0.0)]);
    stage.draw(
        10.0,
        &[
            row("outer", 1, 0.0),
            row("middle", 5, 5.0),
            row("inner", 50, 9.0),
        ],
    );
    assert_eq!(
        stage.text(),
        "outer:   0%|          | 1/1000 [00:10<2:46:30, 10.00s/it]  \
         inner:   5%|▌         | 50/1000 [00:01<00:19, 50.00it/s]\n"
    );
}

#[test]
fn a_bar_that_vanishes_leaves_a_line_only_as_the_outermost() {
    let mut stage = Stage::new();
    let inner = ended(row("inner", 1, 0.0), 1.0, Ended::Erase);
    stage.draw(1.0, &[row("outer", 1, 0.0), inner]);
    assert_eq!(stage.text(), "");
    stage.draw(2.0, &[ended(row("outer", 1000, 0.0), 2.0, Ended::Erase)]);
    assert_eq!(
        stage.text(),
        "outer: 100%|██████████| 1000/1000 [00:02<00:00, 500.00it/s]\n"
    );
}

#[test]
fn ten_thousand_vanishing_bars_leave_few_lines() {
    let mut stage = Stage::new();
    for number in 0..10_000 {
        let now_s = f64::from(number) * 0.2;
        stage.draw(
            now_s + 0.2,
            &[ended(row("a", 1, now_s), now_s + 0.2, Ended::Erase)],
        );
    }
    let lines = stage.text().lines().count();
    assert!((20..=50).contains(&lines), "{lines}");
}

#[test]
fn ten_hours_of_epochs_are_about_six_hundred_lines() {
    let mut stage = Stage::new();
    for tick in 0..=36_000 {
        let now_s = f64::from(tick);
        let epoch = i64::from(tick / 120);
        let start_s = (epoch * 120) as f64;
        let inner = row("inner", i64::from(tick % 120), start_s);
        let inner = if tick % 120 == 119 {
            ended(inner, now_s, Ended::Keep)
        } else {
            inner
        };
        stage.draw(now_s, &[row("outer", epoch, 0.0), inner]);
    }
    let text = stage.text();
    assert!(!text.contains(['\r', '\x1b']));
    let lines = text.lines().count();
    assert!((560..=620).contains(&lines), "{lines}");
}

#[test]
fn final_lines_wait_for_a_log_that_takes_nothing() {
    let mut stage = Stage::new();
    stage.log.set_fault(Fault::Bytes(0));
    stage.draw(1.0, &[ended(row("a", 1000, 0.0), 1.0, Ended::Keep)]);
    stage.log.set_fault(Fault::Bytes(7));
    for _ in 0..20 {
        stage.draw(2.0, &[]);
    }
    assert_eq!(
        stage.text(),
        "a: 100%|██████████| 1000/1000 [00:01<00:00, 1000.00it/s]\n"
    );
}

#[test]
fn a_log_that_takes_nothing_for_ever_keeps_the_last_thousand_lines() {
    let mut stage = Stage::new();
    stage.log.set_fault(Fault::Bytes(0));
    for number in 0..1500 {
        stage.draw(1.0, &[ended(row("a", number, 0.0), 1.0, Ended::Keep)]);
    }
    stage.log.set_fault(Fault::None);
    stage.draw(2.0, &[]);
    let text = stage.text();
    assert_eq!(text.lines().count(), 1000);
    assert!(
        text.starts_with("a:  50%|█████     | 500/1000 "),
        "{}",
        &text[..60]
    );
}
