#!/bin/sh
# A SLURM of one node on loopback, for tests/workflow/test_slurm.py: 4 CPUs and 2 GPUs that it only counts.
#   sh tests/helpers/slurm_one_node.sh install     as root on Debian or Ubuntu: its packages
#   sh tests/helpers/slurm_one_node.sh up DIR      as root: start it; state, logs and pid files go to DIR
#   sh tests/helpers/slurm_one_node.sh down DIR    end what `up` started
set -eu
usage() { echo "usage: $0 install | up DIR | down DIR" >&2; exit 2; }
action=${1:-}
dir=${2:-}
host=$(hostname -s)

# until_works SECONDS COMMAND...: repeat it until it succeeds
until_works() {
  tries=$((5 * $1)); shift
  while ! "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "error: '$*' did not succeed in time" >&2; return 1; }
    sleep 0.2
  done
}
idle() { [ "$(sinfo --noheader --format=%t)" = idle ]; }
ended() { ! kill -0 "$1" || grep -q "^State:.Z" "/proc/$1/status"; }

case $action in
install)
  if command -v slurmctld >/dev/null && command -v munged >/dev/null; then exit 0; fi
  [ "$(id -u)" = 0 ] || { echo "SLURM's packages can be installed by root only" >&2; exit 1; }
  command -v apt-get >/dev/null || { echo "there is no apt-get here to install SLURM with" >&2; exit 1; }
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -qq --no-install-recommends slurm-wlm munge >/dev/null ||
    { apt-get update -qq && apt-get install -qq --no-install-recommends slurm-wlm munge >/dev/null; } ;;
up)
  [ -n "$dir" ] || usage
  # Snakemake's plugin drops SLURM_CONF with every other SLURM_*, so the files must be in the usual place.
  if [ -e /etc/slurm/slurm.conf ]; then
    echo "error: this machine has a SLURM of its own (/etc/slurm/slurm.conf)" >&2
    exit 1
  fi
  mkdir -p "$dir/state" "$dir/spool" /etc/slurm
  dir=$(cd "$dir" && pwd)
  if ! [ -S /run/munge/munge.socket.2 ] || ! munge -n >/dev/null 2>&1; then
    install -d -o munge -g munge /run/munge
    runuser -u munge -- /usr/sbin/munged
    until_works 20 cp /run/munge/munged.pid "$dir/munged.pid"
  fi
  # `File=` is needed: a GPU given by its count alone drains the node.
  for device in null zero; do echo "NodeName=$host Name=gpu File=/dev/$device"; done > /etc/slurm/gres.conf
  # What a job sees of its GPUs goes to its SLURM log.
  printf '#!/bin/sh\necho "print CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES-}"\n' > "$dir/task_prolog.sh"
  chmod +x "$dir/task_prolog.sh"
  # config_overrides: the node need not have the memory and CPUs that it is said to have.
  cat > /etc/slurm/slurm.conf <<CONF
ClusterName=onenode
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog=$dir/task_prolog.sh
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=2
MinJobAge=3600
KillWait=5
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  setsid /usr/sbin/slurmctld </dev/null >/dev/null 2>&1
  until_works 20 scontrol ping
  setsid /usr/sbin/slurmd -N "$host" </dev/null >/dev/null 2>&1
  until_works 20 idle || { sinfo >&2; exit 1; } ;;
down)
  [ -n "$dir" ] || usage
  grep -qs "^StateSaveLocation=$(cd "$dir" && pwd)/state$" /etc/slurm/slurm.conf ||
    { echo "error: no SLURM was started by '$0 up $dir'" >&2; exit 1; }
  for name in slurmd slurmctld munged; do
    [ -f "$dir/$name.pid" ] || continue
    pid=$(cat "$dir/$name.pid")
    kill "$pid" 2>/dev/null || true
    until_works 20 ended "$pid"
  done
  rm -f /etc/slurm/slurm.conf /etc/slurm/gres.conf ;;
*) usage ;;
esac
