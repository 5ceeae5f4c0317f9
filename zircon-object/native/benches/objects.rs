//! Times the operations of the object layer.

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let short = Duration::from_millis(300);
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(20)
        .warm_up_time(short)
        .measurement_time(short)
        .configure_from_args();
    for (group_name, name, _) in object_bench::OPERATIONS {
        let mut group = criterion.benchmark_group(*group_name);
        match object_bench::prepare(&format!("{group_name}/{name}")) {
            Ok(mut operation) => {
                group.bench_function(*name, |bencher| bencher.iter(&mut operation));
            }
            Err(error) => eprintln!("{group_name}/{name}: {error}"),
        }
        group.finish();
    }
    criterion.final_summary();
}
