//! What one line and one frame cost the render thread.
//!
//! Run with `cargo bench -p mp-tqdm-render`. The thread draws at most ten frames a second, so a
//! frame of 100 µs is a thousandth of one core.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use mp_tqdm_render::{
    Display, Meter, MeterPostfix, Outcome, Output, OutputId, Postfix, Row, Sink, Size, Style,
    Template, Value, format_meter,
};

/// A terminal of 200 columns that takes everything and shows nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn write_frame(&mut self, bytes: &[u8]) -> Outcome {
        black_box(bytes);
        Outcome::Whole
    }

    fn size(&self) -> Option<Size> {
        Some(Size {
            cols: 200,
            rows: 100,
        })
    }
}

fn main() {
    if cfg!(debug_assertions) {
        panic!("expected a release build, found a debug build: its times mean nothing");
    }
    let mut criterion = Criterion::default().configure_from_args();
    lines(&mut criterion);
    frames(&mut criterion);
    criterion.final_summary();
}

fn lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("format_meter");
    let meter = Meter {
        ncols: Some(100),
        prefix: "train",
        rate: Some(31.25.into()),
        postfix: MeterPostfix::Joined("loss=0.123, lr=1e-3"),
        ..Meter::new(391.into(), Some(782.into()), 12.5.into())
    };
    group.bench_function("default", |bencher| {
        bencher.iter(|| format_meter(black_box(&meter)))
    });
    let wide = Meter {
        prefix: "進捗",
        ..meter.clone()
    };
    group.bench_function("wide characters", |bencher| {
        bencher.iter(|| format_meter(black_box(&wide)));
    });
    let template =
        Template::parse("{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {rate_fmt}")
            .expect("the template is sound");
    let shaped = Meter {
        bar_format: Some(&template),
        ..meter
    };
    group.bench_function("template", |bencher| {
        bencher.iter(|| format_meter(black_box(&shaped)));
    });
    group.finish();
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    let style = Arc::new(Style::default());
    for rows in [1, 8, 64] {
        group.throughput(Throughput::Elements(rows));
        group.bench_with_input(BenchmarkId::new("rows", rows), &rows, |bencher, &rows| {
            let id = OutputId(0);
            let mut display = Display::new();
            display.add_output(id, Output::terminal(Box::new(Nowhere)));
            let mut frame = 0_i64;
            let mut scene = [(
                id,
                (0..rows)
                    .map(|row| row_of(row, &style))
                    .collect::<Vec<Row>>(),
            )];
            bencher.iter(|| {
                frame += 1;
                for row in &mut scene[0].1 {
                    row.n = frame.into();
                }
                display.draw(frame as f64 * 0.1, black_box(&scene))
            });
        });
    }
    group.finish();
}

fn row_of(id: u64, style: &Arc<Style>) -> Row {
    Row {
        total: Some(1_000_000_000.into()),
        desc: format!("worker {id}"),
        postfix: Postfix::Pairs(vec![("loss".to_owned(), Value::Float(0.123_456))]),
        ..Row::new(id, 0.into(), 0.0, Arc::clone(style))
    }
}
