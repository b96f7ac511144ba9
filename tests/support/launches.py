"""What launchers put into the environment of a rank, as seen or as their source has it."""

from mp_tqdm._identity import Place

# How two ranks are started by the launchers of MPI that Debian has.
MPI = {
    "Open MPI": ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "-n", "2"],
    "MPICH": ["mpiexec.hydra", "-n", "2"],
}

# As printed in a rank by torchrun of PyTorch 2.15, less what no rule reads.
TORCHRUN = {
    "GROUP_RANK": "0",
    "GROUP_WORLD_SIZE": "1",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "42991",
    "RANK": "1",
    "TORCHELASTIC_ERROR_FILE": "/tmp/torchelastic_ozda03pb/d895_4_06kv0k/attempt_0/1/error.json",
    "TORCHELASTIC_RESTART_COUNT": "0",
    "TORCHELASTIC_RUN_ID": "d895e35e",
    "WORLD_SIZE": "2",
}
TORCHRUN_JOB = "torchelastic:/tmp/torchelastic_ozda03pb/d895_4_06kv0k/attempt_0:group=0:world=2"
# By Open MPI 4.1.4.
OPEN_MPI = {
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "OMPI_COMM_WORLD_NODE_RANK": "1",
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "PMIX_NAMESPACE": "1265893377",
    "PMIX_RANK": "1",
}
# By hydra of MPICH 4.0.2; Intel MPI sets the same.
HYDRA = {
    "MPI_LOCALNRANKS": "2",
    "MPI_LOCALRANKID": "1",
    "PMI_FD": "8",
    "PMI_RANK": "1",
    "PMI_SIZE": "2",
}
# By srun of Slurm 22.05.
SLURM = {
    "SLURM_JOB_ID": "17",
    "SLURM_LOCALID": "1",
    "SLURM_NNODES": "1",
    "SLURM_NODEID": "0",
    "SLURM_NTASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_STEP_ID": "3",
    "SLURM_STEP_NUM_NODES": "1",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_TASKS_PER_NODE": "2",
}
# By `deepspeed` 0.19, from the text of its launcher.
DEEPSPEED = {
    "CROSS_RANK": "0",
    "CROSS_SIZE": "1",
    "LOCAL_RANK": "1",
    "LOCAL_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
    "RANK": "1",
    "WORLD_SIZE": "2",
}
# By Lightning Fabric 2.6 in the processes that it starts; it is rank 0 itself.
LIGHTNING = {
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "47509",
    "NODE_RANK": "0",
    "WORLD_SIZE": "2",
}
LIGHTNING_JOB = "environment:127.0.0.1:47509:node=0"
ALL = {
    "torchelastic": TORCHRUN,
    "pmix": OPEN_MPI,
    "pmi": HYDRA,
    "slurm": SLURM,
    "deepspeed": DEEPSPEED,
    "environment": LIGHTNING,
}
SECOND = Place(rank=1, local_world=2, world=2)
