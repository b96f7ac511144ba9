"""All suites, by their names, in the order in which they run."""

from mp_tqdm.bench import (
    bench_construct,
    bench_crew,
    bench_dataloader,
    bench_halves,
    bench_import,
    bench_iterate,
    bench_liveness,
    bench_memory,
    bench_output,
    bench_pipe,
    bench_postfix,
    bench_prints,
    bench_processes,
    bench_ray,
    bench_report,
    bench_tails,
    bench_tokenising,
    bench_training,
    bench_unread,
    bench_update,
)

SUITES = {
    suite.name: suite
    for suite in (
        bench_iterate.SUITE,
        bench_update.SUITE,
        bench_report.SUITE,
        bench_postfix.SUITE,
        bench_construct.SUITE,
        bench_import.SUITE,
        bench_pipe.SUITE,
        bench_memory.SUITE,
        bench_memory.SEGMENT_SUITE,
        *bench_output.SUITES,
        *bench_prints.SUITES,
        *bench_training.SUITES,
        bench_dataloader.SUITE,
        bench_tokenising.SUITE,
        bench_liveness.SUITE,
        bench_unread.UNREAD_SUITE,
        bench_unread.EXIT_SUITE,
        bench_processes.SUITE,
        bench_processes.OWNER_SUITE,
        bench_processes.FORK_SUITE,
        bench_crew.SUITE,
        bench_halves.SUITE,
        bench_tails.SUITE,
        bench_ray.SUITE,
    )
}
